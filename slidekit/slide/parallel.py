"""Threads inside a slide: work on strips in any order, results in theirs, a few in memory at a time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from slidekit.slide.machine import cpu_quota

__all__ = ["map_ordered", "usable_cores"]

A = TypeVar("A")
B = TypeVar("B")


def usable_cores() -> int:
    """Cores that this process may use: by its affinity, and by the quota of its control groups."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota()
    return cores if quota is None else max(1, min(cores, round(quota)))


def map_ordered(function: Callable[[A], B], items: Iterable[A], *, threads: int) -> Generator[B, None, None]:
    """Apply a function in threads; yield results in the order of the items.

    At most ``threads + 1`` results wait at any time, so that memory does not grow with the number of items.

    Parameters
    ----------
    function
        Called from several threads at once.
    items
        Consumed as work proceeds.
    threads
        1 works in the caller's thread.
    """
    if threads <= 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="slidekit") as pool:
        waiting: deque[Future[B]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
