"""Methods that find cells in an image: classical, Cellpose, or any function."""

from __future__ import annotations

from slidekit.cells.methods.base import METHOD_WORDS, CellMethod, FunctionMethod
from slidekit.cells.methods.choose import resolve_method

__all__ = ["METHOD_WORDS", "CellMethod", "FunctionMethod", "resolve_method"]
