"""Method ``cyclegan``, with formulas in place of networks."""

from __future__ import annotations

import hashlib
import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from slidekit import ModelParams, norm
from slidekit.errors import MissingExtraError, NormalizerError
from slidekit.norm.generator.base import InputShape
from slidekit.norm.generator.files import SUFFIXES

FORMULAS = {
    b"invert": lambda batch: -batch,
    b"half": lambda batch: 0.5 * batch,
    b"swap": lambda batch: batch[..., ::-1],
    b"far": lambda batch: 100 * batch,
    b"nan": lambda batch: np.where(batch > 0.9, np.nan, batch),
}


class Formula:
    """The generator of a file that holds the name of a formula."""

    loaded = 0

    def __init__(self, file):
        type(self).loaded += 1
        self.shape = InputShape()
        self.formula = FORMULAS[Path(file.path).read_bytes()]

    def __call__(self, batch):
        return np.asarray(self.formula(batch), np.float32)


@pytest.fixture(autouse=True)
def formulas(monkeypatch):
    monkeypatch.setattr("slidekit.norm.generator.chain.load_generator", Formula)
    monkeypatch.setattr("slidekit.norm.generator.files.find_spec", lambda name: name)
    monkeypatch.setattr(Formula, "loaded", 0)


@pytest.fixture
def generator(tmp_path):
    def write(formula, name="g.keras"):
        path = tmp_path / name
        path.write_bytes(formula)
        return path

    return write


class TestTransform:
    @given(image=npst.arrays(np.uint8, st.tuples(st.integers(1, 64), st.integers(1, 64), st.just(3))))
    @settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_any_image(self, generator, image):
        result = norm.autoselect("cyclegan", generator(b"invert")).normalize(image)

        assert np.array_equal(result.image, 255 - image)
        assert result.image.dtype == np.uint8
        assert result.changed

    def test_generators_are_applied_one_after_another(self, generator, he_tile):
        paths = [generator(b"half", "a.pt2"), str(generator(b"invert", "b.h5"))]
        expected = np.rint(127.5 - (he_tile() / 127.5 - 1) * 0.5 * 127.5)

        result = norm.autoselect("cyclegan", paths).transform(he_tile())

        # Halves may go either way.
        assert np.abs(result - expected).max() <= 1

    def test_results_beyond_the_range_are_clipped(self, generator):
        image = np.array([[[0, 127, 128], [255, 0, 255]]], np.uint8)

        result = norm.autoselect("cyclegan", generator(b"far")).transform(image)

        assert result.tolist() == [[[0, 78, 178], [255, 0, 255]]]

    def test_a_tile_is_left_alone_where_the_result_is_not_finite(self, generator, he_tile):
        white = np.full((9, 9, 3), 255, np.uint8)
        normalizer = norm.autoselect("cyclegan", [generator(b"nan"), generator(b"invert", "b.pt")])

        result = normalizer.normalize(white)

        assert not result.changed
        assert np.array_equal(result.image, white)
        assert not np.shares_memory(result.image, white)
        assert normalizer.normalize(white // 2).changed

    def test_a_batch_is_its_images(self, generator, he_tile):
        batch = np.stack([he_tile(1, 30), he_tile(2, 30)])

        assert np.array_equal(norm.autoselect("cyclegan", generator(b"invert")).transform(batch), 255 - batch)

    def test_the_network_is_loaded_once_when_the_first_image_comes(self, generator, he_tile):
        normalizer = norm.autoselect("cyclegan", generator(b"invert"))
        assert Formula.loaded == 0

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(normalizer.transform, [he_tile(1, 16)] * 16))

        assert Formula.loaded == 1
        assert all(np.array_equal(result, 255 - he_tile(1, 16)) for result in results)

    def test_pickle_is_small_and_loads_the_network_itself(self, generator, he_tile):
        normalizer = norm.autoselect("cyclegan", generator(b"invert"))
        normalizer.transform(he_tile())

        pickled = pickle.dumps(normalizer)
        copy = pickle.loads(pickled)

        assert len(pickled) < 1000
        assert np.array_equal(copy.transform(he_tile()), 255 - he_tile())
        assert Formula.loaded == 2

    def test_four_channels_are_an_error(self, generator):
        with pytest.raises(NormalizerError, match="alpha"):
            norm.autoselect("cyclegan", generator(b"invert")).transform(np.zeros((8, 8, 4), np.uint8))


