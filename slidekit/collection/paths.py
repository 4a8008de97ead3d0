"""Paths as the JSON files of a project store them."""

from __future__ import annotations

import os
from pathlib import Path

from slidekit.errors import ProjectError
from slidekit.io.url import RemotePath, as_url, holds_secret

__all__ = [
    "check_path",
    "locate_slides",
    "refuse_url",
    "resolve_path",
    "resolve_slides",
    "store_path",
    "store_slides",
]

_LONGEST_NAME, _LONGEST_PATH = 255, 4095
"""Bytes of a name and of a path on Linux (``limits.h``: NAME_MAX, PATH_MAX with its NUL)."""


def check_path(text: str) -> str:
    """Give a stored path back if a file system can have it.

    Raises
    ------
    ValueError
        If it holds a NUL byte or is longer than any path, or begins with ``~`` and the name of nobody.
    """
    if "\0" in text:
        raise ValueError("a path cannot hold a NUL byte")
    if len(os.fsencode(text)) > _LONGEST_PATH or any(
        len(os.fsencode(name)) > _LONGEST_NAME for name in text.split("/")
    ):
        raise ValueError("the path is longer than paths can be")
    try:
        Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"{text.split('/')[0]} is no user of this machine") from None
    return text


def resolve_path(text: str, root: Path) -> Path:
    """Turn a stored path into a real one: after ``.`` from the project's folder.

    Any other relative path is Slideflow's, which stores what its user typed: it is looked for in the working
    directory, then beside the project's folder, for the project may have been made elsewhere.

    Raises
    ------
    ProjectError
        If it is a URL: a folder of that name would be made.
    """
    refuse_url(text)
    path = Path(text).expanduser()
    if path.is_absolute():
        return path
    if text.startswith("."):
        return Path(root, path)
    beside = root.parent / path if path.parts[:1] == (root.name,) else root / path
    return next((place for place in (path.absolute(), beside) if place.exists()), beside)


def store_path(path: str | Path, root: Path) -> str:
    """Write a path as it is stored: ``./…`` inside the project's folder, absolute outside.

    Raises
    ------
    ProjectError
        If it is a URL.
    """
    refuse_url(path)
    path = Path(path).expanduser().absolute()
    for inside, base in ((path, root), (path.resolve(), root.resolve())):
        if inside.is_relative_to(base):
            return f"./{inside.relative_to(base).as_posix()}"
    return str(path)


def locate_slides(path: str | Path) -> Path:
    """Where slides lie, of a path relative to the working directory or the URL of a remote store."""
    url = as_url(path)
    return Path(path).expanduser().absolute() if url is None else RemotePath.of(url)


def resolve_slides(text: str, root: Path) -> Path:
    """Turn a stored place of slides into a real one: as `resolve_path`, or the URL of a remote store."""
    url = as_url(text)
    return resolve_path(text, root) if url is None else RemotePath.of(url)


def store_slides(path: str | Path, root: Path) -> str:
    """Write a place of slides as it is stored: as `store_path`, or the URL as it is.

    Raises
    ------
    ProjectError
        If the URL holds what must not stand in a file that is shared.
    """
    url = as_url(path)
    if url is None:
        return store_path(path, root)
    if holds_secret(url):
        raise ProjectError(
            "is a URL with a password or a query, which would stand in the project's files.",
            mend="Leave them out, and give the store's credentials as its own tools take them (environment or file).",
            path=RemotePath.of(url),
        )
    return url


def refuse_url(path: str | Path) -> None:
    """Make sure that a path is none of a remote store, where only slides may lie.

    Raises
    ------
    ProjectError
        If it is a URL.
    """
    if (url := as_url(path)) is not None:
        raise ProjectError(
            "is a URL, and only slides may lie in a remote store.", mend="Give a local path.", path=RemotePath.of(url)
        )
