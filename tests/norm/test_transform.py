"""Images and batches in arrays; stain augmentation; bytes of image files."""

from __future__ import annotations

import io
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

from slidekit import norm
from slidekit.errors import MissingExtraError, NormalizerError
from slidekit.norm.augment import perturb
from slidekit.norm.methods import NEEDS_SOURCE
from slidekit.norm.presets import AUGMENT_STDEV

each_method = pytest.mark.parametrize("method", [method for method in norm.METHODS if method not in NEEDS_SOURCE])
each_augmented = pytest.mark.parametrize("method", sorted(AUGMENT_STDEV))


def encode(image, kind, **options):
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


class TestBatches:
    @each_method
    @given(data=st.data())
    @settings(deadline=None, max_examples=25)
    def test_a_batch_is_its_images(self, method, data):
        shape = (*data.draw(st.tuples(st.integers(0, 3), st.integers(1, 24), st.integers(1, 24))), 3)
        batch = data.draw(npst.arrays(np.uint8, shape))
        normalizer = norm.autoselect(method)

        result = normalizer.transform(batch)

        assert result.shape == batch.shape
        assert result.dtype == np.uint8
        assert not np.shares_memory(result, batch)
        for image, normalized in zip(batch, result, strict=True):
            assert np.array_equal(normalized, normalizer.transform(image))

    @pytest.mark.parametrize(
        "batch", [np.zeros((2, 4, 4, 4), np.uint8), np.zeros((0, 4, 4, 4), np.uint8), np.zeros((2, 3, 8, 8), np.uint8)]
    )
    def test_a_batch_of_something_else_is_an_error(self, batch):
        with pytest.raises(NormalizerError, match=r"takes an image \(h, w, 3\)"):
            norm.autoselect("reinhard").transform(batch)

    def test_normalize_takes_one_image_and_says_where_batches_go(self, he_tile):
        with pytest.raises(NormalizerError, match="batch to transform"):
            norm.autoselect("reinhard").normalize(he_tile()[np.newaxis])

    def test_preprocess_takes_batches_only(self, he_tile):
        normalizer = norm.autoselect("reinhard_fast")
        batch = np.stack([he_tile(1), he_tile(2)])

        assert np.array_equal(normalizer.preprocess(batch), normalizer.transform(batch))
        with pytest.raises(NormalizerError, match="takes a batch"):
            normalizer.preprocess(batch[0])

    def test_preprocess_standardizes(self, he_tile):
        normalizer = norm.autoselect("reinhard_fast")
        batch = np.stack([he_tile(1), he_tile(2)])

        result = normalizer.preprocess(batch, standardize=True)

        assert result.dtype == np.float32
        np.testing.assert_allclose(result, normalizer.transform(batch) / 127.5 - 1, atol=1e-6)


