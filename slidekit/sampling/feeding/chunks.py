"""Windows of coming steps, cut into chunks that one process reads at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from slidekit.sampling.plan import Plan
from slidekit.sampling.reading.order import reading_order

__all__ = ["Chunk", "ChunkQueue", "cut_chunks"]

CHUNK = 48
"""Patches that a process reads before it asks again."""

_PIECES = 8
"""Parts that a slide which fills several chunks is thought of in; each is one process's, if it can be had."""

_Home: TypeAlias = tuple[int, int]


@dataclass
class Chunk:
    """Patches that one process reads together.

    Attributes
    ----------
    plan
        The patches.
    positions
        (n,) int64: the position of each in the stream.
    home
        Whose tiles are likely to be of use: a slide and a part of it, or a group of slides (−1, group).
    window
        Number of the window; the patches of an earlier one are waited for first.
    killed
        How many processes died of it.
    """

    plan: Plan
    positions: NDArray[np.int64]
    home: _Home = (-1, 0)
    window: int = 0
    killed: int = 0

    def __len__(self) -> int:
        return len(self.positions)

    def take(self, rows: NDArray[np.int64]) -> Chunk:
        """Some of its patches."""
        return replace(self, plan=self.plan.take(rows), positions=self.positions[rows])


def cut_chunks(plan: Plan, positions: NDArray[np.int64], groups: int, window: int = 0) -> list[Chunk]:
    """Cut a window into chunks.

    Parameters
    ----------
    plan
        Patches of the window.
    positions
        (n,) the position of each in the stream.
    groups
        How many processes there are: slides with few patches in the window are put together by this.
    window
        Its number.
    """
    order = reading_order(plan.slides, plan.centres)
    slides = plan.slides[order]
    cuts = np.flatnonzero(np.diff(slides)) + 1
    few: list[list[NDArray[np.int64]]] = [[] for _ in range(groups)]
    chunks: list[Chunk] = []

    def add(rows: NDArray[np.int64], home: _Home) -> None:
        chunks.append(Chunk(plan.take(rows), positions[rows], home, window))

    for first, last in pairwise([0, *cuts.tolist(), len(order)]):
        if first == last:
            continue
        slide = int(slides[first])
        pieces = -(-(last - first) // CHUNK)
        if pieces == 1:
            few[slide % groups].append(order[first:last])
            continue
        for number, rows in enumerate(np.array_split(order[first:last], pieces)):
            add(rows, (slide, int((number + 0.5) / pieces * _PIECES)))
    for group, parts in enumerate(few):
        together: list[NDArray[np.int64]] = []
        for part in [*parts, None]:
            if together and (part is None or sum(map(len, together)) + len(part) > CHUNK):
                add(np.concatenate(together), (-1, group))
                together = []
            if part is not None:
                together.append(part)
    return chunks


class ChunkQueue:
    """Chunks that wait, each for the process whose memory is likely to hold its tiles.

    Which process reads what changes how long it takes, and nothing else.
    """

    def __init__(self) -> None:
        self._waiting: list[Chunk] = []
        self._homes: dict[_Home, int] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, chunks: list[Chunk]) -> None:
        """Let chunks wait."""
        self._waiting.extend(chunks)

    def take(self, worker: int) -> Chunk:
        """The next chunk for a process: of the earliest window one that is its own, or nobody's yet, or another's."""
        best = min(range(len(self._waiting)), key=lambda place: (*self._rank(self._waiting[place], worker), place))
        chunk = self._waiting.pop(best)
        self._homes.setdefault(chunk.home, worker)
        return chunk

    def _rank(self, chunk: Chunk, worker: int) -> tuple[int, int]:
        home = self._homes.get(chunk.home)
        if home is None and chunk.home[0] < 0:
            home = chunk.home[1]
        return chunk.window, 0 if home == worker else 1 if home is None else 2
