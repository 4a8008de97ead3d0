"""Times of loading slides and of cutting them, one a slide, reader, stage and round."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from slidekit.errors import SlidekitError
from slidekit.pixels.discovery import IMAGE_SUFFIXES, find_slides, has_slide_suffix, slide_name
from slidekit.pixels.readers import open_slide
from slidekit.pixels.readers.choose import READERS
from slidekit.pixels.tiling import assemble, crop_back, tile_array
from slidekit.slide.encode import encode_image
from slidekit.slide.level_files import merge_tables, remove_level_tiles, save_level_tiles
from slidekit.slide.level_slide import LevelTiles, LevelTiling

__all__ = [
    "STAGES",
    "Problem",
    "Timing",
    "find_lost",
    "find_masks",
    "list_slides",
    "measure_loading",
    "measure_tiling",
    "readers",
]

STAGES = ("open", "read lowest level", "save PNG", "tile and save", "tile in memory")

_MOST_PIXELS = 100_000_000
"""Of a lowest level that is read whole: a slide without a pyramid would not fit into memory."""

T = TypeVar("T")


@dataclass(frozen=True)
class Timing:
    """One measurement; `tiles` that were kept, in the stages that cut."""

    slide: str
    reader: str
    stage: str
    round: int
    seconds: float
    tiles: int | None = None


@dataclass(frozen=True)
class Problem:
    """What a reader could not do with a slide, or had to do otherwise; `is_loss` where tiles are missing for it."""

    slide: str
    reader: str
    what: str
    is_loss: bool = False


def readers() -> list[str]:
    """Names of the readers that are installed; cuCIM is not part of slidekit."""
    return [*READERS, *(["cucim"] if importlib.util.find_spec("cucim") else [])]


def list_slides(folder: Path) -> list[Path]:
    """Slides of a folder."""
    return find_slides(folder) if folder.is_dir() else [folder]


def find_masks(folder: Path) -> dict[str, Path]:
    """Masks by the names of their slides: ``{slide}`` or ``{slide}_mask``, pictures or slides."""
    files = [path for path in sorted(folder.rglob("*")) if has_slide_suffix(path, images=True)]
    # Of two the slide goes first: it has a pyramid.
    files.sort(key=lambda path: path.suffix.lower() not in IMAGE_SUFFIXES)
    return {slide_name(path).removesuffix("_mask"): path for path in files}


def measure_loading(slide: Path, reader: str, out: Path, number: int) -> Iterator[Timing | Problem]:
    """Open a slide, read its lowest level, save that as a PNG."""
    name = slide_name(slide)
    try:
        opened, seconds = _timed(lambda: open_slide(slide, reader))
    except SlidekitError as error:
        yield Problem(name, reader, error.message)
        return
    yield Timing(name, reader, "open", number, seconds)
    with opened:
        lowest = len(opened.levels) - 1
        width, height = opened.size(lowest)
        if width * height > _MOST_PIXELS:
            yield Problem(name, reader, f"lowest level of {width} × {height} px is too large to be read whole")
            return
        try:
            image, seconds = _timed(lambda: opened.read(lowest, 0, 0, width, height))
        except SlidekitError as error:
            yield Problem(name, reader, error.message)
            return
    yield Timing(name, reader, "read lowest level", number, seconds)
    path = out / "lowest" / f"{name}.{reader}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    _, seconds = _timed(lambda: path.write_bytes(encode_image(image, "png")))
    yield Timing(name, reader, "save PNG", number, seconds)


def measure_tiling(
    slide: Path, mask: Path | None, tiling: LevelTiling, out: Path, number: int
) -> Iterator[Timing | Problem]:
    """Cut a slide, once into files, once into memory, where the tiles are put together again and compared."""
    name, reader = slide_name(slide), tiling.reader
    try:
        with open_slide(slide, reader) as opened:
            last = len(opened.levels) - 1
    except SlidekitError as error:
        yield Problem(name, reader, error.message)
        return
    if tiling.level > last:
        yield Problem(name, reader, f"it has no level {tiling.level}; level {last}, its last, is cut")
        tiling = replace(tiling, level=last)
    folder = out / "tiles" / f"level{tiling.level}_{tiling.tile_px}px" / reader
    try:
        # Only what this folder was made of by us; a foreign one is an error.
        saved, seconds = _timed(lambda: save_level_tiles(slide, folder, tiling, mask=mask, overwrite=True))
        if saved.status == "skipped":
            remove_level_tiles(folder, slide)
            saved, seconds = _timed(lambda: save_level_tiles(slide, folder, tiling, mask=mask))
        yield Timing(name, reader, "tile and save", number, seconds, saved.kept)
        if saved.failed:
            yield Problem(name, reader, f"{saved.failed} tiles cannot be read; see failed_tiles.csv", is_loss=True)
        kept, seconds = _timed(lambda: _in_memory(slide, tiling, mask))
        yield Timing(name, reader, "tile in memory", number, seconds, len(kept[0]))
    except (SlidekitError, OSError) as error:
        yield Problem(name, reader, getattr(error, "message", str(error)))
        return
    if number == 0 and (wrong := _check(slide, tiling, mask, *kept)):
        yield Problem(name, reader, wrong)
    merge_tables(folder)


def find_lost(slides: Sequence[str], timings: Sequence[Timing], problems: Sequence[Problem], *, cut: bool) -> list[str]:
    """Slides of which no reader gave all that was asked for."""
    stage = STAGES[-1] if cut else STAGES[0]
    losses = {(one.slide, one.reader) for one in problems if one.is_loss}
    whole = {one.slide for one in timings if one.stage == stage and (one.slide, one.reader) not in losses}
    return [slide for slide in slides if slide not in whole]


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    return work(), time.perf_counter() - started


def _in_memory(slide: Path, tiling: LevelTiling, mask: Path | None) -> tuple[list[np.ndarray], list[tuple[int, int]]]:
    with LevelTiles(slide, tiling, mask=mask) as tiles:
        kept = [tile for tile in tiles if tile.image is not None]
        return [tile.image for tile in kept if tile.image is not None], [tile.location for tile in kept]


def _check(
    slide: Path, tiling: LevelTiling, mask: Path | None, images: list[np.ndarray], places: list[tuple[int, int]]
) -> str | None:
    """Put the tiles together and cut them again, and compare one of them with the slide as another reader sees it."""
    if not images:
        return None
    with LevelTiles(slide, replace(tiling, reader="auto"), mask=mask) as tiles:
        region = tiles.region
    assert region is not None
    whole, offset = assemble(np.stack(images), places)
    again, locations = tile_array(crop_back(whole, offset, (region.width, region.height)), tiling.tile_px)
    number = {tuple(place): k for k, place in enumerate(locations.tolist())}
    if not all(np.array_equal(again[number[place]], image) for place, image in zip(places, images, strict=True)):
        return "tiles are not those of the image that they were put together to"
    middle = len(images) // 2
    (x, y), px = places[middle], tiling.tile_px
    with open_slide(slide) as other:
        direct = other.read(tiling.level, region.x + x, region.y + y, px, px)
    inside = np.s_[max(-y, 0) : region.height - y, max(-x, 0) : region.width - x]
    apart = np.abs(direct[inside].astype(int) - images[middle][inside]).mean()
    return None if apart < 1 else f"a tile differs from the slide's pixels by {apart:.1f} grey levels"
