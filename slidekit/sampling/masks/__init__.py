"""Masks that say where patches may come from: how they are made, and where they are kept."""

from __future__ import annotations

from slidekit.sampling.masks.cache import MaskCache, default_cache
from slidekit.sampling.masks.entry import make_map
from slidekit.sampling.masks.facts import MadeMask, MapSpec, SlideFacts
from slidekit.sampling.masks.histofetch import HistoFetch

__all__ = ["HistoFetch", "MadeMask", "MapSpec", "MaskCache", "SlideFacts", "default_cache", "make_map"]
