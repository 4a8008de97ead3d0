"""The two ways to say how large a dataset's tiles are, brought to one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slidekit.errors import SpecError
from slidekit.slide.spec import ExtractionSpec
from slidekit.units import TileSize, TileSizes, list_sizes, parse_tile_um, size_name

__all__ = ["settle_sizes"]

_MEND = "Give pixels and microns (tile_px=256, tile_um=128), or several that differ (tile_um=[128, 512])."


def settle_sizes(
    tile_px: int | None, tile_um: TileSizes | None, tile_mpp: float | Sequence[float] | None
) -> tuple[TileSize, ...]:
    """Edges of tiles in microns or as magnifications, from whichever of the two was given.

    Parameters
    ----------
    tile_px
        Edge in output pixels.
    tile_um
        Edge in microns, or a magnification; or several, of concentric tiles.
    tile_mpp
        µm/px of the tile, or of several, instead: the edge is tile_px · tile_mpp microns.

    Returns
    -------
    tuple of float, str or Magnification
        `tile_um` as it was given, if `tile_mpp` is None; none where neither is given. Of several, the first is the one
        that the grid is of.

    Raises
    ------
    SpecError
        If both are given, `tile_mpp` without `tile_px`, one of them is not a size, a size comes twice, or `tile_px` is
        given and is none, or makes tiles of µm/px that no slide can give.
    """
    if tile_um is None and tile_mpp is None:
        return ()
    if tile_um is not None and tile_mpp is not None:
        raise SpecError("tile_um and tile_mpp say the same thing.", mend="Give one of them.")
    if tile_mpp is not None:
        if tile_px is None:
            raise SpecError(
                "tile_mpp is given without tile_px.", mend="Give tile_px=, or tile_um= instead of tile_mpp=."
            )
        return _create(tile_px=tile_px, tile_mpp=tile_mpp).sizes
    assert tile_um is not None
    sizes = list_sizes(tile_um)
    names = [size_name(parse_tile_um(size)) for size in sizes]
    if not sizes or len(set(names)) < len(names):
        raise SpecError(f"tile_um={tile_um!r} names {'a size twice' if sizes else 'no size'}.", mend=_MEND)
    if tile_px is not None:
        # Now, and not when slides are opened: the folder of the records is named after them.
        _create(tile_px=tile_px, tile_um=sizes)
    return sizes


def _create(**size: Any) -> ExtractionSpec:
    try:
        return ExtractionSpec.create(**size)
    except SpecError as error:
        raise SpecError(error.message, mend=_MEND if "extract --help" in (error.mend or "") else error.mend) from None
