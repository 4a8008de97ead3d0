"""Normalisation of TensorFlow tensors, against the normalisers of numpy."""

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

tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

from slidekit.norm import tensorflow as native  # noqa: E402

pytestmark = pytest.mark.tensorflow

DATA = os.environ.get("SLIDEKIT_TEST_DATA")
MACENKO = ("macenko", "macenko_fast")
CONTEXTS = {
    "macenko": {"concentrations": [1.4, 0.8]},
    "macenko_fast": {"concentrations": [1.9, 1.1]},
    "reinhard": {"means": [70.0, 20.0, -10.0], "stds": [12.0, 8.0, 6.0]},
}


def normalize(method, tiles, *, fit=None, context=None):
    """Batch (n, h, w, 3) through TensorFlow, back as numpy."""
    fit = norm.autoselect(method).get_fit() if fit is None else fit
    result, changed = native.normalize(method, fit, tf.constant(np.array(tiles)), context=context)
    assert result.dtype == tf.uint8
    assert changed.dtype == tf.bool
    return result.numpy(), changed.numpy()


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
@settings(deadline=None, max_examples=15)
@given(tiles=ANY_TILES)
def test_any_tile_is_as_in_numpy(method, tiles):
    # Two stains with the same red: which of them is haematoxylin is for rounding errors to say, in numpy.

    assert_as_numpy(method, tiles)


@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None, max_examples=6)
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


def test_with_a_context_reinhard_takes_glass_as_well():
    glass = np.full((1, 16, 16, 3), (240, 236, 241), np.uint8)

    _, changed = normalize("reinhard", glass, context=CONTEXTS["reinhard"])

    assert changed.all()
    assert not normalize("reinhard", glass)[1].any()
    assert not normalize("reinhard", glass * 0, context=CONTEXTS["reinhard"])[1].any()


@pytest.mark.parametrize("method", METHODS)
def test_measure_is_numpys_fit(method, he_tile):
    tiles = np.stack([he_tile(0), np.zeros((96, 96, 3), np.uint8)])

    fit, defined = native.measure(method, tiles)

    assert defined.numpy().tolist() == [True, False]
    for name, value in norm.autoselect(method, tiles[0]).get_fit().items():
        np.testing.assert_allclose(fit[name][0], value, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(0, 8, 8, 3), (1, 1, 1, 3), (3, 1, 5, 3), (2, 7, 1, 3)])
def test_small_and_empty_batches(method, shape):
    images = np.full(shape, 90, np.uint8)

    result, changed = native.normalize(method, norm.autoselect(method).get_fit(), images)

    assert result.shape == shape
    assert np.array_equal(result, images)
    assert not changed.numpy().any()
    assert changed.shape == shape[:1]


@pytest.mark.parametrize("method", ["macenko", "macenko_fast", "reinhard_mask"])
def test_graph_of_unknown_shape_is_as_eager(method, he_tile):
    fit = norm.autoselect(method).get_fit()
    traces = []

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)])
    def in_graph(images):
        traces.append(images.shape)
        return native.normalize(method, fit, images)

    for shape in ((2, 33, 70, 3), (1, 64, 20, 3), (0, 5, 5, 3), (1, 1, 1, 3)):
        tiles = np.resize(np.stack([he_tile(seed) for seed in range(2)]), shape)
        result, changed = in_graph(tiles)
        expected, expected_changed = normalize(method, tiles)
        assert result.shape == shape
        assert np.abs(result.numpy().astype(int) - expected).max(initial=0) <= 1
        assert np.array_equal(changed, expected_changed)
    assert len(traces) == 1


def test_graph_has_no_python_in_it():
    fit = norm.autoselect("macenko").get_fit()
    function = tf.function(lambda images: native.normalize("macenko", fit, images))

    graph = function.get_concrete_function(tf.TensorSpec((None, None, None, 3), tf.uint8)).graph

    kinds = {operation.type for operation in graph.get_operations()}
    assert "SelfAdjointEigV2" in kinds
    assert not [kind for kind in kinds if "PyFunc" in kind]


@pytest.mark.parametrize("method", ["macenko", "reinhard_mask"])
def test_dataset_maps_in_parallel(method, he_tile):
    tiles = np.stack([he_tile(seed, 40) for seed in range(8)])
    fit = norm.autoselect(method).get_fit()
    dataset = tf.data.Dataset.from_tensor_slices(tiles).batch(2)

    mapped = dataset.map(lambda images: native.normalize(method, fit, images), num_parallel_calls=4)

    assert mapped.element_spec[0].shape.as_list() == [None, 40, 40, 3]
    results = np.concatenate([images.numpy() for images, _ in mapped])
    assert np.abs(results.astype(int) - normalize(method, tiles)[0]).max() <= 1


def test_dataset_augments_by_the_seed_of_each_batch(he_tile):
    tiles = np.stack([he_tile(0, 40)] * 4)
    fit, stdev = norm.autoselect("macenko").get_fit(), AUGMENT_STDEV["macenko"]["v2"]

    def augment(number, images):
        drawn = native.perturb(fit, stdev, tf.stack([tf.constant(3, tf.int64), number]), count=tf.shape(images)[0])
        return native.normalize("macenko", drawn, images)[0]

    batches = tf.data.Dataset.from_tensor_slices(tiles).batch(2).enumerate().map(augment, num_parallel_calls=2)

    first, second = (np.concatenate([images.numpy() for images in batches]) for _ in range(2))
    assert np.array_equal(first, second)
    assert len({image.tobytes() for image in first}) == 4


def test_a_draw_for_each_tile_fits_normalize(he_tile):
    tile = he_tile()
    drawn = native.perturb(norm.autoselect("macenko").get_fit(), AUGMENT_STDEV["macenko"]["v2"], 1, count=2)

    (first, second), changed = normalize("macenko", [tile, tile], fit=drawn)

    assert changed.all()
    assert not np.array_equal(first, second)
