"""The images of TFRecords, or a random sample of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from slidekit.errors import RecordError
from slidekit.io.tfrecord import TileRecord, index_path, iter_records, read_index, read_record_at
from slidekit.pixels.image import RGBImage

__all__ = ["iter_tile_images"]


def iter_tile_images(paths: Sequence[Path], *, max_tiles: int | None = None, seed: int = 0) -> Iterator[RGBImage]:
    """Read the images of TFRecords, file after file.

    Parameters
    ----------
    paths
        The files; their order and the seed determine the sample.
    max_tiles
        Take a random sample of so many, every tile of all files with the same chance; None takes all.
    seed
        Seed of the sample.

    Yields
    ------
    ndarray (rows, columns, 3), uint8, RGB
        In the order of the files and of the records in them.

    Raises
    ------
    RecordError
        If a file is damaged, or holds what is not a tile.
    """
    if max_tiles is None:
        for path in paths:
            for _, payload in iter_records(path):
                yield _decode(TileRecord.decode(payload, path=path), path)
        return
    offsets = [_offsets(path) for path in paths]
    ends = np.cumsum([0, *(len(places) for places in offsets)])
    total = int(ends[-1])
    generator = np.random.Generator(np.random.Philox(seed))
    chosen = np.sort(generator.choice(total, min(max_tiles, total), replace=False)) if total else np.empty(0, np.int64)
    for number in chosen:
        file = int(np.searchsorted(ends, number, side="right")) - 1
        path = paths[file]
        yield _decode(read_record_at(path, int(offsets[file][number - ends[file]])), path)


def _offsets(path: Path) -> list[int]:
    """Where the records of a file begin, in the order of the file: by its index, or by reading it."""
    index = index_path(path)
    if index.is_file():
        return sorted(int(offset) for offset in read_index(index).extents[:, 0])
    return [offset for offset, _ in iter_records(path)]


def _decode(record: TileRecord, path: Path) -> RGBImage:
    try:
        image = cv2.imdecode(np.frombuffer(record.image_raw, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        raise _damage(record, path) from error
    if image is None:
        raise _damage(record, path)
    return image.astype(np.uint8, copy=False)


def _damage(record: TileRecord, path: Path) -> RecordError:
    return RecordError(
        f"the tile at ({record.loc_x}, {record.loc_y}) is not an image that can be decoded.",
        mend="Extract the slide again; slidekit verify names all that is damaged.",
        path=path,
    )
