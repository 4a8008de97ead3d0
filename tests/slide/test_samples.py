"""Sample tiles, encoded images, and the identity of files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from slidekit.slide.encode import encode_image
from slidekit.slide.identity import file_digest, slide_identity
from slidekit.slide.job import SlideJob, job_hash
from slidekit.slide.samples import SAMPLES, SampleKeeper, preview_path, samples_path, samples_strip, save_pictures
from slidekit.slide.spec import ExtractionSpec


def kept(seed: int, slide: str, count: int = 100) -> list[bytes]:
    keeper = SampleKeeper(seed, slide)
    for k in range(count):
        keeper.offer(k % 10, k // 10, b"%03d" % k)
    return keeper.tiles()


def test_samples_are_picked_by_seed_and_slide_and_stand_in_raster_order() -> None:
    first = kept(0, "a")
    assert len(first) == SAMPLES
    assert first == sorted(first) == kept(0, "a")
    assert len({tuple(first), tuple(kept(1, "a")), tuple(kept(0, "b"))}) == 3


def test_every_tile_has_an_equal_chance() -> None:
    hits = np.zeros(100)
    for seed in range(300):
        for tile in kept(seed, "a"):
            hits[int(tile)] += 1
    # 24 expected each: 6 standard deviations of a binomial
    assert abs(hits - 24).max() < 6 * np.sqrt(24)


def test_few_tiles_are_all_kept() -> None:
    assert kept(0, "a", 3) == [b"000", b"001", b"002"]


def test_a_strip_shows_the_tiles_side_by_side_on_white() -> None:
    red = np.zeros((50, 50, 3), np.uint8)
    red[..., 0] = 200
    strip = samples_strip([encode_image(red, "png"), b"damaged", encode_image(red, "png")])
    assert strip is not None
    assert strip.shape == (192, 8 * 200 - 8, 3)
    assert (strip[:, :192] == [200, 0, 0]).all()
    assert (strip[:, 192:400] == 255).all()
    assert (strip[:, 400:592] == [200, 0, 0]).all()
    assert (strip[:, 592:] == 255).all()
    assert samples_strip([]) is None


def test_a_slide_without_tiles_has_no_strip(tmp_path: Path) -> None:
    picture = np.full((20, 30, 3), 99, np.uint8)
    save_pictures(tmp_path / "new", "slide.1", picture, SampleKeeper(0, "slide.1"))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["slide.1.jpg"]
    assert preview_path(tmp_path, "slide.1") != samples_path(tmp_path, "slide.1")


@pytest.mark.parametrize(("img_format", "pil"), [("png", "PNG"), ("jpg", "JPEG")])
def test_encoded_images_are_rgb(img_format, pil: str) -> None:
    image = np.zeros((16, 24, 3), np.uint8)
    image[:, :, 0], image[:, :, 2] = 250, 30
    data = encode_image(image, img_format)
    with Image.open(io.BytesIO(data)) as opened:
        assert (opened.format, opened.mode, opened.size) == (pil, "RGB", (24, 16))
        assert np.abs(np.asarray(opened).astype(int) - image).max() <= (0 if pil == "PNG" else 3)
    assert encode_image(image.copy(), img_format) == data


# --- identity ---------------------------------------------------------------------------------------------------

MIB = 1 << 20


@pytest.mark.parametrize("size", [0, 10, MIB, MIB + 10, 2 * MIB, 3 * MIB])
def test_identity_sees_head_tail_and_size(tmp_path: Path, size: int) -> None:
    # Arrange
    content = bytearray(np.random.default_rng(0).bytes(size))
    path = tmp_path / "slide.svs"
    path.write_bytes(content)
    before = slide_identity(path)

    # Act
    seen = set()
    for change in ({0: 1}, {size - 1: 1}) if size else ():
        changed = bytearray(content)
        for place, value in change.items():
            changed[place] ^= value
        path.write_bytes(changed)
        seen.add(slide_identity(path))
    path.write_bytes(content + b"x")
    seen.add(slide_identity(path))

    # Assert
    assert before.startswith(f"{size}-")
    assert len(before.split("-")[1]) == 32
    assert before not in seen
    path.write_bytes(content)
    assert slide_identity(path) == before


def test_the_hash_of_a_job_covers_spec_mpp_and_the_content_of_the_roi_file(tmp_path: Path) -> None:
    spec = ExtractionSpec.create(tile_px=8, tile_um=8)
    rois, moved = tmp_path / "a.csv", tmp_path / "b.csv"
    rois.write_text("one")
    moved.write_text("one")
    job = SlideJob("a", tmp_path / "a.svs")
    hashes = [
        job_hash(job, spec),
        job_hash(job, ExtractionSpec.create(tile_px=9, tile_um=8)),
        job_hash(SlideJob("a", job.path, mpp=0.5), spec),
        job_hash(SlideJob("a", job.path, rois=rois), spec),
    ]
    assert len(set(hashes)) == 4
    assert job_hash(SlideJob("a", tmp_path / "elsewhere.svs", rois=moved), spec) == hashes[3]
    rois.write_text("two")
    assert job_hash(SlideJob("a", job.path, rois=rois), spec) != hashes[3]
    assert len(file_digest(rois)) == 64


def test_where_the_json_of_a_job_goes(tmp_path: Path) -> None:
    job = SlideJob("a", tmp_path / "a.svs", tfrecords=tmp_path / "r", tiles=tmp_path / "t")
    assert job.records_dir == tmp_path / "r"
    assert SlideJob("a", job.path, tiles=tmp_path / "t").records_dir == tmp_path / "t"
    assert SlideJob("a", job.path).records_dir is None
