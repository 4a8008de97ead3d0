"""Masks from methods: a method is run on a slide, and what it returns is checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from slidekit.errors import QCError
from slidekit.slide.fate import Fate
from slidekit.slide.fingerprint import describe_callable
from slidekit.slide.qc.base import BoolMask, QCMethod, SlideView
from slidekit.slide.qc.mask import QCMask, join_masks

__all__ = ["check_mask", "make_mask", "make_masks", "method_name", "method_reason"]

_CONTRACT = "It must return a 2-D array of bool, True = discard, that covers the whole slide."

_TAKEN = frozenset(Fate) - {Fate.BACKGROUND, Fate.OUT_OF_FOCUS}
"""Reasons that no QC method can have; background and focus are for methods to claim."""


def method_name(method: Callable[..., Any]) -> str:
    """The word of a method in reports: of a plain function its own name."""
    return method.name if isinstance(method, QCMethod) else getattr(method, "__name__", type(method).__name__)


def method_reason(method: Callable[..., Any]) -> str:
    """What a tile that a method drops is counted as."""
    return str(method.reason) if isinstance(method, QCMethod) else method_name(method)


def make_masks(method: Callable[..., Any], wsi: SlideView, filter_threshold: float) -> list[QCMask]:
    """Run a method on a slide and check what it returns.

    Parameters
    ----------
    method
        Returns one array of bool, None, or finished masks.
    wsi
        The slide.
    filter_threshold
        Of a mask that is returned as an array; a `QCMask` has its own.

    Returns
    -------
    list of QCMask
        Empty where the method has nothing to say.

    Raises
    ------
    QCError
        If what it returns is not a mask of this slide.
    """
    name, reason = method_name(method), method_reason(method)
    _check_reason(name, reason)
    result = method(wsi)
    if result is None:
        return []
    if isinstance(result, QCMask):
        result = [result]
    if isinstance(result, list | tuple) and all(isinstance(one, QCMask) for one in result):
        for one in result:
            _check_reason(one.name, one.reason)
            check_mask(one.mask, wsi, name)
        return list(result)
    mask = check_mask(result, wsi, name)
    return [QCMask(mask, name, reason, filter_threshold, describe_callable(method))]


def make_mask(method: Callable[..., Any], wsi: SlideView, filter_threshold: float) -> QCMask | None:
    """As `make_masks`, for one mask: what any of several discards, under the method's name.

    Returns
    -------
    QCMask or None
        None where the method has nothing to say.

    Raises
    ------
    QCError
        If what it returns is not a mask of this slide.
    """
    masks = make_masks(method, wsi, filter_threshold)
    if len(masks) < 2:
        return masks[0] if masks else None
    rows, columns = max(one.mask.shape[0] for one in masks), max(one.mask.shape[1] for one in masks)
    joined = join_masks(masks, columns, rows)
    return QCMask(joined, method_name(method), method_reason(method), filter_threshold, describe_callable(method))


def check_mask(result: Any, wsi: SlideView, name: str) -> BoolMask:
    """See that something is a mask of a slide.

    Parameters
    ----------
    result
        Anything.
    wsi
        The slide.
    name
        What made it, for the message.

    Returns
    -------
    ndarray of bool (rows, columns)

    Raises
    ------
    QCError
        If it is not.
    """
    try:
        mask = np.asarray(result)
    except (TypeError, ValueError) as error:
        raise QCError(
            f"QC method {name} returned {type(result).__name__} for slide {wsi.name}, not an array ({error}).",
            mend=_CONTRACT,
        ) from error
    if mask.ndim != 2 or mask.size == 0 or mask.dtype != np.bool_:
        raise QCError(
            f"QC method {name} returned {type(result).__name__} of {mask.dtype}, shape {mask.shape}, for slide"
            f" {wsi.name}.",
            mend=_CONTRACT,
        )
    width, height = wsi.dimensions
    rows, columns = mask.shape
    # Sizes are rounded to whole pixels: each side may be off by one.
    if (
        abs(columns - rows * width / height) > 1 + width / height
        and abs(rows - columns * height / width) > 1 + height / width
    ):
        raise QCError(
            f"QC method {name} returned a mask of {columns} × {rows} pixels for slide {wsi.name}, which is"
            f" {width} × {height}: not the same shape.",
            mend="The mask must cover the whole slide, (rows, columns).",
        )
    return mask


def _check_reason(name: str, reason: str) -> None:
    if reason in _TAKEN:
        raise QCError(
            f"QC method {name} is named as slidekit's own reason {reason!r}, under which its tiles would be counted.",
            mend="Give the method another name.",
        )
