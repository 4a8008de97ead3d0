"""What happens to each image: whole numbers, drawn from its seed and from nothing else.

A row of parameters belongs to an image; **a row of zeros leaves it as it is**. Each letter has its columns, and its
numbers do not depend on which other letters there are. Matrices are in units of 1 / `UNIT`.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slidekit.augment import letters as table
from slidekit.augment.letters import parse_augment
from slidekit.errors import SpecError

__all__ = [
    "BLUR",
    "DISTORT",
    "DISTORT_LUMA",
    "DISTORT_MATRIX",
    "DROPPED_BITS",
    "FLIP_X",
    "FLIP_Y",
    "LUMA",
    "PROFILE",
    "PROFILE_CURVES",
    "PROFILE_MATRIX",
    "QUALITY",
    "QUARTER",
    "SHARPEN",
    "UNIT",
    "WIDTH",
    "Parameters",
    "draw",
]

Parameters: TypeAlias = NDArray[np.int32]
"""(n, `WIDTH`): a row an image."""

_Draws: TypeAlias = NDArray[np.float64]

UNIT = 1024
"""One, in the matrices. Sums of products with pixels are whole numbers below 2**24, which float32 holds exactly."""

FLIP_X, FLIP_Y = 0, 1
"""1 to change left and right, top and bottom; a half turn is both."""
QUARTER = 2
"""1 to turn by 90° counter-clockwise after that, if the image is square."""
BLUR = 3
"""Row of `slidekit.augment.tables.BLUR_KERNELS`."""
SHARPEN = 4
"""Twice what the factor is above 1."""
DROPPED_BITS = 5
"""How many of the lowest bits become zero."""
DISTORT = 6
"""1 to distort colours: RGB becomes the matrix times RGB, and `DISTORT_LUMA` times the image's mean luma."""
DISTORT_MATRIX, DISTORT_LUMA = slice(7, 16), 16
PROFILE = 17
"""1 to change the profile: curves to linear light (rows of `slidekit.augment.tables.CURVES`), matrix, curve back."""
PROFILE_CURVES, PROFILE_MATRIX = slice(18, 21), slice(21, 30)
QUALITY = 30
"""Quality of JPEG."""
WIDTH = 31

LUMA = (299, 587, 114)
"""Thousandths of R, G, B in luma (ITU-R BT.601)."""

