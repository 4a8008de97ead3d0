"""`PatchSampler`: which patches come at which steps, as a function of the slides, the parameters and the seed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slidekit.errors import SpecError
from slidekit.loading.options import whole_number
from slidekit.sampling.drafts import Drawer
from slidekit.sampling.often.weights import check_weights
from slidekit.sampling.plan import Plan
from slidekit.sampling.planning import check_steps, plan_steps
from slidekit.sampling.resuming import Resumable
from slidekit.sampling.slides import SampledSlide, Slides, settle_slides
from slidekit.sampling.spec import LISTS, SamplingSpec
from slidekit.sampling.use import SamplerUses

if TYPE_CHECKING:
    from slidekit.sampling.coverage import Coverage
    from slidekit.sampling.lists import ListDrawer
    from slidekit.slide.grid import Grid

__all__ = ["PatchSampler"]


class PatchSampler(Resumable, SamplerUses):
    """A stateless sampler of patches: what comes at a step depends on the slides, the parameters and the seed alone.

    Nothing is opened when it is made. Tissue masks are made where they are needed, and kept in a cache folder.

    Parameters
    ----------
    slides
        A folder, files, `SampledSlide`s, or a `Dataset`.
    tile_px
        Edge of a patch, pixels.
    tile_um
        Its edge in microns, or a magnification (``"10x"``); a list of them is a list of scales, one of which is
        drawn for each patch.
    tile_mpp, downsample, level
        Its size in µm/px, in level-0 pixels per pixel, or as a level of the pyramid, instead.
    seed
        Seed of everything that is random.
    weights
        How often slides come: ``"slide"`` (alike), ``"area"`` (by their tissue), columns of the annotations, each
        within the one before and all values alike (``("category", "patient")``), shares by column
        (``{"category": {"tumour": 0.7, "normal": 0.3}}``), or a weight for each slide by name.
    **options
        Any other field of `SamplingSpec`.

    Raises
    ------
    SpecError
        If options make no sense, alone, together or for these slides.
    DatasetError
        If there is no slide, two have one name, or one lacks a value that `weights` go by.
    """

    def __init__(
        self,
        slides: Slides,
        tile_px: int,
        tile_um: Any = None,
        *,
        tile_mpp: Any = None,
        downsample: Any = None,
        level: Any = None,
        seed: int = 0,
        weights: Any = "slide",
        **options: Any,
    ) -> None:
        size = {"tile_um": tile_um, "tile_mpp": tile_mpp, "downsample": downsample, "level": level}
        stated = {name: value for name, value in size.items() if value is not None}
        spec = SamplingSpec.create(tile_px=tile_px, **stated, seed=seed, weights=weights, **options)
        self._settle(settle_slides(slides), spec)

    @classmethod
    def from_spec(cls, slides: Slides, spec: SamplingSpec) -> Self:
        """Make a sampler of parameters that were validated before."""
        sampler = cls.__new__(cls)
        sampler._settle(settle_slides(slides), spec)
        return sampler

    def _settle(self, slides: tuple[SampledSlide, ...], spec: SamplingSpec) -> None:
        from slidekit.sampling.places import Maps

        check_weights(slides, spec)
        if spec.mode == "points":
            from slidekit.sampling.list_places import find_points

            find_points(slides, spec)
        self.slides = slides
        self.spec = spec
        self.maps = Maps(slides, spec)
        self._first_size = spec
        # Feeds plan in threads of their own, and several may feed on one sampler.
        self._lock = RLock()

    def __reduce__(self) -> tuple[Any, ...]:
        # What was worked out on the way is worked out again where it is needed.
        return _rebuild, (type(self), self.slides, self.spec), {"_first_size": self._first_size}

    def __repr__(self) -> str:
        spec = self.spec
        stated = {
            "tile_um": spec.tile_um,
            "tile_mpp": spec.tile_mpp,
            "downsample": spec.downsample,
            "level": spec.level,
        }
        size = ", ".join(f"{name}={value!r}" for name, value in stated.items() if value is not None)
        return f"PatchSampler({len(self.slides)} slides, {spec.tile_px}, {size}, mode={spec.mode!r}, seed={spec.seed})"

    # --- which patches -----------------------------------------------------------------------------------------

    def plan(self, steps: ArrayLike, attempts: ArrayLike | None = None) -> Plan:
        """Say which patches come at some steps, without reading a pixel.

        Parameters
        ----------
        steps
            (n,) whole numbers from 0 on, in any order.
        attempts
            (n,) how many patches of each step could not be had so far; by default none. One that turns out not to
            be had while planning is passed over: `Plan.attempts` says which it became.

        Returns
        -------
        Plan
            A row for each step, in the order given.

        Raises
        ------
        SlidekitError
            If there is no patch for a step, with the reasons.
        """
        return self.plan_counted(steps, attempts)[0]

    def plan_counted(
        self, steps: ArrayLike, attempts: ArrayLike | None = None
    ) -> tuple[Plan, dict[str, dict[str, int]]]:
        """As `plan`, and what was passed over: {slide: {reason: count}}."""
        with self._lock:
            return plan_steps(self._drawer, self.slides, steps, attempts)

    @cached_property
    def _drawer(self) -> Drawer:
        if self.spec.mode == "random":
            from slidekit.sampling.at_random import RandomDrawer

            return RandomDrawer(self.maps, self.spec)
        if self.spec.mode == "epoch":
            from slidekit.sampling.epoch import EpochDrawer

            return EpochDrawer(self.maps, self.spec)
        return self._list

    @cached_property
    def _list(self) -> ListDrawer:
        from slidekit.sampling.lists import ListDrawer

        if self.spec.mode not in LISTS:
            raise SpecError(f'mode="{self.spec.mode}" has no list of places.', mend='Use mode="grid".')
        return ListDrawer(self.maps, self.spec)

    def missing(self, steps: ArrayLike) -> list[int]:
        """Slides whose masks have to be made before some steps can be planned, by number.

        `plan` makes them itself; who has processes at hand can have them made there first.
        """
        settled = np.atleast_1d(np.asarray(steps, np.int64))
        with self._lock:
            return self.maps.missing(self._drawer.needed(settled))

    # --- what there is -----------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Steps of an epoch, or places of a list.

        Raises
        ------
        SpecError
            In mode ``random``, which has no end.
        """
        with self._lock:
            total = self._drawer.total
        if total is None:
            raise SpecError('mode="random" has no end: say how many steps.', mend='Or use mode="epoch".')
        return total

    # Without it, a sampler without an end could not be asked whether it is None.
    def __bool__(self) -> bool:
        return True

    def left_out(self) -> dict[str, str]:
        """Slides that no patch can come from, and why; masks that are missing are made."""
        with self._lock:
            return self._drawer.left_out

    def cells(self, steps: ArrayLike) -> NDArray[np.int64]:
        """Cells (n, 2), (i, j) on the grid of their slide, of some steps; −1 for points.

        Raises
        ------
        SpecError
            If the mode is neither ``grid`` nor ``points``, or steps are none.
        """
        with self._lock:
            return self._list.cells(check_steps(steps))

    @property
    def grids(self) -> Mapping[str, Grid]:
        """The grid over each slide, by name; SpecError where the mode is neither ``grid`` nor ``points``."""
        with self._lock:
            return self._list.grids

    def coverage(self, epoch: int = 0, *, steps: int | None = None) -> Coverage:
        """Measure how much of the tissue patches cover, on the masks; what fails when it is read is not known.

        Parameters
        ----------
        epoch
            Which epoch.
        steps
            The first so many steps instead, which mode ``random`` needs.

        Raises
        ------
        SpecError
            If neither is possible.
        """
        from slidekit.sampling.coverage import measure_coverage

        whole_number("epoch", epoch)
        which = np.arange(steps) if steps is not None else np.arange(epoch * len(self), (epoch + 1) * len(self))
        return measure_coverage(self.maps, self.spec, self.plan(which))

    def replace(self, **changes: Any) -> Self:
        """A sampler of the same slides with other values of some parameters.

        Raises
        ------
        SpecError
            If they make no sense.
        """
        return self.from_spec(self.slides, self.spec.replace(**changes))

    def resized(self, tile_px: int) -> Self:
        """The same places and fields of view, in images of `tile_px` pixels.

        With further `views` or a `stack`, all images keep their proportions to the patch, as the first of the samplers
        has them that were made from one another so: there and back gives the same.

        Raises
        ------
        SpecError
            If it is not a number of pixels that a patch may have.
        """
        old = self._first_size
        if tile_px == old.tile_px:
            return self.from_spec(self.slides, old)
        by = tile_px / old.tile_px
        changed = old.replace(
            tile_px=tile_px,
            field_px=old.field_px or old.tile_px,
            views=tuple((max(2, round(px * by)), factor) for px, factor in old.views),
            stack=tuple(max(2, round(px * by)) for px in old.stack),
        )
        resized = self.from_spec(self.slides, changed)
        resized._first_size = old
        return resized


def _rebuild(kind: type[PatchSampler], slides: tuple[SampledSlide, ...], spec: SamplingSpec) -> PatchSampler:
    return kind.from_spec(slides, spec)
