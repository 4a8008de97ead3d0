"""The features of a GeoJSON file one by one, so that a million cells need no gigabytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from slidekit.errors import CellError

__all__ = ["iter_features"]

_BLOCK = 1 << 20
_BETWEEN = re.compile(r"[\s,]*")
_LIST = re.compile(r'^\s*\[|"features"\s*:\s*\[')
_LONGEST_HEAD = 1 << 16
"""Characters in which the list of features must begin, else the file is read as a whole."""

_MEND = "Export the cells from QuPath again: File › Export objects as GeoJSON."


def iter_features(path: Path) -> Iterator[dict[str, Any]]:
    """Read the features of a file: of a FeatureCollection, of a list of features, or the one feature that it is.

    Yields
    ------
    dict
        As they stand in the file.

    Raises
    ------
    CellError
        If the file cannot be read, or is no GeoJSON.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from _features(file, path)
    except OSError as error:
        what = f"cannot be read: {error.strerror or type(error).__name__}."
        raise CellError(what, mend="Check the path and the permissions.", path=path) from error
    except UnicodeDecodeError as error:
        raise CellError("is no text in UTF-8.", mend=_MEND, path=path) from error


def _features(file: TextIO, path: Path) -> Iterator[dict[str, Any]]:
    text = file.read(_LONGEST_HEAD)
    found = _LIST.search(text)
    if found is None:
        yield from _small(text + file.read(), path)
        return
    decoder = json.JSONDecoder()
    place, number = found.end(), 0
    while True:
        start = _BETWEEN.match(text, place)
        place = place if start is None else start.end()
        if place < len(text) and text[place] == "]":
            return
        try:
            feature, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            more = file.read(_BLOCK)
            if not more:
                what = f"is damaged or cut off: feature {number + 1} is no JSON."
                raise CellError(what, mend=_MEND, path=path) from error
            text, place = text[place:] + more, 0
            continue
        number += 1
        if not isinstance(feature, dict):
            raise CellError(f"is no GeoJSON: feature {number} is no object.", mend=_MEND, path=path)
        yield feature


def _small(text: str, path: Path) -> Iterator[dict[str, Any]]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CellError("is no JSON.", mend=_MEND, path=path) from error
    if isinstance(content, dict) and content.get("type") == "Feature":
        yield content
        return
    if isinstance(content, dict) and isinstance(features := content.get("features"), list):
        yield from (feature for feature in features if isinstance(feature, dict))
        return
    raise CellError("is no GeoJSON of features.", mend=_MEND, path=path)
