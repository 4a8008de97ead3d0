"""Native tiles that are JPEG 2000 codestreams, as Aperio's scanners and some converters write them."""

from __future__ import annotations

import functools
import logging
import struct
import threading

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from slidekit.pixels.image import RGBImage
from slidekit.pixels.readers.base import UnsuitableError
from slidekit.pixels.readers.native_level import NativeFile, StoredLevel
from slidekit.pixels.readers.tiff_levels import TiffLevel

__all__ = ["APERIO_RGB", "APERIO_YCBCR", "JPEG2000", "Jpeg2000Level"]

APERIO_YCBCR, APERIO_RGB, JPEG2000 = 33003, 33005, 34712
"""TIFF's codes of the compression; Aperio's say the colour space, for the other the photometric tag does."""

_RGB, _YCBCR = 2, 6

_START = b"\xff\x4f\xff\x51"
_SIZE = struct.Struct(">8I H 9B")
_SIZE_AT = 8  # behind SOC, and marker, length and capabilities of SIZ
_PLAIN = (7, 1, 1)  # of SIZ, for a component: 8 bits without sign, and not subsampled
_MOST_PARTS = 64
"""Tiles of its own that a codestream may be cut into: the decoder makes room for all of them beforehand."""


_NO_MAIN_HEADER = (0x90, 0x93, 0xD9)  # SOT, SOD, EOC
_PRECINCTS_AT = {0x52: (4, 14), 0x53: (5, 11)}
"""Of COD and COC: where the style stands that says whether there are any, and where they begin."""

_LEAST_PRECINCT = 5
"""Exponent; writers take 7 and more."""

_WARNINGS = 2
"""Of imagecodecs' levels of verbosity: errors and warnings, not what is merely told."""


class Jpeg2000Level(StoredLevel):
    """A level of JPEG 2000 tiles.

    Raises
    ------
    UnsuitableError
        If its first tile is not a codestream of three plain components. Subsampled colours are left to OpenSlide: the
        decoder would turn them into RGB by another rounding.
    """

    def __init__(self, tiff: TiffLevel, file: NativeFile) -> None:
        super().__init__(tiff, file)
        if tiff.compression == JPEG2000 and tiff.photometric not in (_RGB, _YCBCR):
            raise UnsuitableError(f"TIFF photometric {tiff.photometric}")
        self._ycbcr = tiff.compression == APERIO_YCBCR or (tiff.compression == JPEG2000 and tiff.photometric == _YCBCR)
        first = next(((at, count) for at, count in zip(tiff.offsets, tiff.counts, strict=False) if count), None)
        if first is not None:
            try:
                self._check(file.read(first[0], min(first[1], _SIZE_AT + _SIZE.size)))
            except (ValueError, OSError, OverflowError) as error:
                raise UnsuitableError(f"JPEG 2000: {error}") from error

    def _check(self, data: bytes) -> None:
        """Refuse what would be another image than a tile, before the decoder makes room for it.

        ITU-T T.800, A.5.1: Xsiz Ysiz XOsiz YOsiz XTsiz YTsiz XTOsiz YTOsiz Csiz (Ssiz XRsiz YRsiz)*.
        """
        if not data.startswith(_START) or len(data) < _SIZE_AT + _SIZE.size:
            raise ValueError("not a codestream")
        width, height, x, y, part_width, part_height, part_x, part_y, count, *components = _SIZE.unpack_from(
            data, _SIZE_AT
        )
        if count != 3 or tuple(components) != _PLAIN * 3:
            raise ValueError("its components are not 8-bit RGB or YCbCr of full resolution")
        if width > self.tile_width or height > self.tile_height:
            raise ValueError(f"it claims {width} × {height} pixels, more than a tile has")
        if (x, y, part_x, part_y) != (0, 0, 0, 0) or min(width, height, part_width, part_height) < 1:
            raise ValueError("its header is not one of a whole image")
        if -(-width // part_width) * -(-height // part_height) > _MOST_PARTS:
            raise ValueError("it is cut into too many tiles of its own")

    def _decode_bytes(self, data: bytes, shrink: int) -> RGBImage:
        self._check(data)
        _check_precincts(data)
        tile = _decode_strictly(data)
        return _to_rgb(tile) if self._ycbcr else tile


class _Complaints(logging.Filter):
    """Keeps what OpenJPEG says while a thread decodes, which imagecodecs hands to the logger of its name only."""

    def __init__(self) -> None:
        super().__init__()
        self.of_thread = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        """Take a message away from the log where the thread waits for it."""
        heard: list[str] | None = getattr(self.of_thread, "heard", None)
        if heard is None:
            return True
        heard.append(record.getMessage())
        return False


_complaints = _Complaints()
_logger = logging.getLogger("imagecodecs")
_logger.addFilter(_complaints)
_logger.setLevel(logging.WARNING)  # whatever the root logger has: what is not logged is not heard


def _decode_strictly(data: bytes) -> RGBImage:
    """Decode a codestream; a warning of the decoder is an error, because what follows it is plausible rubbish."""
    heard: list[str] = []
    _complaints.of_thread.heard = heard
    try:
        tile = np.asarray(imagecodecs.jpeg2k_decode(data, numthreads=1, verbose=_WARNINGS), dtype=np.uint8)
    except RuntimeError as error:
        raise ValueError(heard[0] if heard else str(error)) from error
    finally:
        _complaints.of_thread.heard = None
    if heard:
        raise ValueError(heard[0])
    return tile


@functools.cache
def _tables() -> tuple[NDArray[np.int16], NDArray[np.int16], NDArray[np.int16]]:
    """What is added to Y: for red by Cr, for green by Cb · 256 + Cr, for blue by Cb (ITU-R BT.601, full range)."""
    chroma = np.arange(256) - 128
    red, blue = np.rint(1.402 * chroma), np.rint(1.772 * chroma)
    green = np.floor(0.5 - 0.34414 * chroma[:, None] - 0.71414 * chroma)
    return red.astype(np.int16), green.astype(np.int16).ravel(), blue.astype(np.int16)


def _to_rgb(tile: RGBImage) -> RGBImage:
    """RGB of Y, Cb, Cr by the coefficients and the rounding that OpenSlide uses."""
    red, green, blue = _tables()
    y, cb, cr = (tile[..., channel] for channel in range(3))
    image = np.empty_like(tile)
    both = cb.astype(np.uint16) << 8 | cr
    for channel, added in enumerate((red[cr], green[both], blue[cb])):
        image[..., channel] = np.clip(y + added, 0, 255)
    return image


def _check_precincts(data: bytes) -> None:
    """Refuse precincts so small that the decoder would take gigabytes to list them.

    ITU-T T.800, A.6.1 and A.6.2: exponents of their sides, a byte for each resolution, in COD and COC.
    """
    position = len(_START) - 2
    while (
        position + 16 <= len(data) and data[position] == 0xFF and (marker := data[position + 1]) not in _NO_MAIN_HEADER
    ):
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        if (places := _PRECINCTS_AT.get(marker)) is not None:
            style, first = position + places[0], position + places[1]
            sides = data[first : position + 2 + length] if data[style] & 1 else b""
            if any(side & 15 < _LEAST_PRECINCT or side >> 4 < _LEAST_PRECINCT for side in sides):
                raise ValueError("its precincts are too small")
        position += 2 + max(length, 2)
