"""Batches of crops: what is in them, and that it is always the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from slidekit.errors import DatasetError
from slidekit.segment.augmentation import Change, change_stains, flip_and_turn, take_window
from slidekit.segment.crops import TrainingCrops, ValidationCrops
from slidekit.segment.data import SegmentData
from slidekit.segment.mask_config import ExportedSlide, MaskConfig
from slidekit.slide.segmentation.config import SegmentConfig

SHAPES = {"a": (70, 100), "b": (20, 33)}
SMALL = {"size": 32, "depth": 2, "train_batch_size": 4, "val_batch_size": 3}


@pytest.fixture
def data(tmp_path) -> SegmentData:
    """Images that say where they are (red is x, green is y), with two classes; the second is rare."""
    slides = {}
    for name, (rows, columns) in SHAPES.items():
        y, x = np.mgrid[:rows, :columns]
        image = np.stack([x, y, np.full_like(x, 50)], axis=-1).astype(np.uint8)
        mask = np.where(x > 60, 1, 0).astype(np.uint8)
        mask[3:6, 2:5] = 2
        cv2.imwrite(str(tmp_path / f"{name}.png"), image[..., ::-1])
        cv2.imwrite(str(tmp_path / f"{name}.mask.png"), mask)
        slides[name] = ExportedSlide(columns=columns, rows=rows, pixel_um=(10, 10))
    MaskConfig(mpp=10, mode="multiclass", labels=("wide", "rare"), slides=slides).save(tmp_path)
    return SegmentData.open(tmp_path)


def config(**options) -> SegmentConfig:
    return SegmentConfig(**{**SMALL, "mode": "multiclass", **options})


def test_without_augmentation_crops_are_pieces_of_the_slide(data) -> None:
    # Arrange
    crops = TrainingCrops(data, config(augment=False))
    for number in range(40):
        # Act
        image, mask = crops.crop(1, number)
        # Assert: red and green are where it was taken from
        inside = image[..., 2] == 50
        x, y = image[..., 0].astype(int), image[..., 1].astype(int)
        known = np.where(x > 60, 1, 0)
        known[(x >= 2) & (x < 5) & (y >= 3) & (y < 6)] = 2
        assert inside.any()
        assert np.array_equal(mask[inside], known[inside])
        assert (image[~inside] == 255).all()
        assert not mask[~inside].any()


def test_every_second_crop_has_a_class_and_the_rare_one_as_often(data) -> None:
    # Arrange
    crops = TrainingCrops(data, config())
    # Act
    found = [set(np.unique(crops.crop(0, number)[1])) for number in range(0, 80, 2)]
    # Assert
    assert sum(1 in classes for classes in found[::2]) >= 18
    assert sum(2 in classes for classes in found[1::2]) >= 18


def test_a_crop_is_a_function_of_seed_epoch_and_number(data) -> None:
    # Arrange
    crops, again, other = (TrainingCrops(data, config(seed=seed)) for seed in (1, 1, 2))
    first = crops.batch(3, 5)
    # Act: asked for by many threads, in another order
    with ThreadPoolExecutor(4) as pool:
        batches = dict(
            zip(range(9, -1, -1), pool.map(lambda step: again.batch(3, step), range(9, -1, -1)), strict=True)
        )
    # Assert
    for mine, theirs in zip(first, batches[5], strict=True):
        assert np.array_equal(mine, theirs)
    for batch in (crops.batch(4, 5), crops.batch(3, 6), other.batch(3, 5)):
        assert not np.array_equal(batch[0], first[0])


@pytest.mark.parametrize(("mode", "classes"), [("binary", 1), ("multiclass", 3)])
def test_batches_are_floats_of_the_right_shape(data, mode, classes) -> None:
    # Arrange
    if mode == "binary":
        for name in SHAPES:
            file = str(data.folder / f"{name}.mask.png")
            cv2.imwrite(file, np.minimum(cv2.imread(file, -1), 1))
        content = data.config.model_copy(update={"mode": "binary", "labels": None})
        content.save(data.folder)
        data = SegmentData.open(data.folder)
    crops = TrainingCrops(data, config(mode=mode))
    # Act
    images, targets = crops.batch(0, 0)
    # Assert
    assert (images.shape, images.dtype) == ((4, 32, 32, 3), np.float32)
    assert (targets.shape, targets.dtype) == ((4, 32, 32, classes), np.float32)
    assert images.max() > 40
    assert set(np.unique(targets)) == {0, 1}
    if mode == "multiclass":
        assert (targets.sum(axis=-1) == 1).all()
    assert len(crops) == 32
    assert len(TrainingCrops(data, config(mode=mode, steps_per_epoch=7))) == 7


def test_multilabel_planes_come_along(tmp_path) -> None:
    # Arrange: five planes, more than OpenCV takes at once
    planes = np.random.default_rng(0).integers(0, 2, (5, 40, 40)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((40, 40, 3), np.uint8))
    np.savez(tmp_path / "a.mask.npz", mask=planes)
    MaskConfig(mpp=10, mode="multilabel", labels=tuple("abcde")).save(tmp_path)
    data = SegmentData.open(tmp_path)
    # Act
    _, targets, weights = ValidationCrops(data, config(mode="multilabel")).batch(0)
    _, drawn = TrainingCrops(data, config(mode="multilabel")).batch(0, 0)
    # Assert
    assert np.array_equal(targets[0], np.moveaxis(planes[:, :32, :32], 0, -1))
    assert drawn.shape == (4, 32, 32, 5)
    assert weights.shape == (3, 32, 32, 1)


def test_validation_counts_every_pixel_once(data) -> None:
    # Arrange
    crops = ValidationCrops(data, config())
    seen = {name: np.zeros(shape, np.int64) for name, shape in SHAPES.items()}
    classes = np.zeros(3)
    # Act
    for step in range(len(crops)):
        images, targets, weights = crops.batch(step)
        for image, target, weight in zip(images, targets, weights[..., 0] > 0, strict=True):
            # The smaller slide is where a crop is mostly white.
            name = "b" if (image[..., 2] == 255).mean() > 0.3 else "a"
            x, y = image[weight][:, 0].astype(int), image[weight][:, 1].astype(int)
            np.add.at(seen[name], (y, x), 1)
            classes += target[weight].sum(axis=0)
    # Assert
    assert all((counts == 1).all() for counts in seen.values())
    assert classes[1:].tolist() == [70 * 39, 2 * 9]
    assert classes.sum() == 70 * 100 + 20 * 33


def test_data_without_a_region_cannot_be_learned_from(tmp_path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((40, 40, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "a.mask.png"), np.zeros((40, 40), np.uint8))
    MaskConfig(mpp=10).save(tmp_path)
    with pytest.raises(DatasetError, match="No pixel of the training data is in a region"):
        TrainingCrops(SegmentData.open(tmp_path), SegmentConfig(**SMALL))


def test_a_window_at_any_place_and_scale_is_what_a_formula_says() -> None:
    # Arrange: a plane, which bilinear interpolation keeps
    y, x = np.mgrid[:60, :80] + 0.5
    image = (x + 2 * y).astype(np.uint8)
    # Act
    window = take_window(image, (41.3, 27.8), 16, 1.2, nearest=False, outside=255)
    # Assert
    at = (np.arange(16) + 0.5 - 8) * 1.2
    expected = (41.3 + at)[None, :] + 2 * (27.8 + at)[:, None]
    assert np.abs(window - expected).max() <= 1.1
    assert (take_window(image, (500.0, 10.0), 8, 1.0, nearest=True, outside=7) == 7).all()


def test_image_and_mask_are_turned_alike() -> None:
    # Arrange
    image = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    seen = set()
    for flip in (False, True):
        for quarters in range(4):
            change = Change(1.0, flip, quarters, np.ones(3), np.zeros(3))
            # Act
            turned, mask = flip_and_turn(image, change), flip_and_turn(image[..., 0], change)
            # Assert
            assert np.array_equal(turned[..., 0], mask)
            seen.add(mask.tobytes())
    assert len(seen) == 8


def test_stains_are_changed_by_the_formula_in_float64() -> None:
    # Arrange
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    stains = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
    change = Change(1.0, False, 0, np.array([1.1, 0.9, 1.05]), np.array([0.02, -0.03, 0.01]))
    # Act
    changed = change_stains(image, change)
    # Assert
    amounts = -np.log((image + 1.0) / 256) @ np.linalg.inv(stains) * change.factors + change.shifts
    expected = np.clip(256 * np.exp(-amounts @ stains) - 1, 0, 255)
    assert np.abs(changed - expected).max() <= 0.51
    same = Change(1.0, False, 0, np.ones(3), np.zeros(3))
    assert np.abs(change_stains(image, same).astype(int) - image).max() <= 1
