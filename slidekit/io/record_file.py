"""`TFRecord`: the tiles of one TFRecord file, by number or by place on the slide."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slidekit.errors import RecordError, SpecError
from slidekit.io.example import decode_example
from slidekit.io.index_bulk import Run
from slidekit.io.record_index import RecordIndex, read_index
from slidekit.io.record_reader import RecordReader
from slidekit.io.record_scan import are_all_records
from slidekit.io.record_table import RecordTable
from slidekit.io.tfrecord import TileRecord
from slidekit.io.tile_image import decode_image, image_format
from slidekit.io.user_file import check_regular

__all__ = ["TFRecord", "check_place"]

_OURS = ("grid_x", "grid_y", "roi_name", "label")
"""Features that only some records have."""


class TFRecord:
    """A TFRecord file of tiles, slidekit's or Slideflow's, for random access.

    It may be shared by threads, copied to other processes and pickled; what is read depends on no position. It can be
    used in a ``with`` statement.

    Parameters
    ----------
    path
        The file.
    index
        Path of its index, or an array (n, 2) of byte offsets and bytes with framing; None takes the index beside the
        file if it fits, and else looks through the file, as the log then says.
    check_crc
        Compare the checksums of a record when it is read.
    decode_images
        Give images decoded.

    Raises
    ------
    RecordError
        If the file cannot be read, is damaged or cut off, or is not what `index` says.
    SpecError
        If `index` is neither a path nor such an array.

    Examples
    --------
    >>> with TFRecord("slide.tfrecords") as tiles:  # doctest: +SKIP
    ...     tile = tiles[0]
    ...     tile["slide"], tile["loc_x"], tile["loc_y"], len(tile["image_raw"])
    """

    def __init__(
        self,
        path: str | Path,
        index: str | Path | ArrayLike | None = None,
        *,
        check_crc: bool = True,
        decode_images: bool = False,
    ) -> None:
        self.path = Path(path)
        self._decode_images = decode_images
        self._table = RecordTable.open([self.path]) if index is None else _table_of(self.path, index)
        self._reader: RecordReader | None = RecordReader(self._table, check_crc=check_crc)

    def __len__(self) -> int:
        return len(self._table)

    def __repr__(self) -> str:
        return f"<TFRecord {self.path}: {len(self):,} tiles>"

    def __getitem__(self, number: SupportsIndex) -> dict[str, Any]:
        """Read a tile.

        Parameters
        ----------
        number
            Its place in the file; negative ones count from the end.

        Returns
        -------
        dict
            ``slide`` (str); ``image_raw`` (bytes of a JPEG or PNG), or ``image`` (uint8 (rows, columns, 3), RGB) if
            `decode_images`; ``loc_x``, ``loc_y`` (int, centre, level-0 pixels); and where the record has them
            ``grid_x``, ``grid_y`` (int), ``roi_name``, ``label`` (str). Of concentric tiles also ``image_raw_512um``,
            or ``image_512um``, and so on.

        Raises
        ------
        IndexError
            If there is no such tile.
        RecordError
            If it is damaged.
        """
        return self._read(self._check(number), self._decode_images)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[number] for number in range(len(self)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; nothing can be read from it after that."""
        self._reader = None

    @property
    def locations(self) -> NDArray[np.int64]:
        """(n, 2), int64: centres of the tiles, level-0 pixels, (x, y); zeros where they are unknown."""
        return self._table.locations

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the features of the first record, sorted; none in an empty file."""
        if not len(self):
            return ()
        (payload,) = self._open_reader().payloads([0])
        return tuple(sorted(decode_example(payload, path=self.path)))

    @property
    def img_format(self) -> str | None:
        """``"jpeg"`` or ``"png"``, as the first image is; None in an empty file."""
        if not len(self):
            return None
        record = self._record(0)
        try:
            return image_format(record.image_raw)
        except ValueError as error:
            raise self._damage(record, error) from error

    def get_record_by_xy(self, x: int, y: int, decode: bool | None = None) -> dict[str, Any]:
        """Read the tile at a place; the first, if there are several.

        Parameters
        ----------
        x, y
            Its centre, level-0 pixels.
        decode
            Give the image decoded; None does as `decode_images` says.

        Returns
        -------
        dict
            As of ``[number]``.

        Raises
        ------
        RecordError
            If there is no tile at this place, or it is damaged, or is of another place than the index says.
        """
        found = np.flatnonzero((self.locations == (x, y)).all(axis=1))
        if not len(found):
            what = f"has no tile at ({x}, {y})."
            raise RecordError(what, mend="Its property locations lists the centres of all tiles.", path=self.path)
        record = self._record(int(found[0]))
        check_place(record, (x, y), self.path)
        return self._tile(record, self._decode_images if decode is None else decode)

    def _check(self, number: SupportsIndex) -> int:
        place = operator.index(number)
        if not -len(self) <= place < len(self):
            raise IndexError(f"{self.path.name} has {len(self)} tiles, none is number {place}")
        return place % len(self)

    def _open_reader(self) -> RecordReader:
        if self._reader is None:
            raise RecordError(
                "is closed.", mend="Read from it before close(), or within the with statement.", path=self.path
            )
        return self._reader

    def _record(self, number: int) -> TileRecord:
        (record,) = self._open_reader().records([number])
        return record

    def _read(self, number: int, decode: bool) -> dict[str, Any]:
        return self._tile(self._record(number), decode)

    def _tile(self, record: TileRecord, decode: bool) -> dict[str, Any]:
        tile: dict[str, Any] = {"slide": record.slide}
        images = (("", record.image_raw), *((f"_{image.name}", image.image_raw) for image in record.further))
        for size, data in images:
            if not decode:
                tile[f"image_raw{size}"] = data
                continue
            try:
                tile[f"image{size}"] = decode_image(data)
            except ValueError as error:
                raise self._damage(record, error) from error
        tile |= {"loc_x": record.loc_x, "loc_y": record.loc_y}
        return tile | {name: value for name in _OURS if (value := getattr(record, name)) is not None}

    def _damage(self, record: TileRecord, error: ValueError) -> RecordError:
        return RecordError(
            f"the tile at ({record.loc_x}, {record.loc_y}) cannot be decoded: {error}.",
            mend="Extract the slide again; slidekit verify names all that is damaged.",
            path=self.path,
        )


def check_place(record: TileRecord, location: tuple[int, int], path: Path) -> None:
    """Make sure that a record that was found by its place is of that place.

    Parameters
    ----------
    record
        What was read.
    location
        Where the index says that it is, centre, level-0 pixels.
    path
        The TFRecord file.

    Raises
    ------
    RecordError
        If the index is of another file whose records have the same lengths.
    """
    if (record.loc_x, record.loc_y) != tuple(location):
        raise RecordError(
            f"its index says that a tile is at ({location[0]}, {location[1]}), and the record itself "
            f"({record.loc_x}, {record.loc_y}).",
            mend="Make the index anew: Dataset.rebuild_index(), or remove it.",
            path=path,
        )


def _as_pairs(index: ArrayLike) -> NDArray[np.int64]:
    mend = "Give an array (n, 2) of byte offsets and bytes with framing, or the path of an index."
    try:
        pairs = np.asarray(index)
    except ValueError as error:
        raise SpecError(f"This is no index of records: {error}.", mend=mend) from error
    if not pairs.size and pairs.ndim <= 2:
        return np.empty((0, 2), np.int64)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        raise SpecError(f"An array {pairs.dtype} {pairs.shape} is no index of records.", mend=mend)
    return pairs.astype(np.int64)


def _table_of(path: Path, index: str | Path | ArrayLike) -> RecordTable:
    """Table of a file by an index that was given."""
    size = check_regular(path, error=RecordError)
    given = read_index(Path(index)) if isinstance(index, str | Path) else RecordIndex(_as_pairs(index), None)
    order = np.argsort(given.extents[:, 0], kind="stable")
    extents = given.extents[order]
    if not are_all_records(extents, size):
        raise RecordError(
            "is not what its index says.", mend="Leave index= out, and the file is looked through.", path=path
        )
    locations = None if given.locations is None else given.locations[order]
    return RecordTable([path], np.array([size]), [Run([len(extents)], extents)], locations)
