"""`ModelParams` and its file, slidekit's and Slideflow's."""

from __future__ import annotations

import json

import numpy as np
import pytest

import slidekit
from slidekit import ModelParams, norm
from slidekit.errors import NormalizerError, SpecError
from slidekit.norm.methods import NEEDS_SOURCE

# What Slideflow 3 writes, by the facts of its format; numbers of the fit are made up.
SLIDEFLOW = {
    "slideflow_version": "3.0.2",
    "project": "P",
    "model_name": "m",
    "img_format": "jpeg",
    "tile_px": 299,
    "tile_um": 302,
    "norm_fit": {
        "stain_matrix_target": [[0.6, 0.2], [0.7, 0.8], [0.4, 0.5]],
        "target_concentrations": [1.5, 1.0],
    },
    "hp": {
        "augment": "xyrj",
        "batch_size": 16,
        "epochs": [1, 3],
        "normalizer": "macenko",
        "normalizer_source": "v2",
        "tile_px": 299,
        "tile_um": 302,
    },
}

AMOUNTS = np.random.default_rng(0).gamma(2, 0.4, (48, 48, 2))
TILE = (245 * np.exp(-AMOUNTS @ np.array([[0.65, 0.7, 0.29], [0.07, 0.99, 0.11]]))).astype(np.uint8)


def write(folder, content):
    path = folder / "params.json"
    path.write_text(json.dumps(content))
    return path


class TestRoundTrip:
    @pytest.mark.parametrize("method", [None, *sorted(set(norm.METHODS) - NEEDS_SOURCE)])
    def test_the_same_normaliser_comes_back(self, method, tmp_path):
        params = ModelParams(tile_px=256, tile_um=128, normalizer=method, augment="xyrj")

        path = params.save(tmp_path)
        normalizer = norm.from_params(tmp_path)

        assert path == tmp_path / "params.json"
        if method is None:
            assert normalizer is None
        else:
            assert np.array_equal(normalizer.transform(TILE), norm.autoselect(method).transform(TILE))
        loaded = ModelParams.load(path)
        assert loaded.model_copy(update={"norm_fit": None}) == params
        rebuilt = loaded.build_normalizer()
        assert (None if rebuilt is None else rebuilt.method) == method

    def test_sizes_of_concentric_tiles_are_a_list_in_the_file(self, tmp_path):
        params = ModelParams(tile_px=256, tile_um=np.array([128, 512]), augment="xy")

        content = json.loads(params.save(tmp_path).read_text())

        assert params.tile_um == (128.0, 512.0)
        assert content["tile_um"] == content["hp"]["tile_um"] == [128.0, 512.0]
        assert ModelParams.load(tmp_path) == params
        assert ModelParams(tile_px=256, tile_um=["20x", 512]).tile_um == ("20x", 512.0)
        # One is what it always was.
        assert ModelParams(tile_px=256, tile_um=[128]).tile_um == 128.0

    @pytest.mark.parametrize(
        ("tile_um", "what"),
        [([], "no size"), ([128, 128.0], "twice"), ([128, 1e6], "no slide can give"), ("128,512", "Several sizes")],
    )
    def test_what_is_no_size_is_named(self, tile_um, what):
        with pytest.raises(SpecError, match=what):
            ModelParams(tile_px=256, tile_um=tile_um)

    def test_a_fit_to_tiles_goes_into_the_file(self, tmp_path):
        normalizer = norm.autoselect("reinhard", [TILE, TILE[:24]])
        params = ModelParams(tile_px=256, tile_um=128, normalizer="reinhard", augment="xyrjn")

        params.save(tmp_path, normalizer=normalizer)

        assert norm.from_params(tmp_path).get_fit(as_list=True) == normalizer.get_fit(as_list=True)

    def test_the_fit_is_kept_when_the_source_is_gone(self, tmp_path):
        from PIL import Image

        source = tmp_path / "reference.png"
        Image.fromarray(TILE).save(source)
        params = ModelParams(tile_px=256, tile_um=128, normalizer="macenko", normalizer_source=source)
        expected = params.build_normalizer().get_fit(as_list=True)
        params.save(tmp_path)
        source.unlink()

        assert norm.from_params(tmp_path).get_fit(as_list=True) == expected
        assert ModelParams.load(tmp_path).normalizer_source == str(source)

    def test_magnification(self, tmp_path):
        ModelParams(tile_px=256, tile_um="20X").save(tmp_path)

        assert ModelParams.load(tmp_path).tile_um == "20x"


