"""Export to parquet: a row a tile, with the image as Hugging Face ``datasets`` and others know it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slidekit.errors import MissingExtraError
from slidekit.export.base import ExportOptions, ExportTile, LabelKind, OnProgress, TileSource
from slidekit.io.tfrecord import loose_name

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["COLUMNS", "write_parquet"]

_SHARD_MB = 500.0
_ROW_GROUP = 32 << 20
"""Bytes of images in a row group, the least that a reader loads; four fit what viewers load at once."""

_MOST_ROWS = 4096
_IMAGE = "image"
_TYPES = {
    "slide": "string",
    "patient": "string",
    "loc_x": "int64",
    "loc_y": "int64",
    "grid_x": "int64",
    "grid_y": "int64",
    "roi_name": "string",
    "roi_label": "string",
}
_LABEL_TYPES: dict[LabelKind, str] = {"class": "string", "index": "int64", "number": "float64"}
COLUMNS = (_IMAGE, *_TYPES, "label")
"""Names that columns of the annotations cannot have."""


def write_parquet(
    source: TileSource, folder: Path, options: ExportOptions, on_progress: OnProgress | None = None
) -> int:
    """Write ``{folder}/tiles-00000.parquet`` and so on.

    The columns are ``image`` (a struct of ``bytes``, those of the TFRecord, and ``path``), slide, patient, loc_x,
    loc_y, grid_x, grid_y, roi_name, roi_label, label where there are labels (text for classes), and those of the
    annotations. Concentric tiles are ``image_512um`` and so on, behind ``image``.

    Returns
    -------
    int
        Number of tiles.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    RecordError
        If a record is damaged.
    """
    try:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter
    except ImportError as error:
        raise MissingExtraError(
            "An export to parquet needs pyarrow, which is not installed.", mend='pip install "slidekit[export]"'
        ) from error
    schema = _schema(source)
    limit = (options.shard_mb or _SHARD_MB) * 1e6
    count, number, written = 0, 0, 0
    writer: ParquetWriter | None = None
    try:
        for group in _row_groups(source.tiles(on_progress), min(_ROW_GROUP, int(limit))):
            if writer is not None and written >= limit:
                writer.close()
                writer = None
            if writer is None:
                writer, number, written = _open(folder / f"tiles-{number:05}.parquet", schema), number + 1, 0
            writer.write_table(pa.Table.from_pylist([_row(tile) for tile in group], schema), row_group_size=_MOST_ROWS)
            count += len(group)
            written += sum(map(_bytes_of, group))
    finally:
        if writer is not None:
            writer.close()
    return count


def _open(path: Path, schema: pa.Schema) -> Any:
    from pyarrow.parquet import ParquetWriter

    # Compressing JPEG again costs time alone.
    images = [name for name in schema.names if schema.field(name).type == schema.field(_IMAGE).type]
    leaves = [*(f"{name}.path" for name in images), *(name for name in schema.names if name not in images)]
    texts = [name for name in schema.names if schema.field(name).type == "string"]
    compression = {f"{name}.bytes": "NONE" for name in images} | dict.fromkeys(leaves, "ZSTD")
    return ParquetWriter(path, schema, compression=compression, use_dictionary=texts, write_statistics=texts)


def _row_groups(tiles: Iterator[ExportTile], size: int) -> Iterator[list[ExportTile]]:
    """Tiles in groups of so many bytes, or somewhat more."""
    group: list[ExportTile] = []
    held = 0
    for tile in tiles:
        group.append(tile)
        held += _bytes_of(tile)
        if held >= size or len(group) >= _MOST_ROWS:
            yield group
            group, held = [], 0
    if group:
        yield group


def _schema(source: TileSource) -> pa.Schema:
    import pyarrow as pa

    types = dict(_TYPES)
    if source.label_kind is not None:
        types["label"] = _LABEL_TYPES[source.label_kind]
    types |= dict.fromkeys(source.annotations, "string")
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    images = [_IMAGE, *(f"{_IMAGE}_{size}" for size in source.further)]
    fields = [*((name, image) for name in images), *((name, pa.type_for_alias(kind)) for name, kind in types.items())]
    # Hugging Face's `datasets` looks here for what a column is.
    features = {name: {"_type": "Image"} for name in images}
    features |= {name: {"dtype": kind, "_type": "Value"} for name, kind in types.items()}
    metadata = {"huggingface": {"info": {"features": features}}, "slidekit": dict(source.facts)}
    return pa.schema(fields, {name: json.dumps(value) for name, value in metadata.items()})


def _row(tile: ExportTile) -> dict[str, Any]:
    record = tile.record
    stem = f"{record.slide}-{record.loc_x}-{record.loc_y}"
    images = {_IMAGE: {"bytes": record.image_raw, "path": f"{stem}.{tile.suffix}"}}
    for image in record.further:
        path = loose_name(f"{stem}.{tile.further[image.name]}", image.name)
        images[f"{_IMAGE}_{image.name}"] = {"bytes": image.image_raw, "path": path}
    return {**images, **tile.facts()}


def _bytes_of(tile: ExportTile) -> int:
    """Bytes of a tile's images."""
    return len(tile.record.image_raw) + sum(len(image.image_raw) for image in tile.record.further)
