"""What folders of TFRecords say of their tiles: by their names, and by what stands beside the records."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slidekit.errors import RecordError, SpecError
from slidekit.units import size_name

__all__ = ["further_of", "read_tile_size", "records_by_size", "size_of", "spec_of"]

_SPEC_FILE = "extraction.json"
_FOLDER = re.compile(r"(\d+)px_(.+)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)um|(\d+(?:\.\d+)?x)")


def records_by_size(folder: Path) -> dict[str, list[Path]]:
    """TFRecord files in a folder and all below it, sorted, by the name of the folder that they lie in."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.absolute().rglob("*.tfrecords")):
        found.setdefault(path.parent.name, []).append(path)
    return found


def read_tile_size(name: str) -> tuple[int, float | str | tuple[float | str, ...]] | None:
    """Pixels, and microns or magnification, that a folder is named after (``256px_128um``); None if it is not.

    Of concentric tiles (``256px_128um+512um``) the second is a tuple.
    """
    folder = _FOLDER.fullmatch(name)
    # A plus also stands in what is written of very large numbers: 1e+06.
    matches = [_SIZE.fullmatch(size) for size in re.split(r"(?<=[mx])\+", folder[2])] if folder is not None else [None]
    sizes = tuple(match[2] if match[1] is None else float(match[1]) for match in matches if match is not None)
    if folder is None or len(sizes) < len(matches):
        return None
    return int(folder[1]), sizes[0] if len(sizes) == 1 else sizes


def size_of(paths: Sequence[Path]) -> dict[str, Any]:
    """Size of the tiles in files by the names of their folders, as facts of an export; empty if they differ."""
    sizes = {read_tile_size(path.parent.name) for path in paths}
    size = sizes.pop() if len(sizes) == 1 else None
    if size is None:
        return {}
    tile_px, tile_um = size
    first, *others = tile_um if isinstance(tile_um, tuple) else (tile_um,)
    return {"tile_px": tile_px, "tile_um": first} | ({"more_um": others} if others else {})


def spec_of(paths: Sequence[Path]) -> dict[str, Any]:
    """What stands in ``extraction.json`` beside the files, if it is the same for all."""
    specs = []
    for folder in sorted({path.parent for path in paths}):
        try:
            content = json.loads((folder / _SPEC_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}  # Slideflow's, or another tool's
        specs.append(content)
    return {"extraction": specs[0]} if all(spec == specs[0] for spec in specs) else {}


def further_of(paths: Sequence[Path]) -> tuple[str, ...]:
    """Further sizes of concentric tiles by the folder's name, or that the first record has, in their order if known."""
    from slidekit.io.tfrecord import TileRecord, iter_records, promised_sizes

    promised = {promised_sizes(path.parent.name) for path in paths}
    if len(promised) == 1 and (names := promised.pop()) is not None:
        return names
    for path in paths:
        try:
            payload = next((payload for _, payload in iter_records(path)), None)
            names = () if payload is None else tuple(one.name for one in TileRecord.decode(payload, path=path).further)
        except RecordError:
            continue  # it is named when its tiles are read
        if payload is not None:
            return _as_extracted(names, path.parent)
    return ()


def _as_extracted(names: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    """Sizes in the order in which they were extracted, if that is known."""
    from slidekit.io.spec_file import spec_value

    try:
        told = tuple(size_name(size) for size in spec_value(folder, "more_um") or ())
    except (SpecError, TypeError):
        return names
    return told if set(told) == set(names) else names
