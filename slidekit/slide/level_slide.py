"""A slide that is opened to be cut into tiles of one of its levels, with the mask that says where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from slidekit.pixels.readers import open_slide
from slidekit.slide.foreground import Foreground, MaskSource, SlideMask, find_foreground
from slidekit.slide.level_tiles import LevelRegion, LevelTile, find_region, read_level_tiles

__all__ = ["LevelTiles", "LevelTiling"]


@dataclass(frozen=True)
class LevelTiling:
    """How slides are cut.

    Attributes
    ----------
    level
        Number of the level.
    tile_px
        Edge of a tile, pixels of the level.
    min_occupancy
        Tiles are kept whose share of foreground is above this.
    margin
        Around the box of the foreground, pixels of the lowest level.
    reader
        ``auto``, or the name of the one reader to use.
    """

    level: int = 1
    tile_px: int = 224
    min_occupancy: float = 0.05
    margin: float = 64
    reader: str = "auto"


class LevelTiles:
    """The tiles of a slide's level, where its mask has foreground; a context manager, to be iterated over.

    Parameters
    ----------
    slide
        File of the slide.
    tiling
        How it is cut.
    mask
        Picture or slide that covers the whole slide, not black where there is foreground; None takes the slide's own
        Otsu threshold.

    Attributes
    ----------
    region
        What is cut; None where there is no foreground.
    foreground
        Of slides without a mask.

    Raises
    ------
    SlideOpenError
        If slide or mask cannot be opened.
    SlideReadError
        If the lowest level cannot be read.
    SpecError
        If the slide does not have the level.
    """

    def __init__(self, slide: Path, tiling: LevelTiling, *, mask: Path | None = None) -> None:
        self.foreground: Foreground | None = None
        self._tiling = tiling
        with ExitStack() as stack:
            self._reader = stack.enter_context(open_slide(slide, tiling.reader))
            if mask is None:
                self.foreground = find_foreground(self._reader)
                self._mask: MaskSource = self.foreground.mask
            else:
                # cuCIM and its like open few masks: those are read by whatever opens them.
                self._mask = SlideMask(stack.enter_context(open_slide(mask)), self._reader.dimensions)
            self.region: LevelRegion | None = find_region(
                self._reader, self._mask.bounds(), level=tiling.level, tile_px=tiling.tile_px, margin=tiling.margin
            )
            self._files = stack.pop_all()

    def __iter__(self) -> Iterator[LevelTile]:
        if self.region is None:
            return iter(())
        return read_level_tiles(self._reader, self._mask, self.region, min_occupancy=self._tiling.min_occupancy)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()
