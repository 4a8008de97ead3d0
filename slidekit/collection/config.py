"""The JSON files of a project, ``settings.json`` and ``datasets.json``, in Slideflow's layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, TypeAdapter

from slidekit.collection.json_files import check_content, read_json_file, write_json_file
from slidekit.collection.paths import check_path, resolve_path, resolve_slides, store_path, store_slides
from slidekit.collection.sources import PathLike, Source
from slidekit.errors import DatasetError, ProjectError
from slidekit.io.url import as_url

__all__ = [
    "Settings",
    "SourceEntry",
    "check_source_name",
    "default_rois",
    "make_entry",
    "read_settings",
    "read_sources",
    "same_places",
    "sources_of",
    "write_settings",
    "write_sources",
]


StoredPath = Annotated[str, AfterValidator(check_path)]
"""A path as it stands in a file: one that begins with ``.`` is relative to the folder of the project."""


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
    annotations: StoredPath | None = "./annotations.csv"
    dataset_config: StoredPath = "./datasets.json"
    sources: list[str] = []
    models_dir: StoredPath | None = "./models"
    eval_dir: StoredPath | None = "./eval"
    slidekit_version: str | None = None
    slidekit_manifest: str | None = None


class SourceEntry(BaseModel):
    """One source in ``datasets.json``: paths as stored; keys that slidekit does not know are kept."""

    model_config = ConfigDict(extra="allow")

    slides: StoredPath | None = None
    roi: StoredPath | None = None
    tiles: StoredPath | None = None
    tfrecords: StoredPath | None = None


_LONGEST_NAME = 200
"""Bytes of the name of a source: folders are called after it."""

_SETTINGS = TypeAdapter(Settings)
_SOURCES = TypeAdapter(dict[str, SourceEntry])


def read_settings(path: Path) -> Settings:
    """Read ``settings.json``.

    Raises
    ------
    ProjectError
        Naming file and key, if it is missing, not JSON, or a value is not what it should be.
    """
    return read_json_file(path, _SETTINGS)


def write_settings(path: Path, settings: Settings) -> None:
    """Write ``settings.json`` in one step; what is not set is left out."""
    own = ("slidekit_version", "slidekit_manifest")
    write_json_file(path, settings.model_dump(exclude={name for name in own if getattr(settings, name) is None}))


def read_sources(path: Path) -> dict[str, SourceEntry]:
    """Read ``datasets.json``: source to its entry.

    Raises
    ------
    ProjectError
        As `read_settings`.
    """
    return read_json_file(path, _SOURCES)


def write_sources(path: Path, sources: Mapping[str, SourceEntry]) -> None:
    """Write ``datasets.json`` in one step."""
    write_json_file(path, {name: entry.model_dump() for name, entry in sources.items()})


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
        entries, root = check_content(dict(config), _SOURCES, None), root or Path.cwd()
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
        Folders that must exist; None for `slides` is ``slides`` in `root`, which need not exist. `slides` may be the
        URL of a remote store, which is not asked here.
    tfrecords, tiles
        Folders that need not exist.
    default_rois
        What stands for `rois` if it is None.

    Raises
    ------
    ProjectError
        If a folder is missing, or a URL cannot be stored.
    """
    local = slides if slides is None or as_url(slides) is None else None
    for word, folder in (("slides", local), ("ROI files", rois)):
        if folder is not None and not Path(folder).expanduser().is_dir():
            raise ProjectError("does not exist.", mend=f"Give the folder of {word}.", path=Path(folder))
    return SourceEntry(
        slides=store_slides(root / "slides" if slides is None else slides, root),
        roi=store_path(default_rois if rois is None else rois, root),
        tiles=store_path(tiles, root),
        tfrecords=store_path(tfrecords, root),
    )


def default_rois(root: Path, slides: PathLike | None) -> Path:
    """Folder of ROI files of a project that names none: beside its slides, or in the project if they are remote."""
    if slides is None:
        return root / "slides" / "rois"
    return (Path(slides) if as_url(slides) is None else root) / "rois"


def same_places(first: SourceEntry, second: SourceEntry, root: Path) -> bool:
    """Tell whether two entries mean the same folders."""

    def places(entry: SourceEntry) -> list[Path | None]:
        slides = resolve_slides(entry.slides, root).resolve() if entry.slides else None
        texts = (entry.roi, entry.tiles, entry.tfrecords)
        return [slides, *(resolve_path(text, root).resolve() if text else None for text in texts)]

    return places(first) == places(second)


def check_source_name(name: str) -> str:
    """Give the name back if it can be that of a source.

    Raises
    ------
    ProjectError
        If it cannot be the name of a folder.
    """
    # Names of sources become names of folders.
    bad = set(name) & set("/\\") or any(ord(letter) < 32 for letter in name)
    if not name.strip() or name in {".", ".."} or bad or len(name.encode("utf-8", "replace")) > _LONGEST_NAME:
        raise ProjectError(
            f"{name[:80]!r} cannot be the name of a source.", mend="Use letters, digits, - and _, 200 at most."
        )
    return name


def _source(name: str, entry: SourceEntry, root: Path) -> Source:
    def place(text: str | None) -> Path | None:
        return resolve_path(text, root) if text else None

    slides = resolve_slides(entry.slides, root) if entry.slides else None
    return Source(
        name,
        slides=(slides,) if slides is not None else (),
        rois=place(entry.roi),
        tfrecords=place(entry.tfrecords),
        tiles=place(entry.tiles),
    )
