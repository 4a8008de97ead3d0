"""Loading TFRecords: opening a large dataset beside np.load; batches for torch beside the PyPI package tfrecord."""

from __future__ import annotations

import gc
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from slidekit.io.record_index import RecordIndex, index_path, write_index
from slidekit.io.record_table import RecordTable
from slidekit.loading.options import LoaderOptions
from slidekit.loading.stream import TileStream

__all__ = ["make_indexes", "measure_opening", "measure_torch"]

SLIDES, TILES = 2000, 2500
"""Synthetic indexes: five million tiles."""

RECORD_BYTES = 30_000
BATCH = 32


def make_indexes(folder: Path, *, slides: int = SLIDES, tiles: int = TILES) -> list[Path]:
    """Indexes of slides whose TFRecords are files without content (sparse), of the right size."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    paths = [folder / f"slide_{number:04}.tfrecords" for number in range(slides)]
    for path in paths:
        if index_path(path).exists():
            continue
        lengths = generator.integers(RECORD_BYTES // 2, RECORD_BYTES * 2, tiles)
        extents = np.stack([np.cumsum(lengths) - lengths, lengths], axis=1)
        with path.open("wb") as file:
            file.truncate(int(lengths.sum()))
        write_index(index_path(path), RecordIndex(extents, generator.integers(0, 100_000, (tiles, 2))))
    return paths


def measure_opening(folder: Path, *, rounds: int = 5) -> dict[str, Any]:
    """Open the synthetic dataset, and read the same indexes by a plain loop over np.load, in turn.

    Returns
    -------
    dict
        Seconds, CPU and wall, medians: ``loop``, ``open`` (all that training needs), ``open with locations``; ``ratio``
        of CPU, the median of the rounds' own, of the loop to each; ``memory``: MB that a process that does nothing else
        grows by when it opens (``open``), and reads locations, too (``open with locations``).
    """
    paths = make_indexes(folder)
    ways: dict[str, Callable[[], object]] = {
        "loop": lambda: [_np_load(path) for path in paths],
        "open": lambda: RecordTable.open(paths),
        "open with locations": lambda: RecordTable.open(paths).locations,
    }
    cpu: dict[str, list[float]] = {way: [] for way in ways}
    wall: dict[str, list[float]] = {way: [] for way in ways}
    for way in ways.values():
        way()
    for _ in range(rounds):
        for name, way in ways.items():
            gc.collect()
            started = time.perf_counter(), time.process_time()
            result = way()
            wall[name].append(time.perf_counter() - started[0])
            cpu[name].append(time.process_time() - started[1])
            del result
    ratios = {
        name: statistics.median(a / b for a, b in zip(cpu["loop"], cpu[name], strict=True)) for name in list(ways)[1:]
    }
    return {
        "tiles": len(RecordTable.open(paths)),
        "cpu": {name: statistics.median(values) for name, values in cpu.items()},
        "wall": {name: statistics.median(values) for name, values in wall.items()},
        "ratio": ratios,
        "memory": {name: _growth(folder, name) for name in list(ways)[1:]},
    }


def _np_load(path: Path) -> int:
    with np.load(index_path(path)) as arrays:
        return len(arrays["arr_0"]) + len(arrays["locations"])


_GROW = """
import sys
from pathlib import Path
from slidekit.io.record_table import RecordTable
def peak():
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024
paths = sorted(Path(sys.argv[1]).glob("*.tfrecords"))
RecordTable.open(paths[:1]).locations
before = peak()
table = RecordTable.open(paths)
if sys.argv[2] == "open with locations":
    table.locations
print(peak() - before)
"""


def _growth(folder: Path, way: str) -> float:
    run = subprocess.run([sys.executable, "-c", _GROW, folder, way], check=True, capture_output=True, text=True)
    return float(run.stdout)


def measure_torch(paths: list[Path], *, rounds: int = 5, workers: tuple[int, ...] = (0, 2)) -> dict[str, Any]:
    """Images a second, from records to batches of uint8 (32, 3, 256, 256), RGB, with their slides and places, in turn.

    tfrecord: `MultiTFRecordDataset` with its indexes, `cv2.imdecode`, channels first, DataLoader's own collate. Both
    read with as many workers, one thread each. slidekit compares checksums and shuffles across all slides, which the
    other does not.

    Returns
    -------
    dict
        By number of workers: ``images/s`` and CPU ``us`` an image (workers included) by way, medians, and the median
        ``ratio`` of images/s and of CPU, slidekit to tfrecord.
    """
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    results: dict[str, Any] = {}
    for number in workers:
        ways = {
            "tfrecord": lambda n=number: _run_tfrecord(paths, n),
            "slidekit": lambda n=number: _run_slidekit(paths, n),
        }
        speed: dict[str, list[float]] = {way: [] for way in ways}
        cost: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                wall, cpu = time.perf_counter(), _cpu()
                images = way()
                speed[name].append(images / (time.perf_counter() - wall))
                cost[name].append((_cpu() - cpu) / images * 1e6)
        results[f"{number} workers"] = {
            "images/s": {name: statistics.median(values) for name, values in speed.items()},
            "us": {name: statistics.median(values) for name, values in cost.items()},
            "ratio": _ratio(speed["slidekit"], speed["tfrecord"]),
            "ratio of CPU": _ratio(cost["tfrecord"], cost["slidekit"]),
        }
    return results


def _ratio(ones: list[float], others: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(ones, others, strict=True))


def _cpu() -> float:
    """CPU seconds of this process and of those that it had and that have ended."""
    both = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def _run_slidekit(paths: list[Path], workers: int) -> int:
    from slidekit.loading.torch import TileLoader

    options = LoaderOptions(batch_size=BATCH, incl_slidenames=True, incl_loc=True)
    loader = TileLoader(TileStream(RecordTable.open(paths), options), num_workers=workers)
    return sum(len(images) for images, _, _, _ in loader)


def _run_tfrecord(paths: list[Path], workers: int) -> int:
    from tfrecord.torch.dataset import MultiTFRecordDataset
    from torch.utils.data import DataLoader

    folder = paths[0].parent
    dataset = MultiTFRecordDataset(
        f"{folder}/{{}}.tfrecords",
        f"{folder}/{{}}.index",
        {path.stem: 1 / len(paths) for path in paths},
        {"image_raw": "byte", "slide": "byte", "loc_x": "int", "loc_y": "int"},
        transform=_decode,
        infinite=False,
    )
    return sum(len(images) for images, _, _, _ in DataLoader(dataset, batch_size=BATCH, num_workers=workers))


def _decode(tile: dict[str, Any]) -> tuple[np.ndarray, str, int, int]:
    image = cv2.cvtColor(cv2.imdecode(np.frombuffer(tile["image_raw"], np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    channels_first = np.ascontiguousarray(image.transpose(2, 0, 1))
    return channels_first, bytes(tile["slide"]).decode(), int(tile["loc_x"][0]), int(tile["loc_y"][0])
