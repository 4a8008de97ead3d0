"""Where a dataset's TFRecords are, and where tiles are in them; their indexes and manifests."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING

from slidekit.collection.selection import Selection
from slidekit.errors import DatasetError, SpecError
from slidekit.wording import some_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from slidekit.pixels.image import RGBImage

__all__ = ["RecordLookup"]


def _as_place(loc: Sequence[int]) -> tuple[int, int]:
    try:
        x, y = (index(value) for value in loc)
    except (TypeError, ValueError) as error:
        mend = "Give the tile's centre (x, y), two whole numbers, as get_tfrecord_locations lists it."
        raise SpecError(f"loc={loc!r} is no place on a slide.", mend=mend) from error
    return x, y


class RecordLookup(Selection):
    """What `Dataset` knows about its TFRecord files."""

    def _record_files(self) -> dict[str, Path]:
        """Slide to TFRecord file, for the slides that have one."""
        return self._records()

    def _demand_records(self) -> dict[str, Path]:
        files = self._record_files()
        if not files:
            raise self._say_no_records()
        return files

    def _record_file(self, slide: str) -> Path:
        files = self._record_files()
        if slide not in files:
            names = some_of(list(files), 3) or "none"
            raise DatasetError(f"There are no TFRecords of slide {slide!r}.", mend=f"There are: {names}.")
        return files[slide]

    def find_tfrecord(self, *, slide: str | None = None, patient: str | None = None) -> Path | None:
        """TFRecord file of one slide of this dataset.

        Parameters
        ----------
        slide
            Name of the slide.
        patient
            Name of the patient, instead.

        Returns
        -------
        Path or None
            None if this dataset, filters included, has no such slide, or the slide no TFRecords.

        Raises
        ------
        DatasetError
            If both or neither is given, or the patient has several files.
        """
        if (slide is None) == (patient is None):
            raise DatasetError("find_tfrecord needs either slide= or patient=.", mend="Give one of them.")
        patients = self.patients()
        files = {
            name: path
            for name, path in self._record_files().items()
            if name == slide or (patient is not None and patients[name] == patient)
        }
        if len(files) > 1:
            raise DatasetError(
                f"Patient {patient!r} has {len(files)} TFRecord files: {some_of(list(files))}.", mend="Give slide=."
            )
        return next(iter(files.values()), None)

    def tfrecords_folders(self) -> list[Path]:
        """Folders of TFRecords of this size of tile that exist, one a source at most.

        Raises
        ------
        DatasetError
            If the dataset has no size of tile.
        """
        label = self._demand_label()
        folders = [source.tfrecords / label for source in self.sources if source.tfrecords is not None]
        return sorted({folder for folder in folders if folder.is_dir()})

    def tfrecords_by_subfolder(self, subfolder: str) -> list[Path]:
        """TFRecord files of the dataset's slides in another folder beside those of this size of tile.

        Parameters
        ----------
        subfolder
            Name of the folder, such as ``299px_302um``.

        Returns
        -------
        list of Path
            In the order of the slides' names.
        """
        files = {name: path for source in self.sources for name, path in source.records(subfolder).items()}
        wanted = self._wanted_slides()
        return [path for name, path in sorted(files.items()) if name in wanted]

    def _wanted_slides(self) -> frozenset[str]:
        """Slides of the dataset, and those that have neither a file nor TFRecords yet but a row that meets the filters.

        The latter stand on no side of a split.
        """
        wanted = frozenset(self.slides())
        if self._side is not None:
            return wanted
        return wanted | (self._filters.select(self._collection.table) - self._collection.names)

    def get_tfrecord_locations(self, slide: str) -> npt.NDArray[np.int64]:
        """Centres of a slide's tiles in the order of its TFRecord file.

        Parameters
        ----------
        slide
            Name of the slide.

        Returns
        -------
        ndarray (n, 2), int64
            (x, y), level-0 pixels; (0, 0) where the records do not say.

        Raises
        ------
        DatasetError
            If there are no TFRecords of the slide.
        RecordError
            If they are damaged.
        """
        from slidekit.record_tools.lookup import locations_of

        return locations_of(self._record_file(slide))

    def tfrecords_have_locations(self) -> bool:
        """Whether all TFRecords say where their tiles are.

        Raises
        ------
        DatasetError
            If there are no TFRecords.
        RecordError
            If some are damaged.
        """
        from slidekit.record_tools.lookup import has_locations

        return all(has_locations(path) for path in self._demand_records().values())

    def read_tfrecord_by_location(
        self, slide: str, loc: tuple[int, int], decode: bool | None = None
    ) -> tuple[str, RGBImage | bytes]:
        """Read one tile by its place.

        Parameters
        ----------
        slide
            Name of the slide.
        loc
            The tile's centre (x, y), level-0 pixels.
        decode
            False gives the JPEG or PNG as it stands in the record.

        Returns
        -------
        (str, ndarray or bytes)
            Name of the slide, and the image (rows, columns, 3), uint8 RGB; of concentric tiles, that of the first size.

        Raises
        ------
        DatasetError
            If there are no TFRecords of the slide.
        SpecError
            If `loc` is not two whole numbers.
        RecordError
            If there is no tile at that place, with the nearest; or the record is damaged, or of another place than the
            index says.
        """
        from slidekit.record_tools.images import decode_tile
        from slidekit.record_tools.lookup import record_at

        record = record_at(self._record_file(slide), _as_place(loc))
        return record.slide, record.image_raw if decode is False else decode_tile(record.image_raw)

    def build_index(self, force: bool = True, *, num_workers: int | None = None) -> list[Path]:
        """Write the indexes beside the TFRecords.

        Parameters
        ----------
        force
            Write all anew; else only those that are missing, or do not fit their files.
        num_workers
            Threads; None is one a core, 0 and 1 use no other.

        Returns
        -------
        list of Path
            The indexes that were written.

        Raises
        ------
        RecordError
            If a file is damaged, naming the byte, when all others are finished; its index stays as it was.
        """
        from slidekit.record_tools.indexing import build_indexes

        return build_indexes(list(self._record_files().values()), force=force, num_workers=num_workers)

    def rebuild_index(self) -> list[Path]:
        """Write all indexes anew, as ``build_index(force=True)``."""
        return self.build_index(force=True)

    def update_manifest(self) -> dict[Path, dict[str, int]]:
        """Write ``manifest.json`` in the folders of the TFRecords; all files in them count, filters or not.

        Nothing is removed: files that are damaged or empty are left out of the manifest and named in the log.

        Returns
        -------
        dict
            Folder to the number of tiles by name of the file.

        Raises
        ------
        RecordError
            If a manifest cannot be written.
        """
        from slidekit.record_tools.indexing import write_manifest

        return {folder: write_manifest(folder) for folder in self.tfrecords_folders()}
