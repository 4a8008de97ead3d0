"""Reader by NVIDIA's cuCIM, on the CPU: only where it is asked for and installed; a check on the other readers.

cuCIM shows absent tiles black and, in place of a damaged JPEG or LZW tile, whatever its memory held, so that a tile
may show the pixels of another. Files with absent tiles are therefore refused, and every native tile is looked at once
by `NativeTiffReader`, at the smallest size that JPEG allows, before cuCIM may read it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from slidekit.errors import MissingExtraError, SlideOpenError, SlideReadError
from slidekit.pixels.image import RGBImage
from slidekit.pixels.metadata import SlideMetadata
from slidekit.pixels.readers.base import SlideReader, UnsuitableError, make_levels
from slidekit.pixels.readers.native import NativeTiffReader
from slidekit.pixels.readers.tiff_levels import OTHER_LAYOUTS, TiffLevel, tiff_levels

__all__ = ["CucimReader", "import_cucim"]

_APERIO_JPEG_2000 = (33003, 33005)
_NONE, _LZW, _JPEG, _ADOBE_DEFLATE = 1, 5, 7, 8
_COMPRESSIONS = (_NONE, _LZW, _JPEG, _ADOBE_DEFLATE, *_APERIO_JPEG_2000)
_NO_PREDICTOR = 1

_CUCIM_ERRORS = (MemoryError, OSError, RuntimeError, ValueError)


class CucimReader(SlideReader):
    """Pixels by cuCIM; metadata, µm/px included, are slidekit's own (cuCIM says 1.0 for Aperio's files)."""

    name = "cucim"

    def __init__(self, path: Path, metadata: SlideMetadata) -> None:
        super().__init__(path, metadata)
        open_image = import_cucim()
        if metadata.vendor in OTHER_LAYOUTS:
            raise UnsuitableError(f"the layout of {metadata.vendor} needs its own reader")
        stored = tiff_levels(path)
        for level in stored:
            _check_suitable(level)
        # Of JPEG 2000 cuCIM itself reports what is damaged.
        is_jpeg_2000 = all(level.compression in _APERIO_JPEG_2000 for level in stored)
        self._inspector = None if is_jpeg_2000 else NativeTiffReader(path, metadata)
        self._image: Any = None
        try:
            self._open(open_image, stored)
        except BaseException:
            self._close()
            raise

    def _open(self, open_image: Any, stored: tuple[TiffLevel, ...]) -> None:
        try:
            self._image = open_image(str(self.path))
            resolutions = self._image.resolutions
        except _CUCIM_ERRORS as error:
            raise SlideOpenError(f"cuCIM cannot open it: {_one_line(error)}.", path=self.path) from error
        if not all(map(min, resolutions["level_tile_sizes"])):
            raise UnsuitableError("not tiled")  # it would be read whole, and as RGBA
        sizes = [(int(width), int(height)) for width, height in resolutions["level_dimensions"]]
        known = {(level.width, level.height): number for number, level in enumerate(stored)}
        if not sizes or not known.keys() >= set(sizes):
            raise UnsuitableError(f"cuCIM takes pages of {sizes} px for levels, the file's are {list(known)}")
        self.levels = make_levels(sizes)
        self._downsamples = [float(value) for value in resolutions["level_downsamples"]]
        self._stored_numbers = [known[size] for size in sizes]
        self._stored = [stored[number] for number in self._stored_numbers]
        self._is_sound = [np.zeros((-(-at.height // at.tile_height), at.columns), np.bool_) for at in self._stored]

    def _read_inside(self, level: int, x: int, y: int, width: int, height: int, shrink: int) -> RGBImage:
        if self._inspector is not None:
            self._inspect(self._inspector, level, x, y, width, height)
        downsample = self._downsamples[level]
        corner = (_level_0_place(x, downsample), _level_0_place(y, downsample))
        try:
            # No lock: cuCIM reads by pread into memory of the call, and its own guide shares an image among threads.
            image = np.asarray(self._image.read_region(corner, (width, height), level))
        except _CUCIM_ERRORS as error:
            raise SlideReadError(
                f"cuCIM cannot read level {level} at x={x}, y={y}: {_one_line(error)}.", path=self.path
            ) from error
        if image.shape != (height, width, 3) or image.dtype != np.uint8:
            raise SlideReadError(
                f"cuCIM gives {image.dtype} {image.shape} instead of RGB for level {level}.",
                mend='Use reader="auto".',
                path=self.path,
            )
        return image

    def _inspect(self, inspector: NativeTiffReader, level: int, x: int, y: int, width: int, height: int) -> None:
        """Decode the tiles under a rectangle that have not been seen; a damaged one is a `SlideReadError`."""
        at, number = self._stored[level], self._stored_numbers[level]
        top, left = y // at.tile_height, x // at.tile_width
        under = (
            slice(top, (y + height - 1) // at.tile_height + 1),
            slice(left, (x + width - 1) // at.tile_width + 1),
        )
        shrink = max(inspector.shrinks(number))
        for below, beside in np.argwhere(~self._is_sound[level][under]).tolist():
            row, column = top + below, left + beside
            inspector.read(number, column * at.tile_width // shrink, row * at.tile_height // shrink, 1, 1, shrink)
            # Threads that see the same tile at once both set this: no harm.
            self._is_sound[level][row, column] = True

    def _close(self) -> None:
        if self._image is not None:
            self._image.close()
        if self._inspector is not None:
            self._inspector.close()


def import_cucim() -> Any:
    """The class of cuCIM's images; the import takes CUDA's libraries into the process where they are installed.

    Raises
    ------
    MissingExtraError
        If cuCIM cannot be imported.
    """
    try:
        from cucim import CuImage
    except ImportError as error:
        raise MissingExtraError(
            f"The reader cucim needs cuCIM, which cannot be imported ({error}).",
            mend='pip install "slidekit[cucim]" (Linux), or take reader="auto".',
        ) from error
    return CuImage


def _check_suitable(level: TiffLevel) -> None:
    if not level.interleaved_rgb8:
        raise UnsuitableError("not 8-bit interleaved RGB")
    if level.compression not in _COMPRESSIONS:
        raise UnsuitableError(f"TIFF compression {level.compression}")
    if level.compression == _ADOBE_DEFLATE and level.predictor != _NO_PREDICTOR:
        # It ends the process.
        raise UnsuitableError("cuCIM cannot open deflate with a predictor")
    if level.jfif_under_rgb_tag():
        raise UnsuitableError("cuCIM shows wrong colours where the tag says RGB and the stream YCbCr")
    if 0 in level.counts:
        raise UnsuitableError("cuCIM shows absent tiles black")


def _level_0_place(place: int, downsample: float) -> int:
    """A level-0 coordinate that cuCIM takes for this pixel of a level.

    It divides by the level's downsample in single precision and cuts off: of the coordinates that belong to the
    pixel, the one nearest to its middle is right however the division is rounded.

    Parameters
    ----------
    place
        Pixel of the level along one axis.
    downsample
        What cuCIM says that of the level is.
    """
    candidates = np.arange(math.floor(place * downsample), math.ceil((place + 1) * downsample) + 1)
    within = candidates / downsample - place
    within[(within < 0) | (within >= 1)] = np.inf
    return int(candidates[np.argmin(np.abs(within - 0.5))])


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).removeprefix("[Error] ").rstrip(".") or type(error).__name__
