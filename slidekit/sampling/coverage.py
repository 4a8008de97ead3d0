"""How much of the tissue patches cover, measured on the masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import SlidekitError
from slidekit.sampling.plan import Plan
from slidekit.sampling.spec import SamplingSpec

if TYPE_CHECKING:
    from rich.table import Table

    from slidekit.sampling.places import Maps

__all__ = ["Coverage", "SlideCoverage", "count_patches", "measure_coverage"]


@dataclass(frozen=True)
class SlideCoverage:
    """What patches cover of one slide.

    Attributes
    ----------
    name
        Of the slide.
    patches
        How many are on it.
    tissue_um2
        Its tissue, µm².
    covered
        Share of the tissue that is under a patch.
    overlap
        Share of the tissue that is under two or more.
    """

    name: str
    patches: int
    tissue_um2: float
    covered: float
    overlap: float


@dataclass(frozen=True)
class Coverage:
    """What patches cover of all slides.

    Attributes
    ----------
    slides
        Those that can be sampled, in the order of the sampler's.
    left_out
        Why others cannot, by name.
    """

    slides: tuple[SlideCoverage, ...]
    left_out: dict[str, str]

    @property
    def patches(self) -> int:
        """Number of patches."""
        return sum(slide.patches for slide in self.slides)

    @property
    def covered(self) -> float:
        """Share of all slides' tissue that is under a patch."""
        return self._mean([slide.covered for slide in self.slides])

    @property
    def overlap(self) -> float:
        """Share of all slides' tissue that is under two patches or more."""
        return self._mean([slide.overlap for slide in self.slides])

    def _mean(self, shares: list[float]) -> float:
        areas = [slide.tissue_um2 for slide in self.slides]
        return float(np.average(shares, weights=areas)) if sum(areas) > 0 else 0.0

    def table(self) -> Table:
        """The same as a table for the console."""
        from rich.table import Table
        from rich.text import Text

        table = Table(title="Tissue under patches")
        table.add_column("Slide", overflow="fold")
        for heading in ("Patches", "Tissue, mm²", "Covered", "Twice"):
            table.add_column(heading, justify="right")
        for one in self.slides:
            shares = (f"{one.covered:.1%}", f"{one.overlap:.1%}")
            table.add_row(Text(one.name), f"{one.patches}", f"{one.tissue_um2 / 1e6:.2f}", *shares)
        for name, reason in self.left_out.items():
            table.add_row(Text(name), Text(f"left out: {reason}"))
        table.add_section()
        tissue = sum(one.tissue_um2 for one in self.slides) / 1e6
        table.add_row("All", f"{self.patches}", f"{tissue:.2f}", f"{self.covered:.1%}", f"{self.overlap:.1%}")
        return table

    def __rich__(self) -> Table:
        return self.table()


def measure_coverage(maps: Maps, spec: SamplingSpec, plan: Plan) -> Coverage:
    """Measure what the patches of a plan cover, by the first image of each; to a pixel of the masks.

    Parameters
    ----------
    maps
        The slides, all of which are measured.
    spec
        Parameters, for the sizes of the patches.
    plan
        The patches.
    """
    failed = maps.prepare()
    measured: list[SlideCoverage] = []
    left_out: dict[str, str] = {}
    for index, slide in enumerate(maps.slides):
        rows = np.flatnonzero(plan.slides == index)
        try:
            if index in failed:
                raise failed[index]
            one = maps.get(index)
            sizes = np.array([scale[0].extent(one.facts) for scale in spec.scales])
        except SlidekitError as error:
            left_out[slide.name] = error.message
            continue
        width, height = one.facts.dimensions
        tissue = np.ones((min(height, 1024), min(width, 1024)), np.bool_) if one.tissue is None else one.tissue
        half = sizes[plan.scales[rows]] / 2
        boxes = np.concatenate([plan.centres[rows] - half, plan.centres[rows] + half], axis=1)
        depth = count_patches(boxes, (width, height), tissue.shape)[tissue]
        covered, twice = ((float(np.mean(depth >= times)) if depth.size else 0.0) for times in (1, 2))
        measured.append(SlideCoverage(slide.name, len(rows), float(one.tissue_um2), covered, twice))
    return Coverage(tuple(measured), left_out)


def count_patches(boxes: NDArray[np.float64], dimensions: tuple[int, int], shape: tuple[int, ...]) -> NDArray[np.int32]:
    """How many boxes the centre of each pixel of a mask lies in.

    Parameters
    ----------
    boxes
        (n, 4) of x0, y0, x1, y1, level-0 pixels.
    dimensions
        Width and height of the slide.
    shape
        Rows and columns of its mask.

    Returns
    -------
    ndarray (rows, columns), int32
    """
    rows, columns = shape
    scale = np.array([columns / dimensions[0], rows / dimensions[1]] * 2)
    limits = np.array([columns, rows] * 2)
    # The first pixel whose centre is at or beyond an edge; a little less, because numbers are binary.
    edges = np.clip(np.ceil(boxes * scale - 0.5 - 1e-6), 0, limits).astype(np.int64)
    # A box as four steps, whose sums along both axes are 1 within it (a summed-area table, backwards).
    steps = np.zeros((rows + 1, columns + 1), np.int32)
    left, top, right, bottom = edges.T
    for y, x, sign in ((top, left, 1), (top, right, -1), (bottom, left, -1), (bottom, right, 1)):
        np.add.at(steps, (y, x), sign)
    return np.cumsum(np.cumsum(steps, axis=0), axis=1, dtype=np.int32)[:rows, :columns]
