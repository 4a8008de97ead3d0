"""JPEG files as they go into a PDF: their compressed bytes unchanged, what cameras and scanners noted removed.

Markers as in ITU-T T.81, annex B.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from slidekit.errors import ReportError

__all__ = ["JpegPicture", "read_jpeg"]

_START_OF_SCAN = 0xDA
_END_OF_IMAGE = 0xD9
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
# APP0 (JFIF) and APP14 (Adobe) say how to decode, APP2 is the colour profile; the other application segments and
# comments hold EXIF, XMP and notes, where names and paths may stand.
_DROPPED = frozenset({0xE1, *range(0xE3, 0xEE), 0xEF, 0xFE})


@dataclass(frozen=True)
class JpegPicture:
    """A JPEG picture.

    Attributes
    ----------
    data
        The file without EXIF, XMP and comments.
    width, height
        Pixels.
    """

    data: bytes
    width: int
    height: int


def read_jpeg(path: Path) -> JpegPicture:
    """Read a JPEG file without decoding it.

    Parameters
    ----------
    path
        A JPEG file of 8 bits, sequential or progressive.

    Raises
    ------
    ReportError
        If the file cannot be read or is not such a JPEG.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ReportError(f"The picture cannot be read: {error.strerror}.", path=path) from error
    if data[:2] != b"\xff\xd8":
        raise ReportError("The picture is not a JPEG.", mend="Write previews as JPEG.", path=path)
    kept, size, place = [data[:2]], None, 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if marker in _FRAMES and end <= len(data):
            height, width = (int.from_bytes(data[place + at : place + at + 2], "big") for at in (5, 7))
            size = width, height
        if marker in (_START_OF_SCAN, _END_OF_IMAGE):
            break
        if marker not in _DROPPED:
            kept.append(data[place:end])
        place = end
    if size is None or 0 in size or place >= len(data):
        raise ReportError("The picture is a damaged JPEG.", mend="Run the extraction again.", path=path)
    return JpegPicture(b"".join([*kept, data[place:]]), *size)
