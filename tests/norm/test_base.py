from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

from slidekit import norm
from slidekit.errors import NormalizerError
from slidekit.norm.methods import NEEDS_SOURCE, class_of
from slidekit.norm.presets import PRESETS

each_method = pytest.mark.parametrize("method", [method for method in norm.METHODS if method not in NEEDS_SOURCE])
each_fitted = pytest.mark.parametrize("method", sorted(PRESETS))

SHAPES = st.tuples(st.integers(1, 64), st.integers(1, 64), st.just(3))


@st.composite
def images(draw):
    """Any image, and images of a few colours, in which statistics degenerate more often than in noise."""
    shape = draw(SHAPES)
    if draw(st.booleans()):
        return draw(npst.arrays(np.uint8, shape))
    palette = np.array(draw(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=5)), np.uint8)
    seed = draw(st.integers(0, 2**32 - 1))
    return palette[np.random.default_rng(seed).integers(0, len(palette), shape[:2])]


def test_methods_are_sorted_and_exported():
    assert tuple(sorted(norm.METHODS)) == norm.METHODS
    assert set(norm.METHODS) >= {"macenko", "macenko_fast", "reinhard", "reinhard_fast"}
    assert norm.__all__ == sorted(norm.__all__)


@each_method
def test_autoselect_names_its_method(method):
    normalizer = norm.autoselect(method)

    assert isinstance(normalizer, norm.StainNormalizer)
    assert normalizer.method == method


def test_unknown_method_lists_the_known():
    with pytest.raises(NormalizerError, match=r"'khan'.*macenko, macenko_fast, reinhard, reinhard_fast"):
        norm.autoselect("khan")


class TestConstructor:
    @pytest.mark.parametrize("method", norm.METHODS)
    def test_makes_the_class_of_the_method(self, method):
        normalizer = norm.StainNormalizer(method)

        assert normalizer.method == method
        assert type(normalizer) is class_of(method)
        assert type(normalizer)(method).method == method

    @each_method
    def test_is_what_autoselect_makes(self, method, he_tile):
        normalizer = norm.StainNormalizer(method=method)

        assert normalizer.get_fit(as_list=True) == norm.autoselect(method).get_fit(as_list=True)
        assert np.array_equal(normalizer.transform(he_tile()), norm.autoselect(method).transform(he_tile()))

    @each_fitted
    def test_is_fitted_like_slideflows(self, method, he_tile):
        normalizer = norm.StainNormalizer(method).fit(he_tile(1))

        assert normalizer.get_fit(as_list=True) == norm.autoselect(method, he_tile(1)).get_fit(as_list=True)

    def test_unknown_method_lists_the_known(self):
        with pytest.raises(NormalizerError, match=r"'khan'.*macenko, macenko_fast, reinhard, reinhard_fast"):
            norm.StainNormalizer("khan")


class TestAnyImage:
    @each_method
    @given(image=images())
    @settings(deadline=None, max_examples=120)
    def test_transform_keeps_shape_and_type_and_says_whether_it_changed(self, method, image):
        before = image.copy()

        result = norm.autoselect(method).normalize(image)

        assert result.image.shape == image.shape
        assert result.image.dtype == np.uint8
        assert result.image.flags.writeable
        assert not np.shares_memory(result.image, image)
        assert result.changed or np.array_equal(result.image, before)
        assert np.array_equal(image, before)

    @each_fitted
    @given(image=images())
    @settings(deadline=None, max_examples=120)
    def test_fit_is_finite_or_an_error_and_agrees_with_changed(self, method, image):
        changed = norm.autoselect(method).normalize(image).changed

        try:
            fit = norm.autoselect(method, image).get_fit()
        except NormalizerError:
            assert not changed
        else:
            assert changed
            assert all(np.isfinite(value).all() for value in fit.values())

    @each_fitted
    def test_result_does_not_depend_on_the_order_of_pixels(self, method, he_tile):
        tile = he_tile(1)
        normalizer = norm.autoselect(method)

        turned = normalizer.transform(np.rot90(tile))

        difference = turned.astype(int) - np.rot90(normalizer.transform(tile))
        assert np.abs(difference).max() <= 1

    @each_method
    def test_views_are_taken_as_they_look(self, method, he_tile):
        big = he_tile(2, 120)
        normalizer = norm.autoselect(method)

        assert np.array_equal(normalizer.transform(big[::2, 5:80]), normalizer.transform(big[::2, 5:80].copy()))


class TestWrongInput:
    @pytest.mark.parametrize(
        ("image", "mend"),
        [
            (np.zeros((4, 4, 3), np.float32), "astype"),
            (np.zeros((4, 4, 4), np.uint8), "alpha"),
            (np.zeros((3, 8, 9), np.uint8), "last axis"),
            (np.zeros((4, 4), np.uint8), "RGB"),
            (np.zeros(12, np.uint8), "height, width, 3"),
            (np.zeros((0, 4, 3), np.uint8), "at least one pixel"),
            ([[1, 2, 3]], "numpy.asarray"),
            (Image.new("RGB", (4, 4)), "numpy.asarray"),
        ],
    )
    def test_is_an_error_that_says_what_to_do(self, image, mend):
        normalizer = norm.autoselect("reinhard_fast")

        for call in (normalizer.transform, normalizer.normalize, normalizer.fit):
            with pytest.raises(NormalizerError) as caught:
                call(image)
            assert mend in str(caught.value.mend)


