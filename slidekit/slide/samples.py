"""The pictures of a slide that its report shows: the drawn-over slide, and a few tiles picked by seed."""

from __future__ import annotations

import heapq
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from slidekit.io.atomic import atomic_write
from slidekit.pixels.image import RGBImage
from slidekit.seeding import slide_generator
from slidekit.slide.encode import encode_image

__all__ = ["SAMPLES", "SampleKeeper", "preview_path", "samples_path", "samples_strip", "save_pictures"]

SAMPLES = 8
"""Sample tiles of a slide in its report."""

_EDGE_PX = 192
_GAP_PX = 8


def preview_path(folder: Path, slide: str) -> Path:
    """Where the drawn-over picture of a slide stands."""
    return folder / f"{slide}.jpg"


def samples_path(folder: Path, slide: str) -> Path:
    """Where the strip of sample tiles of a slide stands."""
    return folder / f"{slide}.samples.jpg"


class SampleKeeper:
    """Keeps a few of many tiles, each with equal chance, the same for the same seed and slide.

    Parameters
    ----------
    seed
        The user's seed.
    slide
        Name of the slide.
    """

    def __init__(self, seed: int, slide: str) -> None:
        self._chance = slide_generator(seed, slide, "samples")
        self._kept: list[tuple[float, int, int, bytes]] = []

    def offer(self, i: int, j: int, encoded: bytes) -> None:
        """Offer the tile of cell (i, j); tiles must be offered in raster order."""
        entry = (float(self._chance.random()), j, i, encoded)
        if len(self._kept) < SAMPLES:
            heapq.heappush(self._kept, entry)
        else:
            heapq.heappushpop(self._kept, entry)

    def only(self, cells: set[tuple[int, int]]) -> Self:
        """Let go of tiles of other cells, which `max_tiles` left out."""
        self._kept = [entry for entry in self._kept if (entry[2], entry[1]) in cells]
        return self

    def tiles(self) -> list[bytes]:
        """The tiles that were kept, in raster order, as they were encoded."""
        return [encoded for _, _, _, encoded in sorted(self._kept, key=lambda entry: entry[1:3])]


def samples_strip(tiles: list[bytes]) -> RGBImage | None:
    """Put encoded tiles side by side; None if there is none.

    Returns
    -------
    ndarray (rows, columns, 3), uint8, RGB
        Always as wide as a full strip, white where tiles are missing, so that strips in a report have one scale.
    """
    if not tiles:
        return None
    strip = np.full((_EDGE_PX, SAMPLES * (_EDGE_PX + _GAP_PX) - _GAP_PX, 3), 255, np.uint8)
    for place, encoded in enumerate(tiles[:SAMPLES]):
        image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            continue  # a damaged record of an old file: the report names it elsewhere
        small = cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), (_EDGE_PX, _EDGE_PX), interpolation=cv2.INTER_AREA)
        left = place * (_EDGE_PX + _GAP_PX)
        strip[:, left : left + _EDGE_PX] = small
    return strip


def save_pictures(folder: Path, slide: str, preview: RGBImage | None, samples: SampleKeeper) -> None:
    """Write a slide's pictures as JPEG; a strip of samples only if there are tiles."""
    folder.mkdir(parents=True, exist_ok=True)
    strip = samples_strip(samples.tiles())
    for path, image in ((preview_path(folder, slide), preview), (samples_path(folder, slide), strip)):
        if image is not None:
            with atomic_write(path) as file:
                file.write(encode_image(image, quality=85))
