"""Images whose pixels are numbers and not colours: masks and label masks of any resolution."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL.PngImagePlugin import PngImageFile

from slidekit.errors import SlideError, SlideOpenError
from slidekit.pixels.readers import SlideReader, open_slide

__all__ = ["LabelImage"]

_PNG = ".png"
"""Read by Pillow, which does not turn the numbers of a palette into its colours."""

_MOST_PIXELS = 1 << 30

_PIXELS_READ = 1 << 24
"""Pixels of a level that are decoded at a time."""


class LabelImage:
    """An open mask: one number, 0–255, a pixel; it covers the whole slide.

    Parameters
    ----------
    path
        PNG (grey, palette or 1-bit), or any file that is a slide; of colours, red is the number.
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
        self._pixels: NDArray[np.uint8] | None = None
        if path.suffix.lower() == _PNG:
            self._pixels = _read_png(path)
            self.sizes: tuple[tuple[int, int], ...] = ((self._pixels.shape[1], self._pixels.shape[0]),)
        else:
            self._reader = open_slide(path, reader)
            self.sizes = tuple((level.width, level.height) for level in self._reader.levels)

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
        assert self._reader is not None
        return self._reader.read(level, x, y, width, height)[..., 0]

    def close(self) -> None:
        """Let go of the file."""
        if self._reader is not None:
            self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _read_png(path: Path) -> NDArray[np.uint8]:
    try:
        # Not `Image.open`: its limit is lower than masks are large.
        with PngImageFile(path) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise ValueError(f"{image.width} × {image.height} pixels are too many for one piece")
            pixels = np.asarray(image)
    except FileNotFoundError as error:
        raise SlideOpenError("there is no such mask.", mend="Check the path.", path=path) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise SlideOpenError(
            f"the mask cannot be read ({error}).", mend="Save it as PNG or as a tiled TIFF.", path=path
        ) from error
    numbers = pixels if pixels.ndim == 2 else pixels[..., 0]
    if numbers.dtype == np.bool_:
        return numbers.astype(np.uint8)
    if numbers.size == 0 or int(numbers.max()) > 255 or int(numbers.min()) < 0:
        raise SlideError("the mask has numbers beyond 255.", mend="Save it with 8 bits a pixel.", path=path)
    return numbers.astype(np.uint8)
