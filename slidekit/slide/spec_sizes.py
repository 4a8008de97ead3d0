"""Sizes of tiles among the parameters of an extraction: one, or several of concentric tiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slidekit.slide.spec_values import edge_um, read_more_um
from slidekit.units import Magnification, TileSize, list_sizes, parse_tile_um, size_name

__all__ = ["check_sizes", "gather_sizes", "merge_options", "mpp_of"]

_TARGET_MPP = (0.02, 200.0)
"""µm/px that tiles may be asked for: beyond it somebody has mistaken µm/px for microns, or the other way round."""


def gather_sizes(options: Mapping[str, Any]) -> dict[str, Any]:
    """Bring what is said of sizes, by `tile_mpp` or by several values, to `tile_um` and `more_um`.

    Parameters
    ----------
    options
        Fields of a spec as they were given.

    Returns
    -------
    dict
        The same with one `tile_um`, that of the grid, the others in `more_um`, and without `tile_mpp` where
        `tile_px` says what it means.

    Raises
    ------
    ValueError
        If there is no size, or two options contradict each other.
    """
    data = dict(options)
    if data.get("tile_mpp") is not None and data.get("tile_px") is not None:
        if data.get("tile_um") is not None:
            raise ValueError("tile_um and tile_mpp say the same thing: give one of them.")
        data["tile_um"] = tuple(edge_um(mpp, data["tile_px"]) for mpp in list_sizes(data.pop("tile_mpp")))
    if "tile_um" in data:
        sizes = list_sizes(data["tile_um"])
        if not sizes:
            raise ValueError("tile_um names no size: give microns, or a magnification.")
        # Of several, the first is the one that the grid is of.
        data["tile_um"], *others = sizes
        if others and read_more_um(data.get("more_um")) not in ((), read_more_um(others)):
            raise ValueError("tile_um names several sizes, and more_um others: give them in tile_um.")
        data["more_um"] = tuple(others) or data.get("more_um")
    return data


def mpp_of(tile_px: int, tile_um: TileSize) -> float:
    """µm/px that tiles of a size are meant to have."""
    size = parse_tile_um(tile_um)
    return size.mpp if isinstance(size, Magnification) else size / tile_px


def check_sizes(tile_px: int, sizes: Sequence[TileSize]) -> None:
    """Refuse sizes that no slide can give, and those that come twice.

    Raises
    ------
    ValueError
        Naming them.
    """
    low, high = _TARGET_MPP
    for size in sizes:
        mpp = mpp_of(tile_px, size)
        if not low <= mpp <= high:
            raise ValueError(
                f"tiles of {tile_px} px and {size} would have {mpp:.4g} µm/px, which no slide"
                f" can give ({low:g}–{high:g}): tile_um is the edge of the tile, tile_mpp the µm/px."
            )
    names = [size_name(size) for size in sizes]
    if len(set(names)) < len(names):
        raise ValueError(f"tile_um names a size twice ({', '.join(names)}): concentric tiles must differ.")


def merge_options(fields: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Options over fields of a spec: a size among them stands for all sizes that there were.

    Parameters
    ----------
    fields
        Those of a spec, by name.
    options
        What is to be otherwise.
    """
    replaced = {"tile_mpp"}
    if any(options.get(name) is not None for name in ("tile_um", "tile_mpp")):
        replaced |= {"tile_um", "more_um"}
    return {**{name: value for name, value in fields.items() if name not in replaced}, **options}
