"""Boxes around what masks show: the regions that hi-ml's loaders crop slides to."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
from numpy.typing import NDArray

from slidekit.sampling.masks.facts import Box
from slidekit.slide.image import SlideImage
from slidekit.slide.qc.base import BoolMask

__all__ = ["luminance_box", "section_box", "section_of", "set_box"]

_LUMINANCE_SIDE = 1000


def set_box(mask: BoolMask, dimensions: tuple[int, int]) -> Box | None:
    """The box around all pixels that are set, level-0 pixels; None where none is.

    Parameters
    ----------
    mask
        (rows, columns) over the whole slide.
    dimensions
        Width and height of the slide, level-0 pixels.
    """
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not columns.size:
        return None
    x, y = dimensions[0] / mask.shape[1], dimensions[1] / mask.shape[0]
    return float(columns[0] * x), float(rows[0] * y), float((columns[-1] + 1) * x), float((rows[-1] + 1) * y)


def luminance_box(slide: SlideImage) -> Box | None:
    """The box around all that is darker than Otsu's threshold on the mean of R, G and B of this slide.

    The threshold is each slide's own, as it must be: one that was found on another slide finds glass, or nothing.
    """
    width, height = slide.dimensions
    shrink = max(1.0, max(width, height) / _LUMINANCE_SIDE)
    image = slide.overview(max(1, round(width / shrink)), max(1, round(height / shrink)))
    luminance = np.rint(image.mean(axis=-1)).astype(np.uint8)
    threshold, _ = cv2.threshold(luminance, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    if threshold >= luminance.max():
        return None
    return set_box(luminance <= threshold, slide.dimensions)


def section_of(name: str, seed: int) -> float:
    """Which of a slide's sections is taken, 0–1: by its name and the seed, so always the same one.

    hi-ml's loader draws a section each time that it loads a slide; here another seed takes another.
    """
    digest = hashlib.sha256(f"{seed}/{name}".encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def section_box(numbers: NDArray[np.uint8], which: float, dimensions: tuple[int, int]) -> Box | None:
    """The box around one of the numbers, other than 0, of a mask; None where there is only 0.

    Parameters
    ----------
    numbers
        (rows, columns) over the whole slide.
    which
        0–1: which number, of those that there are.
    dimensions
        Width and height of the slide, level-0 pixels.
    """
    there = np.flatnonzero(np.bincount(numbers.reshape(-1), minlength=256)[1:]) + 1
    if not there.size:
        return None
    return set_box(numbers == there[int(which * there.size)], dimensions)
