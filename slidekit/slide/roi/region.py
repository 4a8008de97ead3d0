"""What a region of interest is: a named, labelled polygon, and the set of them that a slide has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import shapely
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

__all__ = ["ROI", "ROIProblem", "ROISet"]


@dataclass(frozen=True)
class ROI:
    """One region of interest.

    Parameters
    ----------
    name
        Name of the region, unique within its file.
    label
        Class that the pathologist gave to the region (``"tumor"``), or None.
    polygon
        Valid polygon with holes as interiors; level-0 pixels, (x, y), from the top left of the slide.
    """

    name: str
    label: str | None
    polygon: Polygon


@dataclass(frozen=True)
class ROIProblem:
    """Something in a file of regions that was not taken as it stands.

    Parameters
    ----------
    path
        The file, or None for regions that come from no file.
    line
        Line (from 1) in the file, where the format lets it be known: CSV and XML.
    name
        Name of the region concerned, or None where there is none.
    what
        What was found and what was done about it.
    kind
        ``"mended"``: used, after a change · ``"skipped"``: not used · ``"warning"``: used as it is, worth a
        look.
    """

    path: Path | None
    line: int | None
    name: str | None
    what: str
    kind: Literal["mended", "skipped", "warning"]

    def __str__(self) -> str:
        # The file's own name only: folders may carry the names of patients.
        place = [] if self.path is None else [self.path.name]
        if self.line is not None:
            place.append(f"line {self.line}")
        front = f"{', '.join(place)}: " if place else ""
        region = "" if self.name is None else f"ROI {self.name!r}: "
        return f"{front}{region}{self.what} ({self.kind})"


@dataclass(frozen=True)
class ROISet:
    """The regions of interest of one slide.

    Parameters
    ----------
    rois
        The regions, in the order of the file.
    problems
        Everything in the file that was mended, skipped or is worth a look.
    path
        The file that the regions were read from, or None.
    origin
        What was added to the file's (x, y), in level-0 pixels.
    """

    rois: tuple[ROI, ...] = ()
    problems: tuple[ROIProblem, ...] = ()
    path: Path | None = None
    origin: tuple[float, float] = (0.0, 0.0)

    @property
    def labels(self) -> tuple[str, ...]:
        """The different labels, sorted; regions without one add nothing."""
        return tuple(sorted({roi.label for roi in self.rois if roi.label is not None}))

    @cached_property
    def union(self) -> BaseGeometry:
        """Area that at least one region covers, level-0 pixels; empty where there is no region."""
        return shapely.union_all([roi.polygon for roi in self.rois])

    def __len__(self) -> int:
        return len(self.rois)

    def __iter__(self) -> Iterator[ROI]:
        return iter(self.rois)
