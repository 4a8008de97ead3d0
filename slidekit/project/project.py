"""`Project`: a folder that remembers sources and annotations, in Slideflow's layout."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from slidekit.annotations import Annotations, SlideAssociation
from slidekit.collection.annotation_files import (
    associate_in_file,
    file_digest,
    grow_manifest,
    read_annotations,
    write_manifest,
)
from slidekit.collection.annotation_rows import read_table
from slidekit.collection.config import (
    check_source_name,
    make_entry,
    read_settings,
    read_sources,
    same_places,
    sources_of,
    write_settings,
    write_sources,
)
from slidekit.collection.paths import resolve_path, store_path
from slidekit.collection.sources import PathLike, SlideIndex, Source
from slidekit.dataset import Dataset
from slidekit.errors import ProjectError
from slidekit.project.running import Running
from slidekit.units import TileSizes

__all__ = ["SETTINGS", "Project", "installed_version"]

logger = logging.getLogger(__name__)

SETTINGS = "settings.json"
"""File that makes a folder a project."""


class Project(Running):
    """A project folder, slidekit's or Slideflow's.

    Parameters
    ----------
    root
        Folder with ``settings.json``. Nothing is written until `save` or a method that says so.

    Raises
    ------
    ProjectError
        If there is no project, or a file of it is damaged.
    """

    def __init__(self, root: PathLike) -> None:
        self.root = Path(root).expanduser().absolute()
        path = self.root / SETTINGS
        if not path.is_file():
            raise ProjectError("is not a project.", mend="Make one with create_project.", path=self.root)
        self._settings = read_settings(path)
        # Read now, so that a damaged project says so when it is opened.
        read_sources(self.dataset_config)

    @property
    def name(self) -> str:
        """Name of the project."""
        return self._settings.name

    @property
    def sources(self) -> list[str]:
        """Names of the sources in use."""
        return list(self._settings.sources)

    @property
    def dataset_config(self) -> Path:
        """File that describes the sources."""
        return resolve_path(self._settings.dataset_config, self.root)

    @property
    def annotations(self) -> Path:
        """File of annotations; set it to use another, relative to the working directory."""
        return resolve_path(self._settings.annotations or "./annotations.csv", self.root)

    @annotations.setter
    def annotations(self, path: PathLike) -> None:
        self._settings.annotations = store_path(path, self.root)

    def save(self) -> None:
        """Write ``settings.json``; keys that slidekit does not know are kept."""
        self._settings.slidekit_version = installed_version()
        write_settings(self.root / SETTINGS, self._settings)

    def add_source(
        self,
        name: str,
        *,
        slides: PathLike,
        rois: PathLike | None = None,
        tfrecords: PathLike | None = None,
        tiles: PathLike | None = None,
        roi: PathLike | None = None,
    ) -> None:
        """Add a folder of slides, and save the project.

        Parameters
        ----------
        name
            Name of the source; the same name with the same folders changes nothing.
        slides
            Folder of slides, relative to the working directory like all paths that are given here.
        rois
            Folder of ROI files; default ``<root>/roi/<name>``. `roi` is Slideflow's name for it.
        tfrecords, tiles
            Folders for what is extracted; default ``<root>/tfrecords/<name>`` and ``<root>/tiles/<name>``.

        Raises
        ------
        ProjectError
            If a folder is missing, or the name is taken by a source with other folders.
        """
        name = check_source_name(name)
        entry = make_entry(
            self.root,
            slides=slides,
            rois=rois if rois is not None else roi,
            tfrecords=tfrecords if tfrecords is not None else self.root / "tfrecords" / name,
            tiles=tiles if tiles is not None else self.root / "tiles" / name,
            default_rois=self.root / "roi" / name,
        )
        entries = read_sources(self.dataset_config)
        if name in entries and not same_places(entries[name], entry, self.root):
            raise ProjectError(
                f"There is a source {name!r} with other folders already.",
                mend="Choose another name.",
                path=self.dataset_config,
            )
        if name not in entries:
            write_sources(self.dataset_config, {**entries, name: entry})
        if name not in self._settings.sources:
            self._settings.sources.append(name)
            self.save()

    def dataset(
        self,
        tile_px: int | None = None,
        tile_um: TileSizes | None = None,
        *,
        tile_mpp: float | Sequence[float] | None = None,
        filters: Mapping[str, Any] | None = None,
        filter_blank: str | Sequence[str] | None = None,
        sources: str | Sequence[str] | None = None,
        min_tiles: int = 0,
    ) -> Dataset:
        """Make the project's dataset at one size of tile.

        Where the project has no annotations yet, ``annotations.csv`` is made from the slides, each its own
        patient, and slides that come later are added to it; the log says so. As soon as somebody edits that
        file it is theirs, and a file of the user's is never changed. Splits of the dataset are kept in
        ``splits.json`` in the project.

        Parameters
        ----------
        tile_px, tile_um
            Edge of a tile in output pixels, and in microns or as a magnification; several of these for concentric
            tiles, as for `Dataset`.
        tile_mpp
            µm/px of the tiles, instead of `tile_um`.
        filters
            Column of the annotations to a value or a list of values.
        filter_blank
            Columns of the annotations that must not be empty.
        sources
            Names of the sources; default all of the project's.
        min_tiles
            Slides whose TFRecord has fewer tiles are left out; see `Dataset.filter`.

        Raises
        ------
        DatasetError
            If a source, column or value is unknown.
        AnnotationsError
            If the annotations cannot be used.
        ProjectError
            If the file of annotations that was given is missing.
        SpecError
            If `tile_um` or `tile_mpp` is not a size, or both are given.
        """
        names = [sources] if isinstance(sources, str) else sources or self.sources
        found = sources_of(self.dataset_config, names, root=self.root)
        return Dataset.of_sources(
            found,
            reports=self.root / "reports",
            splits=self.root / "splits.json",
            tile_px=tile_px,
            tile_um=tile_um,
            tile_mpp=tile_mpp,
            annotations=self._read_annotations(found),
            filters=filters,
            filter_blank=filter_blank,
            min_tiles=min_tiles,
        )

    def associate_slide_names(self) -> SlideAssociation:
        """Fill the column ``slide`` of the annotations from the patients' names, and save.

        Annotations inside the project are rewritten and the original is kept as ``<file>.backup``; a file that
        lies elsewhere is left alone, and the new one in the project is used from now on.

        Returns
        -------
        SlideAssociation
            What was matched and what not; the log says the same.
        """
        index = SlideIndex(sources_of(self.dataset_config, self.sources, root=self.root))
        path, association = associate_in_file(self.annotations, list(index.paths), self.root)
        logger.info("%s", association)
        self.annotations = path
        self.save()
        return association

    def _read_annotations(self, sources: Sequence[Source]) -> Annotations | None:
        path = self.annotations
        if path.is_file():
            if "slide" not in read_table(path).header:
                # Of all sources: a patient with slides in two of them stays ambiguous when one is asked for.
                everywhere = sources_of(self.dataset_config, self.sources, root=self.root)
                return read_annotations(path, list(SlideIndex(everywhere).paths))
            if self._is_made_here(path):
                annotations = grow_manifest(path, list(SlideIndex(sources).paths))
                self._remember_manifest(path)
                return annotations
            return Annotations.read(path)
        if path != self.root / "annotations.csv":
            raise ProjectError(
                "the file of annotations is missing.",
                mend="Restore it, or set project.annotations.",
                path=path,
            )
        index = SlideIndex(sources_of(self.dataset_config, self.sources, root=self.root))
        if not index.paths:
            return None
        annotations = write_manifest(path, list(index.paths))
        self._remember_manifest(path)
        return annotations

    def _is_made_here(self, path: Path) -> bool:
        # By its bytes: who deletes a row from it has left that slide out on purpose.
        made = read_settings(self.root / SETTINGS).slidekit_manifest
        return made is not None and path == self.root / "annotations.csv" and file_digest(path) == made

    def _remember_manifest(self, path: Path) -> None:
        # What stands in the file is changed and not what this object holds, which may be unsaved on purpose.
        stored, digest = read_settings(self.root / SETTINGS), file_digest(path)
        if stored.slidekit_manifest != digest:
            stored.slidekit_manifest = self._settings.slidekit_manifest = digest
            write_settings(self.root / SETTINGS, stored)

    def __repr__(self) -> str:
        return f"<Project {self.name!r} in {self.root}: sources {', '.join(self.sources) or 'none'}>"


def installed_version() -> str:
    """Version of slidekit that is installed."""
    try:
        return metadata.version("slidekit")
    except metadata.PackageNotFoundError:
        return "0+unknown"