class TestAugmentation:
    @each_augmented
    def test_perturbed_fits_have_the_standard_deviations(self, method):
        fit, stdev = norm.autoselect(method).get_fit(), AUGMENT_STDEV[method]["v2"]
        generator = np.random.default_rng(0)

        drawn = [perturb(fit, stdev, generator) for _ in range(2000)]

        for name, value in fit.items():
            samples = np.stack([one[name] for one in drawn])
            np.testing.assert_allclose(samples.mean(axis=0), value, atol=0.1 * np.max(stdev[name]))
            np.testing.assert_allclose(samples.std(axis=0), stdev[name], rtol=0.1)

    def test_what_has_to_be_positive_stays_so(self):
        fit = norm.autoselect("reinhard").get_fit()

        drawn = [
            perturb(fit, {"target_means": [9] * 3, "target_stds": [99] * 3}, np.random.default_rng(k))
            for k in range(50)
        ]

        assert all((one["target_stds"] > 0).all() for one in drawn)

    @each_augmented
    def test_same_seed_same_images_and_other_images_at_the_next_call(self, method, he_tile):
        tile = he_tile(1)
        one, other = (norm.autoselect(method).set_augment("v1", seed=5) for _ in range(2))

        first, second = one.transform(tile, augment=True), one.transform(tile, augment=True)

        assert np.array_equal(other.transform(tile, augment=True), first)
        assert np.array_equal(other.transform(tile, augment=True), second)
        assert not np.array_equal(first, second)
        assert not np.array_equal(first, one.transform(tile))
        assert np.array_equal(one.transform(tile, augment=True, seed=9), other.transform(tile, augment=True, seed=9))

    def test_images_of_a_batch_get_fits_of_their_own(self, he_tile):
        batch = np.stack([he_tile(1)] * 3)

        result = norm.autoselect("macenko").transform(batch, augment=True, seed=1)

        assert not np.array_equal(result[0], result[1])
        assert not np.array_equal(result[1], result[2])

    def test_zero_standard_deviations_change_nothing(self, he_tile):
        zeros = {"target_means": np.zeros(3), "target_stds": np.zeros(3)}
        normalizer = norm.autoselect("reinhard").set_augment(**zeros)

        assert np.array_equal(normalizer.transform(he_tile(), augment=True), normalizer.transform(he_tile()))

    @each_augmented
    def test_augment_stays_near_the_tile_and_not_the_fit(self, method, he_tile):
        tile = he_tile(1, strength=(0.3, 0.6))
        normalizer = norm.autoselect(method, "v1")

        results = np.stack([normalizer.augment(tile, seed=seed) for seed in range(12)]).astype(float)

        own = np.abs(results.mean(axis=(0, 1, 2)) - tile.mean(axis=(0, 1))).mean()
        fitted = np.abs(normalizer.transform(tile).mean(axis=(0, 1)) - tile.mean(axis=(0, 1))).mean()
        assert own < fitted
        assert results.std(axis=0).mean() > 0.5

    @pytest.mark.parametrize("method", ["augment", *sorted(AUGMENT_STDEV)])
    def test_augment_takes_batches(self, method, he_tile):
        batch = np.stack([he_tile(1, 32)] * 2)
        normalizer = norm.autoselect(method)

        result = normalizer.augment(batch, seed=2)

        assert result.shape == batch.shape
        assert np.array_equal(result[0], normalizer.augment(batch[0], seed=2))
        assert not np.array_equal(result[0], result[1])

    @each_augmented
    def test_degenerate_tiles_are_left_alone(self, method):
        white = np.full((8, 8, 3), 255, np.uint8)
        normalizer = norm.autoselect(method)

        assert np.array_equal(normalizer.augment(white), white)
        assert np.array_equal(normalizer.transform(white, augment=True), white)

    def test_threads_never_draw_the_same_number(self, he_tile):
        tile = he_tile(1, 24)
        shared, alone = (norm.autoselect("reinhard_fast").set_augment(seed=3) for _ in range(2))

        with ThreadPoolExecutor(8) as pool:
            together = {
                image.tobytes() for image in pool.map(lambda _: shared.transform(tile, augment=True), range(40))
            }

        assert together == {alone.transform(tile, augment=True).tobytes() for _ in range(40)}

    def test_pickle_keeps_the_settings(self, he_tile):
        normalizer = norm.autoselect("macenko").set_augment("v1", seed=4)

        copy = pickle.loads(pickle.dumps(normalizer))

        tile = he_tile()
        assert np.array_equal(copy.transform(tile, augment=True), normalizer.transform(tile, augment=True))

    @pytest.mark.parametrize(
        ("method", "preset", "stdev", "message"),
        [
            ("macenko", "v3", {}, "no augmentation preset 'v3'"),
            ("macenko", "v1", {"target_stds": 1}, "not both"),
            ("macenko", None, {"target_stds": 1}, "consists of stain_matrix_target"),
            ("reinhard", None, {"target_means": [1, 1, 1], "target_stds": [1, -1, 1]}, "negative"),
            ("reinhard", None, {"target_means": [1, 1, np.inf], "target_stds": [1, 1, 1]}, "finite"),
        ],
    )
    def test_nonsense_is_an_error(self, method, preset, stdev, message):
        with pytest.raises(NormalizerError, match=message):
            norm.autoselect(method).set_augment(preset, **stdev)


