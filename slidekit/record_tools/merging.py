"""One TFRecord file of several; records keep the names of their slides."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

from slidekit.errors import RecordError, SpecError
from slidekit.io.tfrecord import FRAMING, TileRecord, frame, iter_records
from slidekit.record_tools.batch import named_disk_errors
from slidekit.record_tools.checks import SameSizes
from slidekit.record_tools.destination import check_destination, check_sources, writing_into
from slidekit.record_tools.indexing import write_manifest
from slidekit.record_tools.writing import RecordWriter
from slidekit.seeding import slide_generator
from slidekit.wording import some_of

__all__ = ["merge_records"]

_CRC_AND_LENGTH = 12


def merge_records(
    paths: Sequence[Path],
    dest: Path,
    *,
    shuffle: bool = True,
    seed: int = 0,
    overwrite: bool = False,
    further: Collection[str] | None = None,
) -> int:
    """Put the records of several files into one, with index and manifest.

    Memory holds the places of the records, and one record. Each file is read twice, the first time with every CRC
    checked before anything is written.

    Parameters
    ----------
    paths
        TFRecord files of tiles.
    dest
        The new file, ``….tfrecords``. Where the tiles are of several slides it must not be named after one of them;
        where they are of one it must.
    shuffle
        Put the records into a random order, by seed and the name of the file; else one file after the other.
    seed
        Seed of the order.
    overwrite
        Whether `dest` may exist.
    further
        Further sizes of concentric tiles that each record must have, ``512um``; None takes those of the first record.

    Returns
    -------
    int
        Number of records.

    Raises
    ------
    SpecError
        If `dest` has another suffix, the wrong name, or is one of the files.
    RecordError
        If a file is damaged, records have different sizes, there are none, or `dest` exists; nothing is left behind
        then.
    """
    if dest.suffix != ".tfrecords":
        raise SpecError(f"{dest.name} is not a name for TFRecords.", mend="End it with .tfrecords.")
    if dest.resolve() in {path.resolve() for path in paths}:
        raise SpecError(f"{dest.name} is one of the files to merge.", mend="Give another name.")
    check_sources([(paths[0], dest)] if paths else [], paths)
    check_destination([dest], overwrite=overwrite)
    places, slides = _places(paths, SameSizes(further))
    _check_name(dest, slides)
    count = len(places)
    order = slide_generator(seed, dest.stem, "merge").permutation(count) if shuffle else np.arange(count)
    with writing_into([dest.parent]):
        with named_disk_errors(dest), RecordWriter(dest, overwrite=overwrite) as writer:
            for path, payload in _read(paths, places[order]):
                record = TileRecord.decode(payload, path=path)
                writer.append(payload, (record.loc_x, record.loc_y))
        write_manifest(dest.parent)
    return count


def _places(
    paths: Sequence[Path], sizes: SameSizes
) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.int64]], set[str]]:
    """Of every record the number of its file, its byte and its length, (n, 3); and the slides."""
    numbers, slides = array("q"), set()
    for file, path in enumerate(paths):
        for offset, payload in iter_records(path):
            record = TileRecord.decode(payload, path=path)
            sizes.check(record, path, offset)
            slides.add(record.slide)
            numbers.extend((file, offset, len(payload) + FRAMING))
    return np.array(numbers, np.int64).reshape(-1, 3), slides


def _check_name(dest: Path, slides: set[str]) -> None:
    if not slides:
        raise RecordError("There are no records to merge.", mend="Give files that hold tiles.", path=dest)
    names = some_of(sorted(slides), 3)
    if len(slides) > 1 and dest.stem in slides:
        what = f"{dest.name} is the name of one slide, and the tiles are of {len(slides)}: {names}."
        raise SpecError(what, mend="Give a name that no slide has.")
    if len(slides) == 1 and dest.stem not in slides:
        raise SpecError(f"All tiles are of slide {names}.", mend=f"Call the file {names}.tfrecords.")


def _read(
    paths: Sequence[Path], places: np.ndarray[tuple[int, int], np.dtype[np.int64]]
) -> Iterator[tuple[Path, bytes]]:
    """Payloads of records, in the order of `places`."""
    for file, offset, length in places:
        path = paths[int(file)]
        # Opened for each record: of thousands of files all handles would be too many.
        with path.open("rb", buffering=0) as source:
            source.seek(int(offset))
            framed = source.read(int(length))
        payload = framed[_CRC_AND_LENGTH : int(length) - 4]
        if frame(payload) != framed:
            what = f"the record at byte {offset} has changed while it was copied."
            raise RecordError(what, mend="Wait until nobody writes the file.", path=path)
        yield path, payload
