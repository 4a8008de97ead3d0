"""The two ways to say how large a dataset's tiles are, brought to one."""

from __future__ import annotations

from slidekit.errors import SpecError
from slidekit.slide.spec import ExtractionSpec
from slidekit.units import Magnification, parse_tile_um

__all__ = ["settle_tile_um"]


def settle_tile_um(
    tile_px: int | None, tile_um: float | str | Magnification | None, tile_mpp: float | None
) -> float | str | Magnification | None:
    """Edge of a tile in microns or as a magnification, from whichever of the two was given.

    Parameters
    ----------
    tile_px
        Edge in output pixels.
    tile_um
        Edge in microns, or a magnification.
    tile_mpp
        µm/px of the tile, instead: the edge is tile_px · tile_mpp microns.

    Returns
    -------
    float, str, Magnification or None
        `tile_um` as it was given, if `tile_mpp` is None.

    Raises
    ------
    SpecError
        If both are given, `tile_mpp` without `tile_px`, or one of them is not a size.
    """
    if tile_mpp is None:
        if tile_um is not None:
            parse_tile_um(tile_um)
        return tile_um
    if tile_um is not None:
        raise SpecError("tile_um and tile_mpp say the same thing.", mend="Give one of them.")
    if tile_px is None:
        raise SpecError("tile_mpp is given without tile_px.", mend="Give tile_px=, or tile_um= instead of tile_mpp=.")
    return ExtractionSpec.create(tile_px=tile_px, tile_mpp=tile_mpp).tile_um
