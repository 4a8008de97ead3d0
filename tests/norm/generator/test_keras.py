"""Generators of Keras: an affine convolution, whose formula is known."""

from __future__ import annotations

import multiprocessing
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from slidekit import norm
from slidekit.errors import NormalizerError

tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

import keras  # noqa: E402

from slidekit.norm.generator.keras import load  # noqa: E402

pytestmark = pytest.mark.tensorflow

IMAGES = (None, None, 3)


def save(layers, path, shape=IMAGES, batch=None):
    with warnings.catch_warnings():
        # Keras' own, of numpy 2 and of the old format.
        warnings.simplefilter("ignore")
        images = keras.Input(shape, batch_size=batch)
        output = images
        for layer in layers:
            output = layer(output)
        keras.Model(images, output).save(path)
    return path


def affine_layers():
    """``0.5 · (G, B, R) + 0.25``, as a convolution of 1 × 1 px."""
    mix = 0.5 * np.eye(3, dtype=np.float32)[[1, 2, 0]].T[np.newaxis, np.newaxis]
    layer = keras.layers.Conv2D(3, 1, bias_initializer=keras.initializers.Constant(0.25))
    layer.build((None, *IMAGES))
    layer.kernel.assign(mix)
    return [layer]


def affine(tile):
    return np.rint(np.clip(127.5 * (0.5 * (tile[..., [1, 2, 0]] / 127.5 - 1) + 1.25), 0, 255))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("was_used", [True, False])
def test_a_process_forked_from_one_with_tensorflow_says_so_instead_of_hanging(was_used, he_tile, tmp_path):
    # Arrange
    normalizer, tile = norm.autoselect("cyclegan", save(affine_layers(), tmp_path / "g.keras")), he_tile(1, 16)
    if was_used:
        normalizer.transform(tile)
    said = multiprocessing.get_context("fork").Queue()

    def work() -> None:
        try:
            said.put(normalizer.transform(tile).shape)
        except NormalizerError as error:
            said.put(str(error))

    # Act
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    message = said.get(timeout=30)
    process.join()

    # Assert
    assert "g.keras: The generator cannot work in a process that was forked" in message
    assert 'multiprocessing_context="spawn"' in message


@pytest.mark.parametrize("name", ["g.keras", "g.h5"])
def test_every_kind_of_file(name, he_tile, tmp_path):
    normalizer = norm.autoselect("cyclegan", save(affine_layers(), tmp_path / name))

    for tile in (he_tile(1, 64), he_tile(2, 33), he_tile(3, 8)[:1]):
        assert np.abs(normalizer.transform(tile) - affine(tile)).max() <= 1


def test_sides_that_are_no_multiple_of_4(he_tile, tmp_path):
    layers = [keras.layers.AveragePooling2D(4, padding="valid"), keras.layers.UpSampling2D(4)]
    tile = np.repeat(np.repeat(he_tile(1, 8), 4, 0), 4, 1)
    normalizer = norm.autoselect("cyclegan", save(layers, tmp_path / "g.keras"))

    assert np.array_equal(normalizer.transform(tile), tile)
    # All but the last block of 4 × 4 px is whole.
    assert np.array_equal(normalizer.transform(tile[:29, :30])[:28, :28], tile[:28, :28])


def test_a_fixed_size_is_kept_to(he_tile, tmp_path):
    path = save([keras.layers.Rescaling(-1.0)], tmp_path / "g.keras", (32, 24, 3), 2)

    assert load(str(path)).shape == (2, 32, 24)
    for size in (10, 32, 80):
        assert np.array_equal(norm.autoselect("cyclegan", path).transform(he_tile(1, size)), 255 - he_tile(1, size))


def test_threads_share_a_model(he_tile, tmp_path):
    normalizer = norm.autoselect("cyclegan", save([keras.layers.Rescaling(-1.0)], tmp_path / "g.keras"))
    tiles = [he_tile(seed, 40) for seed in range(16)]

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(normalizer.transform, tiles))

    assert all(np.array_equal(result, 255 - tile) for result, tile in zip(results, tiles, strict=True))


def test_tensors(he_tile, tmp_path):
    normalizer = norm.autoselect("cyclegan", save([keras.layers.Rescaling(-1.0)], tmp_path / "g.keras"))
    batch = np.stack([he_tile(1, 32)[:, :24]] * 2)

    result = normalizer.transform(tf.constant(batch))

    assert result.dtype == tf.uint8
    assert np.array_equal(result, 255 - batch)
    assert np.array_equal(normalizer.tf_to_rgb(tf.constant(batch[0])), 255 - batch[0])
    floats = normalizer.preprocess(tf.constant(batch), standardize=True)
    np.testing.assert_allclose(floats, 1 - batch / 127.5, atol=1e-6)
    with pytest.raises(NormalizerError, match="cannot work in a graph"):
        tf.function(normalizer.transform, autograph=False)(tf.constant(batch))


@pytest.mark.parametrize("name", ["g.keras", "g.h5"])
def test_damaged_files_are_an_error(name, tmp_path):
    (tmp_path / name).write_bytes(b"no model")

    with pytest.raises(NormalizerError, match="Keras cannot load the generator") as caught:
        norm.autoselect("cyclegan", tmp_path / name).transform(np.zeros((4, 4, 3), np.uint8))

    assert caught.value.path == tmp_path / name


@pytest.mark.parametrize("name", ["g.keras", "g.h5"])
def test_code_in_a_file_is_refused(name, tmp_path):
    path = save([keras.layers.Lambda(lambda values: -values)], tmp_path / name)

    with pytest.raises(NormalizerError, match="code execution"):
        load(str(path))


@pytest.mark.parametrize(
    ("shape", "layers", "message"),
    [
        ((8, 8, 1), [], r"takes \(None, 8, 8, 1\), not \(n, h, w, 3\)"),
        ((8, 3), [], r"takes \(None, 8, 3\)"),
        ((None, None, 3), [keras.layers.AveragePooling2D(2)], "made"),
    ],
)
def test_other_networks_are_an_error(shape, layers, message, tmp_path):
    path = save(layers or [keras.layers.Rescaling(1.0)], tmp_path / "g.keras", shape)

    with pytest.raises(NormalizerError, match=message):
        norm.autoselect("cyclegan", path).transform(np.zeros((8, 8, 3), np.uint8))
