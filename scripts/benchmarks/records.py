"""TFRecords for the benchmarks of loaders."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from slidekit.io.tfrecord import RecordIndex, TileRecord, frame, index_path, write_index
from slidekit.slide.encode import encode_image
from slidekit.slide.wsi import WSI

__all__ = ["PX", "UM", "write_records"]

SLIDES, TILES = 8, 500
PX, UM, QUALITY = 256, 128, 95


def write_records(slide: Path, folder: Path) -> Path:
    """Tissue tiles of a slide in `SLIDES` files of `TILES` each; returns the folder for ``Dataset(tfrecords=…)``.

    Beside each lie slidekit's index and that of the package tfrecord.
    """
    with WSI(slide, PX, UM, qc="otsu") as wsi:
        cells = wsi.grid.cells()[wsi.fates().taken]
        chosen = cells[:: max(1, len(cells) // TILES)][:TILES]
        images = [encode_image(wsi[int(i), int(j)], quality=QUALITY) for i, j in chosen]
    home = folder / f"{PX}px_{UM}um"
    home.mkdir(parents=True, exist_ok=True)
    for number in range(SLIDES):
        name, extents, content = f"slide_{number}", [], bytearray()
        order = np.random.default_rng(number).choice(len(images), TILES)
        for place, image in enumerate(order):
            record = frame(TileRecord(name, images[image], PX * place, number).encode())
            extents.append((len(content), len(record)))
            content += record
        path = home / f"{name}.tfrecords"
        path.write_bytes(content)
        locations = np.column_stack([PX * np.arange(TILES), np.full(TILES, number)])
        write_index(index_path(path), RecordIndex(np.array(extents, np.int64), locations))
        path.with_suffix(".index").write_text("".join(f"{offset} {size}\n" for offset, size in extents))
    return folder
