"""Files that are no slides, or hardly one, under slides' suffixes."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

__all__ = ["FOREIGN"]


def _archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("slide.svs", b"nothing")
    return buffer.getvalue()


def _png(side: int) -> bytes:
    """A PNG of one grey; beyond 4096 px its header alone says how large it is."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = bytes((side + 1) * side) if side <= 4096 else b""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


FOREIGN: dict[str, tuple[str, Callable[[], bytes]]] = {
    "nothing": ("svs", lambda: b""),
    "one byte": ("tiff", lambda: b"I"),
    "text": ("svs", lambda: b"slide,label\n1,2\n" * 50),
    "zip": ("ndpi", _archive),
    "png called svs": ("svs", lambda: _png(64)),
    "zip called png": ("png", _archive),
    "png of 2^31": ("png", lambda: _png(2**31 - 1)),
    "png of 40000": ("png", lambda: _png(40_000)),
    "tiff header alone": ("svs", lambda: b"II*\0\x08\0\0\0"),
    "bigtiff header alone": ("tif", lambda: b"II+\0\x08\0\0\0" + b"\xff" * 8),
    "empty directory": ("tif", lambda: b"II*\0\x08\0\0\0" + bytes(200)),
    "mirax without its folder": ("mrxs", lambda: b"\xff\xd8\xff\xe0" + bytes(300)),
    "dicom prefix": ("dcm", lambda: bytes(128) + b"DICM" + bytes(300)),
    "vms of nothing": ("vms", lambda: b"[Virtual Microscope Specimen]\nNoLayers=1\nImageFile=../../etc/passwd\n"),
    "zeros": ("svs", lambda: bytes(100_000)),
    "ones": ("tif", lambda: b"\xff" * 100_000),
}
"""Files that are no slides: suffix and content."""
