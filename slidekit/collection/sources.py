"""Sources: the folders that slides, regions of interest and tiles of one collection lie in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from slidekit.collection.names import settle_text
from slidekit.collection.paths import locate_slides, refuse_url
from slidekit.collection.remote_slides import find_remote_slides
from slidekit.errors import DatasetError
from slidekit.io.url import RemotePath
from slidekit.pixels.discovery import (
    IMAGE_SUFFIXES,
    SLIDE_SUFFIXES,
    check_unique_names,
    find_slides,
    has_slide_suffix,
    slide_name,
)

__all__ = ["PathLike", "SlideIndex", "Source"]

PathLike = str | Path

_ROI_SUFFIXES = (".csv", ".geojson", ".json", ".xml")
RECORDS = ".tfrecords"
_NO_FOLDERS = frozenset({"", ".", ".."})


@dataclass(frozen=True)
class Source:
    """Where a collection of slides lies, and where its tiles go.

    Attributes
    ----------
    name
        Name of the source.
    slides
        Folders (searched with all folders below) and slide files, those of remote stores as `RemotePath`.
    rois
        Folder of files of regions of interest; it need not exist.
    tfrecords
        Folder whose subfolders, one per tile size, hold the TFRecords.
    tiles
        The same for loose tiles.
    """

    name: str
    slides: tuple[Path, ...] = ()
    rois: Path | None = None
    tfrecords: Path | None = None
    tiles: Path | None = None

    @classmethod
    def of_paths(
        cls,
        name: str,
        *,
        slides: PathLike | Sequence[PathLike] | None = None,
        rois: PathLike | None = None,
        tfrecords: PathLike | None = None,
        tiles: PathLike | None = None,
    ) -> Source:
        """Make a source from paths as a caller writes them, relative to the working directory; slides may be URLs.

        Raises
        ------
        ProjectError
            If another path than of slides is a URL.
        """
        given = [slides] if isinstance(slides, str | Path) else slides or ()
        return cls(
            name,
            slides=tuple(locate_slides(path) for path in given),
            rois=_absolute(rois) if rois is not None else None,
            tfrecords=_absolute(tfrecords) if tfrecords is not None else None,
            tiles=_absolute(tiles) if tiles is not None else None,
        )

    def find(self) -> list[Path]:
        """Slides of the source, sorted by path; a file that is given by name is taken as it is.

        Raises
        ------
        DatasetError
            If a folder does not exist, or a remote store cannot be asked.
        MissingExtraError
            If the package for a remote store is missing.
        """
        found: dict[Path, None] = {}
        for path in self.slides:
            if isinstance(path, RemotePath):
                found.update(dict.fromkeys(find_remote_slides(path)))
            elif path.is_dir():
                found.update(dict.fromkeys(find_slides(path)))
            elif path.is_file() or has_slide_suffix(path, images=True):
                # A slide that is named and missing fails under its name, and does not stop the others.
                found[path] = None
            else:
                raise DatasetError("does not exist.", mend=f"Correct the slides of source {self.name!r}.", path=path)
        return sorted(found)

    def record_labels(self) -> list[str]:
        """Names of the folders that hold TFRecord files, such as ``256px_128um``, sorted."""
        if self.tfrecords is None or not self.tfrecords.is_dir():
            return []
        return sorted({path.parent.name for path in self.tfrecords.glob(f"*/*{RECORDS}")})

    def records(self, label: str) -> dict[str, Path]:
        """TFRecord files for a tile size, by the slide's name."""
        folder = self.tfrecords / label if self.tfrecords is not None else None
        if folder is None or not folder.is_dir():
            return {}
        return {path.name.removesuffix(RECORDS): path for path in sorted(folder.glob(f"*{RECORDS}"))}


