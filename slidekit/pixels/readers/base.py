"""What a reader of slides is: levels with their geometry, and rectangles of RGB pixels."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import numpy as np

from slidekit.errors import SlideReadError
from slidekit.pixels.image import WHITE, RGBImage
from slidekit.pixels.metadata import SlideMetadata
from slidekit.pixels.native import TileCache

__all__ = ["Level", "SlideReader", "UnsuitableError", "make_levels"]


class UnsuitableError(Exception):
    """A reader is not the right one for this file; the next one is tried. Never reaches a user."""


@dataclass(frozen=True)
class Level:
    """One level of a pyramid.

    Attributes
    ----------
    width, height
        Size in the level's own pixels.
    downsample_x, downsample_y
        Level-0 pixels per pixel of the level; pixel (0, 0) of all levels starts at the same corner.
    """

    width: int
    height: int
    downsample_x: float
    downsample_y: float


def make_levels(sizes: list[tuple[int, int]]) -> tuple[Level, ...]:
    """Levels of a pyramid from their sizes.

    A level's size is a rounded number, so width / width is not the downsample that its maker used: 13198 px
    reduced by 4 are stored as 3300, which would say 3.99939 and put a tile at the far end off by half a pixel.
    Where one whole number explains both sides to within a pixel, that number is the downsample.

    Parameters
    ----------
    sizes
        (width, height) of each level, level 0 first.
    """
    width, height = sizes[0]
    levels = []
    for w, h in sizes:
        whole = max(1, round(width / w))
        if abs(width / whole - w) < 1 and abs(height / whole - h) < 1:
            levels.append(Level(w, h, float(whole), float(whole)))
        else:
            levels.append(Level(w, h, width / w, height / h))
    return tuple(levels)


class SlideReader(ABC):
    """An open slide.

    Readers are safe to use from several threads of one process, and are never shared across a fork.

    Parameters
    ----------
    path
        File of the slide.
    metadata
        What the file says of itself.

    Raises
    ------
    UnsuitableError
        If another reader should be used.
    SlideOpenError
        If the file is damaged beyond opening.
    """

    name: ClassVar[str]

    def __init__(self, path: Path, metadata: SlideMetadata) -> None:
        self.path = path
        self.metadata = metadata
        self.levels: tuple[Level, ...] = ()
        self.closed = False
        self._reading = 0
        self._idle = threading.Condition()

    @property
    def dimensions(self) -> tuple[int, int]:
        """Width and height of level 0, pixels."""
        return self.levels[0].width, self.levels[0].height

    @property
    def bytes_read(self) -> int:
        """Bytes of the file that pixels were decoded from so far; 0 of readers that cannot tell."""
        return 0

    def keep_tiles_in(self, cache: TileCache) -> None:  # noqa: B027 - most readers have a cache of their own
        """Keep decoded native tiles in another cache, before anything is read; does nothing where none are kept."""

    def shrinks(self, level: int) -> tuple[int, ...]:
        """Reductions that decoding itself can do on a level, cheaper than decoding in full; 1 always."""
        return (1,)

    def size(self, level: int, shrink: int = 1) -> tuple[int, int]:
        """Width and height of a level when decoded at 1 / `shrink`."""
        at = self.levels[level]
        return -(-at.width // shrink), -(-at.height // shrink)

    def read(self, level: int, x: int, y: int, width: int, height: int, shrink: int = 1) -> RGBImage:
        """Read a rectangle; what lies outside the level is white.

        Parameters
        ----------
        level
            Pyramid level.
        x, y
            Top-left corner in pixels of the level decoded at 1 / `shrink`; may be negative.
        width, height
            Size in the same pixels.
        shrink
            One of `shrinks(level)`.

        Returns
        -------
        ndarray (height, width, 3), uint8, RGB

        Raises
        ------
        SlideReadError
            If pixels cannot be decoded, or the slide was closed.
        """
        with self._idle:
            if self.closed:
                raise SlideReadError("the slide was closed.", mend="Open it again.", path=self.path)
            self._reading += 1
        try:
            return self._read_padded(level, x, y, width, height, shrink)
        finally:
            with self._idle:
                self._reading -= 1
                self._idle.notify_all()

    def _read_padded(self, level: int, x: int, y: int, width: int, height: int, shrink: int) -> RGBImage:
        level_width, level_height = self.size(level, shrink)
        left, top = max(x, 0), max(y, 0)
        right, bottom = min(x + width, level_width), min(y + height, level_height)
        if (left, top, right, bottom) == (x, y, x + width, y + height):
            return self._read_inside(level, x, y, width, height, shrink)
        image = np.full((height, width, 3), WHITE, np.uint8)
        if right > left and bottom > top:
            image[top - y : bottom - y, left - x : right - x] = self._read_inside(
                level, left, top, right - left, bottom - top, shrink
            )
        return image

    @abstractmethod
    def _read_inside(self, level: int, x: int, y: int, width: int, height: int, shrink: int) -> RGBImage:
        """As `read`, for a rectangle that lies wholly inside the level."""

    def close(self) -> None:
        """Let go of the file when the reads of other threads have ended; closing twice does nothing."""
        with self._idle:
            if self.closed:
                return
            self.closed = True
            # A library that is closed while it reads ends the interpreter.
            self._idle.wait_for(lambda: self._reading == 0)
        self._close()

    @abstractmethod
    def _close(self) -> None:
        """Let go of the file; called once, while nothing is read."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