class TestFit:
    @each_fitted
    def test_file_and_array_give_the_same_fit(self, method, he_tile, tmp_path):
        tile = he_tile(3)
        path = tmp_path / "reference.png"
        Image.fromarray(tile).save(path)

        fits = [norm.autoselect(method, source).get_fit(as_list=True) for source in (path, str(path), tile)]

        assert fits[0] == fits[1] == fits[2]

    @each_fitted
    def test_transparent_pixels_are_white(self, method, he_tile, tmp_path):
        tile = he_tile(3)
        opaque = np.full(tile.shape[:2], 255, np.uint8)
        opaque[:10] = 0
        Image.fromarray(np.dstack([tile, opaque])).save(tmp_path / "reference.png")
        tile[:10] = 255

        fit = norm.autoselect(method, tmp_path / "reference.png").get_fit(as_list=True)

        assert fit == norm.autoselect(method, tile).get_fit(as_list=True)

    @each_fitted
    def test_big_image_is_shrunk_to_2048(self, method, he_tile):
        big = cv2.resize(he_tile(4, 64), (4096, 1024), interpolation=cv2.INTER_CUBIC)
        half = cv2.resize(big, (2048, 512), interpolation=cv2.INTER_AREA)

        assert norm.autoselect(method, big).get_fit(as_list=True) == norm.autoselect(method, half).get_fit(as_list=True)

    @each_fitted
    def test_tiles_take_the_statistics_of_the_reference(self, method, he_tile):
        reference, tile = he_tile(5, strength=(0.35, 0.5)), he_tile(6)
        normalizer = norm.autoselect(method, reference)

        measured = norm.autoselect(method, normalizer.transform(tile)).get_fit()

        for name, target in normalizer.get_fit().items():
            # The brightness step and clipping move the statistics a little after they were matched.
            np.testing.assert_allclose(measured[name], target, rtol=0.1, atol=0.05)

    @each_fitted
    def test_degenerate_reference_names_the_file(self, method, tmp_path):
        path = tmp_path / "blank.png"
        Image.new("RGB", (64, 64), "white").save(path)
        normalizer = norm.autoselect(method, "v1")

        with pytest.raises(NormalizerError, match=r"blank\.png.*mostly tissue") as caught:
            normalizer.fit(path)

        assert caught.value.path == path
        assert normalizer.get_fit(as_list=True) == norm.autoselect(method, "v1").get_fit(as_list=True)

    def test_missing_file_names_the_presets(self, tmp_path):
        with pytest.raises(NormalizerError, match=r"nowhere\.png.*v1, v2, v3"):
            norm.autoselect("macenko", tmp_path / "nowhere.png")

    @pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n cut"])
    def test_file_that_is_no_image(self, content, tmp_path):
        path = tmp_path / "text.png"
        path.write_bytes(content)

        with pytest.raises(NormalizerError, match=r"text\.png: The file cannot be read"):
            norm.autoselect("reinhard", path)

    def test_truncated_file(self, he_tile, tmp_path):
        path = tmp_path / "cut.jpg"
        Image.fromarray(he_tile()).save(path)
        path.write_bytes(path.read_bytes()[:2000])

        with pytest.raises(NormalizerError, match=r"cut\.jpg: The file cannot be read"):
            norm.autoselect("reinhard", path)


class TestSetFit:
    @each_fitted
    def test_takes_what_get_fit_gives(self, method):
        source = norm.autoselect(method, "v1")

        for as_list in (False, True):
            copy = norm.autoselect(method).set_fit(**source.get_fit(as_list))
            assert copy.get_fit(as_list=True) == source.get_fit(as_list=True)

    def test_array_that_is_given_back_is_a_copy(self):
        normalizer = norm.autoselect("reinhard", "v1")

        normalizer.get_fit()["target_means"][:] = 0

        assert normalizer.get_fit()["target_means"][0] == 72.272896

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({}, "nothing"),
            ({"target_means": [1, 2, 3]}, "target_means, target_stds"),
            ({"target_means": [1, 2, 3], "target_stds": [1, 2, 3], "more": 1}, "more"),
            ({"target_means": [1, 2], "target_stds": [1, 2, 3]}, r"shape \(2,\)"),
            ({"target_means": [1, 2, 3], "target_stds": [1, 0, 3]}, "above zero"),
            ({"target_means": [1, 2, np.nan], "target_stds": [1, 1, 3]}, "finite"),
            ({"target_means": "abc", "target_stds": [1, 1, 3]}, "not numbers"),
        ],
    )
    def test_nonsense_is_an_error_and_changes_nothing(self, values, message):
        normalizer = norm.autoselect("reinhard")

        with pytest.raises(NormalizerError, match=message):
            normalizer.set_fit(**values)

        assert normalizer.get_fit(as_list=True) == norm.autoselect("reinhard").get_fit(as_list=True)


class TestInOtherProcessesAndThreads:
    @each_fitted
    def test_pickle_is_small_and_gives_the_same_pixels(self, method, he_tile):
        normalizer = norm.autoselect(method, he_tile(7))

        pickled = pickle.dumps(normalizer)
        copy = pickle.loads(pickled)

        assert len(pickled) < 1000
        assert copy.method == method
        assert np.array_equal(copy.transform(he_tile(8)), normalizer.transform(he_tile(8)))

    @each_method
    def test_threads_share_one_normaliser(self, method, he_tile):
        normalizer = norm.autoselect(method)
        tiles = [he_tile(seed, 64) for seed in range(24)]
        alone = [normalizer.transform(tile) for tile in tiles]

        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(normalizer.transform, tiles))

        assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))

    @each_method
    def test_threads_of_opencv_change_no_pixel(self, method, he_tile):
        tile = he_tile(9, 512)
        normalizer = norm.autoselect(method)
        threads = cv2.getNumThreads()

        results = []
        try:
            for number in (1, 4):
                cv2.setNumThreads(number)
                results.append(normalizer.transform(tile))
        finally:
            cv2.setNumThreads(threads)

        assert np.array_equal(*results)
