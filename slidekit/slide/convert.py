"""Whole-slide images of any format to pyramidal TIFF, which OpenSlide, libvips and tifffile open."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slidekit.errors import MissingMPPError, SlidekitError, SpecError
from slidekit.io.slide_tiff import TileSource, write_tiff
from slidekit.pixels.discovery import check_unique_names, slide_name
from slidekit.pixels.image import RGBImage
from slidekit.pixels.mpp import SlideMPP, settle_mpp
from slidekit.pixels.readers import SlideReader, open_slide
from slidekit.pixels.source import choose_source, level_as_stored
from slidekit.pixels.strips import read_resampled, tiles_per_strip
from slidekit.slide.conversion_spec import ConversionSpec

__all__ = ["Converted", "convert_slides", "convert_to_tiff"]

_PYRAMID_STEP = 4
_SMALLEST_LEVEL = 1024
"""Pixels of the longer side from which on no smaller level is added."""

_ENLARGED = 0.99
"""Output pixels smaller than this share of level 0's would be invented."""

_EDGE = 1e-6


def convert_to_tiff(slide: str | Path, dest: str | Path, *, overwrite: bool = False, **options: Any) -> Path:
    """Write a slide as a tiled, pyramidal TIFF.

    Every level is resampled from the slide's own pixels (Lanczos3, sub-pixel origin); a level that the slide has is
    copied pixel by pixel. µm/px stand in the resolution tags as pixels per centimetre. A strip of tiles is in memory
    at a time, whatever the slide's size; beyond 2 GiB of pixels the file is a BigTIFF.

    Parameters
    ----------
    slide
        File of the slide, of any format that a reader opens.
    dest
        File to write, or a folder for ``{slide}.tiff``: the slide's own name, whatever characters are in it, so that
        annotations still find it. It appears when it is complete.
    overwrite
        Whether a file of that name is replaced.
    **options
        Fields of `ConversionSpec`: ``target_mpp``, ``magnifications`` or ``levels``; ``tile_size`` (512),
        ``compression`` (``deflate``, ``jpeg``, ``none``), ``quality``, ``mpp``, ``reader``.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    SpecError
        If options make no sense, the slide is coarser than asked for, lacks the level, or `dest` exists.
    SlideOpenError, MissingMPPError, SlideReadError
        If the slide cannot be used; nothing is written then.
    """
    spec = ConversionSpec.create(**options)
    slide = Path(slide)
    path = _destination(slide, Path(dest), overwrite=overwrite)
    with open_slide(slide, spec.reader) as reader:
        mpp = _settle_mpp(reader, spec)
        pixels = _pixels(reader, mpp, spec)
        first = pixels[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        return write_tiff(
            path,
            [_level_source(reader, pixel, spec.tile_size) for pixel in pixels],
            mpp_x=None if mpp is None else mpp.x * first[0],
            mpp_y=None if mpp is None else mpp.y * first[1],
            compression=spec.compression,
            tile_size=spec.tile_size,
            quality=spec.quality,
            downsamples=[(x / first[0], y / first[1]) for x, y in pixels],
        )


def _destination(slide: Path, dest: Path, *, overwrite: bool) -> Path:
    path = dest / f"{slide_name(slide)}.tiff" if dest.is_dir() or not dest.suffix else dest
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise SpecError("The name does not end in .tif or .tiff.", mend="Give such a name, or a folder.", path=path)
    if path.exists():
        if slide.exists() and path.samefile(slide):
            raise SpecError("The slide would be written over itself.", mend="Give another place.", path=path)
        if not overwrite:
            raise SpecError("There is such a file already.", mend="Give overwrite=True, or another place.", path=path)
    return path


def _settle_mpp(reader: SlideReader, spec: ConversionSpec) -> SlideMPP | None:
    needed = bool(spec.target_mpp or spec.magnifications)
    try:
        return settle_mpp(reader.path, reader.metadata, given=spec.mpp, from_objective=bool(spec.magnifications))
    except MissingMPPError as error:
        if not needed and spec.mpp is None:
            # Levels are copied; what cannot be true of them is not written down again.
            return None
        raise MissingMPPError(error.message, mend="Give it by mpp= (--mpp).", path=error.path) from None


def _pixels(reader: SlideReader, mpp: SlideMPP | None, spec: ConversionSpec) -> list[tuple[float, float]]:
    """Sizes of a pixel of each level to write, in level-0 pixels along x and y, smallest first."""
    stored = [(at.downsample_x, at.downsample_y) for at in reader.levels]
    if spec.levels:
        if missing := [level for level in spec.levels if not 0 <= level < len(stored)]:
            message = f"The slide has no level {missing[0]}, but 0 to {len(stored) - 1}."
            raise SpecError(message, mend="See `slidekit info`.", path=reader.path)
        return sorted({stored[level] for level in spec.levels})
    if not (spec.target_mpp or spec.magnifications):
        return list(_pyramid(reader, (1.0, 1.0)))
    assert mpp is not None
    wanted = []
    for target in spec.target_mpp or [10 / power for power in spec.magnifications]:
        level = level_as_stored(reader, (mpp.x, mpp.y), target) if spec.magnifications else None
        pixel = (target / mpp.x, target / mpp.y) if level is None else stored[level]
        if min(pixel) < _ENLARGED:
            axis, finest = ("x", mpp.x) if pixel[0] <= pixel[1] else ("y", mpp.y)
            along = "" if mpp.x == mpp.y else f" along {axis}"
            raise SpecError(
                f"The slide has {finest:.4g} µm/px{along}; {target:.4g} would only enlarge its pixels.",
                mend="Ask for a coarser resolution.",
                path=reader.path,
            )
        wanted.append(pixel)
    if len(spec.target_mpp) == 1:
        return list(_pyramid(reader, wanted[0]))
    return sorted(set(wanted))


def _pyramid(reader: SlideReader, first: tuple[float, float]) -> Iterator[tuple[float, float]]:
    pixel = first
    yield pixel
    while max(_size(reader, pixel)) > _SMALLEST_LEVEL:
        pixel = pixel[0] * _PYRAMID_STEP, pixel[1] * _PYRAMID_STEP
        yield pixel


def _size(reader: SlideReader, pixel: tuple[float, float]) -> tuple[int, int]:
    """Whole pixels on the slide; of a level that is stored, all that it has."""
    for level in reader.levels:
        if pixel == (level.downsample_x, level.downsample_y):
            return level.width, level.height
    width, height = (
        max(1, math.floor(side / step + _EDGE)) for side, step in zip(reader.dimensions, pixel, strict=True)
    )
    return width, height


def _level_source(reader: SlideReader, pixel: tuple[float, float], tile_size: int) -> TileSource:
    """A level that is read when the writer comes to it, several tiles of a row at a time."""
    source = choose_source(reader, *pixel, resample="exact").averaged()
    width, height = _size(reader, pixel)
    strip_px = tiles_per_strip(source, tile_size, tile_size) * tile_size
    strip: list[tuple[int, int, RGBImage]] = []

    def read_tile(x: int, y: int, w: int, h: int) -> RGBImage:
        left = x - x % strip_px
        if not strip or strip[0][:2] != (left, y):
            columns = min(strip_px, width - left)
            image = read_resampled(reader, source, left * pixel[0], y * pixel[1], columns, h)
            strip[:] = [(left, y, image)]
        return strip[0][2][:, x - left : x - left + w]

    return TileSource(width, height, read_tile)


@dataclass(frozen=True)
class Converted:
    """What became of one slide.

    Attributes
    ----------
    slide
        Its file.
    status
        ``done``; ``skipped``: there was such a file already; ``failed``.
    path
        The file that was written, or was there; None where it failed.
    error
        Why it failed.
    """

    slide: Path
    status: str
    path: Path | None = None
    error: SlidekitError | OSError | None = None


def convert_slides(
    slides: Iterable[Path],
    folder: Path,
    *,
    overwrite: bool = False,
    workers: int = 1,
    on_done: Callable[[Converted], None] | None = None,
    **options: Any,
) -> list[Converted]:
    """Convert slides, each to ``{folder}/{slide}.tiff``; one that fails is said, and harms no other.

    Parameters
    ----------
    slides
        Files; their names must differ.
    folder
        Made if it is missing.
    overwrite
        Whether files that are there are replaced; else they are left alone. They are complete, but may have been made
        with other options.
    workers
        Slides at a time.
    on_done
        Called with each result, in the order of `slides`.
    **options
        As for `convert_to_tiff`.

    Returns
    -------
    list of Converted
        In the order of `slides`.

    Raises
    ------
    SpecError
        If options make no sense.
    DatasetError
        If two slides have one name.
    """
    ConversionSpec.create(**options)
    slides = list(slides)
    check_unique_names(slides)

    def convert(slide: Path) -> Converted:
        path = folder / f"{slide_name(slide)}.tiff"
        try:
            if path.exists() and not overwrite:
                return Converted(slide, "skipped", path)
            return Converted(slide, "done", convert_to_tiff(slide, path, overwrite=overwrite, **options))
        except (SlidekitError, OSError) as error:
            return Converted(slide, "failed", error=error)

    results = []
    with ThreadPoolExecutor(workers) as pool:
        for result in pool.map(convert, slides):
            results.append(result)
            if on_done is not None:
                on_done(result)
    return results
