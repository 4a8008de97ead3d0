"""Which reader opens a slide: the fastest that is known to be right for it."""

from __future__ import annotations

import contextlib
from pathlib import Path

# openslide before pyvips: a libvips that is linked to another libopenslide breaks OpenSlide when it comes first.
import openslide

from slidekit.errors import SlideOpenError, SpecError
from slidekit.pixels.metadata import SlideMetadata, metadata_from_openslide, metadata_from_tiff
from slidekit.pixels.readers.base import SlideReader, UnsuitableError
from slidekit.pixels.readers.cucim import CucimReader
from slidekit.pixels.readers.directories import ends_early
from slidekit.pixels.readers.native import NativeTiffReader
from slidekit.pixels.readers.openslide import OpenSlideReader
from slidekit.pixels.readers.size import check_size
from slidekit.pixels.readers.tiff_levels import TIFF_ERRORS, tiff_levels
from slidekit.pixels.readers.vips import VipsReader

__all__ = ["READERS", "open_slide"]

READERS: dict[str, type[SlideReader]] = {
    reader.name: reader for reader in (NativeTiffReader, VipsReader, OpenSlideReader)
}
"""Readers by name, in the order in which they are tried."""

_BY_NAME: dict[str, type[SlideReader]] = {**READERS, CucimReader.name: CucimReader}
"""With those that are never tried, only asked for."""

_OTHERS_CAN = "Unsupported TIFF compression"
"""OpenSlide's word for files that it knows but cannot decode: JPEG 2000 under the code 34712."""

_PLAIN_TIFF = {"aperio", "generic-tiff"}
"""Formats of OpenSlide's whose pages are simply the levels."""

_IMAGES = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}
_NOT_OPENSLIDES = {"ome-tiff", "tiff", *_IMAGES.values()}


def open_slide(path: str | Path, reader: str = "auto") -> SlideReader:
    """Open a slide.

    Parameters
    ----------
    path
        File of the slide.
    reader
        ``auto``, or the name of the one reader to use; ``cucim`` is one only where cuCIM is installed.

    Returns
    -------
    SlideReader
        Close it, or use it as a context manager.

    Raises
    ------
    SlideOpenError
        If the file is missing, is not a slide, or no reader (or not the one asked for) opens it.
    SpecError
        If there is no reader of that name.
    MissingExtraError
        If the reader needs a package that is not installed.
    """
    if reader != "auto" and reader not in _BY_NAME:
        raise SpecError(f"reader={reader!r} is not a reader.", mend=f"Take auto, {', '.join(_BY_NAME)}.")
    path = Path(path)
    metadata = read_metadata(path)
    reasons = []
    for name in READERS if reader == "auto" else (reader,):
        if reader == "auto" and name == "vips" and metadata.vendor not in _NOT_OPENSLIDES:
            # What OpenSlide knows it reads right; libvips opens more of it than it can decode (Aperio's JPEG 2000).
            continue
        try:
            return check_size(_BY_NAME[name](path, metadata))
        except UnsuitableError as error:
            reasons.append(f"{name}: {error}")
        except SlideOpenError as error:
            reasons.append(f"{name}: {error.message}")
    mend = None if reader == "auto" else 'Use reader="auto".'
    raise SlideOpenError(f"no reader opens it ({'; '.join(reasons)}).", mend=mend, path=path)


def read_metadata(path: Path) -> SlideMetadata:
    """What the file says of itself, without reading pixels.

    Raises
    ------
    SlideOpenError
        If the file is missing or is not a slide.
    """
    if not path.is_file():
        what = "is a folder, not a slide." if path.is_dir() else "there is no such file."
        raise SlideOpenError(what, mend="Name a slide in it." if path.is_dir() else "Check the path.", path=path)
    if path.stat().st_size == 0:
        raise SlideOpenError("the file is empty.", mend="Copy it again.", path=path)
    vendor = openslide.OpenSlide.detect_format(str(path))
    if vendor in _PLAIN_TIFF:
        # First: OpenSlide shows white where a table of tiles ends too early, and divides by sizes that lie.
        with contextlib.suppress(UnsuitableError):
            tiff_levels(path)
    if vendor is not None:
        try:
            with openslide.OpenSlide(str(path)) as slide:
                return metadata_from_openslide(vendor, slide.properties)
        except openslide.OpenSlideError as error:
            if _OTHERS_CAN in str(error):
                return metadata_from_tiff(path)
            raise SlideOpenError(f"it looks like {vendor}, but OpenSlide says: {error}.", path=path) from error
    if (kind := _IMAGES.get(path.suffix.lower())) is not None:
        return SlideMetadata(kind)
    try:
        return metadata_from_tiff(path)
    except TIFF_ERRORS as error:
        if ends_early(path):
            raise SlideOpenError(
                f"the file is cut off: it has {path.stat().st_size} bytes, and its directory lies behind them.",
                mend="Copy it again.",
                path=path,
            ) from error
        raise SlideOpenError(
            f"the file is not a slide: neither OpenSlide nor the TIFF reader knows it ({error}).",
            mend="Remove it from the folder, or convert it to pyramidal TIFF.",
            path=path,
        ) from error
