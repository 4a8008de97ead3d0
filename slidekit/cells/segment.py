"""`segment_slide`: all cells of a slide, window by window, in bounded memory."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from slidekit.cells.blocks import BlockReader
from slidekit.cells.canvas import LabelCanvas
from slidekit.cells.facts import CellFacts
from slidekit.cells.found import CellTable, WindowCells, find_cells
from slidekit.cells.methods import CellMethod, resolve_method
from slidekit.cells.segmentation import Segmentation
from slidekit.cells.store import StoreWriter, check_dest, new_group, saved_group, store_path
from slidekit.cells.tissue import CellMask, Tissue
from slidekit.cells.windows import CellFrame, CellWindow, WindowGrid
from slidekit.errors import CellError, SlidekitError, SlideReadError, SpecError
from slidekit.slide.identity import slide_identity
from slidekit.slide.image import SlideImage
from slidekit.slide.parallel import map_ordered, usable_cores
from slidekit.wording import some_of

__all__ = ["OnWindows", "segment_slide"]

_log = logging.getLogger("slidekit")

OnWindows = Callable[[int, int], None]
"""Called with the number of windows done, and of all."""

_MOST_LOST = 0.05
"""Share of the pixels that may be undecodable."""

_MOST_NAMED = 50
"""Windows with undecodable pixels that are named one by one."""

_BEYOND = 8
"""Margin over this: how far beyond its core a window takes cells that no earlier window saw as its own. It matters
to methods that see a cell otherwise in another window, such as networks."""


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
        If the method fails or returns what are no labels (the slide and the window are named), or `dest` exists.
    MissingExtraError
        If zarr, or what the method needs, is not installed.
    SlideOpenError, MissingMPPError
        If the file is no slide, or its µm/px is unknown.
    SlideReadError
        If more than 5 % of the pixels cannot be decoded; less is taken for white, and told of in `problems`.
    QCError
        If `mask` is none of this slide.
    """
    method, mpp, window_px, overwrite = _slideflow_names(method, mpp, window_px, diam_um, options)
    chosen = resolve_method(method, diam_um, mpp=mpp, **options)
    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 1):
        raise SpecError(f"workers={workers!r} is no number of workers.", mend="Give 1 or more.")
    with ExitStack() as stack:
        opened = slide if isinstance(slide, SlideImage) else stack.enter_context(SlideImage(Path(slide)))
        path = None if dest is None else store_path(dest, opened.name)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            check_dest(path, overwrite=overwrite)
        plan = _plan(opened, chosen, window_px, mask)
        target = nullcontext(new_group()) if path is None else saved_group(path, overwrite=overwrite)
        with target as group:
            facts = CellFacts(
                opened.name,
                opened.dimensions,
                (opened.mpp_x, opened.mpp_y),
                (plan.frame.columns, plan.frame.rows),
                _identity(opened.path),
                {"name": chosen.name, **chosen.parameters()},
                bounds_origin=opened.bounds_origin,
            )
            writer = StoreWriter(group, facts)
            tally = _run(plan, writer, workers or usable_cores(), on_progress)
            facts = replace(facts, problems=tuple(tally.problems(plan)))
            writer.finish(facts)
    for problem in facts.problems:
        _log.warning("%s: %s", opened.name, problem)
    return Segmentation(group, facts, writer.count) if path is None else Segmentation.open(path)


def _slideflow_names(
    method: Any, mpp: float | None, window_px: int, diam_um: float, options: dict[str, Any]
) -> tuple[Any, float | None, int, bool]:
    """Take Slideflow's names, and what is no option of the method, out of the options."""
    if "model" in options:
        if method != "classical":
            raise SpecError("method and model are given.", mend="Give one of the two.")
        method = options.pop("model")
    window_px = options.pop("window_size", window_px)
    if (diam_mean := options.pop("diam_mean", None)) is not None:
        if mpp is not None or not diam_mean > 0:
            raise SpecError(f"diam_mean={diam_mean!r} makes no sense here.", mend="Give mpp alone.")
        mpp = diam_um / diam_mean
    return method, mpp, window_px, bool(options.pop("overwrite", False))


@dataclass(frozen=True)
class _Plan:
    """What is to be done on a slide."""

    slide: SlideImage
    method: CellMethod
    facts: Any
    frame: CellFrame
    grid: WindowGrid
    margin_px: int
    tissue: Tissue
    windows: list[CellWindow]

    @property
    def beyond(self) -> int:
        return self.margin_px // _BEYOND

    def describe(self, window: CellWindow) -> str:
        """Where a window is, on level 0."""
        (width, height), core = self.frame.pixel, window.core
        place = f"({round(core.left * width)}, {round(core.top * height)})"
        return f"window at {place}, {round(core.width * width)} × {round(core.height * height)} px of level 0"