_YIQ = np.array([[0.299, 0.587, 0.114], [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])
"""RGB to luma and the two axes of chroma (NTSC)."""

# Columns of uniform draws of each letter; new ones go behind the last, so that old seeds give what they gave.
_DRAWS = {"x": 0, "y": 1, "r": 2, "b": 3, "s": 5, "p": 7, "j": 9, "d": 11, "c": 17}
_NUMBER_OF_DRAWS = 27


def draw(letters: str | bool | None, seeds: ArrayLike) -> Parameters:
    """Draw what happens to each image.

    Parameters
    ----------
    letters
        As `slidekit.augment.parse_augment` takes them; ``n`` has no parameters here.
    seeds
        Integers (n,), one an image. The same seed draws the same, in any batch.

    Returns
    -------
    ndarray (n, WIDTH), int32
        A row an image.

    Raises
    ------
    SpecError
        If `letters` are not letters, or `seeds` not one axis of integers.
    """
    wanted = parse_augment(letters)
    numbers = _uniform(_check_seeds(seeds))
    parameters = np.zeros((len(numbers), WIDTH), np.int32)
    for letter, fill in _FILLS.items():
        if letter in wanted:
            fill(parameters, numbers[:, _DRAWS[letter] :])
    return parameters


def _check_seeds(seeds: ArrayLike) -> NDArray[np.uint64]:
    array: NDArray[Any] = np.asarray(seeds)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise SpecError(
            f"The seeds of an augmentation are integers, one an image, not {array.dtype} {array.shape}.",
            mend="Give an array (n,) of int64.",
        )
    return array.astype(np.int64).view(np.uint64)


def _uniform(seeds: NDArray[np.uint64]) -> _Draws:
    """Draws from 0 to below 1, (n, number of draws): SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) by counter."""
    golden = np.uint64(0x9E3779B97F4A7C15)
    counters = np.arange(1, _NUMBER_OF_DRAWS + 1, dtype=np.uint64) * golden
    mixed = _mix(_mix(seeds + golden)[:, None] + counters)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _between(draws: _Draws, low: float, high: float) -> _Draws:
    return low + draws * (high - low)


def _one_of(draws: _Draws, options: int) -> NDArray[np.int64]:
    """A number from 0 to below `options`, each as likely."""
    return (draws * options).astype(np.int64)


def _flip_x(parameters: Parameters, draws: _Draws) -> None:
    parameters[:, FLIP_X] ^= draws[:, 0] < 0.5


def _flip_y(parameters: Parameters, draws: _Draws) -> None:
    parameters[:, FLIP_Y] ^= draws[:, 0] < 0.5


def _rotate(parameters: Parameters, draws: _Draws) -> None:
    turns = _one_of(draws[:, 0], 4)
    parameters[:, FLIP_X] ^= turns >= 2
    parameters[:, FLIP_Y] ^= turns >= 2
    parameters[:, QUARTER] = turns % 2


def _blur(parameters: Parameters, draws: _Draws) -> None:
    chosen = 1 + _one_of(draws[:, 1], len(table.BLUR_SIGMAS))
    parameters[:, BLUR] = np.where(draws[:, 0] < table.BLUR_SHARE, chosen, 0)


def _sharpen(parameters: Parameters, draws: _Draws) -> None:
    twice = np.array([round(2 * (factor - 1)) for factor in table.SHARPEN_FACTORS])
    chosen = twice[_one_of(draws[:, 1], len(twice))]
    parameters[:, SHARPEN] = np.where(draws[:, 0] < table.SHARPEN_SHARE, chosen, 0)


def _posterise(parameters: Parameters, draws: _Draws) -> None:
    dropped = 8 - np.array(table.POSTERISE_BITS)
    chosen = dropped[_one_of(draws[:, 1], len(dropped))]
    parameters[:, DROPPED_BITS] = np.where(draws[:, 0] < table.POSTERISE_SHARE, chosen, 0)


def _jpeg(parameters: Parameters, draws: _Draws) -> None:
    low, high = table.JPEG_QUALITIES
    chosen = low + _one_of(draws[:, 1], high - low + 1)
    parameters[:, QUALITY] = np.where(draws[:, 0] < table.JPEG_SHARE, chosen, 0)


def _distort(parameters: Parameters, draws: _Draws) -> None:
    """Brightness, contrast, saturation and hue, one after the other, in one matrix: clipped once, at the end.

    With brightness b, contrast c, luma weights w and the image's mean luma m: RGB' = c·b·H·S·RGB + (1 − c)·b·m,
    where S = s·I + (1 − s)·1·wᵀ (as torchvision) and H turns the plane of chroma of YIQ by the angle of the hue.
    """
    brightness = _between(draws[:, 1], 1 - table.BRIGHTNESS, 1 + table.BRIGHTNESS)
    contrast = _between(draws[:, 2], 1 - table.CONTRAST, 1 + table.CONTRAST)
    saturation = _between(draws[:, 3], 1 - table.SATURATION, 1 + table.SATURATION)
    saturation = np.where(draws[:, 5] < table.GREY_SHARE, 0, saturation)
    angle = 2 * math.pi * _between(draws[:, 4], -table.HUE, table.HUE)
    to_luma = np.tile(_YIQ[0], (3, 1))
    saturate = saturation[:, None, None] * (np.eye(3) - to_luma) + to_luma
    turn = np.zeros((len(draws), 3, 3))
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = np.cos(angle)
    turn[:, 2, 1] = np.sin(angle)
    turn[:, 1, 2] = -turn[:, 2, 1]
    matrix = np.linalg.inv(_YIQ) @ turn @ _YIQ @ saturate
    scale = contrast * brightness
    chosen = draws[:, 0] < table.DISTORT_SHARE
    parameters[:, DISTORT] = chosen
    parameters[:, DISTORT_MATRIX] = _whole(scale[:, None, None] * matrix, scale) * chosen[:, None]
    parameters[:, DISTORT_LUMA] = np.rint((1 - contrast) * brightness * UNIT) * chosen


def _profile(parameters: Parameters, draws: _Draws) -> None:
    """Tone curves and a matrix, as in an ICC profile of the matrix/TRC kind (ICC.1:2022, F.3); white stays white."""
    curves = _one_of(draws[:, 1:4], len(table.PROFILE_GAMMAS))
    matrix = np.zeros((len(draws), 3, 3))
    matrix[:, ~np.eye(3, dtype=bool)] = _between(draws[:, 4:10], -table.PROFILE_MIXING, table.PROFILE_MIXING)
    chosen = draws[:, 0] < table.PROFILE_SHARE
    parameters[:, PROFILE] = chosen
    parameters[:, PROFILE_CURVES] = curves * chosen[:, None]
    parameters[:, PROFILE_MATRIX] = _whole(matrix, np.ones(len(draws))) * chosen[:, None]


def _whole(matrices: _Draws, grey: _Draws) -> NDArray[np.int32]:
    """Matrices (n, 3, 3) in `UNIT`, (n, 9), their diagonals such that grey stays grey: rows have the sums `grey`."""
    whole = np.rint(matrices * UNIT).astype(np.int32)
    diagonal = np.arange(3)
    whole[:, diagonal, diagonal] += np.rint(grey * UNIT).astype(np.int32)[:, None] - whole.sum(2, dtype=np.int32)
    return whole.reshape(-1, 9)


_FILLS = {
    "x": _flip_x,
    "y": _flip_y,
    "r": _rotate,
    "b": _blur,
    "s": _sharpen,
    "p": _posterise,
    "d": _distort,
    "c": _profile,
    "j": _jpeg,
}