class SlideIndex:
    """What the sources hold, looked up once and shared by all selections of a dataset.

    Parameters
    ----------
    sources
        Where to look. Files that appear after the first look are not seen: make a new dataset.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = tuple(sources)

    @cached_property
    def _found(self) -> dict[str, tuple[Path, Source]]:
        found = [(path, source) for source in self.sources for path in source.find()]
        check_unique_names(dict.fromkeys(path for path, _ in found))
        named: dict[str, tuple[Path, Source]] = {}
        alike: dict[str, Path] = {}
        for path, source in sorted(found, key=lambda item: item[0]):
            name = slide_name(path)
            other = alike.setdefault(settle_text(name), path)
            if other != path:
                raise DatasetError(
                    f"Two slides have names that look alike, {name!r}: {other} and {path}.",
                    mend="Rename or move one of them.",
                )
            named[name] = (path, source)
        for name in named.keys() & _NO_FOLDERS:
            # Folders of loose tiles are called after slides: this one would lie outside of the others.
            raise DatasetError(f"A slide cannot be named {name!r}.", mend="Rename its file.", path=named[name][0])
        return named

    @cached_property
    def paths(self) -> Mapping[str, Path]:
        """Slide to path.

        Raises
        ------
        DatasetError
            If two slides have the same name, or a folder does not exist.
        """
        return {name: path for name, (path, _) in sorted(self._found.items())}

    def source_of(self, slide: str) -> Source:
        """Give the source in which a slide was found."""
        return self._found[slide][1]

    @cached_property
    def _roi_files(self) -> Mapping[Path, Mapping[str, list[Path]]]:
        """Folder of ROI files to what it holds, by the slide that a file is named after; each is listed once."""
        listed: dict[Path, dict[str, list[Path]]] = {}
        for source in self.sources:
            folder = source.rois
            if folder is None or folder in listed or not source.slides or not folder.is_dir():
                continue
            files = listed.setdefault(folder, {})
            for path in _list(folder):
                if path.suffix.lower() in _ROI_SUFFIXES and not path.name.startswith("."):
                    files.setdefault(settle_text(slide_name(path)), []).append(path)
        return listed

    @cached_property
    def rois(self) -> Mapping[str, Path]:
        """Slide to the file of its regions of interest, for the slides that have one."""
        from slidekit.slide.roi import find_roi_file

        found = {}
        for name, (_, source) in sorted(self._found.items()):
            folder = source.rois
            if folder is None:
                continue
            files = self._roi_files.get(folder, {}).get(settle_text(name), [])
            # Only where there is a choice is the folder searched by the rule that settles it.
            path = find_roi_file(folder, name) if len(files) > 1 else next(iter(files), None)
            if path is not None:
                found[name] = path
        return found

    def forget_rois(self) -> None:
        """Look for files of regions again when next asked: some were written."""
        for name in ("_roi_files", "rois", "rois_without_slides"):
            self.__dict__.pop(name, None)

    @cached_property
    def rois_without_slides(self) -> tuple[Path, ...]:
        """Files in the folders of regions of interest that belong to no slide."""
        names = {settle_text(name) for name in self._found}
        return tuple(
            path
            for _, listed in sorted(self._roi_files.items())
            for name, files in listed.items()
            if name not in names
            for path in files
        )

    def say_empty(self) -> DatasetError:
        """Make the error for a dataset in which no slide was found."""
        places = [path for source in self.sources for path in source.slides]
        if not places:
            return DatasetError("No slides are given.", mend="Give slides=, a folder or a list of paths.")
        images = sum(len(find_slides(path, images=True)) for path in places if path.is_dir())
        hint = f" {images} PNG and JPEG files are there: give them by name to use them." if images else ""
        return DatasetError(
            f"No slides were found in {', '.join(map(str, places))}.",
            mend=f"Slides have one of the suffixes {' '.join(SLIDE_SUFFIXES)}; "
            f"{' '.join(IMAGE_SUFFIXES)} only by name.{hint}",
        )


def _absolute(path: PathLike) -> Path:
    refuse_url(path)
    return Path(path).expanduser().absolute()


def _list(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        what = f"cannot be looked into: {error.strerror or error}."
        raise DatasetError(what, mend="Check the permissions of the folder of ROI files.", path=folder) from error
