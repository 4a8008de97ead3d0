"""`Maps`: the maps of all slides of a sampler, made when they are wanted and kept within a budget of memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from slidekit.errors import SlideError, SlidekitError
from slidekit.sampling.masks.entry import cache_of, entry_key
from slidekit.sampling.masks.facts import MadeMask, MapSpec
from slidekit.sampling.masks.make import is_lasting
from slidekit.sampling.masks.methods import resolve_mask
from slidekit.sampling.masks.workers import MaskJob, Outcome, run_jobs
from slidekit.sampling.places.assemble import assemble
from slidekit.sampling.places.slide_map import SlideMap
from slidekit.sampling.slides import SampledSlide
from slidekit.slide.parallel import usable_cores
from slidekit.slide.roi.class_regions import check_classes

__all__ = ["Maps"]

_MEMORY = 512 << 20


class Maps:
    """The maps of slides: from memory, from the cache on disk, or made now.

    It can be pickled; what it holds in memory does not go along. It is safe for threads.

    Parameters
    ----------
    slides
        The slides.
    spec
        What maps depend on.
    memory
        Bytes of maps and places that are kept; those that were not asked for longest go first. Masks that cannot be
        kept on disk stay in any case, because to make them again takes long.

    Raises
    ------
    SpecError
        If `spec.mask` has a word that is none, or there are too many classes.
    """

    def __init__(self, slides: Sequence[SampledSlide], spec: MapSpec, *, memory: int = _MEMORY) -> None:
        self.slides = tuple(slides)
        self.spec = spec
        self.memory = memory
        self._methods = resolve_mask(spec.mask)
        check_classes(len(spec.classes or ()))
        self._cache = cache_of(spec)
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._keys: dict[int, tuple[str, dict[str, Any]]] = {}
        self._unwritten: dict[int, MadeMask] = {}
        self._errors: dict[int, SlideError] = {}
        self._maps: OrderedDict[int, SlideMap] = OrderedDict()
        self._sizes: dict[int, int] = {}
        self._held = 0
        self._last: int | None = None

    def __len__(self) -> int:
        return len(self.slides)

    def get(self, index: int) -> SlideMap:
        """The map of a slide.

        Parameters
        ----------
        index
            Number of the slide.

        Raises
        ------
        SlideError
            If the slide, its mask or its regions cannot be used; the same again for the next who asks, without work.
        """
        with self._lock:
            if index in self._errors:
                # Not with the traceback of last time, which would grow with every patch that is tried.
                raise self._errors[index].with_traceback(None)
            if index in self._maps:
                self._maps.move_to_end(index)
                self._weigh(index)
                return self._maps[index]
        try:
            made = self._load(index)
            if made is None:
                job = self._job(index)
                made = self._settle(index, job.run())
            slide_map = assemble(self.slides[index], self.spec, made, self._methods)
        except SlidekitError as error:
            raise self._remember(index, error) from None
        with self._lock:
            slide_map = self._maps.setdefault(index, slide_map)
            self._weigh(index)
        return slide_map

    def missing(self, indices: Iterable[int] | None = None) -> list[int]:
        """Those of some slides (all, by default) whose mask would have to be made now."""
        return [index for index in (range(len(self.slides)) if indices is None else indices) if self._is_missing(index)]

    def prepare(self, indices: Iterable[int] | None = None, *, workers: int | None = None) -> dict[int, SlidekitError]:
        """Make the masks that are missing, several at once; a slide that fails stops none of the others.

        Parameters
        ----------
        indices
            Numbers of slides; all by default.
        workers
            Masks that are made at once; by default as many as there are cores.

        Returns
        -------
        dict
            By number of slide, why it cannot be used, of all that were asked for: what `get` raises, or that it has no
            tissue.
        """
        asked = list(range(len(self.slides)) if indices is None else indices)
        missing = self.missing(asked)
        jobs = []
        for index in missing:
            try:
                jobs.append((index, self._job(index)))
            except SlidekitError as error:
                self._remember(index, error)

        def done(number: int, outcome: Outcome) -> None:
            try:
                self._settle(jobs[number][0], outcome)
            except SlidekitError as error:
                self._remember(jobs[number][0], error)

        if jobs:
            run_jobs([job for _, job in jobs], usable_cores() if workers is None else max(1, workers), done)
        reasons = {index: self._why_not(index) for index in asked}
        return {index: reason for index, reason in reasons.items() if reason is not None}

    def refuse(self, index: int, error: SlidekitError) -> None:
        """Have a slide fail from now on, as one of which something else was found out.

        Parameters
        ----------
        index
            Number of the slide.
        error
            What `get` raises, unless it raises another already.
        """
        self._remember(index, error)

    # --- inside ------------------------------------------------------------------------------------------------

    def _why_not(self, index: int) -> SlidekitError | None:
        try:
            self.get(index).check()
        except SlidekitError as error:
            return error
        return None

    def _is_missing(self, index: int) -> bool:
        if index in self._errors or index in self._maps or index in self._unwritten:
            return False
        try:
            return not (is_lasting(self.slides[index], self.spec) and self._path(index).exists())
        except SlidekitError as error:
            self._remember(index, error)
            return False

    def _path(self, index: int) -> Path:
        return self._cache.path(self.slides[index].name, *self._key(index))

    def _key(self, index: int) -> tuple[str, dict[str, Any]]:
        """What names the mask of a slide: the file's identity, and the parameters."""
        if index not in self._keys:
            self._keys[index] = entry_key(self.slides[index], self.spec)
        return self._keys[index]

    def _load(self, index: int) -> MadeMask | None:
        if index in self._unwritten:
            return self._unwritten[index]
        if not is_lasting(self.slides[index], self.spec):
            return None
        return self._cache.read(self.slides[index].name, *self._key(index))

    def _job(self, index: int) -> MaskJob:
        # Without what masks do not need, which a child process may not be able to import.
        slide = replace(self.slides[index], label=None, groups={}, rois=None, label_mask=None)
        return MaskJob(slide, self.spec, self._key(index)[0])

    def _settle(self, index: int, outcome: Outcome) -> MadeMask:
        """Keep what was made, on disk or else in memory."""
        if isinstance(outcome, SlidekitError):
            raise outcome
        lasting = is_lasting(self.slides[index], self.spec)
        if not (lasting and self._cache.write(outcome, self._key(index)[1])):
            self._unwritten[index] = outcome
        return outcome

    def _remember(self, index: int, error: SlidekitError) -> SlideError:
        # Made anew: the one that was raised holds on to all that its frames hold.
        kind = type(error) if isinstance(error, SlideError) else SlideError
        return self._errors.setdefault(index, kind(error.message, mend=error.mend, path=error.path, line=error.line))

    def _weigh(self, index: int) -> None:
        """Let go of maps beyond the budget; the one before has all its places by now."""
        for known in (index, self._last):
            if known is not None and known in self._maps:
                now = self._maps[known].nbytes
                self._held += now - self._sizes.get(known, 0)
                self._sizes[known] = now
        self._last = index
        while len(self._maps) > 1 and self._held > self.memory:
            gone, _ = self._maps.popitem(last=False)
            self._held -= self._sizes.pop(gone, 0)

    def __getstate__(self) -> dict[str, Any]:
        return {"slides": self.slides, "spec": self.spec, "memory": self.memory}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["slides"], state["spec"], memory=state["memory"])  # type: ignore[misc]
