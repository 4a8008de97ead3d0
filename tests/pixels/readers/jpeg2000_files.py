"""Writes slides of JPEG 2000 tiles, for the tests: by Aperio's codes OpenSlide takes them for ``aperio``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile

TILE = 128


def encode(tile: np.ndarray, **options: Any) -> bytes:
    """A codestream; `level` 0 is without loss, `mct` False stores the channels as they are."""
    return bytes(imagecodecs.jpeg2k_encode(tile, codecformat="j2k", **({"level": 0} | options)))


def write_jpeg2000(
    path: Path, levels: Sequence[np.ndarray], compression: int, photometric: str = "rgb", **options: Any
) -> Path:
    """Write levels in tiles of 128 px; with Aperio's codes, under a description as its scanners write it."""
    height, width, _ = levels[0].shape
    whole = f"{width}x{height} [0,0 {width}x{height}] ({TILE}x{TILE})"
    aperio = f"Aperio Image Library v12.0.15 \r\n{whole} J2K/KDU Q=70|AppMag = 20|MPP = 0.5"
    with tifffile.TiffWriter(path) as tiff:
        for level in levels:
            tiff.write(
                (encode(tile, **options) for tile in _tiles(level)),
                shape=level.shape,
                dtype=np.uint8,
                photometric=photometric,
                tile=(TILE, TILE),
                compression=compression,
                subsampling=(1, 1) if photometric == "ycbcr" else None,
                description=aperio if compression in (33003, 33005) else None,
                metadata=None,
            )
    return path


def _tiles(level: np.ndarray) -> Iterator[np.ndarray]:
    for y in range(0, level.shape[0], TILE):
        for x in range(0, level.shape[1], TILE):
            tile = level[y : y + TILE, x : x + TILE]
            yield np.pad(tile, ((0, TILE - tile.shape[0]), (0, TILE - tile.shape[1]), (0, 0)), mode="edge")
