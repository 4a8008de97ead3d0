"""Units as types, and the two ways in which people state the size of a tile.

Lengths on a slide are in one of three units that must never be mixed: microns, pixels of the slide's level 0, and
pixels of the output tile. They are distinct types to mypy and plain numbers at run time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NewType, TypeAlias

from slidekit.errors import SpecError

__all__ = [
    "MPP",
    "Magnification",
    "Microns",
    "SlidePixels",
    "TilePixels",
    "TileSize",
    "TileSizes",
    "list_sizes",
    "parse_tile_um",
    "size_name",
    "tile_size_label",
]

Microns = NewType("Microns", float)
"""A length on the tissue, µm."""

MPP = NewType("MPP", float)
"""Microns per pixel."""

SlidePixels = NewType("SlidePixels", float)
"""A length or coordinate in pixels of level 0; a real number until pixels are read."""

TilePixels = NewType("TilePixels", int)
"""A length in pixels of the output tile."""


@dataclass(frozen=True)
class Magnification:
    """An objective magnification such as ``10x``; by the field's convention 10x is 1.0 µm/px.

    Parameters
    ----------
    power
        The number in front of the ``x``.
    """

    power: float

    @property
    def mpp(self) -> MPP:
        """Microns per pixel that the magnification stands for: 10 / power."""
        return MPP(10 / self.power)

    def __str__(self) -> str:
        return f"{self.power:g}x"


TileSize: TypeAlias = float | str | Magnification
"""Edge of a tile as people write it: microns, or a magnification."""

TileSizes: TypeAlias = TileSize | Sequence[TileSize]
"""One, or those of concentric tiles, the first of which is the one that the grid is of."""


_MAGNIFICATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*[x×]\s*", re.IGNORECASE)


def parse_tile_um(value: float | str | Magnification) -> Microns | Magnification:
    """Read a tile size as people write it.

    Parameters
    ----------
    value
        Microns (``128``, ``302.5``, ``"128"``) or a magnification (``"10x"``).

    Returns
    -------
    Microns or Magnification

    Raises
    ------
    SpecError
        If the value is neither, or not positive and finite; saying how several are given, where there are.
    """
    if isinstance(value, Magnification):
        return value
    if isinstance(value, bool | bytes):
        # float() would take True for 1, and b"128" for 128.
        raise _no_size(value)
    if isinstance(value, str) and (match := _MAGNIFICATION.fullmatch(value)):
        size = float(match[1])
        if size > 0:
            return Magnification(size)
    else:
        try:
            size = float(value)
        except (TypeError, ValueError):
            size = math.nan
        if math.isfinite(size) and size > 0:
            return Microns(size)
    raise _no_size(value)


def _no_size(value: object) -> SpecError:
    mend = 'Give microns (tile_um=128) or a magnification (tile_um="10x").'
    if isinstance(value, str) and re.search(r"[,;+ ]", value.strip()):
        # Not taken apart: 302,5 may be a decimal fraction.
        mend += " Several sizes are a list: tile_um=[128, 512], --tile-um 128 --tile-um 512."
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        mend += " Several sizes are one plain list or tuple, in its order: tile_um=[128, 512]."
    return SpecError(f"tile_um={value!r} is not a tile size.", mend=mend)


def list_sizes(tile_um: TileSizes) -> tuple[TileSize, ...]:
    """One size of tile, or several, as a tuple; arrays and their elements as plain numbers."""
    plain: Any = tile_um.tolist() if hasattr(tile_um, "tolist") else tile_um
    if isinstance(plain, Sequence) and not isinstance(plain, str | bytes):
        return tuple(size.tolist() if hasattr(size, "tolist") else size for size in plain)
    return (plain,)


def size_name(tile_um: TileSize) -> str:
    """A size of tile as it stands in names of folders and features: ``128um``, or ``10x``."""
    size = parse_tile_um(tile_um)
    return str(size) if isinstance(size, Magnification) else f"{size:g}um"


def tile_size_label(tile_px: int, tile_um: TileSizes) -> str:
    """Name of the folder that holds tiles of this size, such as ``256px_128um`` or ``299px_10x``.

    Parameters
    ----------
    tile_px
        Edge of the tile in output pixels.
    tile_um
        Edge of the tile in microns, or a magnification; of concentric tiles several: ``256px_128um+512um``.
    """
    return f"{tile_px}px_{'+'.join(map(size_name, list_sizes(tile_um)))}"
