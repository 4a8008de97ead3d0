"""Slide-level quality control: which areas of a slide are discarded before any tile is read.

A method is any callable that takes a `WSI` and returns a 2-D array of bool, True = discard, that covers the whole
slide at any resolution (or None, to discard nothing; or finished masks). Instances of the classes here, functions of
your own, and the words ``otsu``, ``blur`` (= ``gaussian``), ``both`` (blur, then Otsu), ``focus``, ``pen`` and ``fold``
all serve. Methods can be combined: ``a | b``, ``a & b``, ``~a``.

What only some runs need is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from slidekit.slide.qc.base import BoolMask, QCMethod, SlideView
from slidekit.slide.qc.combine import And, Not, Or
from slidekit.slide.qc.gaussian import Gaussian, GaussianV2
from slidekit.slide.qc.making import check_mask, make_mask, make_masks
from slidekit.slide.qc.mask import QCMask, blur_burden, join_masks
from slidekit.slide.qc.otsu import Otsu
from slidekit.slide.qc.words import QC_WORDS, resolve_methods

if TYPE_CHECKING:
    from slidekit.slide.qc.deepfocus import DeepFocus
    from slidekit.slide.qc.focus import Focus
    from slidekit.slide.qc.fold import Fold
    from slidekit.slide.qc.pen import Pen
    from slidekit.slide.qc.saving import Load, Save
    from slidekit.slide.qc.segment import Segment, StridedSegment
    from slidekit.slide.qc.strided import StridedDL, StridedDL_V2

__all__ = [
    "QC_WORDS",
    "And",
    "BoolMask",
    "DeepFocus",
    "Focus",
    "Fold",
    "Gaussian",
    "GaussianV2",
    "Load",
    "Not",
    "Or",
    "Otsu",
    "Pen",
    "QCMask",
    "QCMethod",
    "Save",
    "Segment",
    "SlideView",
    "StridedDL",
    "StridedDL_V2",
    "StridedSegment",
    "blur_burden",
    "check_mask",
    "join_masks",
    "make_mask",
    "make_masks",
    "resolve_methods",
]

_LAZY = {
    "DeepFocus": "deepfocus",
    "Focus": "focus",
    "Fold": "fold",
    "Load": "saving",
    "Pen": "pen",
    "Save": "saving",
    "Segment": "segment",
    "StridedDL": "strided",
    "StridedDL_V2": "strided",
    "StridedSegment": "segment",
}
"""Names that are imported when they are first used, and their modules."""


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"slidekit.slide.qc.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
