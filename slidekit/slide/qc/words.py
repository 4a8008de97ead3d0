"""QC methods as people name them, and the checks on what a method returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from slidekit.errors import QCError
from slidekit.slide.fate import Fate
from slidekit.slide.qc.base import QCMethod, SlideView
from slidekit.slide.qc.gaussian import GaussianV2
from slidekit.slide.qc.mask import QCMask
from slidekit.slide.qc.otsu import Otsu
from slidekit.slide.spec import QC_WORDS

__all__ = ["QC_WORDS", "make_mask", "resolve_methods"]

_CONTRACT = "It must return a 2-D array of bool, True = discard, that covers the whole slide."

_TAKEN = frozenset(Fate) - {Fate.BACKGROUND, Fate.OUT_OF_FOCUS}
"""Reasons that no QC method can have; background and focus are for methods to claim."""


def resolve_methods(
    methods: str | Callable[..., Any] | Sequence[str | Callable[..., Any]] | None,
    *,
    blur_radius: float = 3.0,
    blur_threshold: float = 0.02,
    blur_mpp: float | None = None,
) -> list[Callable[..., Any]]:
    """Turn words into methods.

    Parameters
    ----------
    methods
        A word, a callable, or several.
    blur_radius, blur_threshold, blur_mpp
        Sigma, threshold and µm/px of the method that ``blur`` stands for.

    Raises
    ------
    QCError
        For a word that is none; the message lists the words.
    """
    if methods is None:
        return []
    listed = [methods] if isinstance(methods, str) or callable(methods) else list(methods)
    resolved: list[Callable[..., Any]] = []
    for method in listed:
        if callable(method):
            resolved.append(method)
            continue
        word = str(method).lower()
        if word not in QC_WORDS:
            raise QCError(f"qc={method!r} is not a QC method.", mend=f"Use {', '.join(QC_WORDS)}, or a callable.")
        if word != "otsu":
            resolved.append(GaussianV2(blur_mpp, blur_radius, blur_threshold))
        if word in ("otsu", "both"):
            resolved.append(Otsu())
    return resolved


def make_mask(method: Callable[..., Any], wsi: SlideView, filter_threshold: float) -> QCMask | None:
    """Run a method on a slide and check what it returns.

    Returns
    -------
    QCMask or None
        None where the method has nothing to say.

    Raises
    ------
    QCError
        If what it returns is not a mask of this slide.
    """
    name = method.name if isinstance(method, QCMethod) else getattr(method, "__name__", type(method).__name__)
    reason = method.reason if isinstance(method, QCMethod) else name
    if reason in _TAKEN:
        raise QCError(
            f"QC method {name} is named as slidekit's own reason {reason!r}, under which its tiles would be counted.",
            mend="Give the method another name.",
        )
    result = method(wsi)
    if result is None:
        return None
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
    return QCMask(mask, name, reason, filter_threshold)
