"""Patches of a list: the cells of a grid, or points; each comes once an epoch, and none is drawn anew."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import SlideError, SlidekitError, SpecError
from slidekit.sampling.at_random import prepare_needed
from slidekit.sampling.drafts import Draft, boxes_around
from slidekit.sampling.draws import Column, draw, permutation
from slidekit.sampling.list_places import Places, find_points, lay_grid, place_points
from slidekit.sampling.spec import SamplingSpec
from slidekit.slide.grid import Grid
from slidekit.slide.parallel import usable_cores

if TYPE_CHECKING:
    from slidekit.sampling.places import Maps

__all__ = ["ListDrawer"]


class ListDrawer:
    """Draws patches of the modes ``grid`` and ``points``.

    Parameters
    ----------
    maps
        The slides; those that cannot be used are left out.
    spec
        Parameters.
    """

    def __init__(self, maps: Maps, spec: SamplingSpec) -> None:
        self._maps = maps
        self._spec = spec
        self._order: tuple[int, NDArray[np.int64]] | None = None

    @cached_property
    def _found(self) -> tuple[dict[int, Places], dict[str, str]]:
        """Places by slide, and why slides have none."""
        given = find_points(self._maps.slides, self._spec)
        wanted = sorted(given) if self._spec.mode == "points" else list(range(len(self._maps.slides)))
        prepare_needed(self._maps, np.array(wanted))

        def find(index: int) -> Places | SlidekitError:
            try:
                return self._find(index, given.get(index))
            except SlidekitError as error:
                return error

        # Nothing is known of a user's own QC method, not even that it may be called twice at a time.
        own = any(not isinstance(method, str) for method in self._spec.qc)
        with ThreadPoolExecutor(1 if own else usable_cores()) as pool:
            results = list(pool.map(find, wanted))
        found: dict[int, Places] = {}
        left_out: dict[str, str] = {}
        for index, result in zip(wanted, results, strict=True):
            if isinstance(result, SlidekitError):
                left_out[self._maps.slides[index].name] = result.message
                continue
            found[index] = result
            if result.left_out:
                left_out[self._maps.slides[index].name] = result.left_out
        return found, left_out

    def _find(self, index: int, points: NDArray[np.float64] | None) -> Places:
        one, spec = self._maps.get(index), self._spec
        size = spec.scales[0][0].extent(one.facts)
        if points is not None:
            return place_points(points, size, one.facts.dimensions)
        grid, taken = lay_grid(self._maps.slides[index], spec, one)
        centres = grid.boxes()[:, :2] + np.array([grid.tile_width, grid.tile_height]) / 2
        if spec.min_tissue > 0:
            taken = taken & (one.tissue_share(boxes_around(centres, size)) >= spec.min_tissue)
        return Places(centres[taken], grid.cells()[taken], grid)

    @cached_property
    def _rows(self) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int64]]:
        """Slides (n,), centres (n, 2) and cells (n, 2) of the whole list."""
        found = self._found[0]
        slides = [np.full(len(one.centres), index, np.int32) for index, one in found.items()]
        return (
            np.concatenate([np.empty(0, np.int32), *slides]),
            np.concatenate([np.empty((0, 2)), *(one.centres for one in found.values())]),
            np.concatenate([np.empty((0, 2), np.int64), *(one.cells for one in found.values())]),
        )

    @property
    def total(self) -> int:
        """Steps of an epoch: places of the list."""
        return len(self._rows[0])

    @property
    def left_out(self) -> dict[str, str]:
        """Slides whose places are not in the list, or not all of them, and why."""
        return dict(self._found[1])

    @property
    def grids(self) -> Mapping[str, Grid]:
        """Grid of each slide by name; none for points."""
        slides = self._maps.slides
        return {slides[index].name: one.grid for index, one in self._found[0].items() if one.grid is not None}

    def cells(self, steps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Cells (n, 2), (i, j) on the slide's grid, of some steps; −1 for points."""
        return self._rows[2][self._numbers(steps)]

    def needed(self, steps: NDArray[np.int64]) -> list[int]:
        """Slides of the list."""
        wanted = find_points(self._maps.slides, self._spec) if self._spec.mode == "points" else self._maps.slides
        return sorted(wanted) if isinstance(wanted, dict) else list(range(len(wanted)))

    def draw(self, steps: NDArray[np.int64], attempts: NDArray[np.int32]) -> Draft:
        """Take the places of some steps.

        Raises
        ------
        SpecError
            If another attempt is asked for: a place of a list is had, or missing.
        """
        if attempts.any():
            raise SpecError(f'mode="{self._spec.mode}" has no second attempt: what cannot be read is left out.')
        draft = Draft.blank(steps, attempts)
        words = draw(self._spec.seed, steps, attempts)
        draft.plan.seeds[:] = (words[:, Column.SEED] >> np.uint64(1)).astype(np.int64)
        numbers = self._numbers(steps)
        slides, centres, _ = self._rows
        draft.plan.slides[:] = slides[numbers]
        for index in np.unique(draft.plan.slides).tolist():
            rows = np.flatnonzero(draft.plan.slides == index)
            one = self._maps.get(index)
            size = self._spec.scales[0][0].extent(one.facts)
            # Never moved, whatever edges= says: the cells of a grid are where they are.
            draft.place(rows, one, size, centres[numbers[rows]])
        return draft

    def _numbers(self, steps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places in the list of some steps."""
        if not self.total:
            reasons = "; ".join(f"{slide}: {reason}" for slide, reason in list(self.left_out.items())[:5])
            raise SlideError(f"There is no place to take a patch from{f' ({reasons})' if reasons else ''}.")
        epochs, numbers = np.divmod(steps, self.total)
        if self._spec.shuffle:
            for epoch in np.unique(epochs).tolist():
                if self._order is None or self._order[0] != epoch:
                    self._order = epoch, permutation(self._spec.seed, self.total, "list order", epoch)
                rows = epochs == epoch
                numbers[rows] = self._order[1][numbers[rows]]
        return numbers
