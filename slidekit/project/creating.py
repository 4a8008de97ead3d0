"""Making a project, and opening one."""

from __future__ import annotations

import logging
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from slidekit.collection.annotation_files import file_digest, settle_annotations
from slidekit.collection.config import (
    Settings,
    check_source_name,
    default_rois,
    make_entry,
    sources_of,
    write_settings,
    write_sources,
)
from slidekit.collection.paths import store_path
from slidekit.collection.sources import PathLike, SlideIndex
from slidekit.errors import ProjectError
from slidekit.project.project import SETTINGS, Project, installed_version

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["create_project", "load_project"]

logger = logging.getLogger(__name__)


def create_project(
    root: PathLike,
    *,
    slides: PathLike | None = None,
    rois: PathLike | None = None,
    annotations: PathLike | pd.DataFrame | None = None,
    tfrecords: PathLike | None = None,
    tiles: PathLike | None = None,
    name: str | None = None,
) -> Project:
    """Make a project; nothing is written outside of its folder, and no file in it is replaced.

    Paths are relative to the working directory, however they begin.

    Parameters
    ----------
    root
        Folder of the project; it is made if it does not exist.
    slides
        Folder of slides; default ``<root>/slides``, which is made, for slides to be put into. It may be the URL of a
        remote store, such as ``s3://bucket/cohort``.
    rois
        Folder of ROI files; default ``rois`` in `slides`, which need not exist; with a URL ``<root>/rois``.
    annotations
        CSV file, which stays where it is, or a data frame, which is written into the project. By default
        ``annotations.csv`` in the project; if that does not exist it is made from the slides that are found,
        each its own patient, and the log says so.
    tfrecords, tiles
        Folders for what is extracted; default ``<root>/tfrecords`` and ``<root>/tiles``.
    name
        Name of the project and its first source; default that of the folder.

    Raises
    ------
    ProjectError
        If there is a project already, or a folder is missing.
    AnnotationsError
        If the annotations cannot be used.
    DatasetError
        If two slides have the same name.
    """
    root = Path(root).expanduser().absolute()
    _check_free(root)
    name = check_source_name(root.name if name is None else name)
    entry = make_entry(
        root,
        slides=slides,
        rois=rois,
        tfrecords=tfrecords if tfrecords is not None else root / "tfrecords",
        tiles=tiles if tiles is not None else root / "tiles",
        default_rois=default_rois(root, slides),
    )
    index = SlideIndex(sources_of({name: entry.model_dump()}, None, root=root))
    found = list(index.paths) if slides is not None or (root / "slides").exists() else []
    if not found and slides is not None:
        logger.warning("%s", index.say_empty())
    is_manifest = annotations is None and not (root / "annotations.csv").exists()
    stored = settle_annotations(root, annotations, found)
    settings = Settings(name=name, annotations=store_path(stored, root), sources=[name])
    if is_manifest and found:
        settings.slidekit_manifest = file_digest(stored)
    (root / "slides" if slides is None else root).mkdir(parents=True, exist_ok=True)
    write_sources(root / "datasets.json", {name: entry})
    settings.slidekit_version = installed_version()
    # Last, for a folder is a project once it has settings.
    write_settings(root / SETTINGS, settings)
    return Project(root)


def _check_free(root: Path) -> None:
    if root.exists() and not root.is_dir():
        raise ProjectError("is not a folder.", mend="Choose another place for the project.", path=root)
    if (root / SETTINGS).exists():
        raise ProjectError(
            "exists already.",
            mend=f"Open the project with load_project, or go on with `slidekit extract {shlex.quote(str(root))}`.",
            path=root / SETTINGS,
        )
    if (root / "datasets.json").exists():
        raise ProjectError(
            "exists already, without a project.",
            mend=f"Move it away if {SETTINGS} is lost, or choose another folder.",
            path=root / "datasets.json",
        )


def load_project(root: PathLike) -> Project:
    """Open a project, slidekit's or Slideflow's.

    Raises
    ------
    ProjectError
        If there is no project, or a file of it is damaged.
    """
    return Project(root)
