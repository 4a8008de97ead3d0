"""The JSON files of a project, ``settings.json`` and ``datasets.json``, in Slideflow's layout."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from slidekit.collection.paths import resolve_path, store_path
from slidekit.collection.sources import PathLike, Source
from slidekit.errors import DatasetError, ProjectError
from slidekit.io.atomic import atomic_write_text

__all__ = [
    "Settings",
    "SourceEntry",
    "check_source_name",
    "make_entry",
    "read_settings",
    "read_sources",
    "same_places",
    "sources_of",
    "write_settings",
    "write_sources",
]


class Settings(BaseModel):
    """Content of ``settings.json``; keys that slidekit does not know are kept.

    Attributes
    ----------
    name
        Name of the project.
    annotations, dataset_config, models_dir, eval_dir
        Paths as stored: one that begins with ``.`` is relative to the project's folder.
    sources
        Names of the sources in use.
    slidekit_version
        Version that wrote the file; None in a file of Slideflow's.
    slidekit_manifest
        SHA-256 of the ``annotations.csv`` that slidekit made of the slides; None if it made none.
    """

    model_config = ConfigDict(extra="allow")

    name: str = "MyProject"
    annotations: str | None = "./annotations.csv"
    dataset_config: str = "./datasets.json"
    sources: list[str] = []
    models_dir: str | None = "./models"
    eval_dir: str | None = "./eval"
    slidekit_version: str | None = None
    slidekit_manifest: str | None = None


class SourceEntry(BaseModel):
    """One source in ``datasets.json``: paths as stored; keys that slidekit does not know are kept."""

    model_config = ConfigDict(extra="allow")

    slides: str | None = None
    roi: str | None = None
    tiles: str | None = None
    tfrecords: str | None = None


_Content = TypeVar("_Content")

_SETTINGS = TypeAdapter(Settings)
_SOURCES = TypeAdapter(dict[str, SourceEntry])


def read_settings(path: Path) -> Settings:
    """Read ``settings.json``.

    Raises
    ------
    ProjectError
        Naming file and key, if it is missing, not JSON, or a value is not what it should be.
    """
    return _read(path, _SETTINGS)


def write_settings(path: Path, settings: Settings) -> None:
    """Write ``settings.json`` in one step; what is not set is left out."""
    own = ("slidekit_version", "slidekit_manifest")
    _write(path, settings.model_dump(exclude={name for name in own if getattr(settings, name) is None}))


def read_sources(path: Path) -> dict[str, SourceEntry]:
    """Read ``datasets.json``: source to its entry.

    Raises
    ------
    ProjectError
        As `read_settings`.
    """
    return _read(path, _SOURCES)


def write_sources(path: Path, sources: Mapping[str, SourceEntry]) -> None:
    """Write ``datasets.json`` in one step."""
    _write(path, {name: entry.model_dump() for name, entry in sources.items()})


def sources_of(
    config: str | Path | Mapping[str, Any], names: Sequence[str] | None, *, root: Path | None = None
) -> list[Source]:
    """Make sources from a configuration as Slideflow's `Dataset` takes it.

    Parameters
    ----------
    config
        A ``datasets.json``, or what it would hold.
    names
        Which sources; None for all.
    root
        Folder that paths beginning with ``.`` are relative to; by default that of the file, or for a mapping
        the working directory.

    Raises
    ------
    DatasetError
        If a name is not there; the message lists those that are.
    ProjectError
        If the configuration is not as it should be.
    """
    if isinstance(config, Mapping):
        entries, root = _check(_SOURCES, dict(config), None), root or Path.cwd()
    else:
        entries, root = read_sources(Path(config)), root or Path(config).absolute().parent
    chosen = list(entries) if names is None else list(names)
    for name in chosen:
        if name not in entries:
            raise DatasetError(f"There is no source {name!r}.", mend=f"There are: {', '.join(entries)}.")
    return [_source(name, entries[name], root) for name in chosen]


def make_entry(
    root: Path,
    *,
    slides: PathLike | None,
    rois: PathLike | None,
    tfrecords: PathLike,
    tiles: PathLike,
    default_rois: Path,
) -> SourceEntry:
    """Describe a source as it is stored, from paths as a caller writes them.

    Parameters
    ----------
    root
        Folder of the project.
    slides, rois
        Folders that must exist; None for `slides` is ``slides`` in `root`, which need not exist.
    tfrecords, tiles
        Folders that need not exist.
    default_rois
        What stands for `rois` if it is None.

    Raises
    ------
    ProjectError
        If a folder is missing.
    """
    for word, folder in (("slides", slides), ("ROI files", rois)):
        if folder is not None and not Path(folder).expanduser().is_dir():
            raise ProjectError("does not exist.", mend=f"Give the folder of {word}.", path=Path(folder))
    return SourceEntry(
        slides=store_path(root / "slides" if slides is None else slides, root),
        roi=store_path(default_rois if rois is None else rois, root),
        tiles=store_path(tiles, root),
        tfrecords=store_path(tfrecords, root),
    )


def same_places(first: SourceEntry, second: SourceEntry, root: Path) -> bool:
    """Tell whether two entries mean the same folders."""

    def places(entry: SourceEntry) -> list[Path | None]:
        texts = (entry.slides, entry.roi, entry.tiles, entry.tfrecords)
        return [resolve_path(text, root).resolve() if text else None for text in texts]

    return places(first) == places(second)


def check_source_name(name: str) -> str:
    """Give the name back if it can be that of a source.

    Raises
    ------
    ProjectError
        If it cannot be the name of a folder.
    """
    # Names of sources become names of folders.
    if not name.strip() or name in {".", ".."} or set(name) & set("/\\\0"):
        raise ProjectError(f"{name!r} cannot be the name of a source.", mend="Use letters, digits, - and _.")
    return name


def _source(name: str, entry: SourceEntry, root: Path) -> Source:
    def place(text: str | None) -> Path | None:
        return resolve_path(text, root) if text else None

    slides = place(entry.slides)
    return Source(
        name,
        slides=(slides,) if slides is not None else (),
        rois=place(entry.roi),
        tfrecords=place(entry.tfrecords),
        tiles=place(entry.tiles),
    )


def _read(path: Path, model: TypeAdapter[_Content]) -> _Content:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise ProjectError(
            f"cannot be read: {getattr(problem, 'strerror', None) or 'not UTF-8'}.",
            mend="Give the folder of a project that create_project made.",
            path=path,
        ) from None
    try:
        data = json.loads(text)
    except json.JSONDecodeError as problem:
        raise ProjectError(
            f"is not JSON: {problem.msg}.",
            mend="Mend the file or restore it.",
            path=path,
            line=problem.lineno,
        ) from None
    return _check(model, data, path)


def _check(model: TypeAdapter[_Content], data: Any, path: Path | None) -> _Content:
    try:
        return model.validate_python(data)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(map(str, problem["loc"]))
        where = f"key {key!r}: " if key else ""
        raise ProjectError(f"{where}{problem['msg']}.", mend="Correct the value.", path=path) from None


def _write(path: Path, content: Mapping[str, Any]) -> None:
    atomic_write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
