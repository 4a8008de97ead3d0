"""Images of TFRecords are changed; features, order and names stay."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.color import hsv2rgb, rgb2hsv
from tool_records import damage, encoded, example, pixels, read_file

from slidekit.errors import RecordError, SpecError
from slidekit.extraction.verify.folder import verify_folder
from slidekit.io.tfrecord import frame
from slidekit.norm import autoselect
from slidekit.record_tools.rewriting import TileChange, rewrite_record_file, rewrite_records


@pytest.mark.parametrize("tile_px", [7, 16, 40])
def test_tiles_are_resized_by_lanczos_and_keep_their_features(write, tmp_path: Path, tile_px: int) -> None:
    source, dest = write(), tmp_path / "new" / "a.tfrecords"

    count = rewrite_record_file(source, dest, TileChange(tile_px=tile_px))

    before, after = read_file(source), read_file(dest)
    assert count == 3
    for old, new in zip(before, after, strict=True):
        expected = Image.fromarray(old.image).resize((tile_px, tile_px), Image.Resampling.LANCZOS)
        assert np.array_equal(new.image, np.asarray(expected))
        assert new.without_image() == old.without_image()
        assert new.features["score"] == old.features["score"]


def test_jpegs_keep_quality_and_subsampling(write, tmp_path: Path) -> None:
    image = encoded(pixels(4, 64), "JPEG", quality=71, subsampling=1)
    source = write("a", [example("a", image, 1, 2)])

    rewrite_record_file(source, tmp_path / "b.tfrecords", TileChange(tile_px=32))

    import io

    data = read_file(tmp_path / "b.tfrecords")[0].features["image_raw"][0]
    with Image.open(io.BytesIO(image)) as old, Image.open(io.BytesIO(data)) as new:
        assert new.size == (32, 32)
        assert new.quantization == old.quantization
        assert new.layer[0][1:3] == old.layer[0][1:3] == (2, 1)


def test_changes_in_their_order() -> None:
    image = pixels(5, 32)
    normalizer = autoselect("reinhard")

    changed = TileChange(normalizer, 0.25, lambda one: 255 - one, 8)(image)

    hsv = rgb2hsv(normalizer.transform(image))
    hsv[..., 0] = (hsv[..., 0] + 0.25) % 1
    inverted = 255 - np.rint(hsv2rgb(hsv) * 255).astype(np.uint8)
    expected = np.asarray(Image.fromarray(inverted).resize((8, 8), Image.Resampling.LANCZOS))
    assert changed.dtype == np.uint8
    assert np.abs(changed.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("share", [-1.0, 0.0, 1.0])
def test_a_whole_circle_is_no_shift(share: float) -> None:
    image = pixels(6)

    assert np.abs(TileChange(hue_shift=share)(image).astype(int) - image).max() <= 1


@pytest.mark.parametrize(
    "bad", [lambda image: image.astype(float), lambda image: image[..., 0], lambda image: None, lambda image: image[:0]]
)
def test_a_function_that_returns_no_image(write, tmp_path: Path, bad) -> None:
    with pytest.raises(SpecError, match="no image"):
        rewrite_records({write(): tmp_path / "new" / "a.tfrecords"}, TileChange(function=bad))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("options", [{"tile_px": 0}, {"tile_px": True}, {"tile_px": 20000}, {"hue_shift": 1.5}])
def test_parameters_that_make_no_sense(options) -> None:
    with pytest.raises(SpecError):
        TileChange(**options)


def test_any_number_of_workers_writes_the_same_and_verify_finds_it_whole(write, tmp_path: Path) -> None:
    files = [write(name, seed=n) for n, name in enumerate("abc")]
    made = {}
    for workers in (1, 4):
        home = tmp_path / f"with-{workers}" / "8px_8um"
        paths = rewrite_records({path: home / path.name for path in files}, TileChange(tile_px=8), num_workers=workers)
        assert [path.name for path in paths] == ["a.tfrecords", "b.tfrecords", "c.tfrecords"]
        made[workers] = {path.name: path.read_bytes() for path in home.iterdir()}
        found = verify_folder(home)
        assert (found.faults, found.files, found.records) == ((), 3, 9)

    assert made[1] == made[4]
    assert set(made[1]) == {f"{name}.{end}" for name in "abc" for end in ("tfrecords", "index.npz")} | {"manifest.json"}


def test_a_damaged_file_is_named_with_its_byte_and_stops_no_other(write, tmp_path: Path) -> None:
    files = [write(name) for name in "abc"]
    place = damage(files[1])

    with pytest.raises(RecordError, match=f"the record at byte {place} is damaged") as caught:
        rewrite_records({path: tmp_path / "new" / path.name for path in files}, TileChange(tile_px=8))

    assert caught.value.path == files[1]
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["a.index.npz", "a.tfrecords", "c.index.npz", "c.tfrecords", "manifest.json"]


def test_a_damaged_image_is_named_with_its_byte(write, tmp_path: Path) -> None:
    good = example("a", encoded(pixels(1)), 1, 2)
    source = write("a", [good, example("a", encoded(pixels(1))[:40], 3, 4)])

    with pytest.raises(RecordError, match=f"in the record at byte {len(frame(good))} an image cannot be decoded"):
        rewrite_record_file(source, tmp_path / "new" / "a.tfrecords", TileChange(tile_px=8))
    assert list((tmp_path / "new").iterdir()) == []


def test_memory_does_not_grow_with_the_file(write, tmp_path: Path) -> None:
    peaks = []
    for count in (10, 150):
        data = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        source = write("a", [example("a", encoded(data), n, n) for n in range(count)])
        tracemalloc.start()
        rewrite_record_file(source, tmp_path / f"{count}.tfrecords", lambda image: image)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    # 140 more tiles of 12 kB each would be 1.7 MB.
    assert peaks[1] - peaks[0] < 100_000
