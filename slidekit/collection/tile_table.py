"""Candidate tiles of many slides in one table, several slides at a time."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from slidekit.errors import SlidekitError, SpecError
from slidekit.slide.coordinates import Coordinates
from slidekit.slide.spec import ExtractionSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from slidekit.collection.selection import Selection

__all__ = ["TableJob", "tile_table"]

logger = logging.getLogger(__name__)

_SECONDS_TO_START = 2.0
"""What children cost before the first slide: Python, numpy, pandas, shapely (measured on two cores)."""

_WARM_UP = 1
"""Slides whose time says nothing, because libraries are loaded meanwhile."""


@dataclass(frozen=True)
class TableJob:
    """A slide whose candidates are wanted.

    Attributes
    ----------
    name, path
        The slide.
    rois
        Its file of regions of interest, if there is one.
    mpp
        µm/px from the annotations, if they have it.
    spec
        Size of tile, ROI rule and QC.
    coordinates
        Where its tiles lie, instead of on a grid.
    """

    name: str
    path: Path
    rois: Path | None
    mpp: float | None
    spec: ExtractionSpec
    coordinates: Coordinates | None = None

    def run(self) -> pd.DataFrame | str:
        """Make the table of this slide; a text says why there is none."""
        from slidekit.slide.wsi import WSI

        try:
            with WSI.from_spec(
                self.path, self.spec, rois=self.rois, annotated_mpp=self.mpp, coordinates=self.coordinates
            ) as slide:
                slide.qc(self.spec.qc)
                return slide.get_tile_dataframe().assign(slide=self.name)
        except SlidekitError as error:
            return str(error)


def tile_table(
    selection: Selection,
    spec: ExtractionSpec,
    *,
    num_workers: int | None = None,
    coordinates: Mapping[str, Coordinates] | None = None,
) -> pd.DataFrame:
    """Put the tables of all slides of a selection together; TFRecords are not looked at.

    Parameters
    ----------
    selection
        Which slides.
    spec
        Size of tile, ROI rule and QC.
    num_workers
        Processes that work at the same time; 1 is this one alone. None: as many as there are cores, as soon as the
        slides that are left take longer than starting them. The table is the same.
    coordinates
        Slide to the places of its tiles, instead of on a grid; slides without are left out.

    Returns
    -------
    DataFrame
        Index ``{slide}-{loc_x}-{loc_y}``; the columns of `WSI.get_tile_dataframe`, and ``slide``. Slides that
        cannot be used are in ``attrs["failed"]``, name to reason, and in the log.

    Raises
    ------
    SpecError
        If `num_workers` is not positive.
    """
    import pandas as pd

    if num_workers is not None and num_workers < 1:
        raise SpecError(f"num_workers={num_workers} is no number of processes.", mend="Give 1 or more, or None.")
    mpp, rois = selection.mpp(), selection.roi_files()
    given = coordinates or {}
    jobs = [
        TableJob(name, path, rois.get(name), mpp.get(name), spec, given.get(name))
        for name, path in selection.paths().items()
        if coordinates is None or len(given[name])
    ]
    frames: list[pd.DataFrame] = []
    failed: dict[str, str] = {}
    for job, made in zip(jobs, _run(jobs, spec, num_workers), strict=True):
        if isinstance(made, str):
            logger.warning("%s is not in the table: %s", job.name, made)
            failed[job.name] = made
        else:
            frames.append(made)
    # Empty frames have columns without types, which would spoil the types of the others.
    filled = [frame for frame in frames if len(frame)] or frames[:1]
    table = pd.concat(filled) if filled else pd.DataFrame(columns=["loc_x", "loc_y", "slide"])
    table.attrs["failed"] = failed
    return table


def _run(jobs: Sequence[TableJob], spec: ExtractionSpec, num_workers: int | None) -> list[pd.DataFrame | str]:
    """Tables of all slides in their order: here, or from the slide on from which children are worth it."""
    from slidekit.extraction.isolation.process import can_cross
    from slidekit.slide.parallel import usable_cores

    workers = usable_cores() if num_workers is None else num_workers
    # QC functions that were written in a notebook cannot be sent to a child.
    alone = workers == 1 or len(jobs) < 2 or not can_cross(spec)
    made: list[pd.DataFrame | str] = []
    seconds: list[float] = []
    for place, job in enumerate(jobs):
        left = len(jobs) - place
        if not alone and (num_workers is not None or _is_worth_it(seconds[_WARM_UP:], left, workers)):
            from slidekit.collection.tile_workers import run_in_children

            return made + run_in_children(jobs[place:], workers)
        started = time.monotonic()
        made.append(job.run())
        seconds.append(time.monotonic() - started)
    return made


def _is_worth_it(seconds: Sequence[float], left: int, workers: int) -> bool:
    """Whether children would save more than it takes to start them, by the time of the slides before."""
    if not seconds:
        return False
    saved = sum(seconds) / len(seconds) * (left - left / min(workers, left))
    return saved > _SECONDS_TO_START
