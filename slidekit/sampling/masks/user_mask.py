"""A mask that comes with a slide, brought to the size of a map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import SlideError, SlideOpenError
from slidekit.io.url import RemotePath
from slidekit.sampling.masks.label_image import LabelImage
from slidekit.sampling.slides import SampledSlide
from slidekit.slide.identity import file_digest, slide_identity

__all__ = ["LONGEST_SIDE", "file_identity", "mask_identity", "read_mask_image", "read_numbers"]

LONGEST_SIDE = 4000
"""Pixels along the longer side that are kept of a mask, at most."""

_WANTED_SIDE = 2000
_ASPECT = 0.03


def file_identity(path: Path) -> str:
    """As `slide_identity`, for any file.

    Raises
    ------
    SlideOpenError
        If the file is missing or cannot be read.
    """
    try:
        return slide_identity(path)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> SlideOpenError:
    return SlideOpenError(f"the file cannot be read ({error.strerror or error}).", mend="Check the path.", path=path)


def mask_identity(slide: SampledSlide) -> str | None:
    """Identity of the mask that comes with a slide, by all of its bytes, as masks are edited; None where there is none.

    Raises
    ------
    SlideOpenError
        If it cannot be read.
    """
    if slide.mask is None:
        return None
    if isinstance(slide.mask, RemotePath):
        return file_identity(slide.mask)
    try:
        return file_digest(slide.mask)
    except OSError as error:
        raise _unreadable(slide.mask, error) from error


def read_numbers(slide: SampledSlide, dimensions: tuple[int, int]) -> NDArray[np.uint8]:
    """Read the mask that comes with a slide; as `read_mask_image`."""
    assert slide.mask is not None
    return read_mask_image(slide.mask, dimensions)


def read_mask_image(path: Path, dimensions: tuple[int, int]) -> NDArray[np.uint8]:
    """Read a mask of a whole slide at a size that is enough for planning.

    Parameters
    ----------
    path
        The mask.
    dimensions
        Width and height of the slide, level-0 pixels.

    Returns
    -------
    ndarray (rows, columns), uint8
        As stored, where that is 2000 to 4000 px along the longer side, or less for want of more; else by nearest
        neighbour, 4000.

    Raises
    ------
    SlideError
        If it cannot be opened or read, or its shape is not the slide's.
    """
    with LabelImage(path) as image:
        width, height = image.sizes[0]
        # Sides are whole numbers of pixels: each may be rounded by one.
        if abs(width / height / (dimensions[0] / dimensions[1]) - 1) > _ASPECT + 1 / width + 1 / height:
            raise SlideError(
                f"the mask is {width} × {height} px, and the slide {dimensions[0]} × {dimensions[1]}: not the same"
                " shape.",
                mend="A mask must cover the whole slide.",
                path=path,
            )
        level = image.level_for(_WANTED_SIDE * width / max(width, height))
        columns, rows = image.sizes[level]
        shrink = max(1.0, max(columns, rows) / LONGEST_SIDE)
        columns, rows = max(1, round(columns / shrink)), max(1, round(rows / shrink))
        return image.sample(level, (np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows)
