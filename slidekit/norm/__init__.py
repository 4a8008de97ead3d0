"""Stain normalisation: bring the colours of every tile to those of one reference.

Examples
--------
>>> from slidekit import norm
>>> normalizer = norm.autoselect("macenko", source="v3")  # or norm.StainNormalizer("macenko").fit("v3")
>>> normalized = normalizer.transform(tile)
"""

from __future__ import annotations

from slidekit.norm.base import Normalized, StainNormalizer
from slidekit.norm.methods import METHODS, autoselect
from slidekit.norm.saving import from_params, load

__all__ = ["METHODS", "Normalized", "StainNormalizer", "autoselect", "from_params", "load"]
