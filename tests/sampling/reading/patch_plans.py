"""Plans that are written down by hand, for tests that need no sampler."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from slidekit.sampling.plan import Plan
from slidekit.sampling.slides import SampledSlide


def plan_at(centres: Sequence[tuple[float, float]], slides: Sequence[int] | int = 0) -> Plan:
    """Patches of the first scale at some places."""
    count = len(centres)
    return Plan(
        steps=np.arange(count),
        attempts=np.zeros(count, np.int32),
        slides=np.broadcast_to(np.asarray(slides, np.int32), (count,)).copy(),
        scales=np.zeros(count, np.int16),
        centres=np.array(centres, np.float64).reshape(count, 2),
        classes=np.full(count, -1, np.int16),
        background=np.zeros(count, np.bool_),
        tissue=np.ones(count, np.float32),
        inside=np.ones(count, np.float32),
        seeds=np.arange(count),
    )


def sampled(*paths: Path) -> list[SampledSlide]:
    """Slides by file."""
    return [SampledSlide(path, path.stem) for path in paths]
