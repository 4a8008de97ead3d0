from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import shapely

from slidekit import WSI
from slidekit.cells import Segmentation, segment_slide
from slidekit.errors import CellError
from slidekit.io.slide_tiff import write_tiff
from slidekit.io.tfrecord import TileRecord, iter_records
from slidekit.slide.roi import ROI, ROISet
from tests.cells.drawn_slides import ByColour, colour, draw_labels

KEEP_ALL: dict[str, Any] = {"grayspace_fraction": 1, "img_format": "png", "threads": 1}


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A lossless slide of 300 × 220 px whose cells are known, and its pixels."""
    rng = np.random.default_rng(5)
    cells = [(rng.uniform(0, 300), rng.uniform(0, 220), rng.uniform(3, 7), rng.uniform(3, 7), 0.4) for _ in range(60)]
    image = colour(draw_labels((220, 300), cells))
    path = tmp_path_factory.mktemp("slides") / "drawn.tiff"
    return write_tiff(path, [image], mpp_x=0.5, mpp_y=0.5, compression="deflate"), image


@pytest.fixture(scope="module")
def found(slide: tuple[Path, np.ndarray]) -> Segmentation:
    return segment_slide(slide[0], ByColour(), window_px=128)


def _records(folder: Path) -> dict[int, TileRecord]:
    tiles = [TileRecord.decode(payload) for _, payload in iter_records(folder / "drawn.tfrecords")]
    return {tile.cell_id: tile for tile in tiles if tile.cell_id is not None}


def _pixels(tile: TileRecord) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(tile.image_raw, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def test_cells_extracted_are_cells_listed(slide: tuple[Path, np.ndarray], found: Segmentation, tmp_path: Path) -> None:
    with WSI(slide[0], 24, 12) as wsi:
        wsi.apply_segmentation(found)
        report = wsi.extract_cells(tmp_path, **KEEP_ALL)
        edges = wsi.extract_cells(tmp_path / "edges", use_edge_tiles=True, **KEEP_ALL)

    tiles = _records(tmp_path)
    places = found.centroids()
    inside = ((places >= 12) & (places <= np.array(found.dimensions) - 12)).all(axis=1)
    assert sum(report.counts.values()) == report.candidates == len(found)
    assert report.counts == {"outside_slide": int((~inside).sum()), "kept": int(inside.sum())}
    assert set(tiles) == set((np.flatnonzero(inside) + 1).tolist())
    assert all((tiles[k].loc_x, tiles[k].loc_y) == tuple(np.floor(places[k - 1]).astype(int)) for k in tiles)
    assert edges.counts == {"kept": len(found)}
    assert set(_records(tmp_path / "edges")) == set(range(1, len(found) + 1))
    with (tmp_path / "drawn.tiles.csv").open() as file:
        assert {int(row["cell_id"]) for row in csv.DictReader(file)} == set(tiles)


def test_outside_of_the_cell_is_black_and_inside_the_slide(
    slide: tuple[Path, np.ndarray], found: Segmentation, tmp_path: Path
) -> None:
    # Tiles at whole pixels hold the slide's own pixels; elsewhere they are resampled.
    whole = Segmentation.from_outlines(
        "drawn", [np.array([[40, 40], [52, 40], [52, 50], [40, 50]])], dimensions=(300, 220), slide_mpp=0.5
    )
    with WSI(slide[0], 24, 12) as wsi:
        wsi.apply_segmentation(whole).extract_cells(tmp_path / "cut", **KEEP_ALL)
        wsi.extract_cells(tmp_path / "plain", apply_masks=False, **KEEP_ALL)

    cut, plain = (_pixels(_records(tmp_path / name)[1]) for name in ("cut", "plain"))

    truth = slide[1][33:57, 34:58]
    mask = np.zeros((24, 24), bool)
    mask[7:17, 6:18] = True
    assert np.array_equal(plain, truth)
    assert np.array_equal(cut, np.where(mask[..., None], truth, 0))


def test_a_class_is_the_label_and_regions_and_masks_decide_as_for_tiles(
    slide: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    centres = np.array([[50, 50], [150, 100], [250, 180]], float)
    seg = Segmentation.from_centroids(
        "drawn", centres, dimensions=(300, 220), slide_mpp=0.5, classes=["tumor", None, "stroma"]
    )
    left = ROISet((ROI("left", "region", shapely.box(0, 0, 200, 220)),))
    masked = np.zeros((22, 30), bool)
    masked[:8, :8] = True
    with WSI(slide[0], 24, 12, rois=left) as wsi:
        wsi.apply_segmentation(seg)
        regions = wsi.extract_cells(tmp_path / "a", apply_masks=False, **KEEP_ALL)
        tiles = _records(tmp_path / "a")
        wsi.apply_qc_mask(masked)
        both = wsi.extract_cells(tmp_path / "b", apply_masks=False, **KEEP_ALL)

    assert regions.counts == {"outside_roi": 1, "kept": 2}
    assert {k: tile.label for k, tile in tiles.items()} == {1: "tumor", 2: "region"}
    assert both.counts == {"outside_roi": 1, "mask": 1, "kept": 1}


def test_cells_of_another_slide_are_refused(slide: tuple[Path, np.ndarray]) -> None:
    other = Segmentation.from_centroids("x", [[5, 6]], dimensions=(400, 220), slide_mpp=0.5)

    with WSI(slide[0], 24, 12) as wsi:
        with pytest.raises(CellError, match="400 × 220"):
            wsi.apply_segmentation(other)
        with pytest.raises(CellError, match="No cells are known"):
            wsi.extract_cells()
        assert wsi.segmentation is None


def test_what_is_no_segmentation_is_refused(slide: tuple[Path, np.ndarray]) -> None:
    with WSI(slide[0], tile_px=16, tile_um=8) as wsi, pytest.raises(CellError, match="str is no Segmentation"):
        wsi.apply_segmentation("cells.zarr")  # type: ignore[arg-type]
