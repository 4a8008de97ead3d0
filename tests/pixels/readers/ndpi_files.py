"""Writes files as Hamamatsu's scanners do, for the tests: OpenSlide takes them for ``hamamatsu``.

Little-endian classic TIFF, but that the offset of the first directory, and of each next one, has 8 bytes, and that
behind a directory stand 4 bytes more for each of its values: the upper halves.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

_SHORT, _LONG, _RATIONAL, _SLONG, _FLOAT, _ASCII = 3, 4, 5, 9, 11, 2
_CODES = {_SHORT: "H", _LONG: "I", _RATIONAL: "II", _SLONG: "i", _FLOAT: "f"}


@dataclass(frozen=True)
class NdpiPage:
    """One page.

    Attributes
    ----------
    image
        Array of shape (height, width, 3), uint8.
    magnification
        Of the objective; -1 is a picture of the whole glass, -2 the map of the scan.
    chunk_width
        Pixels between restart markers; 0 without any, None for one chunk a row.
    focal_plane
        In nanometres; 0 is the middle one.
    subsampling
        Of the colours, Pillow's number.
    """

    image: np.ndarray
    magnification: float
    chunk_width: int | None = None
    focal_plane: int = 0
    subsampling: int = 0
    tags: dict[int, tuple[int, Sequence[float]]] = field(default_factory=dict)

    def jpeg(self) -> bytes:
        width = self.image.shape[1] if self.chunk_width is None else self.chunk_width
        block = 16 if self.subsampling else 8
        options = {"restart_marker_blocks": -(-width // block)} if width else {}
        image, wide = self.image, self.image.shape[1] > 65_500
        if wide:
            # More than encoders take: chunks are encoded below each other and declared to lie side by side.
            image = image.reshape(image.shape[0] // 8, 8, -1, width, 3).swapaxes(1, 2).reshape(-1, width, 3)
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=90, subsampling=self.subsampling, **options)
        stream = bytearray(buffer.getvalue())
        if wide:
            size = stream.index(b"\xff\xc0") + 5
            stream[size : size + 4] = bytes(4)  # as the scanner's software writes what does not go into 16 bits
        return bytes(stream)

    def directory(self, offset: int, jpeg: bytes) -> dict[int, tuple[int, Sequence[float]]]:
        height, width, _ = self.image.shape
        starts = chunk_starts(jpeg)
        tags: dict[int, tuple[int, Sequence[float]]] = {
            256: (_LONG, [width]),
            257: (_LONG, [height]),
            258: (_SHORT, [8, 8, 8]),
            259: (_SHORT, [7]),
            262: (_SHORT, [6]),
            271: (_ASCII, b"Hamamatsu\0"),
            273: (_LONG, [offset]),
            277: (_SHORT, [3]),
            278: (_LONG, [height]),
            279: (_LONG, [len(jpeg)]),
            282: (_RATIONAL, [40_000, 1]),
            283: (_RATIONAL, [40_000, 1]),
            296: (_SHORT, [3]),
            65420: (_LONG, [1]),
            65421: (_FLOAT, [self.magnification]),
            65424: (_SLONG, [self.focal_plane]),
        }
        if len(starts) > 1:
            tags[65426] = (_LONG, starts)
        return tags | self.tags


def chunk_starts(jpeg: bytes) -> list[int]:
    """Where the chunks of a JPEG start: behind the header, and behind each restart marker."""
    scan = jpeg.index(b"\xff\xda")
    starts = [scan + 2 + int.from_bytes(jpeg[scan + 2 : scan + 4], "big")]
    data = np.frombuffer(jpeg, np.uint8)
    markers = np.flatnonzero((data[starts[0] : -1] == 0xFF) & (data[starts[0] + 1 :] >> 3 == 0xD0 >> 3))
    return starts + (markers + starts[0] + 2).tolist()


def write_ndpi(path: Path, pages: Sequence[NdpiPage]) -> Path:
    """Write pages in their order; levels go from the largest to the smallest."""
    out = bytearray(b"II*\0" + bytes(8))
    link = 4
    for page in pages:
        jpeg = page.jpeg()
        tags = page.directory(len(out), jpeg)
        out += jpeg
        entries = []
        for code, (kind, values) in sorted(tags.items()):
            data = values if isinstance(values, bytes) else struct.pack("<" + _pattern(kind, len(values)), *values)
            count = len(values) // len(_CODES.get(kind, "s"))
            if len(data) > 4:
                out += bytes(len(out) % 2)
                data, place = struct.pack("<I", len(out)), data
                out += place
            entries.append(struct.pack("<HHI", code, kind, count) + data.ljust(4, b"\0"))
        out += bytes(len(out) % 2)
        struct.pack_into("<Q", out, link, len(out))
        out += struct.pack("<H", len(entries)) + b"".join(entries)
        link = len(out)
        out += bytes(8 + 4 * len(entries))
    path.write_bytes(out)
    return path


def _pattern(kind: int, values: int) -> str:
    code = _CODES[kind]
    return code * (values // len(code))
