"""Generated regions as files: where they go, and how they are told from those that a person drew."""

from __future__ import annotations

import hashlib
import json
import tempfile
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slidekit.errors import ROIError
from slidekit.io.atomic import atomic_write, atomic_write_text
from slidekit.slide.roi import ROISet, write_roi_csv, write_roi_geojson
from slidekit.slide.roi.load import SUFFIXES

__all__ = ["GENERATED", "RoiFiles"]

GENERATED = "generated"
"""Folder, beside the files of regions, of what was generated: GeoJSON for QuPath, and notes of how it was made."""


@dataclass(frozen=True)
class RoiFiles:
    """Files of one slide.

    ``{slide}.csv`` is what extraction takes, ``generated/{slide}.geojson`` the same for QuPath. As long as their
    SHA-256 is one that ``generated/{slide}.json`` names, they are nobody's work but the network's.

    Attributes
    ----------
    folder
        Of the regions.
    slide
        Name of the slide.
    """

    folder: Path
    slide: str

    @property
    def csv(self) -> Path:
        """What extraction takes."""
        return self.folder / f"{self.slide}.csv"

    @property
    def geojson(self) -> Path:
        """The same for QuPath."""
        return self._beside("geojson")

    def is_ours(self, file: Path | None = None) -> bool:
        """Whether ``{slide}.csv``, or another of the files, was generated and has not been edited since."""
        path = self.csv if file is None else file
        if not path.is_file():
            return False
        # Of a slide's twin, with or without .ome, the note has the twin's name.
        digests = _read_note(self.folder / GENERATED / f"{path.stem}.json").get(path.suffix[1:])
        return isinstance(digests, list) and _digest(path.read_bytes()) in digests

    @classmethod
    def is_generated(cls, file: Path) -> bool:
        """Whether a slide's file of regions, such as `find_roi_file` finds it, is a network's work alone."""
        # Nothing but CSV is generated where regions are looked for: of another format, somebody put it there.
        return file.suffix == ".csv" and cls(file.parent, file.stem).is_ours(file)

    def drawn(self) -> Path | None:
        """A file of regions that somebody drew or edited, of whatever format, if there is one."""
        for file in self._all():
            # Nothing but CSV is generated where regions are looked for.
            if file.suffix != ".csv" or not self.is_ours(file):
                return file
        return self.geojson if self.geojson.is_file() and not self.is_ours(self.geojson) else None

    def is_finished(self, made_by: dict[str, Any]) -> bool:
        """Whether regions were generated in this way before, and are still there."""
        note = _read_note(self._beside("json"))
        if note.get("made_by") != made_by or not self.is_ours(self.geojson):
            return False
        return self.is_ours() if note.get("regions") else not self.csv.is_file()

    def write(self, rois: ROISet, made_by: dict[str, Any], bounds_origin: tuple[float, float]) -> None:
        """Write regions; a file that somebody drew is kept as ``{name}.backup``, and stays where there are none.

        Raises
        ------
        ROIError, OSError
            If they cannot be written.
        """
        content = self._render(rois, bounds_origin)
        files = {"csv": self.csv, "geojson": self.geojson}
        before = {kind: [_digest(file.read_bytes())] for kind, file in files.items() if self.is_ours(file)}
        after = {kind: [_digest(data)] for kind, data in content.items()}
        # The note goes first, with what is there and what will be: whenever a run is killed, what it wrote and what
        # it has not yet replaced are both known as nobody's work.
        self.geojson.parent.mkdir(parents=True, exist_ok=True)
        self._note({kind: before.get(kind, []) + after.get(kind, []) for kind in files})
        if not rois and "csv" in before:
            # What another model found; nothing that a person has seen to.
            self.csv.unlink()
        for kind, data in content.items():
            if kind not in before and files[kind].is_file():
                _keep(files[kind])
            with atomic_write(files[kind]) as file:
                file.write(data)
        self._note(after, made_by=made_by, regions=len(rois))

    def _all(self) -> Iterator[Path]:
        """All files of regions of the slide, by the rules of `find_roi_file`."""
        names = {self.slide, f"{self.slide}.ome", self.slide.removesuffix(".ome")}
        stems = {unicodedata.normalize("NFC", name) for name in names}
        for file in sorted(self.folder.iterdir()) if self.folder.is_dir() else ():
            named = unicodedata.normalize("NFC", file.stem) in stems
            if named and file.suffix.lower() in SUFFIXES and file.is_file():
                yield file

    def _render(self, rois: ROISet, bounds_origin: tuple[float, float]) -> dict[str, bytes]:
        """Content of the files; without CSV where there are no regions."""
        with tempfile.TemporaryDirectory() as folder:
            csv, geojson = Path(folder, "rois.csv"), Path(folder, "rois.geojson")
            try:
                write_roi_geojson(geojson, rois.rois, bounds_origin=bounds_origin)
                if not rois:
                    return {"geojson": geojson.read_bytes()}
                write_roi_csv(csv, rois.rois)
            except ROIError as error:
                raise ROIError(error.message, mend=error.mend, path=self.csv) from error
            return {"csv": csv.read_bytes(), "geojson": geojson.read_bytes()}

    def _note(self, digests: dict[str, list[str]], **about: Any) -> None:
        content = {**about, **digests}
        atomic_write_text(self._beside("json"), json.dumps(content, indent=1, ensure_ascii=False) + "\n")

    def _beside(self, suffix: str) -> Path:
        return self.folder / GENERATED / f"{self.slide}.{suffix}"


def _keep(file: Path) -> None:
    """Put somebody's file aside; one that was put aside before stays, too."""
    number, backup = 1, file.with_name(f"{file.name}.backup")
    while backup.exists():
        number += 1
        backup = file.with_name(f"{file.name}.backup{number}")
    file.replace(backup)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read_note(path: Path) -> dict[str, Any]:
    try:
        note = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}
