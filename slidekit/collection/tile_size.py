"""The two ways to say how large a dataset's tiles are, brought to one."""

from __future__ import annotations

from collections.abc import Sequence

from slidekit.errors import SpecError
from slidekit.slide.spec import ExtractionSpec
from slidekit.units import TileSize, TileSizes, list_sizes, parse_tile_um, size_name

__all__ = ["settle_sizes"]


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
        If both are given, `tile_mpp` without `tile_px`, one of them is not a size, or a size comes twice.
    """
    if tile_mpp is None:
        if tile_um is None:
            return ()
        sizes = list_sizes(tile_um)
        names = [size_name(parse_tile_um(size)) for size in sizes]
        if not sizes or len(set(names)) < len(names):
            raise SpecError(
                f"tile_um={tile_um!r} names {'a size twice' if sizes else 'no size'}.",
                mend="Give microns (tile_um=128), or several that differ (tile_um=[128, 512]).",
            )
        return sizes
    if tile_um is not None:
        raise SpecError("tile_um and tile_mpp say the same thing.", mend="Give one of them.")
    if tile_px is None:
        raise SpecError("tile_mpp is given without tile_px.", mend="Give tile_px=, or tile_um= instead of tile_mpp=.")
    return ExtractionSpec.create(tile_px=tile_px, tile_mpp=tile_mpp).sizes
