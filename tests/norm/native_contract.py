"""What the normalisers of torch and TensorFlow have to do, against those of numpy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from slidekit import norm
from slidekit.norm.backend.methods import METHODS
from slidekit.norm.presets import AUGMENT_STDEV

DATA = os.environ.get("SLIDEKIT_TEST_DATA")
CONTEXTS = {
    "macenko": {"concentrations": [1.4, 0.8]},
    "reinhard": {"means": [70.0, 20.0, -10.0], "stds": [12.0, 8.0, 6.0]},
}
each_method = pytest.mark.parametrize("method", METHODS)


@st.composite
def palettes(draw):
    """Tiles of a few colours, gray ones and one colour among them: what has no plane, or no spread."""
    colours = draw(hnp.arrays(np.uint8, st.tuples(st.integers(1, 5), st.sampled_from([1, 3]))))
    shape = draw(st.tuples(st.integers(1, 2), st.integers(1, 20), st.integers(1, 20)))
    places = np.random.default_rng(draw(st.integers(0, 99))).integers(0, len(colours), shape)
    return np.broadcast_to(colours, (len(colours), 3))[places]


ANY_TILES = palettes() | hnp.arrays(
    np.uint8, st.tuples(st.integers(1, 2), st.integers(1, 24), st.integers(1, 24), st.just(3))
)


def some(examples):
    # Every framework runs the same tests.
    return settings(deadline=None, max_examples=examples, suppress_health_check=[HealthCheck.differing_executors])


class NativeContract:
    """Tests that the tests of a framework inherit."""

    native: Any
    """The module with `normalize`, `measure` and `perturb`."""

    def to_tensor(self, tiles):
        """Tiles uint8 (n, h, w, 3) as the framework has them."""
        raise NotImplementedError

    def to_array(self, tensor):
        """The way back."""
        raise NotImplementedError

    def normalize(self, method, tiles, *, fit=None, context=None):
        """Batch (n, h, w, 3) through the framework, back as numpy."""
        fit = norm.autoselect(method).get_fit() if fit is None else fit
        images, changed = self.native.normalize(method, fit, self.to_tensor(np.array(tiles)), context=context)
        result, changed = self.to_array(images), np.asarray(changed)
        assert result.dtype == np.uint8
        assert changed.dtype == np.bool_
        return result, changed

    def assert_as_numpy(self, method, tiles):
        results, changed = self.normalize(method, tiles)
        expected = [norm.autoselect(method).normalize(tile) for tile in tiles]
        assert changed.tolist() == [one.changed for one in expected]
        for result, one, tile in zip(results, expected, tiles, strict=True):
            difference = np.abs(result.astype(int) - one.image)
            assert difference.max() <= 3
            assert difference.mean() <= 1
            assert one.changed or np.array_equal(result, tile)

    @each_method
    @some(15)
    @given(tiles=ANY_TILES)
    def test_any_tile_is_as_in_numpy(self, method, tiles):
        self.assert_as_numpy(method, tiles)

    @each_method
    @some(6)
    @given(
        strength=st.tuples(st.floats(0.02, 0.7), st.floats(0.02, 0.7)),
        glass=st.floats(0, 1),
        noise=st.floats(0, 5),
        shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
        seed=st.integers(0, 999),
    )
    def test_tissue_of_any_strength_is_as_in_numpy(self, method, strength, glass, noise, shape, seed):
        generator = np.random.default_rng(seed)
        amounts = generator.gamma(2.0, strength, (2, *shape, 2)) * (generator.random((2, *shape, 1)) >= glass)
        density = amounts @ np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
        tiles = np.clip(245 * np.exp(-density) + generator.normal(0, noise, density.shape), 0, 255).astype(np.uint8)

        self.assert_as_numpy(method, tiles)

    @pytest.mark.realdata
    @pytest.mark.skipif(not DATA, reason="SLIDEKIT_TEST_DATA does not name the folder of real data")
    @each_method
    def test_real_tiles_are_as_in_numpy(self, method):
        from PIL import Image

        names = sorted((Path(DATA or "") / "crops").glob("*.jpg"))[::4][:4]
        tiles = np.stack([np.asarray(Image.open(name).convert("RGB"))[:224, :224] for name in names])

        self.assert_as_numpy(method, tiles)

    @each_method
    def test_batch_is_each_tile_alone(self, method, he_tile):
        tiles = np.stack([he_tile(seed, 61) for seed in range(5)] + [np.full((61, 61, 3), 250, np.uint8)])

        together, changed = self.normalize(method, tiles)

        alone = [self.normalize(method, tile[np.newaxis]) for tile in tiles]
        assert np.abs(together.astype(int) - np.concatenate([image for image, _ in alone])).max() <= 1
        assert changed.tolist() == [True] * 5 + [False]

    @pytest.mark.parametrize("method", CONTEXTS)
    def test_each_tile_may_have_a_fit_and_a_context_of_its_own(self, method, he_tile):
        tiles = np.stack([he_tile(1), he_tile(1)])
        fits = [norm.autoselect(method, preset).get_fit() for preset in ("v1", "v3")]
        stacked = {name: np.stack([fit[name] for fit in fits]) for name in fits[0]}
        context = {name: np.stack([value, np.multiply(value, 1.1)]) for name, value in CONTEXTS[method].items()}

        results, _ = self.normalize(method, tiles, fit=stacked, context=context)

        for index in range(2):
            own = {name: value[index] for name, value in context.items()}
            expected, _ = self.normalize(method, tiles[index : index + 1], fit=fits[index], context=own)
            assert np.abs(results[index].astype(int) - expected[0]).max() <= 1

    @pytest.mark.parametrize("method", CONTEXTS)
    def test_own_statistics_as_context_change_nothing(self, method, he_tile):
        tile = he_tile(3)
        fit = norm.autoselect(method, tile).get_fit()
        names = {"concentrations": "target_concentrations", "means": "target_means", "stds": "target_stds"}
        context = {name: fit[key] for name, key in names.items() if key in fit}

        with_context, _ = self.normalize(method, tile[np.newaxis], context=context)

        without, _ = self.normalize(method, tile[np.newaxis])
        assert np.abs(with_context.astype(int) - without).max() <= 1

    def test_with_a_context_reinhard_takes_glass_as_well(self):
        glass = np.full((1, 16, 16, 3), (240, 236, 241), np.uint8)

        _, changed = self.normalize("reinhard", glass, context=CONTEXTS["reinhard"])

        assert changed.all()
        assert not self.normalize("reinhard", glass)[1].any()
        assert not self.normalize("reinhard", glass * 0, context=CONTEXTS["reinhard"])[1].any()

    @each_method
    def test_measure_is_numpys_fit(self, method, he_tile):
        tiles = np.stack([he_tile(0), np.zeros((96, 96, 3), np.uint8)])

        fit, defined = self.native.measure(method, self.to_tensor(tiles))

        assert np.asarray(defined).tolist() == [True, False]
        for name, value in norm.autoselect(method, tiles[0]).get_fit().items():
            np.testing.assert_allclose(fit[name][0], value, rtol=1e-4, atol=1e-4)

    @each_method
    @pytest.mark.parametrize("shape", [(0, 8, 8, 3), (1, 1, 1, 3), (3, 1, 5, 3), (2, 7, 1, 3)])
    def test_small_and_empty_batches(self, method, shape):
        images = np.full(shape, 90, np.uint8)

        result, changed = self.normalize(method, images)

        assert result.shape == shape
        assert np.array_equal(result, images)
        assert not changed.any()
        assert changed.shape == shape[:1]

    def test_a_draw_for_each_tile_fits_normalize(self, he_tile):
        tile = he_tile()
        drawn = self.native.perturb(norm.autoselect("macenko").get_fit(), AUGMENT_STDEV["macenko"]["v2"], 1, count=2)

        (first, second), changed = self.normalize("macenko", [tile, tile], fit=drawn)

        assert changed.all()
        assert not np.array_equal(first, second)
