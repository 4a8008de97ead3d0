"""Where the tiles of slides are: the cells of a sampler's grid, as a table of TFRecords would have them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slidekit.seeding import slide_generator

if TYPE_CHECKING:
    from slidekit.sampling.sampler import PatchSampler

__all__ = ["CellTable"]

_AT_A_TIME = 1 << 17
"""Steps that are planned together."""


@dataclass(frozen=True)
class CellTable:
    """Tiles of slides, slide after slide; within a slide in the order in which an extraction writes them.

    So tiles from slides and tiles from TFRecords come in one order, where the extraction kept the same tiles, and had
    the seed that extractions have unless they are told one.

    Attributes
    ----------
    names, paths
        Name and file of each slide that has a tile.
    starts
        (slides + 1,) int64: tiles of slide k have the numbers ``starts[k]`` to ``starts[k + 1] - 1``.
    locations
        (n, 2) int64: centres, level-0 pixels.
    steps
        (n,) int64: the step of the sampler's list that each is at.
    """

    names: tuple[str, ...]
    paths: tuple[Path, ...]
    starts: NDArray[np.int64]
    locations: NDArray[np.int64]
    steps: NDArray[np.int64]

    @classmethod
    def of(cls, sampler: PatchSampler, *, seed: int = 0) -> Self:
        """List the tiles of a sampler in mode ``"grid"`` that does not shuffle.

        Parameters
        ----------
        sampler
            The sampler.
        seed
            Seed of the order within a slide, that of an extraction.
        """
        slides, centres = _places(sampler)
        # Rows by slide, each slide's in the order of the list.
        rows = np.argsort(slides, kind="stable")
        numbers, first = np.unique(slides[rows], return_index=True)
        names, paths, steps = list[str](), list[Path](), list[NDArray[np.int64]]()
        for slide, (begin, end) in zip(numbers.tolist(), pairwise([*first.tolist(), len(rows)]), strict=True):
            one, own = sampler.slides[slide], rows[begin:end]
            names.append(one.name)
            paths.append(one.path)
            steps.append(own[slide_generator(seed, one.name, "order").permutation(len(own))])
        order = np.concatenate([np.empty(0, np.int64), *steps])
        starts = np.cumsum([0, *map(len, steps)], dtype=np.int64)
        # A rounding error must not carry a centre at a whole pixel to the pixel before.
        locations = np.floor(centres[order] + 1e-7).astype(np.int64)
        return cls(tuple(names), tuple(paths), starts, locations, order)

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def slides(self) -> tuple[str, ...]:
        """Name of each slide."""
        return self.names

    @property
    def counts(self) -> NDArray[np.int64]:
        """(slides,), int64: number of tiles of each."""
        return np.diff(self.starts)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """(slides,), int64: bytes of each file."""
        return np.array([path.stat().st_size for path in self.paths], np.int64)

    def file_of(self, numbers: ArrayLike) -> NDArray[np.int64]:
        """Find the slides that tiles are of: positions in `paths`, int64, of the same shape."""
        return np.searchsorted(self.starts, np.asarray(numbers), side="right") - 1


def _places(sampler: PatchSampler) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Slides (n,) and centres (n, 2) of all steps of a list; plans have much more, which is not kept."""
    slides, centres = [np.empty(0, np.int32)], [np.empty((0, 2))]
    for first in range(0, len(sampler), _AT_A_TIME):
        plan = sampler.plan(np.arange(first, min(first + _AT_A_TIME, len(sampler))))
        slides.append(plan.slides)
        centres.append(plan.centres)
    return np.concatenate(slides), np.concatenate(centres)
