"""Export to zarr (version 3): one array of all images, read at any place without decoding its neighbours' files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import MissingExtraError, RecordError
from slidekit.export.base import ExportOptions, ExportTile, OnProgress, TileSource
from slidekit.export.folder import FILES_KEY, list_files
from slidekit.io.tile_image import decode_image
from slidekit.pixels.image import RGBImage

if TYPE_CHECKING:
    import zarr

__all__ = ["list_in_zarr", "write_zarr"]

_SHARD_MB = 64.0
_CHUNK = 1 << 21
"""Bytes of pixels that are compressed, and read, together."""

_NUMBERS_A_CHUNK = 1 << 15


def write_zarr(source: TileSource, folder: Path, options: ExportOptions, on_progress: OnProgress | None = None) -> int:
    """Write a zarr group into a folder; one shard of pixels is in memory at a time.

    Its arrays, a row a tile: ``images`` (n, rows, columns, 3) uint8 RGB, and of concentric tiles ``images_512um`` and
    so on · ``locations`` (n, 2) int64, centres (x, y) in
    level-0 pixels · ``grid`` (n, 2) int64, -1 where unknown · ``slide``, ``roi``, ``roi_label`` (n,) int32, places in
    the attributes ``slides``, ``roi_names``, ``roi_labels``, -1 for none · ``labels`` (n,) where there are labels:
    int64, places in the attribute ``classes``, or float64.

    Returns
    -------
    int
        Number of tiles.

    Raises
    ------
    MissingExtraError
        If zarr is not installed.
    RecordError
        If a record is damaged, or tiles are not of one size.
    """
    try:
        import zarr
    except ImportError as error:
        raise MissingExtraError(
            "An export to zarr needs zarr, which is not installed.", mend='pip install "slidekit[export]"'
        ) from error
    group = zarr.create_group(folder, zarr_format=3)
    writer = _Writer(source, group, (options.shard_mb or _SHARD_MB) * 1e6)
    for tile in source.tiles(on_progress):
        writer.add(tile)
    writer.finish()
    return writer.count


def list_in_zarr(folder: Path) -> None:
    """Write the names of all files of a group into its attributes, so that an overwrite knows what is its own."""
    import zarr

    group = zarr.open_group(folder, mode="r+", zarr_format=3)
    group.attrs.put({**group.attrs.asdict(), FILES_KEY: list_files(folder)})


class _Writer:
    """Tiles on their way into the arrays, a shard at a time."""

    def __init__(self, source: TileSource, group: zarr.Group, shard_bytes: float) -> None:
        self.count = 0
        self._source = source
        self._group = group
        self._shard_bytes = shard_bytes
        self._shard = 0
        self._images = ("images", *(f"images_{size}" for size in source.further))
        self._held: list[tuple[RGBImage, ...]] = []
        self._rows: dict[str, list[Any]] = {}
        self._names: dict[str, dict[str, int]] = {"slides": {}, "roi_names": {}, "roi_labels": {}}
        self._patients: dict[str, str] = {}
        self._annotations: dict[str, dict[str, str]] = {}
        self._classes = {name: index for index, name in enumerate(source.classes)}

    def add(self, tile: ExportTile) -> None:
        images = tuple(_decode(tile, size, self._source) for size in (None, *self._source.further))
        if self._shard == 0:
            self._make_arrays(images[0].shape)
        pairs = zip(("", *self._source.further), images, strict=True)
        if others := [(size, image.shape) for size, image in pairs if image.shape != self._shape]:
            size, (rows, columns, _) = others[0]
            raise RecordError(
                f"the tile at ({tile.record.loc_x}, {tile.record.loc_y}){size and f', {size},'} is {columns} × {rows} "
                f"px, and others {self._shape[1]} × {self._shape[0]}.",
                mend="Export tiles of one size, or to webdataset or parquet.",
                path=self._source.slides[tile.file].path,
            )
        self._held.append(images)
        for name, value in self._numbers(tile).items():
            self._rows.setdefault(name, []).append(value)
        if len(self._held) == self._shard:
            self._flush()

    def finish(self) -> None:
        """Write what is held, and the attributes."""
        self._flush()
        if self._shard:
            for name in self._group.array_keys():
                array = self._group[name]
                array.resize((self.count, *array.shape[1:]))  # type: ignore[union-attr]
        attributes: dict[str, Any] = {**self._source.facts, "tiles": self.count}
        attributes |= {name: list(places) for name, places in self._names.items()}
        attributes["patients"] = self._patients
        if self._annotations:
            attributes["annotations"] = self._annotations
        if self._source.label_kind == "class":
            attributes["classes"] = list(self._source.classes)
        self._group.attrs.put(attributes)

    def _make_arrays(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        size = int(np.prod(shape))
        chunk = max(1, _CHUNK // size)
        # Whole chunks; a shard that is written once and whole is never read again.
        held = int(self._shard_bytes // (size * chunk * len(self._images)))
        self._shard = chunk * max(1, min(held, -(-self._source.total // chunk)))
        total = max(1, self._source.total)
        for name in self._images:
            self._group.create_array(
                name,
                shape=(total, *shape),
                chunks=(chunk, *shape),
                shards=(self._shard, *shape),
                dtype="uint8",
                dimension_names=("tile", "row", "column", "channel"),
            )
        kinds: dict[str, Any] = {"locations": "int64", "grid": "int64"}
        kinds |= {"slide": "int32", "roi": "int32", "roi_label": "int32"}
        if self._source.label_kind is not None:
            kinds["labels"] = "float64" if self._source.label_kind == "number" else "int64"
        for name, kind in kinds.items():
            rest = (2,) if name in ("locations", "grid") else ()
            names = ("tile", "axis") if rest else ("tile",)
            length = min(total, _NUMBERS_A_CHUNK)
            self._group.create_array(
                name, shape=(total, *rest), chunks=(length, *rest), dtype=kind, dimension_names=names
            )

    def _numbers(self, tile: ExportTile) -> dict[str, Any]:
        record = tile.record
        if record.slide not in self._patients:
            self._patients[record.slide] = tile.patient
            if tile.annotations:
                self._annotations[record.slide] = dict(tile.annotations)
        has_cell = record.grid_x is not None and record.grid_y is not None
        numbers: dict[str, Any] = {
            "locations": (record.loc_x, record.loc_y),
            "grid": (record.grid_x, record.grid_y) if has_cell else (-1, -1),
            "slide": self._place("slides", record.slide),
            "roi": self._place("roi_names", record.roi_name),
            "roi_label": self._place("roi_labels", record.label),
        }
        if self._source.label_kind is not None:
            numbers["labels"] = self._classes.get(str(tile.label), tile.label)
        return numbers

    def _place(self, names: str, name: str | None) -> int:
        return -1 if name is None else self._names[names].setdefault(name, len(self._names[names]))

    def _flush(self) -> None:
        if not self._held:
            return
        start, self.count = self.count, self.count + len(self._held)
        for name, images in zip(self._images, zip(*self._held, strict=True), strict=True):
            self._write(name, start, np.stack(images))
        for name, values in self._rows.items():
            self._write(name, start, np.array(values))
        self._held, self._rows = [], {}

    def _write(self, name: str, start: int, values: NDArray[Any]) -> None:
        self._group[name][start : start + len(values)] = values  # type: ignore[index]


def _decode(tile: ExportTile, size: str | None, source: TileSource) -> RGBImage:
    path = source.slides[tile.file].path
    try:
        return decode_image(tile.record.image(size, path=path))
    except ValueError as error:
        raise RecordError(
            f"the tile at ({tile.record.loc_x}, {tile.record.loc_y}){'' if size is None else f', {size},'} is not an "
            f"image that can be decoded: {error}.",
            mend="Extract the slide again; slidekit verify names all that is damaged.",
            path=path,
        ) from error
