"""How a slide meets a spec: its µm/px, its grid, and the stored pixels that its tiles are made from."""

from __future__ import annotations

from dataclasses import dataclass

from slidekit.errors import SpecError
from slidekit.pixels.mpp import SlideMPP
from slidekit.pixels.readers.base import SlideReader
from slidekit.pixels.source import Source, choose_source, level_as_stored
from slidekit.seeding import slide_generator
from slidekit.slide.coordinates import Coordinates
from slidekit.slide.grid import CellGrid, make_grid
from slidekit.slide.places import lay_places
from slidekit.slide.spec import ExtractionSpec
from slidekit.units import Magnification, parse_tile_um, size_name

__all__ = ["FurtherPlan", "SlidePlan", "plan_slide"]

_BLOCK_PX = 1024
"""Stored pixels along a block in which given coordinates are read one after another: some native tiles."""


@dataclass(frozen=True)
class FurtherPlan:
    """A further size of concentric tiles.

    Attributes
    ----------
    name
        As it stands in the names of features: ``512um``, ``5x``.
    tile_width, tile_height
        Edge of a tile, level-0 pixels.
    source
        Stored pixels that the tiles are made from.
    resampling
        The same as a phrase for people.
    """

    name: str
    tile_width: float
    tile_height: float
    source: Source
    resampling: str


@dataclass(frozen=True)
class SlidePlan:
    """Geometry of an extraction from one slide.

    Attributes
    ----------
    mpp
        µm/px of level 0, and who said so.
    grid
        Candidate tiles.
    source
        Stored pixels that they are made from.
    resampling
        The same as a phrase for people.
    further
        Further sizes of concentric tiles.
    """

    mpp: SlideMPP
    grid: CellGrid
    source: Source
    resampling: str
    further: tuple[FurtherPlan, ...] = ()


def plan_slide(
    reader: SlideReader,
    mpp: SlideMPP,
    spec: ExtractionSpec,
    *,
    name: str,
    origin: tuple[float, float] = (0.0, 0.0),
    coordinates: Coordinates | None = None,
) -> SlidePlan:
    """Lay out an extraction.

    Where tiles are 10 times as coarse as what can be read, or more, pixels are averaged before they are resampled, in
    every mode of `spec.resample` (`Source.averaged`).

    Parameters
    ----------
    reader
        The open slide.
    mpp
        Its µm/px.
    spec
        Tile size, stride, and how to resample.
    name
        Name of the slide, which seeds a random origin.
    origin
        Where the grid begins, level-0 pixels.
    coordinates
        Where tiles lie, instead of on a grid.

    Raises
    ------
    SpecError
        If a tile would be smaller than a pixel of the slide, or the spec says otherwise about coordinates.
    """
    _check_coordinates(spec, origin, coordinates)
    source, tile, as_stored = _source_of(reader, mpp, spec, spec.tile_um, name)
    if spec.randomize_origin:
        shift = slide_generator(spec.seed, name, "origin").random(2)
        origin = (
            origin[0] + shift[0] * tile[0] / spec.stride_div,
            origin[1] + shift[1] * tile[1] / spec.stride_div,
        )
    grid: CellGrid
    if coordinates is None:
        grid = make_grid(
            reader.dimensions,
            (mpp.x, mpp.y),
            tile_px=spec.tile_px,
            tile_size=tile,
            stride_div=spec.stride_div,
            origin=origin,
            use_edge_tiles=spec.use_edge_tiles,
        )
    else:
        grid = lay_places(
            coordinates,
            reader.dimensions,
            (mpp.x, mpp.y),
            tile_px=spec.tile_px,
            tile_size=tile,
            use_edge_tiles=spec.use_edge_tiles,
            block=(_BLOCK_PX * source.downsample_x * source.shrink, _BLOCK_PX * source.downsample_y * source.shrink),
        )
    source = source.averaged()
    further = tuple(_plan_further(reader, mpp, spec, size, name) for size in spec.more_um)
    return SlidePlan(mpp, grid, source, _describe(source, as_stored), further)


def _source_of(
    reader: SlideReader, mpp: SlideMPP, spec: ExtractionSpec, tile_um: float | str, name: str
) -> tuple[Source, tuple[float, float], bool]:
    """Pixels for tiles of a size, the edges of one in level-0 pixels, and whether they are a level as it is stored."""
    size = parse_tile_um(tile_um)
    stored = None
    if isinstance(size, Magnification):
        # A magnification asks for pixels as they are, where a level comes near enough.
        stored = level_as_stored(reader, (mpp.x, mpp.y), size.mpp, enable_downsample=spec.enable_downsample)
    if stored is not None:
        level = reader.levels[stored]
        source = Source(stored, 1, level.downsample_x, level.downsample_y, 1.0, 1.0)
    else:
        target = spec.mpp_of(size)
        source = choose_source(
            reader,
            target / mpp.x,
            target / mpp.y,
            resample=spec.resample,
            enable_downsample=spec.enable_downsample,
        )
    pixel_x, pixel_y = source.downsample_x * source.scale_x, source.downsample_y * source.scale_y
    tile = (spec.tile_px * pixel_x, spec.tile_px * pixel_y)
    if min(tile) < 1:
        raise SpecError(f"A tile of {size} would be {min(tile):.2g} pixels of slide {name}.", mend="Take larger tiles.")
    return source, tile, stored is not None


def _plan_further(
    reader: SlideReader, mpp: SlideMPP, spec: ExtractionSpec, tile_um: float | str, name: str
) -> FurtherPlan:
    source, tile, as_stored = _source_of(reader, mpp, spec, tile_um, name)
    source = source.averaged()
    return FurtherPlan(size_name(tile_um), *tile, source, _describe(source, as_stored))


def _check_coordinates(spec: ExtractionSpec, origin: tuple[float, float], coordinates: Coordinates | None) -> None:
    if (spec.coordinates is None) != (coordinates is None):
        raise SpecError(
            "The places of the tiles are missing." if coordinates is None else "Places are given that no spec names.",
            mend="Give coordinates= to WSI, Dataset.extract_tiles or Project.extract_tiles.",
        )
    if coordinates is not None and origin != (0.0, 0.0):
        raise SpecError("coordinates and origin exclude each other.", mend="Leave origin out: there is no grid.")


def _describe(source: Source, as_stored: bool) -> str:
    if as_stored:
        return f"level {source.level} as stored"
    if source.scale_x == source.scale_y == 1 and source.shrink == 1:
        return f"level {source.level}, which has the resolution asked for"
    decoded = f", JPEG decoded at 1/{source.shrink}" if source.shrink > 1 else ""
    averaged = f", {source.average} × {source.average} pixels averaged first" if source.average > 1 else ""
    reduction = (source.scale_x * source.scale_y) ** 0.5 * source.shrink * source.average
    done = f"reduced {reduction:.4g}×" if reduction >= 1 else f"enlarged {1 / reduction:.4g}×"
    return f"{done} from level {source.level}{decoded}{averaged}"
