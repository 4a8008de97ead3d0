"""Plans in the making: rows that may still turn out not to be had, and why."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from slidekit.sampling.plan import Plan

if TYPE_CHECKING:
    from slidekit.sampling.places import SlideMap

__all__ = ["Draft", "Drawer", "boxes_around", "settle_edges", "share_inside"]


@dataclass
class Draft:
    """Rows as those of a `Plan`, each with why it cannot be had.

    Attributes
    ----------
    plan
        The rows; its arrays are written into.
    reasons
        (n,) of str: empty where the patch can be had.
    """

    plan: Plan
    reasons: NDArray[np.object_]

    @classmethod
    def blank(cls, steps: NDArray[np.int64], attempts: NDArray[np.int32]) -> Self:
        """Rows of which nothing is known but the step and the attempt."""
        count = len(steps)
        plan = Plan(
            steps=steps.copy(),
            attempts=attempts.copy(),
            slides=np.full(count, -1, np.int32),
            scales=np.zeros(count, np.int16),
            centres=np.full((count, 2), np.nan),
            classes=np.full(count, -1, np.int16),
            background=np.zeros(count, np.bool_),
            tissue=np.full(count, np.nan, np.float32),
            inside=np.ones(count, np.float32),
            seeds=np.zeros(count, np.int64),
        )
        return cls(plan, np.full(count, "", dtype=object))

    def put(self, rows: NDArray[np.int64], other: Draft) -> None:
        """Replace some rows by those of another draft."""
        for field in fields(Plan):
            getattr(self.plan, field.name)[rows] = getattr(other.plan, field.name)
        self.reasons[rows] = other.reasons

    def place(
        self,
        rows: NDArray[np.int64],
        slide_map: SlideMap,
        size: tuple[float, float],
        centres: NDArray[np.float64],
        *,
        shift: bool = False,
    ) -> None:
        """Put patches at places of a slide, and measure what they hold.

        Parameters
        ----------
        rows
            (n,) the patches.
        slide_map
            The slide.
        size
            Width and height of a patch, level-0 pixels.
        centres
            (n, 2) x, y of the places, level-0 pixels.
        shift
            Whether patches are moved until they lie on the slide.
        """
        dimensions = slide_map.facts.dimensions
        if shift:
            centres = settle_edges(centres, size, dimensions)
        boxes = boxes_around(centres, size)
        self.plan.centres[rows] = centres
        self.plan.inside[rows] = share_inside(boxes, dimensions)
        self.plan.tissue[rows] = slide_map.tissue_share(boxes)


class Drawer(Protocol):
    """A way to choose patches."""

    @property
    def total(self) -> int | None:
        """Steps of an epoch; None where there is no end."""

    @property
    def left_out(self) -> dict[str, str]:
        """Slides that no patch can come from, and why."""

    def needed(self, steps: NDArray[np.int64]) -> list[int]:
        """Slides whose maps the first attempts at some steps need, by number."""

    def draw(self, steps: NDArray[np.int64], attempts: NDArray[np.int32]) -> Draft:
        """Choose the patches of some attempts at some steps; depends on nothing else."""


def boxes_around(centres: NDArray[np.float64], size: tuple[float, float]) -> NDArray[np.float64]:
    """Boxes (n, 4) of x0, y0, x1, y1 with these centres (n, 2), in the units given."""
    half = np.array(size) / 2
    return np.concatenate([centres - half, centres + half], axis=1)


def share_inside(boxes: NDArray[np.float64], dimensions: tuple[int, int]) -> NDArray[np.float32]:
    """Share (n,) of each box (n, 4) that lies on the slide, level-0 pixels."""
    edges = np.array(dimensions, np.float64)
    overlap = np.minimum(boxes[:, 2:], edges) - np.maximum(boxes[:, :2], 0.0)
    share = np.prod(np.maximum(overlap, 0) / (boxes[:, 2:] - boxes[:, :2]), axis=1)
    # A box that ends on the edge lies on the slide: 1 − 1 ulp would be flagged as padded.
    return np.where(share > 1 - 1e-9, 1.0, share).astype(np.float32)


def settle_edges(
    centres: NDArray[np.float64], size: tuple[float, float], dimensions: tuple[int, int]
) -> NDArray[np.float64]:
    """Move centres (n, 2) until their patches lie on the slide, or in its middle where they are larger than it.

    What a patch holds of the slide it still holds then, so that no promise about its tissue or class is broken.
    """
    half, edges = np.array(size) / 2, np.array(dimensions, np.float64)
    low, high = np.minimum(half, edges / 2), np.maximum(edges - half, edges / 2)
    return np.clip(centres, low, high)
