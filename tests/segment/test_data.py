"""Folders of images and masks, checked against what a network expects; and their division."""

from __future__ import annotations

import json
import logging

import cv2
import numpy as np
import pytest

from slidekit.errors import DatasetError
from slidekit.segment.data import SegmentData
from slidekit.segment.mask_config import ExportedSlide, MaskConfig
from slidekit.segment.reading import ImageStore
from slidekit.segment.splitting import split_data
from slidekit.slide.segmentation.config import SegmentConfig


def write_slide(folder, name: str, shape=(40, 50), mask=None) -> None:
    cv2.imwrite(str(folder / f"{name}.png"), np.full((*shape, 3), (10, 20, 30), np.uint8))
    cv2.imwrite(str(folder / f"{name}.mask.png"), np.zeros(shape, np.uint8) if mask is None else mask)


def write_config(folder, **content) -> None:
    (folder / "mask_config.json").write_text(json.dumps({"mpp": 10, "mode": "binary", "labels": None, **content}))


def test_somebody_elses_folder_is_taken_as_it_is(tmp_path) -> None:
    # Arrange: Slideflow's three keys, an image without a mask
    write_config(tmp_path)
    write_slide(tmp_path, "b", (30, 20))
    write_slide(tmp_path, "a.1")
    cv2.imwrite(str(tmp_path / "lonely.png"), np.zeros((5, 5, 3), np.uint8))
    # Act
    data = SegmentData.open(tmp_path, SegmentConfig(mpp=10.05))
    # Assert
    assert data.slides == ("a.1", "b")
    assert data.area == 40 * 50 + 30 * 20
    assert ImageStore(data).pair("b").image[0, 0].tolist() == [30, 20, 10]
    assert data.fingerprint != data.subset(["b"]).fingerprint


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ({"mpp": 20}, {}, "mpp is 20, not 10"),
        ({"mode": "multiclass", "labels": ["a"]}, {}, "mode is multiclass, not binary"),
        ({"labels": ["a"]}, {"labels": ["b"]}, "labels are a, not b"),
        ({"mpp": "x"}, {}, "key 'mpp'"),
    ],
)
def test_data_that_the_network_does_not_expect_are_refused(tmp_path, content, options, said) -> None:
    write_config(tmp_path, **content)
    with pytest.raises(DatasetError, match=said):
        SegmentData.open(tmp_path, SegmentConfig(**options))


def test_what_is_missing_or_damaged_is_named(tmp_path) -> None:
    with pytest.raises(DatasetError, match="is not a folder"):
        SegmentData.open(tmp_path / "none")
    with pytest.raises(DatasetError, match=r"mask_config\.json"):
        SegmentData.open(tmp_path)
    write_config(tmp_path)
    with pytest.raises(DatasetError, match="holds no image"):
        SegmentData.open(tmp_path)
    write_slide(tmp_path, "a")
    for broken, said in [(np.full((40, 50), 2, np.uint8), "has the value 2"), (np.zeros((4, 5), np.uint8), "expected")]:
        cv2.imwrite(str(tmp_path / "a.mask.png"), broken)
        with pytest.raises(DatasetError, match=said):
            ImageStore(SegmentData.open(tmp_path)).pair("a")
    (tmp_path / "a.mask.png").write_bytes(b"no image")
    with pytest.raises(DatasetError, match="damaged"):
        ImageStore(SegmentData.open(tmp_path)).pair("a")
    write_config(tmp_path, slides={"gone": {"columns": 5, "rows": 5, "pixel_um": [10, 10]}})
    with pytest.raises(DatasetError, match=r"gone\.png.* is missing"):
        SegmentData.open(tmp_path)


def test_images_beyond_the_limit_are_read_from_a_file(tmp_path) -> None:
    # Arrange
    write_config(tmp_path)
    write_slide(tmp_path, "a", mask=np.eye(40, 50, dtype=np.uint8))
    data = SegmentData.open(tmp_path)
    # Act
    held, mapped = ImageStore(data).pair("a"), ImageStore(data, most_bytes=0).pair("a")
    # Assert
    assert isinstance(mapped.image, np.memmap)
    assert not isinstance(held.image, np.memmap)
    assert np.array_equal(mapped.image, held.image)
    assert np.array_equal(mapped.mask, np.eye(40, 50))


def exported(tmp_path, patients: dict[str, str | None]) -> SegmentData:
    for name in patients:
        mask = np.zeros((40, 50), np.uint8)
        mask[10:20, 5:45] = 1
        write_slide(tmp_path, name, mask=mask)
    slides = {
        name: ExportedSlide(columns=50, rows=40, pixel_um=(10, 10), patient=patient)
        for name, patient in patients.items()
    }
    MaskConfig(mpp=10, slides=slides).save(tmp_path)
    return SegmentData.open(tmp_path)


def test_patients_are_on_one_side(tmp_path) -> None:
    # Arrange
    data = exported(tmp_path, {f"{patient}{number}": patient for patient in "abcde" for number in range(2)})
    sides = set()
    for seed in range(12):
        # Act
        training, validation = split_data(data, SegmentConfig(seed=seed, val_fraction=0.4))
        # Assert
        owners = [set(side.patients().values()) for side in (training, validation)]
        assert len(owners[0]) == 3
        assert not owners[0] & owners[1]
        assert sorted(training.slides + validation.slides) == list(data.slides)
        sides.add(validation.slides)
        assert split_data(data, SegmentConfig(seed=seed, val_fraction=0.4))[1] == validation
    assert len(sides) > 1


def test_one_patient_is_cut_into_areas_and_the_log_says_so(tmp_path, caplog) -> None:
    # Arrange
    data = exported(tmp_path, {"a": "p", "b": "p"})
    # Act
    with caplog.at_level(logging.WARNING):
        training, validation = split_data(data, SegmentConfig(val_fraction=0.2))
    # Assert: every pixel is on one side, and both have tissue
    assert "better than on other slides" in caplog.text
    seen = np.zeros((40, 50), np.int64)
    for part in (*training.parts, *validation.parts):
        if part.slide == "a":
            x0, y0, x1, y1 = part.box
            seen[y0:y1, x0:x1] += 1
    assert (seen == 1).all()
    (strip,) = [part for part in validation.parts if part.slide == "a"]
    assert strip.area == 400
    x0, y0, x1, y1 = strip.box
    assert ImageStore(data).pair("a").mask[y0:y1, x0:x1].mean() == pytest.approx(0.2, abs=0.06)
