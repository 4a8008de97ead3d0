"""`segment_slide`: all cells of a slide, window by window, in bounded memory."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from slidekit.cells.facts import CellFacts
from slidekit.cells.methods import CellMethod, resolve_method
from slidekit.cells.opening import opened_slide
from slidekit.cells.options import take_options
from slidekit.cells.plan import SegmentationPlan, make_plan
from slidekit.cells.running import OnWindows, run_plan
from slidekit.cells.segmentation import Segmentation
from slidekit.cells.store import new_group, ready_dest, saved_group, store_path
from slidekit.cells.tissue import CellMask
from slidekit.cells.values import whole_number
from slidekit.cells.writing import StoreWriter
from slidekit.slide.identity import slide_identity
from slidekit.slide.image import SlideImage
from slidekit.slide.parallel import usable_cores

__all__ = ["OnWindows", "segment_slide"]

_log = logging.getLogger("slidekit")


def segment_slide(
    slide: SlideImage | str | Path,
    method: str | CellMethod | Callable[..., Any] = "classical",
    *,
    diam_um: float = 8.0,
    mpp: float | None = None,
    window_px: int = 1024,
    dest: str | Path | None = None,
    mask: CellMask | None = None,
    workers: int | None = None,
    on_progress: OnWindows | None = None,
    **options: Any,
) -> Segmentation:
    """Find all cells of a slide.

    The slide is read in windows that overlap by the method's margin. A cell belongs to the window whose core holds its
    centroid, and is taken whole, wherever it reaches: no cell is cut, missed or counted twice at a border, and for
    methods that look no further than their margin the result is that of one large window. Ids go by the windows in
    raster order, and in a window by the centroids; they do not depend on `workers`.

    Parameters
    ----------
    slide
        A `WSI`, or the file of a slide. What the QC of a `WSI` has discarded is left out, and its regions of interest
        count by its `roi_method`: cells by their centroids.
    method
        ``classical``, ``cellpose``, a function from an image to labels (which needs `mpp`), or a `CellMethod`. It is
        called from several threads.
    diam_um
        Usual diameter of a cell (or nucleus), µm.
    mpp
        µm/px to work at; the method's own by default.
    window_px
        Longest edge of a window's core, pixels at that resolution; memory goes with it.
    dest
        Where the cells are kept: a folder whose name ends in ``.zarr``, or a folder that gets ``{slide}.cells.zarr``.
        None keeps them in memory, compressed.
    mask
        QC methods (``"otsu"``) or a mask whose discarded areas are left out as well.
    workers
        Windows at once; one per core by default.
    on_progress
        Called with windows done and windows to do.
    **options
        ``slide_mpp`` is µm/px of level 0, over what the file of `slide` says (a `WSI` knows its own).
        ``overwrite=True`` replaces cells that slidekit has written at `dest`. ``model``, ``window_size`` and
        ``diam_mean`` are Slideflow's names of `method`, `window_px`, and for `diam_um` divided by `mpp`. The rest goes
        to the method, such as the ``weights`` of ``cellpose``.

    Returns
    -------
    Segmentation

    Raises
    ------
    SpecError
        If a parameter makes no sense.
    CellError
        If the method fails or returns what are no labels (the slide and the window are named), or `dest` exists or
        cannot be written.
    MissingExtraError
        If zarr, or what the method needs, is not installed.
    SlideOpenError, MissingMPPError
        If the file is no slide, or its µm/px is unknown.
    SlideReadError
        If more than 5 % of the pixels cannot be decoded; less is taken for white, and told of in `problems`.
    QCError
        If `mask` is none of this slide.
    """
    given = take_options(method, diam_um, options, mpp=mpp, window_px=window_px)
    chosen = resolve_method(given.method, diam_um, mpp=given.mpp, **given.rest)
    threads = usable_cores() if workers is None else whole_number("workers", workers)
    with opened_slide(slide, given.slide_mpp) as opened:
        path = None if dest is None else store_path(dest, opened.name)
        if path is not None:
            ready_dest(path, overwrite=given.overwrite)
        plan = make_plan(opened, chosen, given.window_px, mask)
        facts = _facts(plan)
        target = nullcontext(new_group()) if path is None else saved_group(path, overwrite=given.overwrite)
        with target as group:
            writer = StoreWriter(group, facts)
            tally = run_plan(plan, writer, threads, on_progress)
            facts = replace(facts, problems=tuple(tally.problems(plan)))
            writer.finish(facts)
    for problem in facts.problems:
        _log.warning("%s: %s", opened.name, problem)
    return Segmentation(group, facts, writer.count) if path is None else Segmentation.open(path)


def _facts(plan: SegmentationPlan) -> CellFacts:
    slide = plan.slide
    return CellFacts(
        slide.name,
        slide.dimensions,
        (slide.mpp_x, slide.mpp_y),
        (plan.frame.columns, plan.frame.rows),
        _identity(slide.path),
        {"name": plan.method.name, **plan.method.parameters()},
        bounds_origin=slide.bounds_origin,
    )


def _identity(path: Path) -> str | None:
    try:
        return slide_identity(path)
    except OSError:
        return None  # a slide that is a folder