def _plan(slide: SlideImage, method: CellMethod, window_px: int, mask: CellMask | None) -> _Plan:
    frame = CellFrame.at(method.mpp, slide.dimensions, (slide.mpp_x, slide.mpp_y))
    margin_px = math.ceil(method.margin_um / min(frame.mpp))
    grid = WindowGrid(frame.columns, frame.rows, window_px, margin_px)
    tissue = Tissue(slide, mask, method.mpp)
    windows = [window for window in grid if tissue.has(window, frame)]
    # A slide without tissue has no stains to look for.
    facts = _prepare(slide, method) if windows else None
    return _Plan(slide, method, facts, frame, grid, margin_px, tissue, windows)


def _prepare(slide: SlideImage, method: CellMethod) -> Any:
    try:
        return method.prepare(slide)
    except SlidekitError:
        raise
    except Exception as error:
        what = f"slide {slide.name}: method {method.name} failed to prepare: {type(error).__name__}: {error}"
        raise CellError(what, path=slide.path) from error


@dataclass
class _Tally:
    """What is counted while windows are worked on."""

    cut: int = 0
    twice: int = 0
    clipped: int = 0
    lost: list[tuple[CellWindow, float]] = field(default_factory=list)

    def problems(self, plan: _Plan) -> Iterator[str]:
        """What a person should know."""
        if self.lost:
            named = [f"{plan.describe(window)} ({share:.1%})" for window, share in self.lost]
            yield (
                f"Pixels of {len(named)} windows cannot be decoded and were taken for white: "
                f"{some_of(named, _MOST_NAMED)}."
            )
        margin = f"{plan.margin_px * min(plan.frame.mpp):.4g} µm"
        if self.cut:
            yield f"{self.cut} cells reach beyond the margin of {margin} around windows, and are cut there."
        if self.twice:
            yield f"{self.twice} cells were found again by another window, and left out."
        if self.clipped:
            yield f"{self.clipped} cells overlap others of another window, which keep the common pixels."


def _run(plan: _Plan, writer: StoreWriter, workers: int, on_progress: OnWindows | None) -> _Tally:
    """Work on all windows; results are taken in their order, whichever is ready first."""
    reader = BlockReader(plan.slide, plan.frame.columns, plan.frame.rows)
    canvas = LabelCanvas(plan.frame, plan.grid)
    tally = _Tally()
    most = _MOST_LOST * sum(window.core.width * window.core.height for window in plan.windows)
    writer.add(CellTable.empty())
    total = len(plan.windows)
    following = [*plan.windows[1:], None][:total]
    with closing(_work(plan, reader, workers)) as results:
        for done, (found, after) in enumerate(zip(results, following, strict=True), start=1):
            if reader.lost > most:
                raise SlideReadError(
                    "more than 5 % of the pixels that cells are looked for in cannot be decoded.",
                    mend="Check the file; slidekit verify names what is damaged.",
                    path=plan.slide.path,
                )
            outer = found.window.outer
            if lost := reader.lost_in(outer):
                tally.lost.append((found.window, lost / (outer.width * outer.height)))
            columns = found.cells.columns
            wanted = plan.tissue.counts(columns["x"], columns["y"])
            painted = canvas.paint(found, wanted)
            writer.add(painted.cells)
            for box, labels in canvas.release(after):
                writer.write_part(box, labels)
            tally.cut += int((found.is_cut & wanted).sum())
            tally.twice += painted.twice
            tally.clipped += painted.clipped
            if on_progress is not None:
                on_progress(done, total)
    return tally


def _work(plan: _Plan, reader: BlockReader, workers: int) -> Generator[WindowCells, None, None]:
    def work(window: CellWindow) -> WindowCells:
        image = reader.read(window.outer)
        try:
            return find_cells(plan.method, plan.facts, image, window, plan.frame, plan.beyond)
        except CellError as error:
            raise CellError(
                f"slide {plan.slide.name}, {plan.describe(window)}: method {plan.method.name} {error.message}",
                mend=error.mend,
                path=plan.slide.path,
            ) from error

    return map_ordered(work, plan.windows, threads=workers)


def _identity(path: Path) -> str | None:
    try:
        return slide_identity(path)
    except OSError:
        return None  # a slide that is a folder
