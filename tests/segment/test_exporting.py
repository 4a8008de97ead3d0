"""Images and masks of a dataset, on disk."""

from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pytest
import shapely

from slidekit.errors import DatasetError, SpecError
from slidekit.segment.exporting import export_thumbs_and_masks
from slidekit.segment.mask_config import MaskConfig
from slidekit.segment.painting import paint_mask
from slidekit.slide.roi import ROI


def centres(rows: int, columns: int, step: float) -> tuple[np.ndarray, np.ndarray]:
    y, x = (np.mgrid[:rows, :columns] + 0.5) * step
    return x, y


def test_masks_are_the_regions_at_the_centres_of_pixels(cohort, tmp_path) -> None:
    # Act: 4 µm/px to 10
    report = export_thumbs_and_masks(cohort.dataset(), 10, tmp_path, labels="tissue")
    # Assert
    assert report.having("done") == ("s0", "s1", "s2")
    config = MaskConfig.load(tmp_path)
    assert (config.mpp, config.mode, config.labels) == (10, "binary", ("tissue",))
    for name, tissue in cohort.tissue.items():
        image, mask = cv2.imread(str(tmp_path / f"{name}.png")), cv2.imread(str(tmp_path / f"{name}.mask.png"), -1)
        assert image.shape == (144, 192, 3)
        assert config.slides[name].pixel_um == (10, 10)
        assert np.array_equal(mask.astype(bool), shapely.contains_xy(tissue, *centres(144, 192, 2.5)))
        # Tissue is dark, and red above green: the channels are in their order.
        blue, green, red = image[mask > 0].mean(axis=0)
        assert green < blue < red < 200
        assert image[mask == 0].mean() > 235


def test_pixels_are_what_they_are_where_the_slide_is_no_whole_number_of_them(cohort, tmp_path) -> None:
    # Act: 1 920 × 1 440 µm are 274.3 × 205.7 px of 7 µm
    export_thumbs_and_masks(cohort.dataset(), 7, tmp_path)
    # Assert
    one = MaskConfig.load(tmp_path).slides["s1"]
    assert (one.columns, one.rows) == (274, 206)
    assert one.pixel_um == pytest.approx((1920 / 274, 1440 / 206))


def test_multiclass_and_multilabel_take_all_labels(cohort, tmp_path) -> None:
    # Act
    for mode in ("multiclass", "multilabel"):
        export_thumbs_and_masks(cohort.dataset(), 8, tmp_path / mode, mode=mode)
    # Assert: the tumor lies on the tissue
    numbers = cv2.imread(str(tmp_path / "multiclass" / "s0.mask.png"), -1)
    planes = np.load(tmp_path / "multilabel" / "s0.mask.npz")["mask"]
    assert MaskConfig.load(tmp_path / "multiclass").labels == ("tissue", "tumor")
    x, y = centres(180, 240, 2)
    tumor = shapely.contains_xy(shapely.box(240, 200, 272, 224), x, y)
    tissue = shapely.contains_xy(cohort.tissue["s0"], x, y)
    assert np.array_equal(numbers, np.where(tumor, 2, tissue))
    assert np.array_equal(planes.astype(bool), [tissue, tumor])


def test_artifacts_are_taken_out() -> None:
    # Arrange
    rois = [ROI("a", "x", shapely.box(0, 0, 10, 10)), ROI("b", "pen", shapely.box(5, 0, 10, 10))]
    # Act
    masks = [
        paint_mask(rois, (10, 10), (10, 10), mode=mode, labels=("x",), artifact_labels=("pen",))
        for mode in ("binary", "multiclass", "multilabel")
    ]
    # Assert
    for mask in masks:
        assert np.array_equal(np.squeeze(mask), np.repeat([[1] * 5 + [0] * 5], 10, axis=0))


def test_a_label_that_no_region_has_is_named_with_those_that_there_are(cohort, tmp_path) -> None:
    with pytest.raises(DatasetError, match=r"label 'Tumor'.*'tissue' \(3\), 'tumor' \(3\)"):
        export_thumbs_and_masks(cohort.dataset(), 10, tmp_path, labels=["Tumor"])
    assert not list(tmp_path.iterdir())


def test_an_export_goes_on_and_notices_what_changed(cohort, tmp_path) -> None:
    # Arrange: regions of our own, of two of the slides; one of the files is damaged
    rois, dest = tmp_path / "rois", tmp_path / "out"
    shutil.copytree(cohort.folder / "rois", rois)
    (rois / "s2.csv").unlink()
    (rois / "s1.csv").write_text("nonsense\n1\n")
    events = []
    # Act
    first = export_thumbs_and_masks(cohort.dataset(rois), 10, dest, on_slide=events.append)
    shutil.copy(cohort.folder / "rois" / "s1.csv", rois / "s1.csv")
    made = (dest / "s0.png").stat().st_mtime_ns
    second = export_thumbs_and_masks(cohort.dataset(rois), 10, dest)
    # Assert
    assert first.status == {"s0": "done", "s1": "failed", "s2": "skipped"}
    assert "s1.csv" in first.failed["s1"]
    assert [(event.name, event.done, event.total) for event in events] == [("s0", 1, 3), ("s1", 2, 3), ("s2", 3, 3)]
    assert second.status == {"s0": "finished before", "s1": "done", "s2": "skipped"}
    assert (dest / "s0.png").stat().st_mtime_ns == made
    assert sorted(MaskConfig.load(dest).slides) == ["s0", "s1"]
    # Act, Assert: without regions all is background
    third = export_thumbs_and_masks(cohort.dataset(rois), 10, dest, skip_missing_roi=False)
    assert third.status["s2"] == "done"
    assert not cv2.imread(str(dest / "s2.mask.png"), -1).any()


def test_a_folder_of_other_parameters_is_not_mixed(cohort, tmp_path) -> None:
    # Arrange
    dataset = cohort.dataset()
    export_thumbs_and_masks(dataset, 10, tmp_path)
    # Act, Assert
    with pytest.raises(DatasetError, match="other parameters: mpp=10"):
        export_thumbs_and_masks(dataset, 20, tmp_path)
    dataset.export_thumbs_and_masks(20, tmp_path, overwrite=True)
    assert json.loads((tmp_path / "mask_config.json").read_text())["slides"]["s0"]["columns"] == 96


def test_nothing_to_export_is_an_error(cohort, tmp_path) -> None:
    (tmp_path / "rois").mkdir()
    with pytest.raises(DatasetError, match="s0: it has no regions"):
        export_thumbs_and_masks(cohort.dataset(tmp_path / "rois"), 10, tmp_path / "out")
    with pytest.raises(SpecError, match="mpp=0"):
        export_thumbs_and_masks(cohort.dataset(), 0, tmp_path / "out")
