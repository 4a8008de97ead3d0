"""`Dataset`: what can be done with many slides at one size of tile, by what is done."""

from __future__ import annotations

from slidekit.dataset.dataset import Dataset

__all__ = ["Dataset"]
