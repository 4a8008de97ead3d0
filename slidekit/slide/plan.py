"""How a slide meets a spec: its µm/px, its grid, and the stored pixels that its tiles are made from."""

from __future__ import annotations

from dataclasses import dataclass

from slidekit.errors import SpecError
from slidekit.pixels.mpp import SlideMPP
from slidekit.pixels.readers.base import SlideReader
from slidekit.pixels.source import Source, choose_source, level_as_stored
from slidekit.seeding import slide_generator
from slidekit.slide.grid import Grid, make_grid
from slidekit.slide.spec import ExtractionSpec
from slidekit.units import Magnification

__all__ = ["SlidePlan", "plan_slide"]


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
    """

    mpp: SlideMPP
    grid: Grid
    source: Source
    resampling: str


def plan_slide(
    reader: SlideReader,
    mpp: SlideMPP,
    spec: ExtractionSpec,
    *,
    name: str,
    origin: tuple[float, float] = (0.0, 0.0),
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

    Raises
    ------
    SpecError
        If a tile would be smaller than a pixel of the slide.
    """
    size = spec.tile_size
    stored = None
    if isinstance(size, Magnification):
        # A magnification asks for pixels as they are, where a level comes near enough.
        stored = level_as_stored(reader, (mpp.x, mpp.y), size.mpp, enable_downsample=spec.enable_downsample)
    if stored is not None:
        level = reader.levels[stored]
        source = Source(stored, 1, level.downsample_x, level.downsample_y, 1.0, 1.0)
    else:
        target = spec.target_mpp
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
    if spec.randomize_origin:
        shift = slide_generator(spec.seed, name, "origin").random(2)
        origin = (
            origin[0] + shift[0] * tile[0] / spec.stride_div,
            origin[1] + shift[1] * tile[1] / spec.stride_div,
        )
    source = source.averaged()
    grid = make_grid(
        reader.dimensions,
        (mpp.x, mpp.y),
        tile_px=spec.tile_px,
        tile_size=tile,
        stride_div=spec.stride_div,
        origin=origin,
        use_edge_tiles=spec.use_edge_tiles,
    )
    return SlidePlan(mpp, grid, source, _describe(source, stored is not None))


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
