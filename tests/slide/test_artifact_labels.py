"""`artifact_labels`: tiles in regions of these labels are removed, whatever else regions and methods say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.errors import MissingROIError, SpecError
from slidekit.slide.context import tissue_mask
from slidekit.slide.fate import Fate
from slidekit.slide.grid import make_grid
from slidekit.slide.preview import ARTIFACT, draw_preview
from slidekit.slide.roi import ROI, ROISet
from slidekit.slide.selection import decide_cells
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI

GRID = make_grid((80, 60), (1, 1), tile_px=10, tile_size=(10, 10), stride_div=2)


@st.composite
def _polygons(draw: st.DrawFn) -> list[shapely.Polygon]:
    boxes = []
    for _ in range(draw(st.integers(1, 3))):
        x, y = draw(st.floats(-5, 70)), draw(st.floats(-5, 50))
        box = shapely.box(x, y, x + draw(st.floats(1, 50)), y + draw(st.floats(1, 40)))
        boxes.append(shapely.affinity.rotate(box, draw(st.floats(0, 180))))
    return boxes


@settings(deadline=None, max_examples=30)
@given(
    regions=_polygons(),
    artifacts=_polygons(),
    rule=st.sampled_from(["center", 0.0, 0.3, 0.7]),
    method=st.sampled_from(["auto", "inside", "outside", "ignore"]),
)
def test_cells_agree_with_shapely(regions, artifacts, rule, method) -> None:
    # Arrange: what shapely says of every cell, and how near it is to the threshold.
    cells = shapely.box(*GRID.boxes().T)

    def measure(polygons: list[shapely.Polygon]) -> tuple[np.ndarray, np.ndarray]:
        union = shapely.union_all(polygons)
        if rule == "center":
            centers = shapely.centroid(cells)
            return shapely.intersects(union, centers), shapely.distance(union.boundary, centers) > 1e-6
        share = shapely.area(shapely.intersection(union, cells)) / 100
        near = np.abs(share - rule) < 1e-7
        if method == "outside" and polygons is regions:
            return 1 - share > rule, np.abs(1 - share - rule) > 1e-7
        return share > rule, ~near

    taken, sure = measure(regions)
    removed, sure_too = measure(artifacts)
    if method == "outside" and rule == "center":
        taken = ~taken
    if method == "ignore":
        taken, sure = np.ones_like(taken), np.ones_like(sure)

    # Act
    fates = decide_cells(
        GRID,
        (80, 60),
        [ROI(f"r{k}", "tumor", polygon) for k, polygon in enumerate(regions)],
        [],
        roi_method=method,
        roi_filter_method=rule,
        artifacts=[ROI(f"a{k}", "pen", polygon) for k, polygon in enumerate(artifacts)],
    )

    # Assert
    expected = np.where(~taken, "outside_roi", np.where(removed, "artifact", "kept"))
    clear = sure & sure_too
    assert fates.reasons[clear].tolist() == expected[clear].tolist()
    assert (fates.mask_index == -1).all()


TUMOR = ROI("tumor", "tumor", shapely.box(0, 0, 640, 640))
NECROSIS = ROI("necrosis", "necrosis", shapely.box(128, 128, 320, 256))
BOTH = ROISet((TUMOR, NECROSIS))
# 15 × 11 cells of 64 px; the tumour has 10 × 10 of them, the necrosis 3 × 2.


def counts(path: Path, rois: ROISet, **options) -> dict[str, int]:
    with WSI(path, 64, 32, rois=rois, **options) as wsi:
        return wsi.get_tile_dataframe()["reason"].value_counts().to_dict()


def test_an_artifact_region_inside_another_one_is_removed(tissue_slide: Path) -> None:
    assert counts(tissue_slide, BOTH) == {"kept": 100, "outside_roi": 65}
    assert counts(tissue_slide, BOTH, artifact_labels="necrosis") == {"kept": 94, "artifact": 6, "outside_roi": 65}
    # By label, exactly.
    assert counts(tissue_slide, BOTH, artifact_labels=["Necrosis"]) == {"kept": 100, "outside_roi": 65}


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("auto", {"kept": 159, "artifact": 6}),
        ("ignore", {"kept": 159, "artifact": 6}),
    ],
)
def test_regions_that_are_all_artifacts_leave_the_rest_of_the_slide(tissue_slide: Path, method, expected) -> None:
    alone = ROISet((NECROSIS,))

    assert counts(tissue_slide, alone, artifact_labels=["necrosis"], roi_method=method) == expected


@pytest.mark.parametrize("method", ["inside", "outside"])
def test_they_are_not_the_regions_that_are_demanded(tissue_slide: Path, method) -> None:
    with pytest.raises(MissingROIError):
        WSI(tissue_slide, 64, 32, rois=ROISet((NECROSIS,)), artifact_labels="necrosis", roi_method=method)


def test_outside_and_ignore_remove_them_too(tissue_slide: Path) -> None:
    apart = ROISet((TUMOR, ROI("pen", "pen", shapely.box(704, 0, 768, 128))))

    assert counts(tissue_slide, apart, artifact_labels="pen", roi_method="outside") == {
        "outside_roi": 100,
        "kept": 63,
        "artifact": 2,
    }
    assert counts(tissue_slide, apart, artifact_labels="pen", roi_method="ignore") == {"kept": 163, "artifact": 2}


def test_qc_comes_after_them_and_tissue_leaves_them_out(tissue_slide: Path) -> None:
    with (
        WSI(tissue_slide, 64, 32, rois=BOTH, artifact_labels="necrosis", qc="otsu") as wsi,
        WSI(tissue_slide, 64, 32, rois=ROISet((TUMOR,)), qc="otsu") as plain,
    ):
        reasons = wsi.fates().reasons
        mask, without = tissue_mask(wsi), tissue_mask(plain)

        assert int((reasons == "artifact").sum()) == 6
        assert wsi.rois == (TUMOR,)
        assert wsi.artifacts == (NECROSIS,)
    rows, columns = mask.shape
    y, x = ((np.arange(n) + 0.5) * size / n for n, size in ((rows, 760), (columns, 1000)))
    inside = ((y > 128) & (y < 256))[:, None] & ((x > 128) & (x < 320))
    assert not mask[inside].any()
    assert without[inside].any()
    assert (mask[~inside] == without[~inside]).all()


def test_labels_are_part_of_the_hash_and_older_extractions_keep_theirs() -> None:
    plain = ExtractionSpec.create(tile_px=64, tile_um=32)
    one = ExtractionSpec.create(tile_px=64, tile_um=32, artifact_labels=["b", "a", "b"])

    assert one.artifact_labels == ("a", "b")
    assert one.digest() == ExtractionSpec.create(tile_px=64, tile_um=32, artifact_labels=["a", "b"]).digest()
    assert one.digest() != plain.digest()
    # As it was before there was the field.
    assert "artifact_labels" not in plain.canonical()
    assert ExtractionSpec.create(tile_px=64, tile_um=32, artifact_labels=[]).digest() == plain.digest()


@pytest.mark.parametrize("labels", ["", ["pen", " "], 5, [5], {"pen": 1}])
def test_labels_that_are_none_are_refused(labels) -> None:
    with pytest.raises(SpecError, match="artifact_labels"):
        ExtractionSpec.create(tile_px=64, tile_um=32, artifact_labels=labels)


def test_an_open_slide_cannot_take_other_labels(tissue_slide: Path) -> None:
    with WSI(tissue_slide, 64, 32, rois=BOTH) as wsi, pytest.raises(SpecError, match="artifact_labels cannot change"):
        wsi.extract_tiles(artifact_labels="necrosis", dry_run=True)


def test_the_report_has_their_number_area_and_tiles(tissue_slide: Path) -> None:
    beyond = ROI("edge", "necrosis", shapely.box(900, 700, 1100, 900))
    with WSI(tissue_slide, 64, 32, rois=ROISet((TUMOR, NECROSIS, beyond)), artifact_labels="necrosis") as wsi:
        report = wsi.extract_tiles(dry_run=True, grayspace_fraction=1)

    assert (report.artifacts, report.rois) == (2, 1)
    # 0.5 µm/px; of the second one what lies on the slide.
    assert report.artifacts_mm2 == pytest.approx((192 * 128 + 100 * 60) * 0.25 / 1e6, rel=1e-5)
    assert report.counts[Fate.ARTIFACT] == 6
    assert list(report.counts)[:2] == ["outside_roi", "artifact"]


def test_the_preview_hatches_them() -> None:
    image = np.full((100, 100, 3), 200, np.uint8)
    ring = shapely.Polygon([(20, 20), (180, 20), (180, 180), (20, 180)], [[(80, 80), (120, 80), (120, 120), (80, 120)]])

    picture = draw_preview(image, (0.5, 0.5), artifacts=[ring])

    marked = (picture == ARTIFACT.rgb).all(axis=2)
    assert 0.08 < marked[12:38, 12:88].mean() < 0.3
    assert not marked[:8].any()
    assert not marked[43:57, 43:57].any()
    assert (image == 200).all()
