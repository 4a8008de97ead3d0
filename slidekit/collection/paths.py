"""Paths as the JSON files of a project store them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["resolve_path", "store_path"]


def resolve_path(text: str, root: Path) -> Path:
    """Turn a stored path into a real one: after ``.`` from the project's folder.

    Any other relative path is Slideflow's, which stores what its user typed: it is looked for in the working
    directory, then beside the project's folder, for the project may have been made elsewhere.
    """
    path = Path(text).expanduser()
    if path.is_absolute():
        return path
    if text.startswith("."):
        return Path(root, path)
    beside = root.parent / path if path.parts[:1] == (root.name,) else root / path
    return next((place for place in (path.absolute(), beside) if place.exists()), beside)


def store_path(path: str | Path, root: Path) -> str:
    """Write a path as it is stored: ``./…`` inside the project's folder, absolute outside."""
    path = Path(path).expanduser().absolute()
    for inside, base in ((path, root), (path.resolve(), root.resolve())):
        if inside.is_relative_to(base):
            return f"./{inside.relative_to(base).as_posix()}"
    return str(path)
