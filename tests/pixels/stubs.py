"""A reader without a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from slidekit.pixels.image import RGBImage
from slidekit.pixels.metadata import SlideMetadata
from slidekit.pixels.readers.base import SlideReader, make_levels


class StubReader(SlideReader):
    """Levels of given sizes, of one colour or of `pixels`; `reads` are the sizes in bytes of what was read."""

    name = "stub"

    def __init__(
        self,
        *sizes: tuple[int, int],
        shrinks: tuple[int, ...] = (1, 2, 4, 8),
        value: int = 200,
        pixels: RGBImage | None = None,
    ) -> None:
        super().__init__(Path("stub"), SlideMetadata("stub"))
        self.levels = make_levels(list(sizes))
        self.reads: list[int] = []
        self._shrinks = shrinks
        self._value = value
        self._pixels = pixels

    def shrinks(self, level: int) -> tuple[int, ...]:
        return self._shrinks

    def _read_inside(self, level: int, x: int, y: int, width: int, height: int, shrink: int) -> RGBImage:
        self.reads.append(width * height * 3)
        if self._pixels is not None:
            return self._pixels[y : y + height, x : x + width].copy()
        return np.full((height, width, 3), self._value, np.uint8)

    def _close(self) -> None:
        pass
