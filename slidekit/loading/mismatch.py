"""Records that are not what their index or their file's name says, so that they would get the labels of others."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import RecordError

__all__ = ["NAME_MEND", "PLACE_MEND", "is_same_name", "say_misplaced", "say_other_slide", "spellings"]

PLACE_MEND = "Write the indexes anew, with Dataset.rebuild_index()."
NAME_MEND = (
    "Name the file after its slide. Where it was merged of several slides' files, label its tiles by place: "
    "by Dataset.roi_labels(), or by a table of tiles."
)


def say_misplaced(path: Path, found: NDArray[np.int64], expected: NDArray[np.int64]) -> RecordError:
    """The error of a tile whose record and index disagree, so that its label would be another tile's."""
    here, there = (f"({x}, {y})" for x, y in (found, expected))
    return RecordError(
        f"the index says that a tile lies at {there}, and its record says {here}.", mend=PLACE_MEND, path=path
    )


def say_other_slide(path: Path, found: str) -> RecordError:
    """The error of a tile whose record names another slide than its file, so that its label would be that one's."""
    return RecordError(
        f"the file has a tile of slide {found!r}, which would get the label of slide {path.stem!r}.",
        mend=NAME_MEND,
        path=path,
    )


def is_same_name(one: str, other: str) -> bool:
    """Whether names look alike, whichever way a file system writes accents."""
    return one == other or spellings(one) == spellings(other)


def spellings(name: str) -> tuple[str, str]:
    """Write a name with accents composed, and decomposed; without space around it."""
    composed, decomposed = (unicodedata.normalize(form, name).strip() for form in ("NFC", "NFD"))
    return composed, decomposed
