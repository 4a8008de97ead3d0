"""The whole slide at a low resolution, for QC and for pictures, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from slidekit.errors import SlideReadError
from slidekit.pixels.image import WHITE, RGBImage
from slidekit.pixels.readers.base import SlideReader
from slidekit.pixels.resize import SHORT_LEAD
from slidekit.pixels.source import Source, choose_source
from slidekit.pixels.strips import STRIP_BYTES, read_resampled

__all__ = ["read_overview", "read_overview_bands", "read_overview_window"]

_EDGE = 1e-6

_MOST_LOST = 0.05
"""Share of a slide that may be undecodable without the overview failing."""

_SMALLEST_PART = 16
"""Pixels of the overview below which a part that cannot be decoded is given up."""


def read_overview(reader: SlideReader, pixel_x: float, pixel_y: float, *, band_rows: int = 0) -> RGBImage:
    """Read the whole slide at a low resolution, from the cheapest pixels that can serve.

    Parameters
    ----------
    reader
        The slide.
    pixel_x, pixel_y
        Size of an output pixel, level-0 pixels.
    band_rows
        Rows that are resampled at a time; 0 chooses by `STRIP_BYTES`.

    Returns
    -------
    ndarray (rows, columns, 3), uint8, RGB
        The last row and column may reach over the slide's edge by less than a pixel.
    """
    bands = list(read_overview_bands(reader, pixel_x, pixel_y, band_rows=band_rows))
    return np.concatenate([band for _, band in bands]) if len(bands) > 1 else bands[0][1]


def read_overview_bands(
    reader: SlideReader, pixel_x: float, pixel_y: float, *, band_rows: int = 0, overlap: int = 0
) -> Iterator[tuple[int, RGBImage]]:
    """As `read_overview`, band by band, so that memory is bounded for a slide of any size.

    Parameters
    ----------
    reader, pixel_x, pixel_y, band_rows
        As in `read_overview`.
    overlap
        Rows above and below that each band shows of its neighbours.

    Yields
    ------
    (int, ndarray)
        First row of the band (without overlap), and its pixels (with overlap where there is a neighbour).

    Raises
    ------
    SlideReadError
        If more than 5 % of the slide cannot be decoded; less is shown white.
    """
    width, height = reader.dimensions
    columns, rows = max(1, math.ceil(width / pixel_x - _EDGE)), max(1, math.ceil(height / pixel_y - _EDGE))
    source = choose_source(reader, pixel_x, pixel_y, resample="fast").averaged()
    if band_rows <= 0:
        band_rows = max(16, int(STRIP_BYTES / (columns * source.scale_x * source.scale_y * 3)))
    most = _MOST_LOST * columns * rows
    for first in range(0, rows, band_rows):
        top, bottom = max(0, first - overlap), min(rows, first + band_rows + overlap)
        band = np.full((bottom - top, columns, 3), WHITE, np.uint8)
        most -= _read_what_can_be_read(reader, source, band, (0, top), most)
        yield first, band


def read_overview_window(
    reader: SlideReader, pixel_x: float, pixel_y: float, corner: tuple[int, int], size: tuple[int, int]
) -> RGBImage:
    """A rectangle of `read_overview`'s picture, for what needs it at a resolution at which it is too large to hold.

    Parameters
    ----------
    reader, pixel_x, pixel_y
        As in `read_overview`.
    corner
        (x, y) of its top-left pixel in that picture; may lie outside.
    size
        Width and height, pixels.

    Returns
    -------
    ndarray (height, width, 3), uint8, RGB
        White beyond the slide. Where windows begin between stored pixels, resampling may round a grey level otherwise
        than in the whole picture.

    Raises
    ------
    SlideReadError
        If more than 5 % of the window cannot be decoded; less is shown white.
    """
    source = choose_source(reader, pixel_x, pixel_y, resample="fast").averaged()
    window = np.full((size[1], size[0], 3), WHITE, np.uint8)
    _read_what_can_be_read(reader, source, window, corner, _MOST_LOST * size[0] * size[1])
    return window


def _read_what_can_be_read(
    reader: SlideReader, source: Source, image: RGBImage, corner: tuple[int, int], most: float
) -> float:
    """Fill an image of the overview that begins at `corner`; return how many of its pixels could not be decoded."""
    height, width, _ = image.shape
    pixel_x, pixel_y = source.scale_x * source.downsample_x, source.scale_y * source.downsample_y
    try:
        image[:] = read_resampled(
            reader, source, corner[0] * pixel_x, corner[1] * pixel_y, width, height, most_lead=SHORT_LEAD
        )
        return 0.0
    except SlideReadError:
        if max(width, height) <= _SMALLEST_PART:
            if width * height > most:
                raise
            return float(width * height)
    # One damaged native tile must not cost the whole picture: halve until what is lost is small.
    half_x, half_y = (width // 2, height) if width >= height else (width, height // 2)
    lost = _read_what_can_be_read(reader, source, image[:half_y, :half_x], corner, most)
    rest = image[:, half_x:] if width >= height else image[half_y:]
    beside = (corner[0] + half_x, corner[1]) if width >= height else (corner[0], corner[1] + half_y)
    return lost + _read_what_can_be_read(reader, source, rest, beside, most - lost)
