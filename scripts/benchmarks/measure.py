"""Measuring ways of doing the same work: in turn, several rounds, so that a slow minute of the machine hits all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Measured"]


@dataclass
class Measured:
    """Times of each way, a value a round.

    Attributes
    ----------
    units
        Tiles (or images, or runs) that a round does: figures are given for one of them.
    cpu, wall
        Seconds a round, by way.
    peak
        Peak resident memory of a process that does nothing else, MB, by way.
    """

    units: int
    cpu: dict[str, list[float]] = field(default_factory=dict)
    wall: dict[str, list[float]] = field(default_factory=dict)
    peak: dict[str, float] = field(default_factory=dict)

    def take(self, way: str, work: Callable[[], object]) -> None:
        """Time one round of a way."""
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        self.cpu.setdefault(way, []).append(time.process_time() - cpu)
        self.wall.setdefault(way, []).append(time.perf_counter() - wall)

    def rounds(self, ways: dict[str, Callable[[], object]], rounds: int) -> None:
        """Time all ways in turn, so many rounds."""
        for _ in range(rounds):
            for way, work in ways.items():
                self.take(way, work)

    def ms(self, way: str) -> float:
        """Median milliseconds of CPU for one unit."""
        return statistics.median(self.cpu[way]) * 1e3 / self.units

    def per_second(self, way: str) -> float:
        """Units a second of wall time, median."""
        return self.units / statistics.median(self.wall[way])

    def ratio(self, way: str, other: str, *, wall: bool = False) -> float:
        """How many times as long `other` takes: the median of the rounds' own ratios."""
        times = self.wall if wall else self.cpu
        return statistics.median(b / a for a, b in zip(times[way], times[other], strict=True))
