"""Whether TFRecords fit together: one format of images, each file named after its slide."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from slidekit.errors import RecordError
from slidekit.io.tfrecord import TileRecord, iter_records
from slidekit.record_tools.batch import for_each
from slidekit.record_tools.images import format_of

__all__ = ["StoredFormat", "first_records", "image_formats"]

StoredFormat = Literal["jpeg", "png"]
"""Format of images as `slidekit.TFRecord` and Slideflow call it; ``img_format`` of an extraction is ``jpg``."""


def first_records(paths: Sequence[Path], *, num_workers: int | None = None) -> dict[Path, TileRecord]:
    """Read the first record of each file; an empty file has none.

    Parameters
    ----------
    paths
        TFRecord files of tiles.
    num_workers
        Threads; one a core by default.

    Raises
    ------
    RecordError
        If one is damaged or no tile.
    """

    def work(path: Path) -> TileRecord | None:
        for _, payload in iter_records(path):
            return TileRecord.decode(payload, path=path)
        return None

    found = for_each(work, paths, name=lambda path: path.name, num_workers=num_workers)
    return {path: record for path, record in zip(paths, found, strict=True) if record is not None}


def image_formats(paths: Sequence[Path], *, num_workers: int | None = None) -> dict[Path, StoredFormat]:
    """Format of the first image of each file that has one.

    Raises
    ------
    RecordError
        If a file is damaged, or its first image is neither a JPEG nor a PNG.
    """
    formats: dict[Path, StoredFormat] = {}
    for path, record in first_records(paths, num_workers=num_workers).items():
        found = format_of(record.image_raw)
        if found is None:
            what = "the first record holds neither a JPEG nor a PNG."
            raise RecordError(what, mend="Give TFRecords of tiles, Slideflow's or slidekit's.", path=path)
        formats[path] = "jpeg" if found == "jpg" else "png"
    return formats
