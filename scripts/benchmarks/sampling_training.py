"""Training from slides beside training from TFRecords of the same patches: what a step, and an epoch, takes."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measure import Measured
from benchmarks.sampling import BATCH, PX, UM, WORKERS
from slidekit import Dataset
from slidekit.sampling import PatchSampler, SampledSlide

__all__ = ["SLIDES", "TFRECORDS", "measure_epochs", "measure_steps"]

SLIDES, TFRECORDS = "slides", "TFRecords"

STEP, SLEEP = 16, 0.05
"""Patches of a step, and the seconds that an accelerator would take for them."""

STEPS = {"sleeping": 120, "training": 40}
WARM = 10
"""First steps, which are not counted: processes start, graphs are traced."""


def measure_steps(slides: list[Path], *, rounds: int) -> dict[str, Any]:
    """Seconds of a step of 16 patches, 256 px and 128 µm, by a consumer that sleeps and by one that trains a network.

    The patches are the same ones, once from the slides and once from the TFRecords that they were written to,
    as JPEG Q95, in an order of their own.

    Returns
    -------
    dict
        By ``sleeping`` and ``training``: ``ms`` of a step by source, and ``ratio`` of slides to TFRecords, medians.
    """
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        sampled = [SampledSlide(path, path.stem, label=number % 2) for number, path in enumerate(slides)]
        sampler = PatchSampler(sampled, PX, UM, cache=Path(scratch) / "masks")
        patches = STEP * max(STEPS.values())
        sampler.materialise(Path(scratch) / "records", steps=patches, img_format="jpg")
        written = Dataset(tfrecords=Path(scratch) / "records", tile_px=PX, tile_um=UM)
        labels = {slide.name: slide.label for slide in sampled}
        consumers: dict[str, Callable[[Any, int], float]] = {"sleeping": _sleep, "training": _train}
        for name, consume in consumers.items():
            steps = STEPS[name]
            sources = {
                SLIDES: lambda n=steps * STEP: sampler.tensorflow(STEP, steps=n, workers=WORKERS),
                TFRECORDS: lambda n=steps: written.tensorflow(labels, STEP).take(n),
            }
            seconds: dict[str, list[float]] = {source: [] for source in sources}
            for _ in range(rounds):
                for source, make in sources.items():
                    seconds[source].append(consume(make(), steps))
            results[name] = {
                "ms": {source: statistics.median(times) * 1e3 for source, times in seconds.items()},
                "ratio": statistics.median(
                    one / other for one, other in zip(seconds[SLIDES], seconds[TFRECORDS], strict=True)
                ),
            }
    return results


def _sleep(batches: Iterable[Any], steps: int) -> float:
    """Mean seconds of a step of a consumer that does nothing."""
    ends = []
    for _ in batches:
        time.sleep(SLEEP)
        ends.append(time.perf_counter())
    return _mean(ends, steps)


def _train(batches: Any, steps: int) -> float:
    """Mean seconds of a step of a small convolutional network on the processor."""
    import keras

    ends: list[float] = []
    network = keras.Sequential(
        [
            keras.Input((PX, PX, 3), dtype="uint8"),
            keras.layers.Rescaling(1 / 127.5, offset=-1),
            *(keras.layers.Conv2D(width, 3, strides=2, activation="relu") for width in (16, 32, 64, 64)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2),
        ]
    )
    network.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    noted = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: ends.append(time.perf_counter()))
    network.fit(batches, epochs=1, callbacks=[noted], shuffle=False, verbose=0)
    return _mean(ends, steps)


def _mean(ends: list[float], steps: int) -> float:
    if len(ends) != steps:
        raise RuntimeError(f"{len(ends)} steps came and {steps} were asked for.")
    return (ends[-1] - ends[WARM - 1]) / (steps - WARM)


def measure_epochs(slide: Path, *, rounds: int) -> dict[str, Any]:
    """Seconds of an epoch over a slide's tissue tiles, 256 px and 128 µm, from the slide and from its TFRecords.

    Returns
    -------
    dict
        ``tiles``; ``extraction``: seconds that the TFRecords took once; ``seconds`` by source, medians; ``ratio`` of
        the time from slides to that from TFRecords, the median of the rounds' own.
    """
    with tempfile.TemporaryDirectory() as scratch:
        dataset = Dataset(slides=[slide], tfrecords=scratch, tile_px=PX, tile_um=UM)
        started = time.perf_counter()
        dataset.extract_tiles(qc="otsu")
        extraction = time.perf_counter() - started
        sources = {
            SLIDES: dataset.tensorflow(None, BATCH, from_wsi=True, qc="otsu"),
            TFRECORDS: dataset.tensorflow(None, BATCH),
        }
        counts = {source: _count(batches) for source, batches in sources.items()}
        measured = Measured(counts[TFRECORDS])
        measured.rounds({source: partial(_count, batches) for source, batches in sources.items()}, rounds)
    return {
        "tiles": counts,
        "extraction": extraction,
        "seconds": {source: statistics.median(times) for source, times in measured.wall.items()},
        "ratio": measured.ratio(TFRECORDS, SLIDES, wall=True),
    }


def _count(batches: Iterable[Any]) -> int:
    return sum(len(images) for images in batches)