class TestSlideflow:
    def test_its_file_is_read(self, tmp_path):
        path = write(tmp_path, SLIDEFLOW)

        params = ModelParams.load(path)

        assert (params.tile_px, params.tile_um, params.augment) == (299, 302, "xyrj")
        assert (params.normalizer, params.normalizer_source) == ("macenko", "v2")
        assert norm.from_params(path).get_fit(as_list=True) == SLIDEFLOW["norm_fit"]

    def test_what_slidekit_does_not_know_is_kept(self, tmp_path):
        params = ModelParams.load(write(tmp_path, SLIDEFLOW))
        (tmp_path / "copy").mkdir()

        content = json.loads(params.save(tmp_path / "copy").read_text())

        assert content == SLIDEFLOW

    def test_without_a_fit_the_source_counts(self, tmp_path):
        path = write(tmp_path, {"hp": SLIDEFLOW["hp"]})

        assert norm.from_params(path).fitted_to.preset == "v2"
        assert ModelParams.load(path).tile_px == 299

    @pytest.mark.parametrize("name", ["vahadane_spams", "vahadane_sklearn"])
    def test_its_names_of_vahadane(self, name, tmp_path):
        fit = {"stain_matrix_target": [[0.54, 0.75, 0.37], [0.17, 0.86, 0.47]]}
        hp = {**SLIDEFLOW["hp"], "normalizer": name}

        normalizer = norm.from_params(write(tmp_path, {"hp": hp, "norm_fit": fit}))

        assert normalizer.method == "vahadane"
        assert normalizer.get_fit(as_list=True)["stain_matrix_target"] == fit["stain_matrix_target"]

    def test_augment_true_is_its_default(self):
        assert ModelParams(tile_px=256, tile_um=128, augment=True).augment == "xyrjb"
        assert ModelParams(tile_px=256, tile_um=128, augment=False).augment == ""


class TestNonsense:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"tile_px": 0}, "tile_px"),
            ({"tile_um": "wide"}, "wide"),
            ({"normaliser": "macenko"}, "normaliser"),
            ({"augment": "xz"}, "augment='xz' is not made of the letters"),
            ({"augment": ["x"]}, "is not made of the letters"),
            ({"facts": {"accuracy": np.float32(0.5)}}, "'accuracy' cannot be written as JSON"),
            ({"hp": {"loss": float("nan")}}, "'loss' cannot be written as JSON"),
            ({"facts": {"hp": {}, "tile_px": 3}}, "hp, tile_px would be written twice"),
            ({"augment": "xn"}, "there is no normalizer"),
        ],
    )
    def test_is_an_error_that_names_it(self, options, message):
        with pytest.raises(SpecError, match=message):
            ModelParams(**{"tile_px": 256, "tile_um": 128, **options})

    def test_a_folder_that_is_not_there(self, tmp_path):
        with pytest.raises(OSError, match="no such folder") as caught:
            ModelParams(tile_px=256, tile_um=128).save(tmp_path / "models" / "params.json")

        assert caught.value.filename == str(tmp_path / "models")

    def test_a_normaliser_of_another_method(self, tmp_path):
        params = ModelParams(tile_px=256, tile_um=128, normalizer="macenko")

        with pytest.raises(NormalizerError, match="is reinhard, the parameters name macenko"):
            params.save(tmp_path, normalizer=norm.autoselect("reinhard"))

        assert not (tmp_path / "params.json").exists()

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ({}, "has no object 'hp'"),
            ({"hp": 5}, "has no object 'hp'"),
            ({"hp": {"normalizer": "khan"}}, "'khan' is not a method"),
            ({"hp": {"normalizer": "macenko", "normalizer_source": 5}}, "not text"),
            ({"hp": {"normalizer": "macenko"}, "norm_fit": {"a": 1}}, "consists of"),
        ],
    )
    def test_a_damaged_file(self, content, message, tmp_path):
        path = write(tmp_path, content)

        with pytest.raises(NormalizerError, match=message) as caught:
            norm.from_params(path)

        assert caught.value.path == path

    def test_a_file_without_the_size_of_tiles(self, tmp_path):
        path = write(tmp_path, {"hp": {"normalizer": "macenko"}})

        with pytest.raises(SpecError, match="tile_px") as caught:
            ModelParams.load(path)

        assert caught.value.path == path


def test_it_is_exported():
    assert slidekit.ModelParams is ModelParams
