"""Tiles whose pixels say which they are, in TFRecords as Slideflow writes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from record_files import slideflow_folder

from slidekit.io.record_table import RecordTable
from slidekit.loading.options import LoaderOptions
from slidekit.loading.stream import TileStream

PX = 8
COUNTS = {"a": 7, "b": 1, "c": 12, "d": 5}


@dataclass(frozen=True)
class Given:
    """Labels as the loaders take them."""

    values: np.ndarray
    per_tile: bool = False
    classes: tuple[str, ...] | None = None
    used: np.ndarray | None = None


@dataclass(frozen=True)
class TileFolder:
    folder: Path
    paths: list[Path]

    @property
    def table(self) -> RecordTable:
        return RecordTable.open(self.paths)

    def stream(self, labels: Given | None = None, **options: object) -> TileStream:
        settings = {name: options.pop(name) for name in ("weights", "clip", "tile_px") if name in options}
        return TileStream(self.table, LoaderOptions(**options), labels=labels, **settings)


def pixels(slide: int, tile: int) -> np.ndarray:
    """A tile with a corner to tell its sides apart; lossless as PNG."""
    image = np.full((PX, PX, 3), (40 * slide, 10 * tile, 128), np.uint8)
    image[: PX // 2, : PX // 2] = 255
    return image


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()


def make_folder(folder: Path, counts: dict[str, int] = COUNTS) -> TileFolder:
    """Tile t of slide s stands at (10·t, s)."""
    slides = {
        name: [(png(pixels(slide, tile)), 10 * tile, slide) for tile in range(count)]
        for slide, (name, count) in enumerate(counts.items())
    }
    return TileFolder(folder, slideflow_folder(folder, slides))
