"""TFRecords into loose tiles, and loose tiles into TFRecords."""

from __future__ import annotations

import logging
from pathlib import Path

from slidekit.collection.sources import PathLike
from slidekit.dataset.record_lookup import RecordLookup
from slidekit.errors import DatasetError
from slidekit.io.atomic import PART

__all__ = ["LooseTiles", "as_folder"]

logger = logging.getLogger(__name__)


def as_folder(path: PathLike) -> Path:
    """A path as a caller writes it, as an absolute one."""
    return Path(path).expanduser().absolute()


class LooseTiles(RecordLookup):
    """What `Dataset` does with tiles that are files of their own."""

    def extract_tiles_from_tfrecords(
        self, dest: PathLike | None = None, *, overwrite: bool = False, num_workers: int | None = None
    ) -> dict[str, list[Path]]:
        """Write every tile as a file of its own, ``{slide}/{slide}-{loc_x}-{loc_y}.jpg``, as `save_tiles` does.

        Parameters
        ----------
        dest
            Folder in which one is made for each slide; default that of the dataset's loose tiles.
        overwrite
            Whether files of the same names are replaced; such with the same content are no obstacle.
        num_workers
            Threads; one a core by default.

        Returns
        -------
        dict
            Slide to its files.

        Raises
        ------
        DatasetError
            If there are no TFRecords, or no folder for loose tiles.
        RecordError
            If a file is another image, or records are damaged.
        """
        from slidekit.record_tools.batch import for_each
        from slidekit.record_tools.destination import no_empty_folders
        from slidekit.record_tools.loose import tiles_from_records

        homes = {name: self._tiles_home(path, dest) / name for name, path in self._demand_records().items()}
        files = self._record_files()
        with no_empty_folders(homes.values()):
            made = for_each(
                lambda name: tiles_from_records(
                    files[name], homes[name], overwrite=overwrite, further=self.more_names or None
                ),
                list(homes),
                name=str,
                num_workers=num_workers,
            )
        return dict(zip(homes, made, strict=True))

    def _tiles_home(self, records: Path, dest: PathLike | None) -> Path:
        if dest is not None:
            return as_folder(dest)
        for source in self.sources:
            if source.tiles is not None and source.tfrecords == records.parent.parent:
                return source.tiles / records.parent.name
        raise DatasetError("The dataset has no folder for loose tiles.", mend="Give dest=, or tiles= to the dataset.")

    def tfrecords_from_tiles(
        self,
        delete_tiles: bool = False,
        *,
        dest: PathLike | None = None,
        shuffle: bool = True,
        seed: int = 0,
        overwrite: bool = False,
        num_workers: int | None = None,
    ) -> list[Path]:
        """Write loose tiles, a folder a slide, into TFRecords, with the places that stand in their names.

        Parameters
        ----------
        delete_tiles
            Remove the loose tiles of a slide when its TFRecord file is complete and has been read back. Pictures that
            are no tiles, by their names or their size, are an error then.
        dest
            Folder in which one is made for the size of tile; default `tfrecords` of the dataset, which is to be made
            anew then to find them.
        shuffle, seed
            Put the records of a slide into a random order, as `extract_tiles` does; else rows from top to bottom.
        overwrite, num_workers
            As for `resize_tfrecords`.

        Returns
        -------
        list of Path
            The new files. Tiles are JPEG and PNG ``{slide}-{loc_x}-{loc_y}``; where a name has no place it is (0, 0),
            and the log says how many.

        Raises
        ------
        DatasetError
            If there are no folders of loose tiles, or nowhere to write to.
        SpecError
            Before any work, if two folders would become one file.
        RecordError
            If a file exists, or a tile cannot be decoded, lacks one of the dataset's sizes, or has another.
        """
        from slidekit.record_tools.loose_folders import pack_folders

        label = self._demand_label()
        folders = {folder: home / label / f"{folder.name}.tfrecords" for folder, home in self._loose_folders(dest)}
        if not folders:
            raise DatasetError(
                f"There are no folders of loose tiles of {label}.",
                mend="Give tiles=, the folder that holds it, to the dataset.",
            )
        return pack_folders(
            folders,
            shuffle=shuffle,
            seed=seed,
            delete_tiles=delete_tiles,
            overwrite=overwrite,
            num_workers=num_workers,
            further=self.more_names,
        )

    def _loose_folders(self, dest: PathLike | None) -> list[tuple[Path, Path]]:
        """Folder of loose tiles of each slide that is selected, and where TFRecords are to go."""
        label, any_name = self._demand_label(), not self._collection.table.slides
        wanted = self._wanted_slides()
        found: list[tuple[Path, Path]] = []
        for source in self.sources:
            home = source.tiles / label if source.tiles is not None else None
            if home is None or not home.is_dir():
                continue
            records = as_folder(dest) if dest is not None else source.tfrecords
            if records is None:
                raise DatasetError("The dataset has no folder for TFRecords.", mend="Give dest=, or tfrecords=.")
            # Without annotations and slides there are no names to compare with.
            for folder in sorted(home.iterdir()):
                if not folder.is_dir() or not (folder.name in wanted or any_name):
                    continue
                if folder.name not in wanted and folder.suffix == PART:
                    # A slide may be called so, and be selected by its name.
                    logger.warning("%s is what a run that was cut off has left, and is passed over", folder)
                    continue
                found.append((folder, records))
        return found
