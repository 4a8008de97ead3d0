"""Export to WebDataset: tar files of ``{key}.jpg`` and ``{key}.json``, for readers that stream."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from slidekit.errors import MissingExtraError
from slidekit.export.base import ExportOptions, ExportTile, OnProgress, TileSource

__all__ = ["sample_key", "write_webdataset"]

_SHARD_MB = 500.0

# A reader takes for the suffix what comes after the first dot, and folders into the key.
_QUOTED = {ord(character): f"%{ord(character):02X}" for character in "%./\\~"}


def write_webdataset(
    source: TileSource, folder: Path, options: ExportOptions, on_progress: OnProgress | None = None
) -> int:
    """Write ``{folder}/tiles-000000.tar`` and so on; the same tiles give the same bytes.

    A sample is ``{slide}-{loc_x}-{loc_y}`` with ``.jpg`` or ``.png`` (the bytes of the TFRecord), ``.json`` (slide,
    patient, centre in level-0 pixels, cell, region, label, columns of the annotations) and, unless labels are
    numbers, ``.cls`` with the index of the class. Concentric tiles are ``.512um.jpg`` and so on.

    Returns
    -------
    int
        Number of tiles.

    Raises
    ------
    MissingExtraError
        If the package webdataset is not installed.
    RecordError
        If a record is damaged.
    """
    try:
        from webdataset import ShardWriter
    except ImportError as error:
        raise MissingExtraError(
            "An export to WebDataset needs the package webdataset, which is not installed.",
            mend='pip install "slidekit[export]"',
        ) from error
    indices = {name: index for index, name in enumerate(source.classes)}
    count, file, keys = 0, -1, Counter[str]()
    shards = ShardWriter(
        # The library puts the number in by the operator %.
        str(folder).replace("%", "%%") + "/tiles-%06d.tar",
        maxcount=2**62,
        maxsize=(options.shard_mb or _SHARD_MB) * 1e6,
        verbose=0,
        mtime=0,  # whole: a fraction costs a header of its own for every file
    )
    with shards:
        for tile in source.tiles(on_progress):
            count += 1
            if tile.file != file:
                file, keys = tile.file, Counter()
            key = sample_key(source.slides[file].slide, tile)
            keys[key] += 1
            sample: dict[str, Any] = {
                # No key ends so by itself: a second tile of one place, which old files have.
                "__key__": key if keys[key] == 1 else f"{key}_{keys[key]}",
                tile.suffix: tile.record.image_raw,
                "json": tile.facts(),
            }
            sample |= {f"{image.name}.{tile.further[image.name]}": image.image_raw for image in tile.record.further}
            if source.label_kind in ("class", "index"):
                sample["cls"] = indices.get(str(tile.label), tile.label)
            shards.write(sample)
    return count


def sample_key(slide: str, tile: ExportTile) -> str:
    """Name a sample ``{slide}-{loc_x}-{loc_y}``; what a reader would stumble over is written as in URLs.

    That is dots, slashes, % and ~ of the slide's name, and a hyphen at its end. Different places have different keys.

    Parameters
    ----------
    slide
        Name of the TFRecord file.
    tile
        A tile of it. If it is of another slide (files may have been merged), the key is
        ``{file}~{slide}-{loc_x}-{loc_y}``.
    """
    record = tile.record
    name = _quote(slide) if record.slide == slide else f"{_quote(slide)}~{_quote(record.slide)}"
    return f"{name}-{record.loc_x}-{record.loc_y}"


def _quote(name: str) -> str:
    quoted = name.translate(_QUOTED)
    # Else the hyphen would be taken for the sign of a number.
    return f"{quoted[:-1]}%2D" if quoted.endswith("-") else quoted
