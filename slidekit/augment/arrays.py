"""Augmentation of numpy arrays."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from slidekit.augment import parameters as column
from slidekit.augment.checks import check_parameters, check_shape
from slidekit.augment.jpeg import compress
from slidekit.augment.parameters import LUMA, UNIT, Parameters, draw
from slidekit.augment.tables import BLUR_KERNELS, BLUR_UNIT, CURVE_BACK, CURVES, LIGHT, SHARPEN_UNIT

__all__ = ["apply", "augment"]

_Image = NDArray[np.uint8]


def augment(images: _Image, letters: str | bool | None, seeds: ArrayLike) -> _Image:
    """Augment a batch, each image by its own seed; an image becomes the same in any batch.

    Parameters
    ----------
    images
        uint8 (n, h, w, 3), RGB.
    letters
        As `slidekit.augment.parse_augment` takes them; `slidekit.augment` says what each does.
    seeds
        Integers (n,).

    Returns
    -------
    ndarray (n, h, w, 3), uint8
        A new array.

    Raises
    ------
    SpecError
        If there are no such letters, or `images` or `seeds` are not such arrays.
    """
    return apply(images, draw(letters, seeds))


def apply(images: _Image, parameters: Parameters) -> _Image:
    """Do what was drawn.

    Parameters
    ----------
    images
        uint8 (n, h, w, 3), RGB.
    parameters
        (n, k), of `slidekit.augment.draw`.

    Returns
    -------
    ndarray (n, h, w, 3), uint8
        A new array.

    Raises
    ------
    SpecError
        If they are not such arrays.
    """
    images = np.asarray(images)
    check_shape(str(images.dtype), images.shape, channels_last=True)
    check_parameters(np.shape(parameters), images.shape[0])
    result = np.empty(images.shape, np.uint8)
    for place, (image, row) in enumerate(zip(images, parameters, strict=True)):
        result[place] = _apply_one(image, row)
    return result


def _apply_one(image: _Image, row: NDArray[np.int32]) -> _Image:
    image = _move(image, row)
    if row[column.BLUR]:
        image = _blur(image, int(row[column.BLUR]))
    if row[column.SHARPEN]:
        image = _sharpen(image, int(row[column.SHARPEN]))
    if row[column.DROPPED_BITS]:
        image = image & np.uint8(255 << int(row[column.DROPPED_BITS]) & 255)
    if row[column.DISTORT]:
        image = _distort(image, row)
    if row[column.PROFILE]:
        image = _change_profile(image, row)
    if row[column.QUALITY]:
        image = compress(image, int(row[column.QUALITY]))
    return image


def _move(image: _Image, row: NDArray[np.int32]) -> _Image:
    if row[column.FLIP_X]:
        image = image[:, ::-1]
    if row[column.FLIP_Y]:
        image = image[::-1]
    if row[column.QUARTER] and image.shape[0] == image.shape[1]:
        image = np.rot90(image)
    return image


def _blur(image: _Image, chosen: int) -> _Image:
    kernel = BLUR_KERNELS[chosen].astype(np.float32)
    # OpenCV takes no array that is viewed backwards.
    source = np.ascontiguousarray(image)
    sums = cv2.sepFilter2D(source, cv2.CV_32F, kernel, kernel, borderType=cv2.BORDER_REPLICATE)
    return ((sums + BLUR_UNIT / 2) / BLUR_UNIT).astype(np.uint8)


def _sharpen(image: _Image, twice: int) -> _Image:
    wide = np.pad(image.astype(np.float32), ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = wide[:-2] + wide[1:-1] + wide[2:]
    smooth = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:] + 4 * wide[1:-1, 1:-1]
    values = SHARPEN_UNIT * wide[1:-1, 1:-1] + twice * (SHARPEN_UNIT // 2 * wide[1:-1, 1:-1] - smooth)
    return _to_pixels((values + SHARPEN_UNIT // 2) / SHARPEN_UNIT)


def _distort(image: _Image, row: NDArray[np.int32]) -> _Image:
    luma = int(image.sum((0, 1), dtype=np.int64) @ np.array(LUMA))
    pixels = 1000 * image.shape[0] * image.shape[1]
    mean = (2 * luma + pixels) // (2 * pixels)
    values = _mix(image.astype(np.float32), row[column.DISTORT_MATRIX])
    return _to_pixels((values + (int(row[column.DISTORT_LUMA]) * mean + UNIT // 2)) / UNIT)


def _change_profile(image: _Image, row: NDArray[np.int32]) -> _Image:
    curves = CURVES[row[column.PROFILE_CURVES]].astype(np.float32)
    light = np.stack([curve[image[..., channel]] for channel, curve in enumerate(curves)], axis=-1)
    mixed = np.floor((_mix(light, row[column.PROFILE_MATRIX]) + UNIT // 2) / UNIT)
    result: _Image = CURVE_BACK[np.clip(mixed, 0, LIGHT).astype(np.intp)]
    return result


def _mix(values: NDArray[np.float32], matrix: NDArray[np.int32]) -> NDArray[np.float32]:
    return values @ matrix.reshape(3, 3).T.astype(np.float32)


def _to_pixels(values: NDArray[np.float32]) -> _Image:
    """Whole part, within 0–255; what is below zero is not rounded towards it."""
    return np.clip(values, 0, 255).astype(np.uint8)
