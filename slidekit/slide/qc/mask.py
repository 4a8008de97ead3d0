"""A computed mask: what it says about each tile, and about the slide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from slidekit.errors import QCError
from slidekit.slide.qc.base import BoolMask

__all__ = ["QCMask", "blur_burden", "check_share", "join_masks", "own_threshold"]


def check_share(filter_threshold: float) -> None:
    """See that the threshold of a mask is a share.

    Raises
    ------
    QCError
        If it is not a number from 0 to 1.
    """
    # Asked for and not refused, so that NaN fails too.
    number = isinstance(filter_threshold, int | float | np.number) and not isinstance(filter_threshold, bool)
    if not (number and 0 <= filter_threshold <= 1):
        raise QCError(
            f"filter_threshold={filter_threshold!r} is not a share.", mend="Use a number from 0 to 1, such as 0.6."
        )


def own_threshold(filter_threshold: float | None) -> float | None:
    """The `filter_threshold` that a method is given, as JSON has it.

    Raises
    ------
    QCError
        If it is neither None nor a number from 0 to 1.
    """
    if filter_threshold is None:
        return None
    check_share(filter_threshold)
    return float(filter_threshold)


@dataclass(frozen=True)
class QCMask:
    """The mask of one QC method.

    Attributes
    ----------
    mask
        (rows, columns) bool over the whole slide; True = discard.
    name, reason
        Of the method.
    filter_threshold
        A tile is dropped if more than this share of it is masked.
    parameters
        The method and all that its mask depends on, as plain JSON values (`describe_callable`); empty where the mask
        was made by hand.

    Raises
    ------
    QCError
        If the threshold is not a share.
    """

    mask: BoolMask
    name: str
    reason: str
    filter_threshold: float = 0.6
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_share(self.filter_threshold)

    def mpp(self, size_um: tuple[float, float]) -> tuple[float, float]:
        """µm per pixel of the mask along x and y, on a slide of `size_um` (width, height) µm."""
        rows, columns = self.mask.shape
        return size_um[0] / columns, size_um[1] / rows

    @property
    def share(self) -> float:
        """Share of the slide that is masked, 0–1."""
        return float(np.count_nonzero(self.mask) / self.mask.size)

    def resized(self, columns: int, rows: int) -> BoolMask:
        """The mask at another resolution, by nearest neighbour."""
        return _enlarge(self.mask, columns, rows)

    def share_under(self, boxes: npt.NDArray[np.float64], dimensions: tuple[int, int]) -> npt.NDArray[np.float64]:
        """Masked share of each box, exact to fractions of mask pixels.

        Parameters
        ----------
        boxes
            (n, 4) of x0, y0, x1, y1 in level-0 pixels; what lies outside the slide does not count.
        dimensions
            Width and height of the slide, level-0 pixels.

        Returns
        -------
        ndarray (n,)
            0–1.
        """
        rows, columns = self.mask.shape
        scale = np.array([columns / dimensions[0], rows / dimensions[1]] * 2)
        limits = np.array([columns, rows] * 2, float)
        x0, y0, x1, y1 = np.clip(boxes * scale, 0, limits).T
        integral = np.asarray(cv2.integral(self.mask.astype(np.uint8), sdepth=cv2.CV_32S), dtype=np.int32)
        covered = (
            _interpolate(integral, x1, y1)
            - _interpolate(integral, x0, y1)
            - _interpolate(integral, x1, y0)
            + _interpolate(integral, x0, y0)
        )
        area = (x1 - x0) * (y1 - y0)
        return np.asarray(np.clip(np.divide(covered, area, out=np.zeros_like(covered), where=area > 0), 0, 1))

    def drops(self, boxes: npt.NDArray[np.float64], dimensions: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """Which boxes are dropped: those masked by more than `filter_threshold`."""
        # Shares are sums of floats: a share equal to the threshold must not be "more" by rounding.
        return self.share_under(boxes, dimensions) > self.filter_threshold + 1e-9


def _interpolate(
    integral: npt.NDArray[np.int32], x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The integral image between its nodes; bilinear is exact because the mask is constant in each pixel."""
    i, j = (
        np.minimum(x.astype(np.int64), integral.shape[1] - 2),
        np.minimum(y.astype(np.int64), integral.shape[0] - 2),
    )
    u, v = x - i, y - j
    top = integral[j, i] * (1 - u) + integral[j, i + 1] * u
    bottom = integral[j + 1, i] * (1 - u) + integral[j + 1, i + 1] * u
    return np.asarray(top * (1 - v) + bottom * v)


def join_masks(masks: Sequence[QCMask], columns: int, rows: int) -> BoolMask:
    """What any of several masks discards, at one resolution.

    Returns
    -------
    ndarray of bool (rows, columns)
        True = discard; nothing where there is no mask.
    """
    joined = np.zeros((rows, columns), np.bool_)
    for mask in masks:
        joined |= mask.resized(columns, rows)
    return joined


def blur_burden(blur: BoolMask, background: BoolMask) -> float | None:
    """Share of tissue that is out of focus.

    Parameters
    ----------
    blur, background
        Masks of one slide, at any two resolutions; tissue is what is not background.

    Returns
    -------
    float or None
        0–1; None where there is no tissue.
    """
    rows, columns = max(blur.shape[0], background.shape[0]), max(blur.shape[1], background.shape[1])
    blurred = _enlarge(blur, columns, rows)
    tissue = ~_enlarge(background, columns, rows)
    total = np.count_nonzero(tissue)
    return float(np.count_nonzero(blurred & tissue) / total) if total else None


def _enlarge(mask: BoolMask, columns: int, rows: int) -> BoolMask:
    if mask.shape == (rows, columns):
        return mask
    return cv2.resize(mask.astype(np.uint8), (columns, rows), interpolation=cv2.INTER_NEAREST).astype(np.bool_)
