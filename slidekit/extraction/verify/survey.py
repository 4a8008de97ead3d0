"""What lies in a folder and all folders below it, by name: records, reports of slides, loose tiles, leftovers."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from slidekit.extraction.resume import SPEC_FILE
from slidekit.extraction.verify.faults import MEND_ACCESS, Fault
from slidekit.io.atomic import PART
from slidekit.io.lock import LOCK

__all__ = ["MANIFEST_FILE", "RecordFolder", "Survey", "survey"]

MANIFEST_FILE = "manifest.json"
_RECORDS, _INDEX = ".tfrecords", ".index.npz"
_LABEL = re.compile(r"\d+px_.+")
_LEFTOVER = re.compile(rf".*({re.escape(PART)}|\.unfinished|{re.escape(LOCK)}(\.[0-9a-f]{{8}})?)")
"""Of a run that was cut off, or is at work: files being written, locks, and Slideflow's mark of unfinished slides."""


@dataclass(frozen=True)
class RecordFolder:
    """A folder that records, or an extraction, went into.

    Attributes
    ----------
    path
        The folder.
    names
        Names of the files in it.
    """

    path: Path
    names: frozenset[str]

    @property
    def records(self) -> list[str]:
        """Names of slides that have a TFRecord file, sorted."""
        return self._stems(_RECORDS)

    @property
    def indexes(self) -> list[str]:
        """Names of slides that have an index."""
        return self._stems(_INDEX)

    @property
    def reports(self) -> list[str]:
        """Names of slides that may have a ``{slide}.json``."""
        others = {Path(SPEC_FILE).stem, Path(MANIFEST_FILE).stem}
        return [stem for stem in self._stems(".json") if stem not in others]

    @property
    def is_ours(self) -> bool:
        """Whether slidekit has extracted into it."""
        return SPEC_FILE in self.names

    def _stems(self, suffix: str) -> list[str]:
        return sorted(name.removesuffix(suffix) for name in self.names if name.endswith(suffix) and name != suffix)


@dataclass(frozen=True)
class Survey:
    """What lies below a folder.

    Attributes
    ----------
    folders
        Folders of records.
    labelled
        Folders by their name, where that is the size of tiles (``256px_128um``).
    leftovers
        Files of runs that were cut off or are at work; of folders, only those that loose tiles were being written to.
    faults
        Folders that cannot be read.
    """

    folders: list[RecordFolder] = field(default_factory=list)
    labelled: dict[str, list[Path]] = field(default_factory=dict)
    leftovers: list[Path] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def is_of_records(self, path: Path) -> bool:
        """Whether records lie in a folder itself."""
        return any(folder.path == path for folder in self.folders)


def survey(root: Path) -> Survey:
    """Walk over a folder, and over what links in it lead to: records may lie on another disk; each folder once.

    Parameters
    ----------
    root
        A project, or any folder.
    """
    found = Survey()

    def note(error: OSError) -> None:
        what = f"cannot be read: {error.strerror or type(error).__name__}."
        found.faults.append(Fault(Path(error.filename), what, MEND_ACCESS))

    seen = {root.resolve()}
    for place, below, names in os.walk(root, onerror=note, followlinks=True):
        path = Path(place)
        below[:] = [name for name in sorted(below) if _is_new(path / name, seen)]
        if _LABEL.fullmatch(path.name):
            found.labelled.setdefault(path.name, []).append(path)
        has_records = SPEC_FILE in names or any(name.endswith((_RECORDS, _INDEX)) for name in names)
        if has_records:
            found.folders.append(RecordFolder(path, frozenset(names)))
        # Elsewhere a lock or a part may be anybody's.
        if has_records or _LABEL.fullmatch(path.name):
            parts = [name for name in below if name.endswith(PART)]
            found.leftovers.extend(path / name for name in sorted(parts + names) if _LEFTOVER.fullmatch(name))
            below[:] = [name for name in below if name not in parts]
    return found


def _is_new(folder: Path, seen: set[Path]) -> bool:
    real = folder.resolve()
    if real in seen:
        return False
    seen.add(real)
    return True
