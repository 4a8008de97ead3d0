"""What a level is to the reader of native tiles: a grid of tiles, each found in the file and decoded in its own way."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from slidekit.errors import SlideOpenError
from slidekit.pixels.image import RGBImage
from slidekit.pixels.readers.base import UnsuitableError
from slidekit.pixels.readers.tiff_levels import TiffLevel

__all__ = ["NativeFile", "NativeLevel", "StoredLevel"]


class NativeFile:
    """A file that threads read at any place, never beyond its end.

    Parameters
    ----------
    path
        The file.

    Attributes
    ----------
    bytes_read
        Bytes that were read so far; near enough, where threads count at the same time.

    Raises
    ------
    SlideOpenError
        If it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.bytes_read = 0
        try:
            self._descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise SlideOpenError(f"the file cannot be opened ({error.strerror}).", path=path) from error
        self._size = os.fstat(self._descriptor).st_size

    def read(self, offset: int, count: int) -> bytes:
        """Bytes of the file.

        Parameters
        ----------
        offset, count
            Where they start, and how many they are.

        Raises
        ------
        ValueError
            If the file does not have all of them.
        """
        # Before pread makes room for them: a damaged count may be any number.
        if count < 0 or offset < 0 or (count and offset + count > self._size):
            raise ValueError("the file ends before it")
        data = os.pread(self._descriptor, count, offset)
        if len(data) < count:
            raise ValueError("the file ends before it")
        self.bytes_read += count
        return data

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)
        self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class NativeLevel(ABC):
    """One level, and how its tiles are found and decoded; one subclass a kind.

    Parameters
    ----------
    size
        Width and height, pixels.
    tile_size
        The same of a tile.
    shrinks
        Reductions that decoding can do; only such as leave tile borders on pixel borders of the reduced image.
    """

    def __init__(self, size: tuple[int, int], tile_size: tuple[int, int], shrinks: tuple[int, ...] = (1,)) -> None:
        self.width, self.height = size
        self.tile_width, self.tile_height = tile_size
        self.shrinks = shrinks

    @abstractmethod
    def decode(self, row: int, column: int, shrink: int) -> RGBImage | None:
        """Decode a tile.

        Parameters
        ----------
        row, column
            Its place in the grid.
        shrink
            One of `shrinks`.

        Returns
        -------
        ndarray (rows, columns, 3), uint8, or None
            The last tiles of a row or column may be smaller than the others. None for an absent tile.

        Raises
        ------
        ValueError, RuntimeError, OSError, OverflowError, zlib.error
            If it cannot be decoded; `NativeTiffReader` adds the place.
        """


class StoredLevel(NativeLevel):
    """A level whose tiles are those that the TIFF lists.

    Parameters
    ----------
    tiff
        The level.
    file
        Where its tiles are read from.
    shrinks
        As for `NativeLevel`.

    Raises
    ------
    UnsuitableError
        If its pixels are not 8-bit RGB in tiles.
    """

    def __init__(self, tiff: TiffLevel, file: NativeFile, shrinks: tuple[int, ...] = (1,)) -> None:
        super().__init__((tiff.width, tiff.height), (tiff.tile_width, tiff.tile_height), shrinks)
        if not tiff.interleaved_rgb8:
            raise UnsuitableError("not 8-bit interleaved RGB")
        if tiff.tile_width * tiff.tile_height > 1 << 24:
            # A strip as tall as the image would be decoded whole for every read; libvips streams such files.
            raise UnsuitableError("not tiled")
        self._tiff = tiff
        self._file = file
        self._columns = tiff.columns
        self._stored = min(len(tiff.counts), len(tiff.offsets))

    def decode(self, row: int, column: int, shrink: int) -> RGBImage | None:
        """As `NativeLevel.decode`."""
        index = row * self._columns + column
        if index >= self._stored:
            raise ValueError("the file's table of tiles ends before it")
        data = self._file.read(self._tiff.offsets[index], self._tiff.counts[index])
        return self._decode_bytes(data, shrink) if data else None

    @abstractmethod
    def _decode_bytes(self, data: bytes, shrink: int) -> RGBImage:
        """Decode what the file holds of a tile."""
