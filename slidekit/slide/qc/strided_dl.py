"""Slideflow's name for `slidekit.slide.qc.strided`, so that subclasses port by changing the import."""

from __future__ import annotations

from slidekit.slide.qc.strided import StridedDL, StridedDL_V2

__all__ = ["StridedDL", "StridedDL_V2"]
