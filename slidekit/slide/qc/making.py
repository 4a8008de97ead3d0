"""Masks from methods: a method is run on a slide, and what it returns is checked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from slidekit.errors import QCError
from slidekit.slide.fate import Fate
from slidekit.slide.fingerprint import describe_callable
from slidekit.slide.qc.base import BoolMask, QCMethod, SlideView
from slidekit.slide.qc.mask import QCMask, join_masks

__all__ = ["check_mask", "make_mask", "make_masks", "method_name", "method_reason", "number_names"]

_CONTRACT = "It must return a 2-D array of bool, True = discard, that covers the whole slide."

_TAKEN = frozenset(Fate) - {Fate.BACKGROUND, Fate.OUT_OF_FOCUS}
"""Reasons that no QC method can have; background and focus are for methods to claim."""


_SLACK = 0.01
"""Pyramids whose levels are cropped or padded to whole tiles differ from level 0 by about as much."""


def method_name(method: Callable[..., Any]) -> str:
    """The word of a method in reports: of a plain function its own name.

    Raises
    ------
    QCError
        For a `QCMethod` that has none.
    """
    if not isinstance(method, QCMethod):
        return getattr(method, "__name__", type(method).__name__)
    name = getattr(method, "name", None)
    if not isinstance(name, str):
        kind = type(method).__name__
        raise QCError(f"QC method {kind} has no name.", mend=f'Give its class one, such as name = "{kind.lower()}".')
    return name


def method_reason(method: Callable[..., Any]) -> str:
    """What a tile that a method drops is counted as: its name, where it gives no other reason."""
    name = method_name(method)
    return str(getattr(method, "reason", name)) if isinstance(method, QCMethod) else name


def number_names(masks: Sequence[QCMask], taken: Collection[str]) -> list[QCMask]:
    """Masks under names of their own: the second ``otsu`` becomes ``otsu_2``; reasons stay.

    Parameters
    ----------
    masks
        New ones, in order.
    taken
        Names that others have.
    """
    names, numbered = set(taken), []
    for mask in masks:
        name, number = mask.name, 1
        while name in names:
            number += 1
            name = f"{mask.name}_{number}"
        names.add(name)
        numbered.append(mask if name == mask.name else replace(mask, name=name))
    return numbered


def make_masks(method: Callable[..., Any], wsi: SlideView, filter_threshold: float) -> list[QCMask]:
    """Run a method on a slide and check what it returns.

    Parameters
    ----------
    method
        Returns one array of bool, None, or finished masks.
    wsi
        The slide.
    filter_threshold
        Of a mask that is returned as an array by a method that has no `filter_threshold` of its own; a `QCMask` has
        its own.

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
        return [replace(one, mask=check_mask(one.mask, wsi, name)) for one in result]
    mask = check_mask(result, wsi, name)
    own = method.filter_threshold if isinstance(method, QCMethod) else None
    return [QCMask(mask, name, reason, filter_threshold if own is None else own, describe_callable(method))]


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
    # Pixels of a mask may be as long as they are wide on the slide's grid, or in µm, or anything between: methods never
    # look finer than level 0, which along one axis may be coarser than they ask for.
    as_pixels, as_um = width / height, width * wsi.mpp_x / (height * wsi.mpp_y)
    low, high = min(as_pixels, as_um) * (1 - _SLACK), max(as_pixels, as_um) * (1 + _SLACK)
    # Sizes are rounded to whole pixels: each side may be off by one.
    if not low * (rows - 1) - 1 <= columns <= high * (rows + 1) + 1:
        raise QCError(
            f"QC method {name} returned a mask of {columns} × {rows} pixels for slide {wsi.name}, which is"
            f" {width} × {height}: not the same shape.",
            mend="The mask must cover the whole slide, (rows, columns).",
        )
    return mask


def _check_reason(name: str, reason: str) -> None:
    for what, text in (("name", name), ("reason", reason)):
        # Both stand in tables, in files' names and in GeoJSON, which half a character or a line's end would break.
        if not isinstance(text, str) or not text.strip() or not text.isprintable():
            raise QCError(f"A QC mask has the {what} {text!r}.", mend="Use printable text that is not empty.")
    if reason in _TAKEN:
        raise QCError(
            f"QC method {name} is named as slidekit's own reason {reason!r}, under which its tiles would be counted.",
            mend="Give the method another name.",
        )