class TestSource:
    def test_without_one_it_says_what_to_give(self, he_tile):
        with pytest.raises(NormalizerError, match=r"no generator\. Give source= the path"):
            norm.autoselect("cyclegan")
        for call in (lambda one: one.transform(he_tile()), lambda one: one.get_fit(), lambda one: one.save("f.json")):
            with pytest.raises(NormalizerError, match="no generator"):
                call(norm.StainNormalizer("cyclegan"))

    @pytest.mark.parametrize("source", ["v3", "a.png", "folder/weights"])
    def test_other_files_are_an_error_that_lists_the_suffixes(self, source):
        with pytest.raises(NormalizerError, match=r"not the file of a generator.*\.h5, \.keras, \.pt, \.pt2"):
            norm.autoselect("cyclegan", source)

    @pytest.mark.parametrize("source", [[], ["a.pt", 5], np.zeros((8, 8, 3), np.uint8), iter(["a.pt"]), 5])
    def test_other_things_are_an_error(self, source):
        with pytest.raises(NormalizerError, match="not fitted to"):
            norm.autoselect("cyclegan", source)

    def test_missing_file(self, tmp_path):
        with pytest.raises(NormalizerError, match=r"nowhere\.keras: The generator cannot be read: No such file"):
            norm.autoselect("cyclegan", tmp_path / "nowhere.keras")

    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_missing_framework_says_what_to_install(self, generator, suffix, monkeypatch):
        monkeypatch.setattr("slidekit.norm.generator.files.find_spec", lambda name: None)
        extra = "tensorflow" if suffix in (".keras", ".h5") else "torch"

        with pytest.raises(MissingExtraError, match=rf"pip install 'slidekit\[{extra}\]'"):
            norm.autoselect("cyclegan", generator(b"invert", f"g{suffix.upper()}"))

    def test_what_the_method_has_not_is_a_clear_error(self, generator, he_tile):
        normalizer = norm.autoselect("cyclegan", generator(b"invert"))

        assert not normalizer.takes_context
        with pytest.raises(NormalizerError, match="takes no context"):
            normalizer.set_context(he_tile())
        for call in (
            lambda: normalizer.set_augment("v1"),
            lambda: normalizer.set_augment(target_means=[1, 1, 1]),
            lambda: normalizer.augment(he_tile()),
            lambda: normalizer.transform(he_tile(), augment=True),
        ):
            with pytest.raises(NormalizerError, match="has no stain augmentation"):
                call()


class TestFit:
    def test_is_the_path_and_the_hash_of_each_file(self, generator, monkeypatch, tmp_path):
        generator(b"invert")
        monkeypatch.chdir(tmp_path)

        fit = norm.autoselect("cyclegan", "g.keras").get_fit(as_list=True)

        digest = hashlib.sha256(b"invert").hexdigest()
        assert fit == {"generators": [{"path": str(tmp_path / "g.keras"), "sha256": digest}]}

    def test_comes_back_from_a_file(self, generator, he_tile, tmp_path):
        normalizer = norm.autoselect("cyclegan", [generator(b"half", "a.pt2"), generator(b"invert", "b.pt2")])

        path = normalizer.save(tmp_path / "fit.json")

        for again in (norm.load(path), norm.autoselect("cyclegan", path), norm.autoselect("cyclegan", str(path))):
            assert again.get_fit() == normalizer.get_fit()
            assert np.array_equal(again.transform(he_tile()), normalizer.transform(he_tile()))

    def test_comes_back_with_a_model(self, generator, he_tile, tmp_path):
        path = generator(b"invert")
        params = ModelParams(tile_px=256, tile_um=128, normalizer="cyclegan", normalizer_source=path)

        params.save(tmp_path)

        assert np.array_equal(norm.from_params(tmp_path).transform(he_tile()), 255 - he_tile())
        assert ModelParams.load(tmp_path).build_normalizer().get_fit() == params.build_normalizer().get_fit()

    def test_another_file_at_that_path_is_an_error(self, generator, tmp_path):
        path = norm.autoselect("cyclegan", generator(b"invert")).save(tmp_path / "fit.json")
        generator(b"half")

        with pytest.raises(NormalizerError, match=r"g\.keras: This is another generator") as caught:
            norm.load(path)

        assert "Put that file back" in caught.value.mend

    def test_a_file_that_is_gone_is_an_error(self, generator, tmp_path):
        path = norm.autoselect("cyclegan", generator(b"invert")).save(tmp_path / "fit.json")
        (tmp_path / "g.keras").unlink()

        with pytest.raises(NormalizerError, match=r"g\.keras: The generator cannot be read") as caught:
            norm.load(path)

        assert "moved" in caught.value.mend

    @pytest.mark.parametrize(
        "fit",
        [
            {"target_means": [1, 2, 3]},
            {"generators": []},
            {"generators": "a.keras"},
            {"generators": ["a.keras"]},
            {"generators": [{"path": "a.keras"}]},
            {"generators": [{"path": "a.keras", "sha256": 5}]},
            {"generators": [{"path": "a.keras", "sha256": "0" * 64}], "more": 1},
        ],
    )
    def test_nonsense_in_a_file_is_an_error_that_names_it(self, generator, tmp_path, fit):
        path = norm.autoselect("cyclegan", generator(b"invert")).save(tmp_path / "fit.json")
        path.write_text(json.dumps({**json.loads(path.read_text()), "fit": fit}))

        with pytest.raises(NormalizerError, match="consists of generators") as caught:
            norm.load(path)

        assert caught.value.path == path

    def test_a_failed_fit_changes_nothing(self, generator, he_tile):
        normalizer = norm.autoselect("cyclegan", generator(b"invert"))

        with pytest.raises(NormalizerError, match="not the file of a generator"):
            normalizer.fit([generator(b"half", "h.pt"), "v3"])

        assert np.array_equal(normalizer.transform(he_tile()), 255 - he_tile())

    def test_the_saved_fit_of_another_method_is_an_error(self, tmp_path):
        path = norm.autoselect("reinhard").save(tmp_path / "fit.json")

        with pytest.raises(NormalizerError, match="the fit of reinhard, not of cyclegan"):
            norm.autoselect("cyclegan", path)
