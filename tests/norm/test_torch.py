"""Normalisation of torch tensors, against the normalisers of numpy."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from slidekit import norm
from slidekit.norm.backend.methods import METHODS
from slidekit.norm.presets import AUGMENT_STDEV

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from slidekit.norm import torch as native  # noqa: E402

pytestmark = pytest.mark.torch

DATA = os.environ.get("SLIDEKIT_TEST_DATA")
MACENKO = ("macenko", "macenko_fast")
CONTEXTS = {
    "macenko": {"concentrations": [1.4, 0.8]},
    "macenko_fast": {"concentrations": [1.9, 1.1]},
    "reinhard": {"means": [70.0, 20.0, -10.0], "stds": [12.0, 8.0, 6.0]},
}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """More would wait for each other: the tiles are small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def normalize(method, tiles, *, fit=None, context=None):
    """Batch (n, h, w, 3) through torch, back as numpy."""
    fit = norm.autoselect(method).get_fit() if fit is None else fit
    images = torch.from_numpy(np.array(tiles)).permute(0, 3, 1, 2)
    result, changed = native.normalize(method, fit, images, context=context)
    assert result.dtype == torch.uint8
    assert changed.dtype == torch.bool
    return result.permute(0, 2, 3, 1).numpy(), changed.numpy()


def assert_as_numpy(method, tiles, **options):
    results, changed = normalize(method, tiles, **options)
    expected = [norm.autoselect(method).normalize(tile) for tile in tiles]
    assert changed.tolist() == [one.changed for one in expected]
    for result, one, tile in zip(results, expected, tiles, strict=True):
        difference = np.abs(result.astype(int) - one.image)
        assert difference.max() <= 3
        assert difference.mean() <= 1
        assert one.changed or np.array_equal(result, tile)


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


@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None, max_examples=30)
@given(tiles=ANY_TILES)
def test_any_tile_is_as_in_numpy(method, tiles):
    # Two stains with the same red: which of them is haematoxylin is for rounding errors to say, in numpy.

    assert_as_numpy(method, tiles)


@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None, max_examples=12)
@given(
    strength=st.tuples(st.floats(0.02, 0.7), st.floats(0.02, 0.7)),
    glass=st.floats(0, 1),
    noise=st.floats(0, 5),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    seed=st.integers(0, 999),
)
def test_tissue_of_any_strength_is_as_in_numpy(method, strength, glass, noise, shape, seed):
    generator = np.random.default_rng(seed)
    amounts = generator.gamma(2.0, strength, (2, *shape, 2)) * (generator.random((2, *shape, 1)) >= glass)
    density = amounts @ np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
    tiles = np.clip(245 * np.exp(-density) + generator.normal(0, noise, density.shape), 0, 255).astype(np.uint8)

    assert_as_numpy(method, tiles)


@pytest.mark.realdata
@pytest.mark.skipif(not DATA, reason="SLIDEKIT_TEST_DATA does not name the folder of real data")
@pytest.mark.parametrize("method", METHODS)
def test_real_tiles_are_as_in_numpy(method):
    from PIL import Image

    names = sorted((Path(DATA or "") / "crops").glob("*.jpg"))[::4][:4]
    tiles = np.stack([np.asarray(Image.open(name).convert("RGB"))[:224, :224] for name in names])

    assert_as_numpy(method, tiles)


@pytest.mark.parametrize("method", METHODS)
def test_batch_is_each_tile_alone(method, he_tile):
    tiles = np.stack([he_tile(seed, 61) for seed in range(5)] + [np.full((61, 61, 3), 250, np.uint8)])

    together, changed = normalize(method, tiles)

    alone = [normalize(method, tile[np.newaxis]) for tile in tiles]
    assert np.abs(together.astype(int) - np.concatenate([image for image, _ in alone])).max() <= 1
    assert changed.tolist() == [True] * 5 + [False]


def test_batch_larger_than_what_is_taken_together(he_tile, monkeypatch):
    monkeypatch.setattr(native, "_PIXELS_ON_CPU", 2 * 32 * 32)
    tiles = np.stack([he_tile(seed, 32) for seed in range(5)])
    fits = {"target_means": np.linspace(40, 60, 15).reshape(5, 3) * (1, 0.3, 0.1), "target_stds": np.full((5, 3), 7.0)}

    together, _ = normalize("reinhard", tiles, fit=fits)

    for index, tile in enumerate(tiles):
        fit = {name: value[index] for name, value in fits.items()}
        alone, _ = normalize("reinhard", tile[np.newaxis], fit=fit)
        assert np.abs(together[index].astype(int) - alone[0]).max() <= 1


