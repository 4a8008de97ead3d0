"""The part ``sampling``: everything about patches straight from slides, each measurement in a process of its own."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from benchmarks.apart import measure_apart

__all__ = ["measure_sampling"]

LOOK_AHEADS = {"real slide": (8000, (1, 256, 1024)), "bench slide": (4000, (1, 1024, 4096))}
"""How many patches are taken of a slide, and how many are planned ahead."""


def measure_sampling(bench: Path, real: Path | None, folder: Path, *, rounds: int) -> dict[str, Any]:
    """Measure slidekit's sampler beside histo-fetch, chopping and TFRecords.

    Parameters
    ----------
    bench
        The bench slide.
    real
        The real slide; what needs it is left out where there is none.
    folder
        For copies of the bench slide, which stay there: two gigabytes.
    rounds
        How often each is measured; what takes long, half as often.

    Returns
    -------
    dict
        What `benchmarks.page_sampling.sampling_section` shows.
    """
    slides = {"bench slide": bench} | ({"real slide": real} if real else {})
    paths = [str(path) for path in slides.values()]
    few = max(1, rounds // 2)
    kept = {
        name: measure_apart("sampling_start.measure_masks_and_tiles", str(path), rounds=few)
        for name, path in slides.items()
    }
    return {
        "random": {
            name: measure_apart("sampling.measure_random", str(path), rounds=few) for name, path in slides.items()
        },
        "cold": {name: _measure_cold(path, *LOOK_AHEADS[name], few) for name, path in slides.items()},
        "start": _measure_start(bench, kept["bench slide"], folder, rounds),
        "kept": kept,
        "steps": measure_apart("sampling_training.measure_steps", paths, rounds=few),
        "epochs": measure_apart("sampling_training.measure_epochs", str(bench), rounds=few),
    }


def _measure_cold(slide: Path, patches: int, look_aheads: tuple[int, ...], rounds: int) -> dict[str, dict[str, float]]:
    runs: dict[int, list[dict[str, float]]] = {look_ahead: [] for look_ahead in look_aheads}
    for _ in range(rounds):
        for look_ahead, done in runs.items():
            done.append(measure_apart("sampling.measure_cold", str(slide), look_ahead, patches, rounds=1))
    return {str(look_ahead): _medians(done) for look_ahead, done in runs.items()}


def _measure_start(bench: Path, kept: dict[str, float], folder: Path, rounds: int) -> dict[str, float]:
    from benchmarks.sampling_start import make_unseen_slides

    slides = make_unseen_slides(bench, folder / "unseen")
    paths = [str(path) for path in slides]
    runs = [measure_apart("sampling_start.measure_first_batch", paths, rounds=1) for _ in range(rounds)]
    return _medians(runs) | {"chopping": kept["seconds"] * len(slides), "every": kept["every"]}


def _medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}
