"""Pixels of planned patches: each native tile is decoded once for all patches that need it, in one process."""

from __future__ import annotations

from slidekit.sampling.reading.outcome import Failure, Outcome
from slidekit.sampling.reading.reader import PatchReader

__all__ = ["Failure", "Outcome", "PatchReader"]
