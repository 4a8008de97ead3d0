"""QC methods as people name them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from slidekit.errors import QCError
from slidekit.slide.qc.base import QCMethod, refuse_class
from slidekit.slide.qc.gaussian import GaussianV2
from slidekit.slide.qc.otsu import Otsu
from slidekit.slide.spec import QC_WORDS

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
        For a word that is none (the message lists the words), a class instead of a method, or something else.
    """
    if methods is None:
        return []
    listed = [methods] if isinstance(methods, str) or callable(methods) else methods
    if not isinstance(listed, Iterable):
        raise QCError(f"qc={methods!r} is not a QC method.", mend=f"Use {', '.join(QC_WORDS)}, or a callable.")
    resolved: list[Callable[..., Any]] = []
    for method in listed:
        if callable(method):
            refuse_class(method)
            resolved.append(method)
            continue
        word = str(method).lower()
        if word not in QC_WORDS:
            raise QCError(f"qc={method!r} is not a QC method.", mend=f"Use {', '.join(QC_WORDS)}, or a callable.")
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
