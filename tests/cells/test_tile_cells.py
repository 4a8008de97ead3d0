from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from slidekit.cells import Segmentation, segment_slide
from slidekit.cells.tile_cells import SavedCells, cells_digest, cells_in
from slidekit.errors import CellError
from tests.cells.drawn_slides import ArraySlide, ByColour

SQUARE = np.array([[10, 10], [30, 10], [30, 20], [10, 20]], float)


@pytest.fixture
def found(drawn: tuple[ArraySlide, np.ndarray]) -> Segmentation:
    return segment_slide(drawn[0], ByColour(), window_px=60)


def test_a_mask_is_that_of_the_labels_at_every_resolution(found: Segmentation) -> None:
    cells = found.for_tiles(apply_masks=True)
    labels = found.masks[:]
    for cell_id in (1, len(found) // 2, len(found)):
        x, y = np.floor(found.centroids()[cell_id - 1])
        box = (x - 9, y - 9, x + 9, y + 9)

        coarse = cells.mask(cell_id, box, (18, 18))
        fine = cells.mask(cell_id, box, (36, 36))

        expected = np.zeros((18, 18), bool)
        rows, columns = np.arange(int(y) - 9, int(y) + 9), np.arange(int(x) - 9, int(x) + 9)
        for k, row in enumerate(rows):
            for m, column in enumerate(columns):
                if 0 <= row < labels.shape[0] and 0 <= column < labels.shape[1]:
                    expected[k, m] = labels[row, column] == cell_id
        assert expected.any()
        assert np.array_equal(coarse, expected)
        assert np.array_equal(fine, expected.repeat(2, 0).repeat(2, 1))


def test_what_is_not_the_cell_is_black_and_the_tile_itself_stays() -> None:
    seg = Segmentation.from_outlines("s", [SQUARE], dimensions=(60, 60), slide_mpp=0.5)
    image = np.full((40, 40, 3), 200, np.uint8)

    cut = seg.for_tiles(apply_masks=True).cut(1, (0, 0, 40, 40), image)

    assert (cut[10:20, 10:30] == 200).all()
    assert cut.any(axis=2).sum() == 200
    assert (image == 200).all()
    assert seg.for_tiles(apply_masks=False).cut(1, (0, 0, 40, 40), image) is image


def test_of_centroids_nothing_is_outside_of_a_cell() -> None:
    seg = Segmentation.from_centroids("s", [[5, 6]], dimensions=(60, 60), slide_mpp=0.5)

    with pytest.raises(CellError, match="only the centroids are known"):
        seg.for_tiles(apply_masks=True)

    assert seg.for_tiles(apply_masks=False).coordinates.xy.tolist() == [[5, 6]]


def test_coordinates_lead_back_to_the_cells(found: Segmentation) -> None:
    places = found.for_tiles(apply_masks=True).coordinates

    assert sorted(places.rows.tolist()) == list(range(len(found)))
    assert np.array_equal(places.xy, found.centroids()[places.rows])


def test_the_digest_tells_cells_and_ways_of_cutting_apart(found: Segmentation, tmp_path: Path) -> None:
    path = found.save(tmp_path)
    fewer = found.take(np.arange(len(found)) > 0)

    assert cells_digest(found) == cells_digest(Segmentation.open(path))
    assert cells_digest(found) != cells_digest(fewer)
    assert SavedCells(path).content() != SavedCells(path, apply_masks=False).content()
    assert "cannot be read" in SavedCells(tmp_path / "no.cells.zarr").content()


def test_cells_in_a_folder_are_found_by_the_names_of_slides(found: Segmentation, tmp_path: Path) -> None:
    found.save(tmp_path)

    assert set(cells_in(tmp_path, ["drawn", "other"], True)) == {"drawn"}
    with pytest.raises(CellError, match="none of the 1 slides"):
        cells_in(tmp_path, ["other"], True)
