"""The windows of a slide, one after the other into the store, and what is counted on the way."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field

from slidekit.cells.blocks import BlockReader
from slidekit.cells.canvas import LabelCanvas
from slidekit.cells.found import CellTable, WindowCells, find_cells
from slidekit.cells.plan import SegmentationPlan
from slidekit.cells.windows import CellWindow
from slidekit.cells.writing import StoreWriter
from slidekit.errors import CellError, SlideReadError
from slidekit.slide.parallel import map_ordered
from slidekit.wording import some_of

__all__ = ["OnWindows", "Tally", "run_plan"]

OnWindows = Callable[[int, int], None]
"""Called with the number of windows done, and of all."""

_MOST_LOST = 0.05
"""Share of the pixels that may be undecodable."""

_MOST_NAMED = 50
"""Windows with undecodable pixels that are named one by one."""


@dataclass
class Tally:
    """What is counted while windows are worked on.

    Attributes
    ----------
    cut
        Cells that reach beyond what was read.
    twice
        Cells that were found again by another window.
    clipped
        Cells that lost pixels to others.
    lost
        Windows with pixels that cannot be decoded, and the share of them.
    """

    cut: int = 0
    twice: int = 0
    clipped: int = 0
    lost: list[tuple[CellWindow, float]] = field(default_factory=list)

    def problems(self, plan: SegmentationPlan) -> Iterator[str]:
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


def run_plan(plan: SegmentationPlan, writer: StoreWriter, workers: int, on_progress: OnWindows | None) -> Tally:
    """Work on all windows; results are taken in their order, whichever is ready first.

    Parameters
    ----------
    plan
        What is to be done.
    writer
        Where cells go.
    workers
        Windows at once.
    on_progress
        Called with windows done and windows to do.

    Raises
    ------
    CellError
        If the method fails, or returns what are no labels; with the slide and the window.
    SlideReadError
        If more than 5 % of the pixels cannot be decoded.
    """
    reader = BlockReader(plan.slide, plan.frame.columns, plan.frame.rows)
    canvas = LabelCanvas(plan.frame, plan.grid)
    tally = Tally()
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


def _work(plan: SegmentationPlan, reader: BlockReader, workers: int) -> Generator[WindowCells, None, None]:
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
