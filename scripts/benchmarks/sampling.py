"""Patches straight from slides: slidekit's sampler beside histo-fetch's way, and its speed from cold caches."""

from __future__ import annotations

import os
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from slidekit.sampling import PatchSampler

__all__ = ["drain", "measure_cold", "measure_random"]

PX, BATCH, WORKERS = 256, 32, 2
WIDE_UM, UM = 256, 128
"""Edge of a patch beside histo-fetch, which reads every fourth pixel of a slide of 0.25 µm/px; and of the others."""

MEMORY = 256 << 20
"""Bytes of shared memory, as a sampler takes them where nothing is said."""

LOOK_AT = 32
"""Batches after which memory is looked at, each time."""

LOOP, BY_TF_DATA = "histo-fetch, a loop", "histo-fetch, tf.data"
SLIDEKIT, HERE = "slidekit, 2 workers", "slidekit, no worker"

PATCHES = {
    False: {LOOP: 30, BY_TF_DATA: 96, SLIDEKIT: 6400, HERE: 3200},
    True: {LOOP: 4, BY_TF_DATA: 32, SLIDEKIT: 4800, HERE: 800},
}
"""How many patches a round takes of each way, unaugmented and augmented."""


def measure_random(slide: Path, *, rounds: int) -> dict[str, Any]:
    """Random patches of 256 px and 256 µm, each way in turn, unaugmented and with every patch augmented.

    Both sides have their masks before; that slidekit's workers are started counts.

    Returns
    -------
    dict
        By ``plain`` and ``augmented``: ``patches/s`` and CPU ``ms`` a patch (workers included) by way, medians;
        ``ratio`` of patches/s of each way of slidekit to the better of the two ways of histo-fetch in that round, and
        ``ratio of CPU``: medians of the rounds' own.
    """
    from benchmarks.sampling_peers import write_mask

    with tempfile.TemporaryDirectory() as scratch:
        cache = Path(scratch) / "cache"
        mask = write_mask(slide, Path(scratch))
        _fetch_with_tf_data(slide, mask, 2, augment=False)  # so that TensorFlow is there
        _sample(slide, cache, BATCH * 3, augment=False, workers=0)  # so that the mask is
        return {
            "augmented" if augment else "plain": _compare(_ways(slide, mask, cache, augment), PATCHES[augment], turns)
            for augment, turns in ((False, rounds), (True, max(1, rounds // 2)))
        }


def _ways(slide: Path, mask: Path, cache: Path, augment: bool) -> dict[str, Callable[[int], int]]:
    return {
        LOOP: lambda n: _fetch_in_a_loop(slide, mask, n, augment=augment),
        BY_TF_DATA: lambda n: _fetch_with_tf_data(slide, mask, n, augment=augment),
        SLIDEKIT: lambda n: _sample(slide, cache, n, augment=augment, workers=WORKERS),
        HERE: lambda n: _sample(slide, cache, n, augment=augment, workers=0),
    }


def _compare(ways: dict[str, Callable[[int], int]], patches: dict[str, int], rounds: int) -> dict[str, Any]:
    speed: dict[str, list[float]] = {way: [] for way in ways}
    cost: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            wall, cpu = time.perf_counter(), _cpu()
            came = way(patches[name])
            speed[name].append(came / (time.perf_counter() - wall))
            cost[name].append((_cpu() - cpu) / came * 1e3)
    best = [max(pair) for pair in zip(speed[LOOP], speed[BY_TF_DATA], strict=True)]
    least = [min(pair) for pair in zip(cost[LOOP], cost[BY_TF_DATA], strict=True)]
    return {
        "patches/s": {way: statistics.median(values) for way, values in speed.items()},
        "ms": {way: statistics.median(values) for way, values in cost.items()},
        "ratio": {way: _ratio(speed[way], best) for way in (SLIDEKIT, HERE)},
        "ratio of CPU": {way: _ratio(least, cost[way]) for way in (SLIDEKIT, HERE)},
    }


def _ratio(ones: list[float], others: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(ones, others, strict=True))


def _cpu() -> float:
    """CPU seconds of this process and of those that it had and that have ended."""
    both = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def _fetch_in_a_loop(slide: Path, mask: Path, patches: int, *, augment: bool) -> int:
    from benchmarks.sampling_peers import fetch_patch

    generator = random.Random(0)
    return sum(fetch_patch(slide, mask, px=PX, augment=augment, generator=generator).size > 0 for _ in range(patches))


def _fetch_with_tf_data(slide: Path, mask: Path, patches: int, *, augment: bool) -> int:
    from benchmarks.sampling_peers import fetch_with_tf_data

    return fetch_with_tf_data(slide, mask, patches, augment=augment, batch=min(BATCH, patches), px=PX)


def _sample(slide: Path, cache: Path, patches: int, *, augment: bool, workers: int) -> int:
    sampler = PatchSampler(slide, PX, WIDE_UM, augment=augment or None, cache=cache)
    return drain(sampler, patches, workers=workers)["patches"]


def drain(sampler: PatchSampler, patches: int, *, batch: int = BATCH, **feeding: Any) -> dict[str, Any]:
    """Take so many patches from a sampler as fast as they come.

    Returns
    -------
    dict
        ``patches``; ``first``: seconds to the first batch; ``patches/s`` from the call on and, ``sustained``, from the
        first batch on; ``p50`` and ``p95`` of the waits for a batch after it, ms; ``decodes``, ``bytes`` read and CPU
        ``ms`` a patch; ``memory``: MB of all processes together, the most that was seen at every 32nd batch.
    """
    started, cpu = time.perf_counter(), _cpu()
    came, memory, waits = 0, 0.0, []
    with sampler.batches(batch, steps=patches, **feeding) as feed:
        before = started
        for images in feed:
            came += len(images)
            now = time.perf_counter()
            waits.append(now - before)
            before = now
            if came % (LOOK_AT * batch) == 0:
                memory = max(memory, _resident())
        seconds = before - started
    report = feed.report
    first, *later = waits
    p50, p95 = np.percentile(later, [50, 95]) * 1e3
    return {
        "patches": came,
        "first": first,
        "patches/s": came / seconds,
        "sustained": (came - batch) / (seconds - first),
        "p50": float(p50),
        "p95": float(p95),
        "decodes": report.decodes / came,
        "bytes": report.bytes_read / came,
        "ms": (_cpu() - cpu) / came * 1e3,
        "memory": memory,
    }


def _resident() -> float:
    """Memory of this process and of all below it, MB; what they share is counted once."""
    kilobytes, waiting = 0, [os.getpid()]
    while waiting:
        process = Path(f"/proc/{waiting.pop()}")
        try:
            status = (process / "smaps_rollup").read_text()
            for thread in (process / "task").iterdir():
                waiting += map(int, (thread / "children").read_text().split())
        except OSError:
            continue  # it has ended since
        kilobytes += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("Pss:"))
    return kilobytes / 1024


def measure_cold(slide: Path, look_ahead: int, patches: int, *, rounds: int) -> dict[str, Any]:
    """Patches of 256 px and 128 µm by a process that has not seen the slide: no mask, no decoded tile.

    Parameters
    ----------
    slide
        The file; what the operating system holds of it, it holds.
    look_ahead
        Patches that are planned ahead.
    patches
        How many to take.
    rounds
        Not used: a second round in one process would not be cold.
    """
    with tempfile.TemporaryDirectory() as cache:
        sampler = PatchSampler(slide, PX, UM, cache=cache)
        # Room for two windows: one is read while the other is taken.
        memory = max(MEMORY, 2 * look_ahead * PX * PX * 3)
        return drain(sampler, patches, workers=WORKERS, look_ahead=look_ahead, memory=memory)
