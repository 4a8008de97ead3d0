"""Images that come in from outside: checked arrays, and image files to fit to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from slidekit.errors import NormalizerError
from slidekit.norm.codecs import flatten

__all__ = ["check_image", "read_image", "shrink"]

_MAX_FIT_EDGE = 2048


def check_image(image: Any) -> NDArray[np.uint8]:
    """Make sure that this is an RGB image as slidekit knows it.

    Parameters
    ----------
    image
        What the caller gave.

    Returns
    -------
    numpy.ndarray
        The same pixels, uint8 (h, w, 3), C-contiguous; a copy only where the layout demands one.

    Raises
    ------
    NormalizerError
        If it is not a uint8 array (h, w, 3) with at least one pixel.
    """
    if not isinstance(image, np.ndarray):
        raise NormalizerError(
            f"A stain normaliser takes a numpy array, not {type(image).__name__}.",
            mend="Convert it with numpy.asarray(image).",
        )
    if image.dtype != np.uint8:
        raise NormalizerError(
            f"A stain normaliser takes uint8 pixels, not {image.dtype}.",
            mend="Scale the image to 0–255 and convert it with .astype(numpy.uint8).",
        )
    if image.ndim != 3 or image.shape[2] != 3:
        mends = {
            2: "Gray images have no stains; give an RGB image.",
            4: "Give the images one by one, or the batch to transform.",
        }
        mend = mends.get(image.ndim, "Give one image (height, width, 3).")
        if image.ndim == 3:
            mend = "Drop the alpha channel with image[..., :3]; move channels to the last axis."
        raise NormalizerError(f"A stain normaliser takes an image (h, w, 3), not {image.shape}.", mend=mend)
    if image.size == 0:
        raise NormalizerError(f"The image has no pixels: {image.shape}.", mend="Give at least one pixel.")
    return np.ascontiguousarray(image)


def read_image(path: str | Path, presets: Sequence[str] = ()) -> NDArray[np.uint8]:
    """Read an image file to fit to, or to take for a context.

    Parameters
    ----------
    path
        Any format that Pillow reads. Transparent pixels become white.
    presets
        Names that would not have been a path, for the message of the error.

    Returns
    -------
    numpy.ndarray
        uint8 (h, w, 3), RGB.

    Raises
    ------
    NormalizerError
        If the file is missing or not an image.
    """
    from PIL import Image

    mend = (
        f"Give the path of an image, or a preset ({', '.join(presets)})." if presets else "Give the path of an image."
    )
    if not Path(path).is_file():
        raise NormalizerError("There is no such file to fit a stain normaliser to.", mend=mend, path=path)
    try:
        with Image.open(path) as file:
            return flatten(file)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise NormalizerError(f"The file cannot be read as an image: {error}.", mend=mend, path=path) from error


def shrink(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shrink an image by area averaging until no edge is above 2048 px; a smaller one stays as it is.

    Parameters
    ----------
    image
        uint8 (h, w, 3), RGB.
    """
    factor = _MAX_FIT_EDGE / max(image.shape[:2])
    if factor >= 1:
        return image
    size = [max(1, round(edge * factor)) for edge in (image.shape[1], image.shape[0])]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
