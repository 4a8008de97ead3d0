"""What is known of the cells of a slide, besides the cells: the attributes of their store."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from slidekit.cells.windows import CellFrame

__all__ = ["FORMAT", "SCHEMA", "CellFacts"]

FORMAT = "slidekit cells"
SCHEMA = 1


@dataclass(frozen=True)
class CellFacts:
    """What stands in the attributes of a store.

    Attributes
    ----------
    slide
        Name of the slide.
    dimensions
        Width and height of level 0, pixels.
    slide_mpp
        µm/px of level 0 along x and y.
    size
        Columns and rows of the masks.
    identity
        Of the slide's file; None where cells were not found by slidekit.
    method
        ``name`` and parameters of the method.
    problems
        What went wrong on the way, for a person to read.
    classes
        Names of the classes of cells.
    has_masks
        Whether there are masks; cells that came as outlines or centroids have none.
    has_outlines
        Whether there are outlines.
    bounds_origin
        Where QuPath's pixel (0, 0) lies, level-0 pixels; of MIRAX it is not that of level 0.
    """

    slide: str
    dimensions: tuple[int, int]
    slide_mpp: tuple[float, float]
    size: tuple[int, int]
    identity: str | None = None
    method: dict[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    has_masks: bool = True
    has_outlines: bool = True
    bounds_origin: tuple[float, float] = (0.0, 0.0)

    @property
    def frame(self) -> CellFrame:
        """The pixels of the masks."""
        return CellFrame(*self.size, self.dimensions, self.slide_mpp)

    def attributes(self) -> dict[str, Any]:
        """As JSON values."""
        from slidekit import __version__

        values = json.loads(json.dumps(asdict(self)))
        return {"format": FORMAT, "schema": SCHEMA, "slidekit_version": __version__, **values}

    @classmethod
    def of(cls, attributes: dict[str, Any]) -> CellFacts:
        """From what `attributes` gave.

        Raises
        ------
        KeyError, TypeError, ValueError
            If they are not such.
        """
        (width, height), (mpp_x, mpp_y) = attributes["dimensions"], attributes["slide_mpp"]
        columns, rows = attributes["size"]
        left, top = attributes.get("bounds_origin", (0.0, 0.0))
        return cls(
            str(attributes["slide"]),
            (int(width), int(height)),
            (float(mpp_x), float(mpp_y)),
            (int(columns), int(rows)),
            attributes["identity"],
            dict(attributes["method"]),
            tuple(attributes["problems"]),
            tuple(attributes["classes"]),
            bool(attributes["has_masks"]),
            bool(attributes["has_outlines"]),
            (float(left), float(top)),
        )
