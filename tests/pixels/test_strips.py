"""Rectangles at any resolution and place, against a whole level and Pillow."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from slidekit.errors import SlideReadError
from slidekit.io.slide_tiff import write_svs, write_tiff
from slidekit.pixels.readers import open_slide
from slidekit.pixels.source import Source, choose_source
from slidekit.pixels.strips import STRIP_BYTES, read_resampled, tiles_per_strip
from tests.pixels.pictures import most_off, psnr, spoil_tile, tissue
from tests.pixels.stubs import StubReader


@pytest.fixture(scope="module")
def coarse_picture() -> np.ndarray:
    """3700 × 3300 px whose detail is not lost when it is reduced."""
    small = Image.fromarray(tissue(3700 // 8 + 1, 3300 // 8 + 1))
    return np.asarray(small.resize((3700, 3300), Image.Resampling.BICUBIC))


@pytest.fixture(scope="module")
def reader(tissue_slide):
    with open_slide(tissue_slide) as opened:
        yield opened


def reference(level: np.ndarray, source: Source, x: float, y: float, width: int, height: int):
    """Pillow on the whole level, its edge repeated far beyond it; and which output pixels lie inside the slide."""
    margin = 300
    wide = np.pad(level, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    left, top = x / source.downsample_x + margin, y / source.downsample_y + margin
    box = (left, top, left + width * source.scale_x, top + height * source.scale_y)
    image = np.array(Image.fromarray(wide).resize((width, height), Image.Resampling.LANCZOS, box=box))
    pixel_x, pixel_y = source.scale_x * source.downsample_x, source.scale_y * source.downsample_y
    across, down = x + (np.arange(width) + 0.5) * pixel_x, y + (np.arange(height) + 0.5) * pixel_y
    inside_x = (across >= 0) & (across <= level.shape[1] * source.downsample_x)
    inside_y = (down >= 0) & (down <= level.shape[0] * source.downsample_y)
    return image, np.outer(inside_y, inside_x)


class TestAgainstPillow:
    @pytest.mark.parametrize(
        ("pixel_x", "pixel_y"),
        [(1.978, 1.978), (2, 2), (2.06, 1.95), (1.4, 2.9), (0.6, 0.6), (1, 1)],
    )
    @pytest.mark.parametrize(
        ("x", "y"),
        [
            (350.3, 271.8),
            (-40.2, 300.1),
            (1280.7, 300.5),
            (300.25, -33.3),
            (300.9, 1010.6),
            (-20.17, -25.77),
            (1310, 1015.5),
        ],
        ids=["inside", "left", "right", "top", "bottom", "upper left", "lower right"],
    )
    def test_inside_and_at_every_border(self, reader, tissue_image, pixel_x, pixel_y, x, y):
        source = choose_source(reader, pixel_x, pixel_y, resample="exact")
        assert source.level == 0

        image = read_resampled(reader, source, x, y, 96, 80)

        expected, inside = reference(tissue_image, source, x, y, 96, 80)
        assert image.shape == (80, 96, 3)
        assert inside.any()
        assert (image[~inside] == 255).all()
        assert psnr(image[inside], expected[inside]) >= 48

    def test_from_a_smaller_level(self, reader, tissue_image):
        source = choose_source(reader, 7.3, 7.3, resample="exact")
        assert source.level == 1
        level = reader.read(1, 0, 0, reader.levels[1].width, reader.levels[1].height)
        image = read_resampled(reader, source, 101.3, 77.7, 100, 80)
        assert psnr(image, reference(level, source, 101.3, 77.7, 100, 80)[0]) >= 48

    @pytest.mark.parametrize(("x", "y"), [(-900, 10), (1400, 10), (10, -700), (10, 1100), (9e6, 9e6), (-9e6, 0)])
    @pytest.mark.parametrize("pixel", [1, 2.3, 0.7])
    def test_outside_is_white(self, reader, x, y, pixel):
        source = choose_source(reader, pixel, pixel)
        assert (read_resampled(reader, source, x, y, 60, 50) == 255).all()

    def test_white_outside_does_not_ring_into_tissue(self, tmp_path):
        path = write_tiff(tmp_path / "a.tiff", [np.full((300, 300, 3), 60, np.uint8)], mpp_x=1, mpp_y=1)
        with open_slide(path) as dark:
            source = choose_source(dark, 2.3, 2.3)
            image = read_resampled(dark, source, -10.1, -20.3, 150, 160)
        assert set(np.unique(image)) <= {59, 60, 61, 255}

    def test_whole_pixels_come_through_untouched(self, reader, tissue_image):
        source = choose_source(reader, 1, 1)
        assert np.array_equal(read_resampled(reader, source, 37, 53, 90, 70), tissue_image[53:123, 37:127])

    def test_half_by_dct_is_near_to_exact(self, tmp_path):
        picture = tissue(1000, 800, detail=2.5)
        path = write_svs(tmp_path / "a.svs", [picture], mpp=0.25, quality=95)
        with open_slide(path) as opened:
            for pixel in (2, 3.1, 4.04):
                shrunk, exact = (choose_source(opened, pixel, pixel, resample=how) for how in ("shrink", "exact"))
                assert (shrunk.shrink, exact.shrink) == (2, 1)
                images = [read_resampled(opened, source, 101.4, 77.3, 150, 120) for source in (shrunk, exact)]
                assert psnr(*images) >= 40

    @pytest.mark.parametrize("pixel", [10, 16.2, 41.3, 64])
    @pytest.mark.parametrize(("x", "y"), [(300.7, 211.3), (0, 0), (1700.2, 1400.9)])
    def test_averaged_first_where_much_is_reduced(self, coarse_picture, pixel, x, y):
        stub = StubReader(coarse_picture.shape[1::-1], shrinks=(1,), pixels=coarse_picture)
        source = choose_source(stub, pixel, pixel, resample="exact").averaged()
        assert source.average >= 2
        size = min(100, int(1900 / pixel))

        image = read_resampled(stub, source, x, y, size, size)

        exact = choose_source(stub, pixel, pixel, resample="exact")
        expected, inside = reference(coarse_picture, exact, x, y, size, size)
        assert psnr(image[inside], expected[inside]) >= 49

    def test_damage_is_an_error(self, tmp_path, tissue_image):
        path = write_tiff(tmp_path / "a.tiff", [tissue_image, tissue_image[::4, ::4]], mpp_x=1, mpp_y=1)
        spoil_tile(path, 0, 0)
        with open_slide(path) as opened:
            source = choose_source(opened, 2.2, 2.2)
            with pytest.raises(SlideReadError, match="level 0"):
                read_resampled(opened, source, 100, 100, 40, 40)
            assert read_resampled(opened, source, 600, 600, 40, 40).std() > 0


class TestStrips:
    @pytest.mark.parametrize("pixel", [1, 1.3, 1.978, 2, 2.06, 3.3, 0.8])
    def test_tiles_cut_from_a_strip_are_the_tiles_read_alone(self, reader, pixel):
        source = choose_source(reader, pixel, pixel)
        px, x, y, count = 64, 21.37, 33.71, 4

        strip = read_resampled(reader, source, x, y, px * count, px)

        for k in range(count):
            tile = read_resampled(reader, source, x + k * px * pixel, y, px, px)
            part = strip[:, k * px : (k + 1) * px]
            assert psnr(tile, part) >= 50
            off = np.abs(tile.astype(int) - part)
            inside = max(off[:, 8:-8].max(), 2)
            assert max(off[:, :2].max(), off[:, -2:].max()) <= inside

    @pytest.mark.parametrize("pixel", [1.3, 1.978, 2.06])
    def test_neighbours_join_without_a_seam(self, reader, pixel):
        source = choose_source(reader, pixel, pixel)
        px = 64
        tiles = [read_resampled(reader, source, 21.37 + k * px * pixel, 33.71, px, px) for k in range(6)]
        joined = np.concatenate(tiles, axis=1).astype(int)

        steps = np.abs(np.diff(joined, axis=1)).mean(axis=(0, 2))
        seams = steps[px - 1 :: px]

        assert seams.max() <= np.delete(steps, np.arange(px - 1, steps.size, px)).max()

    @pytest.mark.parametrize("tile_px", [64, 256, 512])
    @pytest.mark.parametrize("scale", [1, 2, 4.3, 16])
    def test_as_many_tiles_as_memory_allows(self, scale, tile_px):
        source = Source(0, 1, 1, 1, scale, scale)
        count = tiles_per_strip(source, tile_px, tile_px)
        assert count * tile_px * tile_px * scale * scale * 3 <= STRIP_BYTES or count == 1
        # One more would be too much memory, or too wide for OpenCV.
        assert (count + 1) * tile_px * tile_px * scale * scale * 3 > STRIP_BYTES or (count + 1) * tile_px > 16_384

    def test_overlapping_tiles(self):
        source = Source(0, 1, 1, 1, 2, 2)
        count = tiles_per_strip(source, 256, 64)
        assert (256 + (count - 1) * 64) * 256 * 4 * 3 <= STRIP_BYTES < (256 + count * 64) * 256 * 4 * 3

    def test_what_is_averaged_counts_in_full(self):
        source = Source(0, 1, 1, 1, 64, 64).averaged()
        assert tiles_per_strip(source, 256, 256) == 1
        assert tiles_per_strip(source, 16, 16) == STRIP_BYTES // (16 * 16 * 64 * 64 * 3)

    @pytest.mark.parametrize("pixel", [11, 16, 64.3])
    def test_a_tile_of_huge_reduction_is_read_a_little_at_a_time(self, pixel):
        stub = StubReader((100_000, 100_000), shrinks=(1,))
        source = choose_source(stub, pixel, pixel).averaged()
        image = read_resampled(stub, source, 700.5, 2000.5, 256, 256)
        assert max(stub.reads) <= STRIP_BYTES
        assert sum(stub.reads) <= 1.3 * 256 * 256 * pixel**2 * 3  # nothing twice
        assert most_off(image, np.full_like(image, 200)) <= 1

    def test_a_strip_is_read_once(self):
        stub = StubReader((60_000, 50_000))
        source = choose_source(stub, 4, 4)
        count = tiles_per_strip(source, 256, 256)
        image = read_resampled(stub, source, 1000.5, 2000.5, 256 * count, 256)
        assert len(stub.reads) == 1
        assert stub.reads[0] <= 1.2 * STRIP_BYTES
        assert most_off(image, np.full_like(image, 200)) <= 1
