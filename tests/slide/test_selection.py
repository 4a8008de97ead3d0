"""Which reason a cell is counted under, and the table of cells."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import shapely

from slidekit.errors import MissingROIError
from slidekit.slide.fate import Fate, ordered_counts, reason_text
from slidekit.slide.grid import make_grid
from slidekit.slide.qc import QCMask
from slidekit.slide.roi import ROI, ROISet
from slidekit.slide.selection import decide_cells
from slidekit.slide.wsi import WSI

# 5 × 1 cells of 10 px; each mask and the region below covers what its row says.
GRID = make_grid((50, 10), (1, 1), tile_px=10, tile_size=(10, 10))
REGION = ROI("r", "tumor", shapely.box(0, 0, 40, 10))


def mask(cells: str, name: str, reason: str, threshold: float = 0.6) -> QCMask:
    return QCMask(np.array([[cell == "x" for cell in cells]]), name, reason, threshold)


MASKS = (
    mask("..x.x", "otsu", Fate.BACKGROUND),
    mask(".xxxx", "blur", Fate.OUT_OF_FOCUS),
    mask("xxxxx", "pen", "pen"),
)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_first_reason_in_the_settled_order_counts_whatever_the_order_of_masks(order: tuple[int, ...]) -> None:
    fates = decide_cells(
        GRID, (50, 10), [REGION], [MASKS[k] for k in order], roi_method="auto", roi_filter_method="center"
    )
    assert fates.reasons.tolist() == ["pen", "out_of_focus", "background", "out_of_focus", "outside_roi"]
    assert not fates.taken.any()
    assert fates.roi_index.tolist() == [0, 0, 0, 0, -1]


def test_other_methods_keep_the_order_in_which_they_ran() -> None:
    one, other = mask("xx...", "pen", "pen"), mask(".xx..", "fold", "fold")
    for masks, shared in (([one, other], "pen"), ([other, one], "fold")):
        fates = decide_cells(GRID, (50, 10), [], masks, roi_method="auto", roi_filter_method="center")
        assert fates.reasons[1] == shared
        assert fates.reasons.tolist()[3:] == ["kept", "kept"]


def test_outside_takes_the_rest() -> None:
    fates = decide_cells(GRID, (50, 10), [REGION], [], roi_method="outside", roi_filter_method="center")
    assert fates.taken.tolist() == [False] * 4 + [True]


@pytest.mark.parametrize("method", ["inside", "outside"])
def test_regions_that_are_demanded_and_missing(method) -> None:
    with pytest.raises(MissingROIError):
        decide_cells(GRID, (50, 10), [], [], roi_method=method, roi_filter_method="center")


def test_counts_stand_in_the_order_of_decision() -> None:
    reasons = ["kept", "max_tiles", "normalizer", "whitespace", "grayspace", "unreadable", "zebra", "pen"]
    counts = ordered_counts([*reasons, "out_of_focus", "background", "outside_roi", "kept"])
    assert list(counts) == ["outside_roi", "background", "out_of_focus", "pen", "zebra", *reasons[5::-1]]
    assert counts["kept"] == 2
    assert sum(counts.values()) == 12


@pytest.mark.parametrize("fate", [*Fate, "pen_marks"])
def test_reasons_read_as_words(fate: str) -> None:
    assert reason_text(fate)
    assert "_" not in reason_text(fate).replace("max_tiles", "")


# --- get_tile_dataframe -----------------------------------------------------------------------------------------

HOLED = shapely.Polygon([(0, 0), (640, 0), (640, 760), (0, 760)], [[(64, 64), (128, 64), (128, 128), (64, 128)]])


def test_the_table_has_all_cells_with_slideflows_columns(tissue_slide: Path) -> None:
    # Arrange
    rois = ROISet((ROI("left", "tümor", HOLED),))
    with WSI(tissue_slide, 64, 32, rois=rois, qc="otsu") as wsi:
        # Act
        table = wsi.get_tile_dataframe()
        kept = wsi.get_tile_dataframe(kept_only=True)

        # Assert
        assert len(table) == len(wsi.grid) == 165
        assert len(kept) == len(wsi) == int(wsi.fates().taken.sum()) > 0
    assert list(table.columns) == [
        *("loc_x", "loc_y", "grid_x", "grid_y", "roi_name", "roi_desc", "label", "mpp_x", "mpp_y", "reason")
    ]
    assert (table.index == [f"tissue-{x}-{y}" for x, y in zip(table.loc_x, table.loc_y, strict=True)]).all()
    assert table.index.is_unique
    assert (table.loc_x == table.grid_x * 64 + 32).all()
    assert (table.loc_y == table.grid_y * 64 + 32).all()
    assert set(table.reason) == {"outside_roi", "background", "kept"}
    assert set(kept.reason) == {"kept"}
    assert (table.mpp_x == table.mpp_y).all()
    assert table.mpp_x.iloc[0] == pytest.approx(0.5, rel=1e-6)
    inside = table[table.reason != "outside_roi"]
    assert set(inside.roi_name) == {"left"}
    assert set(inside.label) == {"tümor"}
    assert set(inside.roi_desc) == {"left (1 hole)"}
    assert table[table.reason == "outside_roi"].roi_name.isna().all()
    assert (1, 1) not in set(zip(inside.grid_x, inside.grid_y, strict=True))
    assert inside.grid_x.max() == 9


def test_without_qc_every_cell_is_kept(tissue_slide: Path) -> None:
    with WSI(tissue_slide, 64, 32) as wsi:
        assert set(wsi.get_tile_dataframe().reason) == {"kept"}


def test_a_slide_without_cells_has_an_empty_table(tissue_slide: Path) -> None:
    with WSI(tissue_slide, 64, 1000) as wsi:
        assert len(wsi.get_tile_dataframe()) == len(wsi.get_tile_dataframe(kept_only=True)) == 0
