"""JSON files that people may have edited: read into a model, with file, key and mend in every error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from slidekit.errors import ProjectError
from slidekit.io.atomic import atomic_write_text
from slidekit.io.user_file import parse_json, read_bytes

__all__ = ["check_content", "read_json_file", "write_json_file"]

_Content = TypeVar("_Content")

_MEND = "Mend the file or restore it."

_DEEPEST = 50
"""Levels of nesting that are kept: unknown keys are written again, which takes a stack."""


def read_json_file(path: Path, model: TypeAdapter[_Content]) -> _Content:
    """Read a file.

    Parameters
    ----------
    path
        The file, UTF-8.
    model
        What it must hold.

    Raises
    ------
    ProjectError
        With file, and line or key: it is missing, not JSON, has a key twice, or a value is not what it should be.
    """
    data = read_bytes(path, error=ProjectError, mend="Give the folder of a project that create_project made.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise ProjectError("is not UTF-8 text.", mend=_MEND, path=path, line=line) from None

    def refuse(key: str) -> None:
        # One of two sources of one name would be lost without a word.
        raise ProjectError(f"key {key[:200]!r} is there twice.", mend="Remove or rename one of them.", path=path)

    content = parse_json(text, path=path, error=ProjectError, mend=_MEND, damaged="is not JSON", on_repeat=refuse)
    _check_storable(content, path)
    return check_content(content, model, path)


def _check_storable(content: Any, path: Path) -> None:
    """Refuse what could not be written again, before somebody works with it and saves."""
    level = [content]
    for _ in range(_DEEPEST):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    if level:
        raise ProjectError(f"is nested more than {_DEEPEST} levels deep.", mend=_MEND, path=path)
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ProjectError("holds half a character (a lone surrogate).", mend=_MEND, path=path) from None


def check_content(content: Any, model: TypeAdapter[_Content], path: Path | None) -> _Content:
    """Make a model of what a file holds, or would hold.

    Parameters
    ----------
    content
        As `json.loads` gives it.
    model
        What it must be.
    path
        The file, if there is one.

    Raises
    ------
    ProjectError
        Naming the key whose value is wrong.
    """
    try:
        return model.validate_python(content)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(map(str, problem["loc"]))[:200]
        where = f"key {key!r}: " if key else ""
        what = problem["msg"].removeprefix("Value error, ")
        raise ProjectError(f"{where}{what}.", mend="Correct the value.", path=path) from None


def write_json_file(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file in one step.

    Raises
    ------
    ProjectError
        If a path in it cannot be written as UTF-8.
    OSError
        If the file cannot be written.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    try:
        atomic_write_text(path, text)
    except UnicodeEncodeError:
        what = "cannot hold the name of a file or folder that is not UTF-8."
        raise ProjectError(what, mend="Rename that file or folder.", path=path) from None
