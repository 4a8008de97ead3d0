"""Random changes of crops and their masks: place, scale, flips, turns, and the amounts of the stains."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Change", "change_stains", "draw_change", "flip_and_turn", "take_window"]

_ZOOM = 1.25
"""Most that a crop is enlarged or reduced."""

_STAIN_FACTOR, _STAIN_SHIFT = 0.1, 0.03
"""Half-widths of the uniform distributions of stain amounts; between the ``light`` and ``strong`` of Tellez et al."""

# Rows: optical density of haematoxylin, eosin and DAB in red, green and blue (Ruifrok and Johnston 2001).
_STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
_UNMIX = np.linalg.inv(_STAINS)
_DENSITY = -np.log((np.arange(256) + 1) / 256).astype(np.float32)


@dataclass(frozen=True)
class Change:
    """What is done to one crop.

    Attributes
    ----------
    zoom
        Pixels of the image for a pixel of the crop.
    flip, quarters
        Whether it is mirrored left to right, and then turned counter-clockwise by so many right angles.
    factors, shifts
        (3,) each: what amounts of haematoxylin, eosin and DAB are multiplied by, and what is added then.
    """

    zoom: float
    flip: bool
    quarters: int
    factors: NDArray[np.float64]
    shifts: NDArray[np.float64]


def draw_change(generator: np.random.Generator) -> Change:
    """Draw a change; always as many numbers, whatever they are."""
    zoom = float(np.exp(generator.uniform(-1, 1) * np.log(_ZOOM)))
    flip, quarters = bool(generator.integers(2)), int(generator.integers(4))
    factors = 1 + generator.uniform(-_STAIN_FACTOR, _STAIN_FACTOR, 3)
    return Change(zoom, flip, quarters, factors, generator.uniform(-_STAIN_SHIFT, _STAIN_SHIFT, 3))


def take_window(
    image: NDArray[np.uint8], centre: tuple[float, float], size: int, zoom: float, *, nearest: bool, outside: int
) -> NDArray[np.uint8]:
    """Cut a square from an image at any place and scale.

    Parameters
    ----------
    image
        (rows, columns) or (rows, columns, channels).
    centre
        (x, y) of its middle, pixels of the image, whose first is the square from 0 to 1.
    size
        Edge of the result, pixels.
    zoom
        Pixels of the image for a pixel of the result.
    nearest
        Nearest neighbour, for masks; else bilinear.
    outside
        Value of what lies beyond the image.

    Returns
    -------
    ndarray (size, size[, channels]), uint8
    """
    reach = size * zoom / 2 + 2
    left, top = (max(0, int(np.floor(at - reach))) for at in centre)
    part = np.ascontiguousarray(image[top : int(centre[1] + reach) + 1, left : int(centre[0] + reach) + 1])
    shape = (size, size, *image.shape[2:])
    if 0 in part.shape:
        return np.full(shape, outside, np.uint8)
    # Centres of pixels are at halves, and at whole numbers for OpenCV.
    shift = [(1 - size) / 2 * zoom + at - low - 0.5 for at, low in zip(centre, (left, top), strict=True)]
    matrix = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
    flags = cv2.WARP_INVERSE_MAP | (cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR)
    # OpenCV takes four channels at most; labels may be more.
    planes = [part] if part.ndim == 2 else [part[..., k : k + 4] for k in range(0, part.shape[2], 4)]
    moved = [
        cv2.warpAffine(
            np.ascontiguousarray(plane),
            matrix,
            (size, size),
            flags=flags,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(outside,) * 4,
        ).reshape(size, size, -1)
        for plane in planes
    ]
    window: NDArray[np.uint8] = np.concatenate(moved, axis=2).reshape(shape)
    return window


def flip_and_turn(image: NDArray[np.uint8], change: Change) -> NDArray[np.uint8]:
    """Mirror and turn a square image or mask, without loss."""
    flipped = image[:, ::-1] if change.flip else image
    return np.ascontiguousarray(np.rot90(flipped, change.quarters))


def change_stains(image: NDArray[np.uint8], change: Change) -> NDArray[np.uint8]:
    """Change the amounts of the stains.

    Optical density is unmixed into haematoxylin, eosin and DAB (Ruifrok and Johnston 2001); each amount is multiplied
    and shifted (Tellez et al., IEEE Trans. Med. Imaging 37, 2018), and what comes out is mixed again.

    Parameters
    ----------
    image
        (rows, columns, 3), uint8, RGB.
    change
        Its `factors` and `shifts`.

    Returns
    -------
    ndarray of the same shape, uint8
    """
    # Unmixing, factors and mixing are one matrix.
    mix = (_UNMIX * change.factors) @ _STAINS
    matrix = np.concatenate([mix.T, (change.shifts @ _STAINS)[:, None]], axis=1).astype(np.float32)
    density = cv2.transform(_DENSITY[image], matrix)
    light = cv2.exp(-density) * np.float32(256) - np.float32(1)
    return np.asarray(np.clip(np.rint(light), 0, 255), np.uint8)
