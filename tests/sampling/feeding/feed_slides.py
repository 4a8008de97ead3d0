"""Slides, samplers and records of feeds, for their tests."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from slidekit.io.slide_tiff import make_pyramid, write_svs
from slidekit.sampling.feeding.batch import Batch
from slidekit.sampling.feeding.feed import Feed
from slidekit.sampling.sampler import PatchSampler
from tests.pixels.pictures import tissue


def write_slides(folder: Path, names: str = "abc") -> Path:
    """Small slides of different pixels; JPEG, 0.2528 µm/px, so that patches of 0.5 µm/px are interpolated."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        image = tissue(700 + 60 * number, 600, seed=number, detail=4)
        write_svs(folder / f"{name}.svs", make_pyramid(image, (4,)), mpp=0.2528, tile_size=128)
    return folder


def make_sampler(folder: Path, **options: Any) -> PatchSampler:
    """A sampler of small patches from anywhere on the slides."""
    given = {"tile_px": 32, "tile_um": 16, "mask": None, "cache": folder / "cache", "seed": 3, **options}
    tile_px = given.pop("tile_px")
    return PatchSampler(folder, tile_px, given.pop("tile_um"), **given)


def digest(batch: Batch) -> list[tuple[Any, ...]]:
    """All that a batch says, a tuple a patch."""
    images = batch.images if isinstance(batch.images, tuple) else (batch.images,)
    return [
        (
            int(batch.steps[row]),
            batch.slides[row],
            tuple(batch.loc[row].tolist()),
            tuple(batch.centres[row].tolist()),
            float(batch.mpp[row]),
            int(batch.attempts[row]),
            float(batch.inside[row]),
            hashlib.sha256(b"".join(np.ascontiguousarray(view[row]).tobytes() for view in images)).hexdigest(),
        )
        for row in range(len(batch))
    ]


def stream(sampler: PatchSampler, steps: int, batch_size: int = 8, **options: Any) -> list[tuple[Any, ...]]:
    """All that a feed gives."""
    with Feed(sampler, batch_size, steps=steps, **options) as feed:
        return [patch for batch in feed for patch in digest(batch)]
