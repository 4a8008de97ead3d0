"""Write pyramidal slides: Aperio-style SVS and generic tiled TIFF.

Both are written tile by tile, so a level may be an array or a function that makes its pixels on demand, and
a slide may be larger than memory. The files are what OpenSlide calls ``aperio`` and ``generic-tiff``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from slidekit.io.tiff_pages import (
    Codec,
    Compression,
    Image,
    Level,
    Page,
    Photometric,
    Subsampling,
    TileSource,
    as_source,
    check_levels,
    check_tiling,
    write_pages,
)

__all__ = ["Level", "TileSource", "make_pyramid", "write_svs", "write_tiff"]

_APERIO = "Aperio Image Library v12.0.15 \r\n"


def write_svs(
    path: str | Path,
    levels: Sequence[Level],
    *,
    mpp: float | None,
    objective_power: float | None = None,
    tile_size: int = 256,
    quality: int = 85,
    subsampling: Subsampling | None = None,
    photometric: Photometric = "ycbcr",
    thumbnail: Image | None = None,
    associated: dict[Literal["label", "macro"], Image] | None = None,
) -> Path:
    """Write a slide as Aperio's scanners do: tiled JPEG, level sizes and µm/px in the image description.

    Parameters
    ----------
    path
        The file to write; it appears under this name when it is complete.
    levels
        From the largest to the smallest; Aperio's own are 1, 4, 16… times smaller. See `make_pyramid`.
    mpp
        µm/px of the first level, the same in x and y (Aperio knows one value); None writes none.
    objective_power
        The objective's magnification, such as 20; None writes none.
    tile_size
        Edge of the tiles in pixels, a multiple of 16.
    quality
        JPEG quality, 1 to 100.
    subsampling
        Chroma subsampling; by default ``420``, or ``444`` where `photometric` is ``rgb``.
    photometric
        ``ycbcr`` are ordinary JPEG streams. ``rgb`` stores R, G and B as they are in JPEG streams that do
        not say so, as some Aperio scanners do: only the TIFF's tag tells the colour space.
    thumbnail
        A small picture of the slide, array of shape (h, w, 3), uint8; not tiled, the second page, as Aperio
        has it.
    associated
        Pictures ``label`` and ``macro``, arrays of shape (h, w, 3), uint8.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    SpecError
        If levels are missing, empty, growing or not RGB uint8, or tile size, quality or µm/px make no sense.
    """
    sources = check_levels(path, levels, mpp, mpp)
    chroma = subsampling or ("420" if photometric == "ycbcr" else "444")
    codec = Codec("jpeg", quality, chroma, photometric)
    check_tiling(path, tile_size, quality)
    width, height = sources[0].width, sources[0].height
    facts = "" if objective_power is None else f"|AppMag = {objective_power:g}"
    facts += "" if mpp is None else f"|MPP = {mpp:.10g}"
    whole = f"{width}x{height} [0,0 {width}x{height}] ({tile_size}x{tile_size})"
    pages: list[Page] = []
    for number, source in enumerate(sources):
        place = whole if number == 0 else f"{whole} -> {source.width}x{source.height}"
        pages.append(Page(source, f"{_APERIO}{place} JPEG/RGB Q={quality}{facts}", tile_size))
        if number == 0 and thumbnail is not None:
            small = as_source(path, thumbnail)
            title = f"{_APERIO}{width}x{height} -> {small.width}x{small.height} - {facts}"
            pages.append(Page(small, title, None))
    for name, picture in (associated or {}).items():
        small = as_source(path, picture)
        kind = {"label": 1, "macro": 9}[name]  # Aperio's NewSubfileType of the two
        pages.append(Page(small, f"{_APERIO}{name} {small.width}x{small.height}", None, kind))
    return write_pages(Path(path), pages, codec)


def write_tiff(
    path: str | Path,
    levels: Sequence[Level],
    *,
    mpp_x: float | None,
    mpp_y: float | None,
    compression: Compression = "jpeg",
    tile_size: int = 256,
    quality: int = 85,
    subsampling: Subsampling | None = None,
    photometric: Photometric = "ycbcr",
    downsamples: Sequence[tuple[float, float]] | None = None,
) -> Path:
    """Write a generic tiled pyramid: µm/px, which may differ in x and y, stand in the TIFF resolution tags.

    Parameters
    ----------
    path
        The file to write; it appears under this name when it is complete.
    levels
        From the largest to the smallest. See `make_pyramid`.
    mpp_x, mpp_y
        µm/px of the first level, written as pixels per centimetre; None for either writes no resolution.
    compression
        ``jpeg``, or lossless: ``deflate`` or ``none``.
    tile_size, quality, subsampling, photometric
        As for `write_svs`; the last three concern JPEG only.
    downsamples
        How many times larger a pixel of each level is than one of the first, along x and y, for the resolution tags;
        by default what their sizes say, which are rounded.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    SpecError
        As `write_svs` does.
    """
    sources = check_levels(path, levels, mpp_x, mpp_y)
    check_tiling(path, tile_size, quality)
    chroma = subsampling or ("420" if photometric == "ycbcr" else "444")
    codec = Codec(compression, quality, chroma, photometric)
    pages = []
    for number, source in enumerate(sources):
        resolution = None
        if mpp_x is not None and mpp_y is not None:
            sizes = sources[0].width / source.width, sources[0].height / source.height
            down_x, down_y = sizes if downsamples is None else downsamples[number]
            resolution = (_per_centimetre(mpp_x * down_x), _per_centimetre(mpp_y * down_y))
        pages.append(Page(source, None, tile_size, min(number, 1), resolution))
    return write_pages(Path(path), pages, codec)


def make_pyramid(image: Image, factors: Sequence[int] = (4, 16)) -> list[Image]:
    """Levels of a pyramid by area average.

    Pixel (i, j) of a level is the mean of exactly the pixels [i·f, (i + 1)·f) × [j·f, (j + 1)·f) of `image`,
    rounded; what is left over at the right and lower edge is not in the level, as in Aperio's files.

    Parameters
    ----------
    image
        Level 0, array of shape (h, w, 3), uint8.
    factors
        How many times smaller each further level is; one that would leave a side without a pixel is left out.

    Returns
    -------
    list of ndarray
        `image` itself, then one array a factor, uint8.
    """
    levels = [image]
    for factor in factors:
        rows, columns = image.shape[0] // factor, image.shape[1] // factor
        if rows and columns:
            whole = image[: rows * factor, : columns * factor]
            small = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)
            levels.append(small.astype(np.uint8, copy=False))
    return levels


def _per_centimetre(mpp: float) -> tuple[int, int]:
    """Pixels per centimetre as a fraction of two 32-bit numbers."""
    exact = Fraction(10_000) / Fraction(mpp)
    bound = min(2**32 - 1, max(1, math.floor((2**32 - 1) / exact)))
    near = exact.limit_denominator(bound)
    return near.numerator, near.denominator