@pytest.mark.parametrize("method", ["macenko", "reinhard"])
def test_each_tile_may_have_a_fit_and_a_context_of_its_own(method, he_tile):
    tiles = np.stack([he_tile(1), he_tile(1)])
    fits = [norm.autoselect(method, preset).get_fit() for preset in ("v1", "v3")]
    stacked = {name: np.stack([fit[name] for fit in fits]) for name in fits[0]}
    context = {name: np.stack([value, np.multiply(value, 1.1)]) for name, value in CONTEXTS[method].items()}

    results, _ = normalize(method, tiles, fit=stacked, context=context)

    for index in range(2):
        own = {name: value[index] for name, value in context.items()}
        expected, _ = normalize(method, tiles[index : index + 1], fit=fits[index], context=own)
        assert np.abs(results[index].astype(int) - expected[0]).max() <= 1


@pytest.mark.parametrize("method", ["macenko", "reinhard"])
def test_own_statistics_as_context_change_nothing(method, he_tile):
    tile = he_tile(3)
    fit = norm.autoselect(method, tile).get_fit()
    names = {"concentrations": "target_concentrations", "means": "target_means", "stds": "target_stds"}
    context = {name: fit[key] for name, key in names.items() if key in fit}

    with_context, _ = normalize(method, tile[np.newaxis], context=context)

    without, _ = normalize(method, tile[np.newaxis])
    assert np.abs(with_context.astype(int) - without).max() <= 1


def test_with_a_context_reinhard_takes_glass_as_well():
    glass = np.full((1, 16, 16, 3), (240, 236, 241), np.uint8)

    _, changed = normalize("reinhard", glass, context=CONTEXTS["reinhard"])

    assert changed.all()
    assert not normalize("reinhard", glass)[1].any()
    assert not normalize("reinhard", glass * 0, context=CONTEXTS["reinhard"])[1].any()


@pytest.mark.parametrize("method", METHODS)
def test_measure_is_numpys_fit(method, he_tile):
    tiles = np.stack([he_tile(0), np.zeros((96, 96, 3), np.uint8)])

    fit, defined = native.measure(method, torch.from_numpy(tiles).permute(0, 3, 1, 2))

    assert defined.tolist() == [True, False]
    for name, value in norm.autoselect(method, tiles[0]).get_fit().items():
        np.testing.assert_allclose(fit[name][0], value, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_memory_format_does_not_matter(method, he_tile):
    images = torch.from_numpy(np.stack([he_tile(0), he_tile(1)])).permute(0, 3, 1, 2)
    fit = norm.autoselect(method).get_fit()

    channels_last, _ = native.normalize(method, fit, images)
    contiguous, _ = native.normalize(method, fit, images.contiguous())
    every_second, _ = native.normalize(method, fit, images.repeat_interleave(2, dim=3)[..., ::2])

    assert torch.equal(channels_last, contiguous)
    assert torch.equal(every_second, contiguous)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (1, 3, 1, 1), (3, 3, 1, 5), (2, 3, 7, 1)])
def test_small_and_empty_batches(method, shape):
    images = torch.full(shape, 90, dtype=torch.uint8)

    result, changed = native.normalize(method, norm.autoselect(method).get_fit(), images)

    assert torch.equal(result, images)
    assert not changed.any()
    assert changed.shape == shape[:1]


def test_what_is_given_is_not_written_to(he_tile):
    images = torch.from_numpy(he_tile()[np.newaxis]).permute(0, 3, 1, 2).contiguous()
    before = images.clone()
    fit = {name: np.array(value) for name, value in norm.autoselect("reinhard_mask").get_fit().items()}
    for value in fit.values():
        value.flags.writeable = False

    result, _ = native.normalize("reinhard_mask", fit, images)
    result[:] = 0

    assert torch.equal(images, before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("method", METHODS)
def test_gpu_is_as_the_cpu(method, he_tile):
    images = torch.from_numpy(np.stack([he_tile(seed) for seed in range(3)])).permute(0, 3, 1, 2)
    fit = norm.autoselect(method).get_fit()

    on_gpu, changed = native.normalize(method, fit, images.cuda())

    assert on_gpu.is_cuda
    assert changed.is_cuda
    on_cpu, _ = native.normalize(method, fit, images)
    assert (on_gpu.cpu().int() - on_cpu.int()).abs().max() <= 1


def test_a_draw_for_each_tile_fits_normalize(he_tile):
    tile = he_tile()
    drawn = native.perturb(norm.autoselect("macenko").get_fit(), AUGMENT_STDEV["macenko"]["v2"], 1, count=2)

    (first, second), changed = normalize("macenko", [tile, tile], fit=drawn)

    assert changed.all()
    assert not np.array_equal(first, second)
