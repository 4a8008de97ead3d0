"""`FeedReport`: how a feed did, and what it could not have."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["FeedReport"]

_log = logging.getLogger("slidekit")

_MOST_TOLD = 10
"""Slides and reasons that the log names; a report has all of them."""


@dataclass(repr=False)
class FeedReport:
    """How a feed did so far.

    Attributes
    ----------
    patches, batches
        That were given.
    redrawn
        Patches that could not be had, and for which others were drawn, by slide and reason. They are counted when they
        are planned or read, which is ahead of what was given.
    left_out
        The same of grids and points, where nothing takes their place.
    slides_left_out
        Slides of which no patch was planned, or not all, and why, in the modes ``epoch``, ``grid`` and ``points``. In
        mode ``random`` they are among `redrawn`.
    decodes, bytes_read
        Native tiles that were decoded, and bytes of the files that they were decoded from; 0 where readers cannot
        tell.
    waits
        Seconds that each batch was waited for.
    seconds
        From the start of the feed to the last batch.
    peak_memory
        Bytes, at most, that this process and its workers held together, shared memory counted once; None where the
        system does not tell. Known after the feed was closed.
    crashes
        Workers that died, and how.
    """

    patches: int = 0
    batches: int = 0
    redrawn: dict[str, Counter[str]] = field(default_factory=dict)
    left_out: dict[str, Counter[str]] = field(default_factory=dict)
    slides_left_out: dict[str, str] = field(default_factory=dict)
    decodes: int = 0
    bytes_read: int = 0
    waits: list[float] = field(default_factory=list)
    seconds: float = 0.0
    peak_memory: int | None = None
    crashes: list[str] = field(default_factory=list)

    @property
    def patches_per_second(self) -> float:
        """Patches that were given, by the time since the start of the feed."""
        return self.patches / self.seconds if self.seconds > 0 else 0.0

    @property
    def decodes_per_patch(self) -> float:
        """Native tiles that were decoded, by the patches that were given; look-ahead is counted."""
        return self.decodes / self.patches if self.patches else 0.0

    def wait(self, percent: float) -> float:
        """Seconds that a batch was waited for, by percentile; NaN before the first batch."""
        return float(np.percentile(self.waits, percent)) if self.waits else float("nan")

    def count(self, slide: str, reason: str, count: int = 1, *, redrawn: bool) -> None:
        """Count patches that could not be had; the log says it of each slide and reason once."""
        counts = (self.redrawn if redrawn else self.left_out).setdefault(slide, Counter())
        if reason not in counts:
            self._tell(slide, reason, "other patches are drawn" if redrawn else "patches are left out")
        counts[reason] += count

    def leave_out(self, slides: Mapping[str, str]) -> None:
        """Note slides of which not all patches were planned, and why."""
        for slide, reason in slides.items():
            if slide not in self.slides_left_out:
                self._tell(slide, reason, "patches are left out")
        self.slides_left_out.update(slides)

    def _tell(self, slide: str, reason: str, done: str) -> None:
        counted = (*self.redrawn.values(), *self.left_out.values())
        told = len(self.slides_left_out) + sum(len(reasons) for reasons in counted)
        if told < _MOST_TOLD:
            _log.warning("%s: %s; %s", slide, reason.rstrip("."), done)
        elif told == _MOST_TOLD:
            _log.warning("more slides give no patches, or not all: the feed's report names them")

    def __repr__(self) -> str:
        kept = ("patches", "batches", "redrawn", "left_out", "slides_left_out", "decodes", "bytes_read", "crashes")
        said = [f"{name}={getattr(self, name)!r}" for name in kept]
        waits = f"wait_p50={self.wait(50):.4f}, wait_p95={self.wait(95):.4f}"
        return f"FeedReport({', '.join(said)}, seconds={self.seconds:.3f}, {waits}, peak_memory={self.peak_memory})"

    def __rich__(self) -> Table:
        """Show as a table."""
        from rich.table import Table

        table = Table(title="Feed", show_header=False)
        table.add_row("Patches", f"{self.patches:,} in {self.batches:,} batches")
        table.add_row("Patches a second", f"{self.patches_per_second:,.0f}")
        if self.waits:
            table.add_row("Wait for a batch", f"{self.wait(50) * 1e3:.1f} ms (p50), {self.wait(95) * 1e3:.1f} ms (p95)")
        table.add_row("Decoded native tiles a patch", f"{self.decodes_per_patch:.2f}")
        table.add_row("Read", f"{self.bytes_read / 1e6:,.0f} MB")
        if self.peak_memory is not None:
            table.add_row("Peak memory", f"{self.peak_memory / 1e6:,.0f} MB")
        for title, slides in (("Drawn anew", self.redrawn), ("Left out", self.left_out)):
            for name, reasons in sorted(slides.items()):
                for reason, count in sorted(reasons.items()):
                    table.add_row(title, f"{count:,} of {name}: {reason}")
        for name, reason in sorted(self.slides_left_out.items()):
            table.add_row("Slide left out", f"{name}: {reason}")
        for crash in self.crashes:
            table.add_row("A worker died", crash)
        return table