class TestBytes:
    def test_jpeg(self, he_tile):
        data = encode(he_tile(1), "JPEG", quality=95)
        normalizer = norm.autoselect("macenko")
        expected = normalizer.transform(np.asarray(Image.open(io.BytesIO(data))))

        rgb, jpeg = normalizer.jpeg_to_rgb(data), normalizer.jpeg_to_jpeg(data)

        # Decoders may round differently by a level; a level in is a few levels out at most.
        assert np.abs(rgb.astype(int) - expected).mean() < 1
        with Image.open(io.BytesIO(jpeg)) as file:
            assert file.format == "JPEG"
            assert np.abs(np.asarray(file).astype(int) - rgb).mean() < 1.5
        assert len(normalizer.jpeg_to_jpeg(data, quality=50)) < len(jpeg)

    def test_png(self, he_tile):
        data = encode(he_tile(1), "PNG")
        normalizer = norm.autoselect("reinhard")
        expected = normalizer.transform(he_tile(1))

        assert np.array_equal(normalizer.png_to_rgb(data), expected)
        with Image.open(io.BytesIO(normalizer.png_to_png(data))) as file:
            assert file.format == "PNG"
            assert np.array_equal(np.asarray(file), expected)

    def test_transparent_png_is_on_white(self, he_tile):
        tile = he_tile(1)
        alpha = np.full(tile.shape[:2], 255, np.uint8)
        alpha[:20] = 0
        white = tile.copy()
        white[:20] = 255
        normalizer = norm.autoselect("reinhard")

        assert np.array_equal(
            normalizer.png_to_rgb(encode(np.dstack([tile, alpha]), "PNG")), normalizer.transform(white)
        )

    @pytest.mark.parametrize("data", [b"", b"no image", "text", 5, np.zeros((2, 2, 3), np.uint8)])
    @pytest.mark.parametrize("face", ["jpeg_to_rgb", "jpeg_to_jpeg", "png_to_rgb", "png_to_png"])
    def test_other_bytes_are_an_error(self, face, data):
        with pytest.raises(NormalizerError, match="image"):
            getattr(norm.autoselect("reinhard"), face)(data)

    def test_truncated_png(self, he_tile):
        with pytest.raises(NormalizerError, match="not a PNG"):
            norm.autoselect("reinhard").png_to_rgb(encode(he_tile(1), "PNG")[:900])

    @pytest.mark.parametrize("quality", [0, 101])
    def test_quality_is_within_bounds(self, quality, he_tile):
        with pytest.raises(NormalizerError, match="1 to 100"):
            norm.autoselect("reinhard").jpeg_to_jpeg(encode(he_tile(1), "JPEG"), quality=quality)

    def test_a_face_of_another_framework_is_an_error(self, he_tile):
        with pytest.raises(NormalizerError, match="not of torch"):
            norm.autoselect("reinhard").torch_to_torch(he_tile())


class TestBackends:
    @pytest.mark.parametrize("backend", [None, "numpy", "opencv"])
    def test_numpy_needs_nothing(self, backend, he_tile):
        normalizer = norm.autoselect("macenko", "v1", backend)

        assert np.array_equal(normalizer.transform(he_tile()), norm.autoselect("macenko", "v1").transform(he_tile()))

    def test_unknown_backend_lists_the_known(self):
        with pytest.raises(NormalizerError, match="numpy, opencv, tensorflow, torch"):
            norm.autoselect("macenko", backend="jax")

    @pytest.mark.parametrize("backend", ["tensorflow", "torch"])
    def test_missing_framework_says_what_to_install(self, backend, monkeypatch):
        monkeypatch.setattr("slidekit.norm.tensors.find_spec", lambda name: None)

        with pytest.raises(MissingExtraError, match=rf"pip install 'slidekit\[{backend}\]'"):
            norm.autoselect("macenko", backend=backend)
