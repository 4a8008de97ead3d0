"""Whether TFRecords fit together: one format of images, the same sizes in all records."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal

from slidekit.errors import RecordError
from slidekit.io.tfrecord import TileRecord, iter_records
from slidekit.record_tools.batch import for_each
from slidekit.record_tools.images import format_of

__all__ = ["SameSizes", "StoredFormat", "first_records", "image_formats"]

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


class SameSizes:
    """Makes sure that records have concentric tiles of the same further sizes.

    Parameters
    ----------
    further
        Names of the sizes, ``512um``; None takes those of the first record.
    """

    def __init__(self, further: Collection[str] | None = None) -> None:
        self._further = further
        self._says = ""

    def check(self, record: TileRecord, path: Path, offset: int) -> None:
        """Look at a record; it is in a file, at a byte.

        Raises
        ------
        RecordError
            If it lacks a size that the others have, or has another.
        """
        if self._further is None:
            self._further = [image.name for image in record.further]
            self._says = f"The first record, of {path.name}, has {', '.join(self._further) or 'no further size'}. "
        mend = (
            f"{self._says}Take records of one extraction, with the same sizes; slidekit verify names files that lack "
            "some."
        )
        record.check_sizes(self._further, offset=offset, mend=mend, path=path)
