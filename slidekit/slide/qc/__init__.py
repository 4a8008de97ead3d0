"""Slide-level quality control: which areas of a slide are discarded before any tile is read.

A method is any callable that takes a `WSI` and returns a 2-D array of bool, True = discard, that covers the whole
slide at any resolution (or None, to discard nothing). Instances of the classes here, functions of your own, and the
words ``otsu``, ``blur`` (= ``gaussian``) and ``both`` (blur, then Otsu) all serve.
"""

from __future__ import annotations

from slidekit.slide.qc.base import QCMethod, SlideView
from slidekit.slide.qc.gaussian import Gaussian, GaussianV2
from slidekit.slide.qc.mask import QCMask, blur_burden
from slidekit.slide.qc.otsu import Otsu
from slidekit.slide.qc.words import QC_WORDS, make_mask, resolve_methods

__all__ = [
    "QC_WORDS",
    "Gaussian",
    "GaussianV2",
    "Otsu",
    "QCMask",
    "QCMethod",
    "SlideView",
    "blur_burden",
    "make_mask",
    "resolve_methods",
]
