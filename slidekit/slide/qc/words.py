"""QC methods as people name them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from slidekit.slide.qc.base import QCMethod
from slidekit.slide.qc.gaussian import GaussianV2
from slidekit.slide.qc.otsu import Otsu
from slidekit.slide.spec_values import QC_WORDS, list_methods

__all__ = ["QC_WORDS", "resolve_methods"]


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
        For a word that is none (the message lists the words), a class instead of a method, a mask, or something else.
    """
    if methods is None:
        return []
    resolved: list[Callable[..., Any]] = []
    for method in list_methods(methods):
        if not isinstance(method, str):
            resolved.append(method)
            continue
        word = method.lower()
        if word in ("blur", "gaussian", "both"):
            resolved.append(GaussianV2(blur_mpp, blur_radius, blur_threshold))
        if word in ("otsu", "both"):
            resolved.append(Otsu())
        if word in ("focus", "pen", "fold"):
            resolved.append(_rule(word))
    return resolved


def _rule(word: str) -> QCMethod:
    # Imported when they are asked for: most runs want none of them.
    if word == "focus":
        from slidekit.slide.qc.focus import Focus

        return Focus()
    if word == "pen":
        from slidekit.slide.qc.pen import Pen

        return Pen()
    from slidekit.slide.qc.fold import Fold

    return Fold()
