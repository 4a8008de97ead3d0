"""Slides of which some native tiles cannot be decoded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tifffile

from slidekit.cells import Segmentation, segment_slide
from slidekit.cells.blocks import BlockReader
from slidekit.cells.methods.sampling import glass_colour, tissue_samples
from slidekit.cells.windows import PixelBox
from slidekit.demo.nuclei import paint_nuclei
from slidekit.errors import SlideReadError
from slidekit.io.slide_tiff import write_svs
from slidekit.slide.image import SlideImage

TILE, COLUMNS = 128, 9


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tissue of 1152 × 896 px in 9 × 7 native tiles, with a strip of glass."""
    field = paint_nuclei((144, 112), 0.5, seed=11).image
    image = np.tile(field, (4, 4, 1))
    image[:, 1040:] = 243
    return write_svs(tmp_path_factory.mktemp("slides") / "whole.svs", [image], mpp=0.5, tile_size=TILE, quality=95)


def damaged(whole: Path, folder: Path, tiles: Sequence[int]) -> Path:
    """The slide with zeros in place of some native tiles."""
    content = bytearray(whole.read_bytes())
    with tifffile.TiffFile(whole) as file:
        page = file.pages[0]
        for tile in tiles:
            start, count = page.dataoffsets[tile], page.databytecounts[tile]
            content[start : start + count] = bytes(count)
    path = folder / "damaged.svs"
    path.write_bytes(content)
    return path


def cells_around(cells: Segmentation, corner: np.ndarray) -> tuple[int, int]:
    """How many cells lie in a native tile, or a little beside it, and elsewhere."""
    places = cells.centroids()
    near = ((places > corner - 40) & (places < corner + TILE + 40)).all(axis=1)
    return np.count_nonzero(near), np.count_nonzero(~near)


def test_one_damaged_tile_costs_its_own_cells_and_is_told_of(whole: Path, tmp_path: Path) -> None:
    path = damaged(whole, tmp_path, [2 * COLUMNS + 3])

    found, truth = segment_slide(path, mask="otsu"), segment_slide(whole, mask="otsu")

    (problem,) = found.problems
    assert problem.startswith("Pixels of 2 windows cannot be decoded and were taken for white: window at (0, 0)")
    there, elsewhere = np.array([cells_around(cells, np.array([3, 2]) * TILE) for cells in (found, truth)]).T
    # Elsewhere as before, but for thresholds that were measured without the tile.
    assert elsewhere[0] == pytest.approx(elsewhere[1], rel=0.03)
    assert there[0] < there[1]


def test_what_is_lost_is_counted_however_little_of_a_block_it_is(whole: Path, tmp_path: Path) -> None:
    # A quarter of this tile lies in the first block of 512 px: 3 % of that.
    path = damaged(whole, tmp_path, [3 * COLUMNS + 3])
    tile = PixelBox(3 * TILE, 3 * TILE, 4 * TILE, 4 * TILE)
    with SlideImage(path) as slide:
        columns, rows = slide.dimensions
        reader = BlockReader(slide, columns, rows)

        image = reader.read(PixelBox(0, 0, columns, rows))

        assert (image[tile.top : tile.bottom, tile.left : tile.right] == 255).all()
        # Parts of 16 px are given up as a whole, and resampling looks at the neighbours.
        assert TILE**2 <= reader.lost <= (TILE + 32) ** 2
        assert reader.lost_in(tile) == TILE**2


def test_undamaged_pixels_are_those_of_the_overview(whole: Path) -> None:
    with SlideImage(whole) as slide:
        columns, rows = (side * 5 // 7 for side in slide.dimensions)
        reader = BlockReader(slide, columns, rows)

        image = reader.read(PixelBox(100, 50, 400, 300))

        expected = slide.overview_window(columns, rows, corner=(0, 0), size=(512, 512))[50:300, 100:400]
        assert np.array_equal(image, expected)
        assert reader.lost == 0


def test_more_than_a_twentieth_is_an_error(whole: Path, tmp_path: Path) -> None:
    path = damaged(whole, tmp_path, range(20, 25))

    with pytest.raises(SlideReadError, match="damaged"):
        segment_slide(path)


def test_samples_are_what_is_left_of_windows(whole: Path, tmp_path: Path) -> None:
    path = damaged(whole, tmp_path, [0, 4 * COLUMNS + 4])

    with SlideImage(path) as slide:
        samples, white = tissue_samples(slide, 0.5)

    assert len(samples) > 2
    assert min(len(sample) for sample in samples) >= 64
    assert all((sample == 255).all(axis=2).mean() < 0.05 for sample in samples)
    assert white == pytest.approx((243, 243, 243), abs=2)


def test_white_of_damage_is_no_glass() -> None:
    image = np.full((100, 100, 3), 150, np.uint8)
    image[:20] = (240, 238, 244)
    damage = image.copy()
    damage[50:54] = 255

    assert glass_colour(damage) == glass_colour(image) == (240, 238, 244)


def test_white_of_much_of_the_picture_is_glass() -> None:
    image = np.full((100, 100, 3), 150, np.uint8)
    image[:20] = 255

    assert glass_colour(image) == (255, 255, 255)
