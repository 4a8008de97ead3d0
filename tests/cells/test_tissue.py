"""Which cells count on a slide with regions of interest, artifact regions and masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.cells import Segmentation, segment_slide
from slidekit.cells.tissue import searched_mm2
from slidekit.io.slide_tiff import write_tiff
from slidekit.slide.roi import ROI, ROISet
from slidekit.slide.wsi import WSI
from tests.cells.drawn_slides import ByColour, colour, draw_labels

WIDTH, HEIGHT = 240, 180
TISSUE, TUMOR, PEN = shapely.box(20, 20, 200, 160), shapely.box(120, 10, 235, 90), shapely.box(60, 40, 150, 120)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(9)
    cells = [(rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT), 4.0, 3.0, 0.0) for _ in range(90)]
    image = colour(draw_labels((HEIGHT, WIDTH), cells))
    folder = tmp_path_factory.mktemp("slides")
    return write_tiff(folder / "drawn.tiff", [image], mpp_x=0.5, mpp_y=0.5, compression="deflate")


@pytest.fixture(scope="module")
def everything(path: Path) -> Segmentation:
    return segment_slide(path, ByColour())


def _places(cells: Segmentation) -> list[list[float]]:
    return sorted(cells.centroids().tolist())


@pytest.mark.parametrize(
    ("roi_method", "regions"),
    [
        ("auto", ["tissue", "pen"]),
        ("inside", ["tissue", "tumor", "pen"]),
        ("outside", ["tumor", "pen"]),
        ("ignore", ["tissue", "pen"]),
        ("auto", ["pen"]),
    ],
)
def test_artifact_regions_have_no_cells_whatever_the_regions_of_interest(
    path: Path, everything: Segmentation, roi_method: str, regions: list[str]
) -> None:
    shapes = {"tissue": TISSUE, "tumor": TUMOR, "pen": PEN}
    rois = ROISet(tuple(ROI(name, name, shapes[name]) for name in regions))
    places = shapely.points(everything.centroids())

    with WSI(path, 16, 8, rois=rois, roi_method=roi_method, artifact_labels="pen") as wsi:
        found = segment_slide(wsi, ByColour(), window_px=40)

    wanted = [shapes[name] for name in regions if name != "pen"]
    keep = ~shapely.intersects(places, PEN)
    if wanted and roi_method != "ignore":
        inside = shapely.intersects(places, shapely.union_all(wanted))
        keep &= ~inside if roi_method == "outside" else inside
    assert 0 < keep.sum() < len(everything)
    assert _places(found) == sorted(everything.centroids()[keep].tolist())


@settings(deadline=None, max_examples=5)
@given(
    box=st.tuples(st.floats(0, 200), st.floats(0, 150), st.floats(5, 240), st.floats(5, 180)),
    window_px=st.integers(16, 120),
)
def test_windows_that_are_left_out_hold_no_cell_that_counts(
    path: Path, everything: Segmentation, box: tuple[float, float, float, float], window_px: int
) -> None:
    region = shapely.box(box[0], box[1], box[0] + box[2], box[1] + box[3])
    rois = ROISet((ROI("fold", "artifact", region),))

    with WSI(path, 16, 8, rois=rois, artifact_labels="artifact") as wsi:
        found = segment_slide(wsi, ByColour(), window_px=window_px, workers=1)

    outside = ~shapely.intersects(shapely.points(everything.centroids()), region)
    assert _places(found) == sorted(everything.centroids()[outside].tolist())


def test_artifact_regions_are_no_tissue_that_was_searched(tmp_path: Path) -> None:
    image = np.full((HEIGHT, WIDTH, 3), (200, 120, 170), np.uint8)
    dark = write_tiff(tmp_path / "dark.tiff", [image], mpp_x=0.5, mpp_y=0.5, compression="deflate")
    rois = ROISet((ROI("a", "pen", PEN),))

    with WSI(dark, 16, 8, rois=rois, artifact_labels="pen") as wsi:
        area = searched_mm2(wsi, None, 0.5)

    assert area == pytest.approx((WIDTH * HEIGHT - PEN.area) * 0.25e-6, rel=0.02)


def test_cells_in_artifact_regions_are_counted_when_they_are_extracted(
    path: Path, everything: Segmentation, tmp_path: Path
) -> None:
    rois = ROISet((ROI("a", "pen", PEN), ROI("t", "tissue", TISSUE)))
    with WSI(path, 16, 8, rois=rois, artifact_labels="pen") as wsi:
        wsi.apply_segmentation(everything)
        report = wsi.extract_cells(tmp_path, use_edge_tiles=True, grayspace_fraction=1, threads=1)

    places = shapely.points(everything.centroids())
    tissue, pen = shapely.intersects(places, TISSUE), shapely.intersects(places, PEN)
    counts = {"outside_roi": (~tissue).sum(), "artifact": (tissue & pen).sum(), "kept": (tissue & ~pen).sum()}
    assert report.counts == counts
    assert sum(report.counts.values()) == len(everything)
