"""Images whose pixels are numbers and not colours: masks and label masks of any resolution."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from slidekit.errors import SlideError, SlideOpenError
from slidekit.io.url import RemotePath
from slidekit.pixels.readers import SlideReader, open_slide
from slidekit.sampling.masks.label_png import read_png_numbers
from slidekit.sampling.masks.label_tiff import TiffNumbers

__all__ = ["LabelImage"]

_PNG = ".png"
_TIFF = (".tif", ".tiff", ".btf", ".tf8")

_PIXELS_READ = 1 << 24
"""Pixels of a level that are decoded at a time."""

_PROBE, _PROBES_A_SIDE, _PROBED = 512, 4, 64
"""Windows of a level that are looked at, along each axis, their edge, and pixels that are compared with level 0."""

_MEND = "Save it as PNG or TIFF, lossless, with numbers from 0 to 255."
_DAMAGE = (OSError, SyntaxError, ValueError, IndexError, KeyError, TypeError, RuntimeError)
"""What tifffile, imagecodecs and Pillow raise on files that are not whole."""


class LabelImage:
    """An open mask: one number, 0–255, a pixel; it covers the whole slide.

    Numbers are those that are stored: indices of a palette, not its colours; not inverted, not scaled, of any depth.

    Parameters
    ----------
    path
        PNG or TIFF, or any file that is a slide; of colours, red is the number.
    reader
        As for `open_slide`.

    Raises
    ------
    SlideError
        If it cannot be opened, or its numbers are beyond 255.
    """

    def __init__(self, path: Path, reader: str = "auto") -> None:
        self.path = path
        self._reader: SlideReader | None = None
        self._tiff: TiffNumbers | None = None
        self._pixels: NDArray[np.uint8] | None = None
        remote = isinstance(path, RemotePath)
        if not remote and not path.exists():
            raise SlideOpenError("there is no such mask.", mend="Check the path.", path=path)
        try:
            if path.suffix.lower() == _PNG:
                self._pixels = self._checked(read_png_numbers(path))
                sizes: tuple[tuple[int, int], ...] = ((self._pixels.shape[1], self._pixels.shape[0]),)
            elif not remote and path.suffix.lower() in _TIFF and (opened := TiffNumbers.open(path)) is not None:
                self._tiff, sizes = opened, opened.sizes
            else:
                self._reader = _open(path, reader)
                sizes = tuple((level.width, level.height) for level in self._reader.levels)
        except _DAMAGE as error:
            raise SlideOpenError(f"the mask cannot be read ({error}).", mend=_MEND, path=path) from error
        self.sizes = sizes
        try:
            if len(sizes) > 1 and self._is_averaged():
                self.sizes = sizes[:1]
        except SlideError:
            self.close()
            raise

    def _is_averaged(self) -> bool:
        """Whether a stored level mixes numbers, which makes classes that are not there; only level 0 counts then.

        A mixed pixel lies between its neighbours, and level 0 does not hold it there. Of the coarsest level that is
        still a picture, windows are searched for such pixels.
        """
        fit = [number for number, size in enumerate(self.sizes) if number and max(size) >= _PROBE]
        level = fit[-1] if fit else 1
        (width, height), (full_x, full_y) = self.sizes[level], self.sizes[0]
        x_scale, y_scale = full_x / width, full_y / height
        pixels: list[tuple[int, int, int]] = []
        for x in _windows(width):
            for y in _windows(height):
                part = self._read(level, x, y, min(_PROBE, width - x), min(_PROBE, height - y))
                kernel = np.ones((3, 3), np.uint8)
                rows, columns = np.nonzero((cv2.erode(part, kernel) < part) & (part < cv2.dilate(part, kernel)))
                step = max(1, len(rows) // _PROBED)
                found = zip(rows[::step].tolist(), columns[::step].tolist(), strict=True)
                pixels += [(x + column, y + row, int(part[row, column])) for row, column in found]
        for x, y, number in pixels[:: max(1, len(pixels) // _PROBED)]:
            # With a pixel more on each side, for levels that were rounded.
            left, top = max(0, int((x - 1) * x_scale)), max(0, int((y - 1) * y_scale))
            right, bottom = min(full_x, int((x + 2) * x_scale) + 1), min(full_y, int((y + 2) * y_scale) + 1)
            if number not in self._read(0, left, top, right - left, bottom - top):
                return True
        return False

    def level_for(self, columns: float) -> int:
        """The smallest level that is at least so many pixels wide; the largest where none is."""
        fine = [index for index, (width, _) in enumerate(self.sizes) if width >= columns * 0.99]
        return fine[-1] if fine else 0

    def sample(self, level: int, columns: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Take numbers at places, by nearest neighbour.

        Parameters
        ----------
        level
            Of the image's own pyramid.
        columns, rows
            Places along x and along y, rising, 0–1 of the slide's width and height; those outside give 0.

        Returns
        -------
        ndarray (len(rows), len(columns)), uint8
        """
        width, height = self.sizes[level]
        x, y = np.floor(columns * width).astype(np.int64), np.floor(rows * height).astype(np.int64)
        image = np.zeros((len(y), len(x)), np.uint8)
        across, down = np.flatnonzero((x >= 0) & (x < width)), np.flatnonzero((y >= 0) & (y < height))
        if not (across.size and down.size):
            return image
        left, right = int(x[across[0]]), int(x[across[-1]]) + 1
        # In bands: a mask may be as large as its slide, and have one level.
        lines = max(1, _PIXELS_READ // (right - left))
        first = 0
        while first < down.size:
            top = int(y[down[first]])
            last = int(np.searchsorted(y[down], top + lines, side="left"))
            part = self._read(level, left, top, right - left, int(y[down[last - 1]]) + 1 - top)
            image[np.ix_(down[first:last], across)] = part[np.ix_(y[down[first:last]] - top, x[across] - left)]
            first = last
        return image

    def _read(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        if self._pixels is not None:
            return self._pixels[y : y + height, x : x + width]
        if self._tiff is not None:
            try:
                part = self._tiff.read(level, x, y, width, height)
            except _DAMAGE as error:
                raise SlideError(f"the mask cannot be read ({error}).", mend=_MEND, path=self.path) from error
            return self._checked(part)
        assert self._reader is not None
        return self._reader.read(level, x, y, width, height)[..., 0]

    def _checked(self, numbers: NDArray[Any]) -> NDArray[np.uint8]:
        """Numbers of any type, if they are whole and from 0 to 255."""
        if numbers.size == 0:
            raise SlideError("the mask has no pixel.", mend=_MEND, path=self.path)
        if numbers.dtype in (np.uint8, np.bool_):
            return numbers.astype(np.uint8, copy=False)
        if not (numbers.min() >= 0 and numbers.max() <= 255):
            raise SlideError("the mask has numbers beyond 255.", mend=_MEND, path=self.path)
        whole = numbers.astype(np.uint8)
        if not np.array_equal(whole, numbers):
            raise SlideError("the mask has numbers that are not whole.", mend=_MEND, path=self.path)
        return whole

    def close(self) -> None:
        """Let go of the file."""
        for one in (self._reader, self._tiff):
            if one is not None:
                one.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _open(path: Path, reader: str) -> SlideReader:
    try:
        return open_slide(path, reader)
    except SlideError as error:
        # What to do about a slide is not what to do about a mask.
        raise type(error)(f"as a mask: {error.message}", mend=_MEND, path=path) from error


def _windows(length: int) -> list[int]:
    """Where windows begin, spread over an axis."""
    return sorted({round(share * max(0, length - _PROBE)) for share in np.linspace(0, 1, _PROBES_A_SIDE)})
