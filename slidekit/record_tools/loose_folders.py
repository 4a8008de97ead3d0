"""Many folders of loose tiles into TFRecords; loose tiles are removed only when the records are known to be whole."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path

from slidekit.errors import RecordError
from slidekit.io.tfrecord import TileRecord, iter_records
from slidekit.record_tools.batch import check_stop, for_each
from slidekit.record_tools.destination import check_destination, check_sources, writing_into
from slidekit.record_tools.indexing import write_manifests
from slidekit.record_tools.loose import FromTiles, records_from_tiles
from slidekit.record_tools.loose_names import names_without_place
from slidekit.wording import some_of

__all__ = ["pack_folders"]

_log = logging.getLogger("slidekit")


def pack_folders(
    folders: Mapping[Path, Path],
    *,
    shuffle: bool = True,
    seed: int = 0,
    delete_tiles: bool = False,
    overwrite: bool = False,
    num_workers: int | None = None,
    further: Collection[str] | None = None,
) -> list[Path]:
    """Write folders of loose tiles into TFRecord files, with indexes and manifest, several at a time.

    Parameters
    ----------
    folders
        Folder of a slide's loose tiles to its TFRecord file.
    shuffle, seed, overwrite
        As for `records_from_tiles`.
    delete_tiles
        Remove the tiles of a folder when its records have been read back, and the folder if it is empty then.
    num_workers
        Threads; one a core by default.
    further
        As for `records_from_tiles`.

    Returns
    -------
    list of Path
        The TFRecord files; there is none for a folder without tiles.

    Raises
    ------
    SpecError
        Before any work, if two folders would become one file.
    RecordError
        Before any work, if a file exists, or with `delete_tiles` the name of a picture holds no place; or if a tile
        cannot be decoded, lacks one of its sizes, or with `delete_tiles` is of another number of pixels, when all
        other folders are finished. Nothing is removed from a folder in which one does.
    """
    check_sources(folders.items())
    check_destination(folders.values(), overwrite=overwrite)
    if delete_tiles:
        _check_all_tiles(folders)

    def work(pair: tuple[Path, Path]) -> FromTiles:
        folder, dest = pair
        made = records_from_tiles(
            folder, dest, shuffle=shuffle, seed=seed, overwrite=overwrite, one_size=delete_tiles, further=further
        )
        if delete_tiles and made.tiles:
            _remove_tiles(folder, dest, made)
        return made

    with writing_into(dest.parent for dest in folders.values()):
        results = for_each(
            work,
            list(folders.items()),
            name=lambda pair: pair[0].name,
            num_workers=num_workers,
            after=lambda done: write_manifests(pair[1].parent for pair, made in done if made.tiles),
        )
    if without := sum(made.without_place for made in results):
        _log.warning("%d loose tiles have no coordinates in their names: theirs are (0, 0)", without)
    return [dest for dest, made in zip(folders.values(), results, strict=True) if made.tiles]


def _check_all_tiles(folders: Mapping[Path, Path]) -> None:
    """Refuse to take pictures for tiles, and to remove them, whose names are not those of tiles."""
    for folder in folders:
        if names := names_without_place(folder):
            raise RecordError(
                f"holds pictures whose names are not those of tiles: {some_of(names, 3)}.",
                mend="Move them away, or pack without delete_tiles.",
                path=folder,
            )


def _remove_tiles(folder: Path, dest: Path, made: FromTiles) -> None:
    records = images = 0
    for _, payload in iter_records(dest):
        check_stop()
        records += 1
        images += 1 + len(TileRecord.decode(payload, path=dest).further)
    if (records, images) != (made.records, len(made.tiles)):
        what = (
            f"holds {records} records with {images} images, where {made.records} with {len(made.tiles)} were written: "
            "no loose tile was removed."
        )
        raise RecordError(what, mend="Check the disk.", path=dest)
    for tile in made.tiles:
        tile.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()
