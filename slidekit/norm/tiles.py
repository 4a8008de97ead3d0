"""A fit to many tiles: the mean of the fits of each."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Tile", "TileCount", "TileSource", "choose_tiles", "mean_fit"]

Tile: TypeAlias = NDArray[np.uint8]
"""uint8 (h, w, 3), RGB."""

_Values: TypeAlias = Mapping[str, NDArray[np.float64]]


@runtime_checkable
class TileSource(Protocol):
    """What has tiles to fit to; `slidekit.Dataset` does."""

    def iter_tiles(self, *, max_tiles: int | None = None, seed: int = 0) -> Iterator[Tile]:
        """Tiles, uint8 (h, w, 3); with `max_tiles` a random sample of them by `seed`."""


class TileCount(NamedTuple):
    """How many tiles a fit is the mean of."""

    used: int
    left_out: int
    """Tiles whose statistics are not defined."""


def choose_tiles(source: Any, *, max_tiles: int | None, seed: int) -> Iterable[Any] | None:
    """The tiles of a source; None if it is an image, a path, or nothing that holds tiles.

    Parameters
    ----------
    source
        What the user gave to fit to.
    max_tiles
        Size of the sample, or of the beginning that is taken; None takes all.
    seed
        Seed of the sample.
    """
    if isinstance(source, TileSource):
        return source.iter_tiles(max_tiles=max_tiles, seed=seed)
    batch = isinstance(source, np.ndarray) and source.ndim == 4
    if batch or (isinstance(source, Iterable) and not isinstance(source, str | bytes | Path | np.ndarray)):
        return itertools.islice(source, max_tiles)
    return None


def mean_fit(
    tiles: Iterable[Tile], measure: Callable[[Tile], _Values | None], *, threads: int | None
) -> tuple[dict[str, NDArray[np.float64]], TileCount]:
    """Measure every tile, and take the mean of what was measured.

    Parameters
    ----------
    tiles
        Consumed as work proceeds; a few are in memory at a time.
    measure
        Fit of one tile, None if its statistics are not defined; called from several threads.
    threads
        Number of threads; None means one a core.

    Returns
    -------
    (dict, TileCount)
        The means, empty if no tile has a fit; summed in the order of the tiles, so that they are the same
        for any number of threads.
    """
    totals: dict[str, NDArray[np.float64]] = {}
    used = left_out = 0
    for values in _map_in_order(measure, tiles, threads or os.cpu_count() or 1):
        if values is None:
            left_out += 1
            continue
        used += 1
        totals = {name: totals[name] + value if totals else value for name, value in values.items()}
    return {name: total / used for name, total in totals.items()}, TileCount(used, left_out)


def _map_in_order(
    measure: Callable[[Tile], _Values | None], tiles: Iterable[Tile], threads: int
) -> Iterator[_Values | None]:
    with ThreadPoolExecutor(threads, thread_name_prefix="slidekit-fit") as pool:
        waiting: deque[Future[_Values | None]] = deque()
        for tile in tiles:
            waiting.append(pool.submit(measure, tile))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
