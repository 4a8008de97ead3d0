"""Generated regions as files: where they go, and how they are told from those that a person drew."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slidekit.io.atomic import atomic_write, atomic_write_text
from slidekit.slide.roi import ROISet, find_roi_file, write_roi_csv, write_roi_geojson

__all__ = ["GENERATED", "RoiFiles"]

GENERATED = "generated"
"""Folder, beside the files of regions, of what was generated: GeoJSON for QuPath, copies, and how it was made."""


@dataclass(frozen=True)
class RoiFiles:
    """Files of one slide.

    ``{slide}.csv`` is what extraction takes. As long as it is the same as its copy in the folder ``generated``, it is
    nobody's work but the network's.

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

    def is_ours(self) -> bool:
        """Whether ``{slide}.csv`` was generated and has not been edited since."""
        copy = self._beside("csv")
        return self.csv.is_file() and copy.is_file() and self.csv.read_bytes() == copy.read_bytes()

    def drawn(self) -> Path | None:
        """The file of regions that somebody drew or edited, if there is one."""
        found = find_roi_file(self.folder, self.slide)
        return None if found is None or (found == self.csv and self.is_ours()) else found

    def is_finished(self, made_by: dict[str, Any]) -> bool:
        """Whether regions were generated in this way before, and are still there."""
        try:
            note = json.loads(self._beside("json").read_text("utf-8"))
        except (OSError, ValueError):
            return False
        if not isinstance(note, dict) or note.get("made_by") != made_by:
            return False
        return self.is_ours() if note.get("regions") else find_roi_file(self.folder, self.slide) is None

    def write(self, rois: ROISet, made_by: dict[str, Any], bounds_origin: tuple[float, float]) -> None:
        """Write regions; a file that somebody drew is kept as ``{slide}.csv.backup``, and stays where there are none.

        Raises
        ------
        ROIError, OSError
            If they cannot be written.
        """
        copy = self._beside("csv")
        was_ours = self.is_ours()
        copy.parent.mkdir(parents=True, exist_ok=True)
        if was_ours and not rois:
            # What another model found; nothing that a person has seen to.
            self.csv.unlink()
        elif rois and self.csv.is_file() and not was_ours:
            self._keep()
        # The copy goes first: whenever a run is killed, what it wrote is known as its own.
        write_roi_csv(copy, rois.rois)
        write_roi_geojson(self.geojson, rois.rois, bounds_origin=bounds_origin)
        if rois:
            with atomic_write(self.csv) as file:
                file.write(copy.read_bytes())
        note = {"made_by": made_by, "regions": len(rois)}
        atomic_write_text(self._beside("json"), json.dumps(note, indent=1, ensure_ascii=False) + "\n")

    def _keep(self) -> None:
        """Put somebody's file aside; one that was put aside before stays, too."""
        number, backup = 1, self.csv.with_name(f"{self.csv.name}.backup")
        while backup.exists():
            number += 1
            backup = self.csv.with_name(f"{self.csv.name}.backup{number}")
        self.csv.replace(backup)

    def _beside(self, suffix: str) -> Path:
        return self.folder / GENERATED / f"{self.slide}.{suffix}"
