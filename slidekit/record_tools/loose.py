"""Loose tiles, a file each, into TFRecords and back; a tile's place is in its name."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from slidekit.errors import RecordError
from slidekit.io.atomic import private_part
from slidekit.io.tfrecord import FurtherImage, TileRecord, iter_records, loose_name
from slidekit.io.user_file import read_bytes
from slidekit.record_tools.batch import check_stop
from slidekit.record_tools.checks import SameSizes
from slidekit.record_tools.images import decode_tile, format_of
from slidekit.record_tools.loose_names import list_tiles, names_without_place
from slidekit.record_tools.writing import RecordWriter
from slidekit.seeding import slide_generator

__all__ = ["FromTiles", "records_from_tiles", "tiles_from_records"]


@dataclass(frozen=True)
class FromTiles:
    """What became of a folder of loose tiles.

    Attributes
    ----------
    tiles
        Files that are in the TFRecord file now, those of all sizes.
    without_place
        How many tiles have no coordinates in their names: theirs are (0, 0).
    records
        Number of records.
    """

    tiles: tuple[Path, ...]
    without_place: int
    records: int


def records_from_tiles(
    folder: Path,
    dest: Path,
    *,
    shuffle: bool = True,
    seed: int = 0,
    overwrite: bool = False,
    one_size: bool = False,
    further: Collection[str] | None = None,
) -> FromTiles:
    """Write the loose tiles of a slide into a TFRecord file, with its index.

    Parameters
    ----------
    folder
        Folder of JPEG and PNG files, as `slidekit.record_tools.loose_names.list_tiles` reads it. A concentric tile
        goes into the record of its tile; whether it reaches over the slide's edge is not known then.
    dest
        The new file; its stem is the name of the slide.
    shuffle
        Put the records into a random order, by seed and the slide's name; else from top to bottom, in rows.
    seed
        Seed of the order.
    overwrite
        Whether `dest` may exist.
    one_size
        Whether a picture of another size than the first is an error.
    further
        Further sizes that each tile must have, ``512um``; None takes all that there are in the folder.

    Returns
    -------
    FromTiles
        The bytes of the images are taken as they are.

    Raises
    ------
    RecordError
        If a tile cannot be decoded, is of another size, or lacks one, naming it; or `dest` exists. Nothing is left
        behind then.
    """
    tiles = list_tiles(folder, further)
    order = slide_generator(seed, dest.stem, "order").permutation(len(tiles)) if shuffle else range(len(tiles))
    size: tuple[int, ...] | None = None

    def read(path: Path) -> bytes:
        nonlocal size
        data = read_bytes(path, error=RecordError)
        try:
            shape = decode_tile(data).shape
        except RecordError as error:
            raise RecordError(error.message, mend="Remove the file, or make it anew.", path=path) from error
        size = size or shape
        if one_size and shape != size:
            what = f"is of {shape[1]} × {shape[0]} px, and others of {size[1]} × {size[0]}: nothing was removed."
            raise RecordError(what, mend="Move away what is no tile.", path=path)
        return data

    with RecordWriter(dest, overwrite=overwrite) as writer:
        for number in order:
            tile = tiles[int(number)]
            data = read(tile.path)
            around = tuple(FurtherImage(name, read(path)) for name, path in tile.further.items())
            record = TileRecord(dest.stem, data, tile.loc_x, tile.loc_y, further=around)
            writer.append(record.encode(), (tile.loc_x, tile.loc_y))
    used = tuple(path for tile in tiles for path in tile.files)
    return FromTiles(used, len(names_without_place(folder)), len(tiles))


def tiles_from_records(
    records: Path, folder: Path, *, overwrite: bool = False, further: Collection[str] | None = None
) -> list[Path]:
    """Write every image of a TFRecord file as a file of its own; they take their places when all are written.

    Parameters
    ----------
    records
        The file.
    folder
        Where they go; other files in it stay.
    overwrite
        Whether files of the same names and other content are replaced.
    further
        Further sizes of concentric tiles that each record must have, ``512um``; None takes those of the first record.

    Returns
    -------
    list of Path
        ``{slide}-{loc_x}-{loc_y}.jpg`` or ``.png``, as `save_tiles` names them, in the order of the records; the bytes
        are those of the record. A place that comes again has ``_2`` after it, and so on. Of concentric tiles those of
        further sizes follow their own: ``{slide}-{loc_x}-{loc_y}_512um.jpg``.

    Raises
    ------
    RecordError
        If a record is damaged or no tile, or has other sizes, or a file of such a name has another content. Nothing is
        changed then.
    """
    part = private_part(folder)
    part.mkdir(parents=True)  # not one that is there already
    try:
        names = _write_tiles(records, part, SameSizes(further))
        if not overwrite:
            _check_foreign(part, folder, names)
        folder.mkdir(exist_ok=True)
        for name in names:
            (part / name).replace(folder / name)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return [folder / name for name in names]


def _write_tiles(records: Path, folder: Path, sizes: SameSizes) -> list[str]:
    names: list[str] = []
    seen: Counter[str] = Counter()
    for offset, payload in iter_records(records):
        check_stop()
        record = TileRecord.decode(payload, path=records)
        sizes.check(record, records, offset)
        stem = f"{_checked(record.slide, offset, records)}-{record.loc_x}-{record.loc_y}"
        seen[stem] += 1
        stem = f"{stem}_{seen[stem]}" if seen[stem] > 1 else stem
        for size, data in ((None, record.image_raw), *((image.name, image.image_raw) for image in record.further)):
            suffix = format_of(data)
            if suffix is None:
                of_size = "" if size is None else f" of {size}"
                what = f"the record at byte {offset} holds neither a JPEG nor a PNG{of_size}."
                raise RecordError(what, mend="Extract the slide again.", path=records)
            name = f"{stem}.{suffix}"
            names.append(name if size is None else loose_name(name, size))
            (folder / names[-1]).write_bytes(data)
    return names


def _checked(slide: str, offset: int, records: Path) -> str:
    """Name of a slide, if it can begin the name of a file: one with a slash would lead out of the folder."""
    if not slide or set(slide) & set("/\\\0"):
        what = f"the record at byte {offset} is of slide {slide[:80]!r}, which no file can be named after."
        raise RecordError(what, mend="Rename the slide, and extract it again.", path=records)
    return slide


def _check_foreign(part: Path, folder: Path, names: list[str]) -> None:
    for name in names:
        there = folder / name
        if there.exists() and (not there.is_file() or there.read_bytes() != (part / name).read_bytes()):
            raise RecordError(
                "exists already, and is another image.",
                mend="Give another folder, or overwrite=True to replace it.",
                path=there,
            )
