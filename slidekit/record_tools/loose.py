"""Loose tiles, a file each, into TFRecords and back; a tile's place is in its name."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from slidekit.errors import RecordError
from slidekit.io.atomic import private_part
from slidekit.io.tfrecord import FurtherImage, TileRecord, iter_records, loose_name
from slidekit.io.user_file import read_bytes
from slidekit.record_tools.batch import check_stop
from slidekit.record_tools.images import decode_tile, format_of
from slidekit.record_tools.writing import RecordWriter
from slidekit.seeding import slide_generator

__all__ = ["FromTiles", "names_without_place", "records_from_tiles", "tiles_from_records"]

_SUFFIXES = (".jpg", ".jpeg", ".png")
_AFTER_SLIDE = re.compile(r"-(-?\d{1,18})-(-?\d{1,18})(?:_\d+)?")
_PLACE = re.compile(r".*-(\d{1,18})-(\d{1,18})(?:_\d+)?", re.DOTALL)
"""``{slide}-{loc_x}-{loc_y}``, as `save_tiles` and Slideflow write it; ``_2`` is added to a place that comes again."""

_OF_SIZE = re.compile(r"(.*-\d{1,18}-\d{1,18}(?:_\d+)?)_(\d[\d.e+-]*um|\d[\d.]*x)", re.DOTALL)
"""With the size of a concentric tile behind it."""


@dataclass(frozen=True)
class FromTiles:
    """What became of a folder of loose tiles.

    Attributes
    ----------
    tiles
        Files that are in the TFRecord file now.
    without_place
        How many of them have no coordinates in their names: theirs are (0, 0).
    records
        Number of records.
    """

    tiles: tuple[Path, ...]
    without_place: int
    records: int


def records_from_tiles(
    folder: Path, dest: Path, *, shuffle: bool = True, seed: int = 0, overwrite: bool = False, one_size: bool = False
) -> FromTiles:
    """Write the loose tiles of a slide into a TFRecord file, with its index.

    Parameters
    ----------
    folder
        Folder of JPEG and PNG files ``{slide}-{loc_x}-{loc_y}.jpg``; other files in it are passed over. A file
        ``{slide}-{loc_x}-{loc_y}_512um.jpg`` is a concentric tile, and goes into the record of its tile; whether it
        reaches over the slide's edge is not known then.
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

    Returns
    -------
    FromTiles
        The bytes of the images are taken as they are.

    Raises
    ------
    RecordError
        If a tile cannot be decoded, or is of another size, naming it; or `dest` exists. Nothing is left behind then.
    """
    further = _further(folder)
    tiles = sorted(_tiles(folder), key=lambda tile: (tile[2], tile[1], tile[0].name))
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
            path, loc_x, loc_y = tiles[int(number)]
            data = read(path)
            around = tuple(FurtherImage(name, read(of_size)) for name, of_size in further.get(path.stem, ()))
            writer.append(TileRecord(dest.stem, data, loc_x, loc_y, further=around).encode(), (loc_x, loc_y))
    used = (path for tile, _, _ in tiles for path in (tile, *(one for _, one in further.get(tile.stem, ()))))
    return FromTiles(tuple(used), len(names_without_place(folder)), len(tiles))


def names_without_place(folder: Path) -> list[str]:
    """Names of the pictures in a folder of loose tiles that do not say where the tile is, sorted."""
    return sorted(path.name for path, _, _ in _tiles(folder) if _place(path) is None)


def _pictures(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".") and path.is_file():
            yield path


def _tiles(folder: Path) -> Iterator[tuple[Path, int, int]]:
    further = {path for files in _further(folder).values() for _, path in files}
    for path in _pictures(folder):
        if path not in further:
            yield (path, *(_place(path) or (0, 0)))


def _further(folder: Path) -> dict[str, list[tuple[str, Path]]]:
    """Stem of a tile's name to its concentric tiles of further sizes: their sizes, and their files."""
    pictures = sorted(_pictures(folder))
    stems = {path.stem for path in pictures}
    found: dict[str, list[tuple[str, Path]]] = {}
    for path in pictures:
        match = _OF_SIZE.fullmatch(path.stem)
        if match is not None and match[1] in stems:
            found.setdefault(match[1], []).append((match[2], path))
    return found


def _place(path: Path) -> tuple[int, int] | None:
    # Behind the slide's name, that of the folder, a second hyphen is a sign.
    slide = path.parent.name
    found = _AFTER_SLIDE.fullmatch(path.stem[len(slide) :]) if path.stem.startswith(slide) else None
    found = found or _PLACE.fullmatch(path.stem)
    return (int(found[1]), int(found[2])) if found else None


def tiles_from_records(records: Path, folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Write every image of a TFRecord file as a file of its own; they take their places when all are written.

    Parameters
    ----------
    records
        The file.
    folder
        Where they go; other files in it stay.
    overwrite
        Whether files of the same names and other content are replaced.

    Returns
    -------
    list of Path
        ``{slide}-{loc_x}-{loc_y}.jpg`` or ``.png``, as `save_tiles` names them, in the order of the records; the bytes
        are those of the record. A place that comes again has ``_2`` after it, and so on. Of concentric tiles those of
        further sizes follow their own: ``{slide}-{loc_x}-{loc_y}_512um.jpg``.

    Raises
    ------
    RecordError
        If a record is damaged or no tile, or a file of such a name has another content. Nothing is changed then.
    """
    part = private_part(folder)
    part.mkdir(parents=True)  # not one that is there already
    try:
        names = _write_tiles(records, part)
        if not overwrite:
            _check_foreign(part, folder, names)
        folder.mkdir(exist_ok=True)
        for name in names:
            (part / name).replace(folder / name)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return [folder / name for name in names]


def _write_tiles(records: Path, folder: Path) -> list[str]:
    names: list[str] = []
    seen: Counter[str] = Counter()
    for offset, payload in iter_records(records):
        check_stop()
        record = TileRecord.decode(payload, path=records)
        suffix = format_of(record.image_raw)
        if suffix is None:
            what = f"the record at byte {offset} holds neither a JPEG nor a PNG."
            raise RecordError(what, mend="Extract the slide again.", path=records)
        stem = f"{_checked(record.slide, offset, records)}-{record.loc_x}-{record.loc_y}"
        seen[stem] += 1
        name = f"{stem}_{seen[stem]}.{suffix}" if seen[stem] > 1 else f"{stem}.{suffix}"
        for size, data in ((None, record.image_raw), *((image.name, image.image_raw) for image in record.further)):
            of_size = name if size is None else loose_name(name, size)
            (folder / of_size).write_bytes(data)
            names.append(of_size)
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
