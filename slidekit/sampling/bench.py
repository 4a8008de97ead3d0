"""How fast patches of a sampler come on this machine, by workers and look-ahead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slidekit.errors import SpecError

if TYPE_CHECKING:
    from rich.table import Table

    from slidekit.sampling.feeding.report import FeedReport
    from slidekit.sampling.sampler import PatchSampler

__all__ = ["FeedMeasure", "FeedMeasures", "measure_feeds"]


@dataclass(frozen=True)
class FeedMeasure:
    """One way of feeding, measured.

    Attributes
    ----------
    workers, look_ahead
        As for `slidekit.sampling.feeding.feed.Feed`.
    report
        What came of it; it begins before the workers are started.
    """

    workers: int
    look_ahead: int
    report: FeedReport

    @property
    def first_batch(self) -> float:
        """Seconds until the first batch."""
        return self.report.waits[0] if self.report.waits else float("nan")


@dataclass(frozen=True)
class FeedMeasures:
    """Several ways of feeding the same patches, measured.

    Attributes
    ----------
    measures
        In the order in which they were taken.
    patches, batch_size
        What was fed each time, at most.
    """

    measures: tuple[FeedMeasure, ...]
    patches: int
    batch_size: int

    def __rich__(self) -> Table:
        """Show as a table."""
        from rich.table import Table

        title = f"{self.patches} patches in batches of {self.batch_size}, files in memory"
        table = Table(title=title, box=None, pad_edge=False, header_style="bold")
        for heading in (
            *("work-\ners", "look-\nahead", "patches\na second", "first\nbatch, s", "wait, ms\np50"),
            *("wait, ms\np95", "decodes\na patch", "read,\nMB", "memory,\nMB"),
        ):
            table.add_column(heading, justify="right")
        best = max((one.report.patches_per_second for one in self.measures), default=0.0)
        for one in self.measures:
            report = one.report
            memory = "–" if report.peak_memory is None else f"{report.peak_memory / 1e6:.0f}"
            table.add_row(
                *(str(one.workers), str(one.look_ahead), f"{report.patches_per_second:.0f}", f"{one.first_batch:.2f}"),
                *(f"{report.wait(50) * 1e3:.1f}", f"{report.wait(95) * 1e3:.1f}", f"{report.decodes_per_patch:.2f}"),
                *(f"{report.bytes_read / 1e6:.0f}", memory),
                style="bold green" if report.patches_per_second == best else None,
            )
        return table


def measure_feeds(
    sampler: PatchSampler,
    *,
    patches: int = 1024,
    batch_size: int = 32,
    workers: Sequence[int] = (0, 1, 2),
    look_aheads: Sequence[int] = (1, 256, 1024),
    on_start: Callable[[int, int], None] | None = None,
) -> FeedMeasures:
    """Read the same patches in several ways; all are read once before, so that masks and files are in memory.

    Parameters
    ----------
    sampler
        What patches are of.
    patches
        How many each time; of a list of places no more than it has.
    batch_size
        Patches of a batch.
    workers, look_aheads
        Numbers of processes and lengths of the look-ahead, each with each.
    on_start
        Called with both before each.

    Raises
    ------
    SpecError
        If there is nothing to measure, or a number makes no sense.
    """
    if not workers or not look_aheads or patches < 1:
        raise SpecError("There is nothing to measure.", mend="Give patches, workers and look-aheads.")
    _feed(sampler, patches, batch_size, 0, max(look_aheads))
    measures = []
    for count in workers:
        for look_ahead in look_aheads:
            if on_start is not None:
                on_start(count, look_ahead)
            report = _feed(sampler, patches, batch_size, count, look_ahead)
            measures.append(FeedMeasure(count, look_ahead, report))
    return FeedMeasures(tuple(measures), patches, batch_size)


def _feed(sampler: PatchSampler, patches: int, batch_size: int, workers: int, look_ahead: int) -> FeedReport:
    with sampler.batches(batch_size, steps=patches, workers=workers, look_ahead=look_ahead) as feed:
        for _ in feed:
            pass
    return feed.report
