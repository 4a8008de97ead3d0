"""Small slides with masks that are known exactly, and maps without any slide."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from slidekit.io.slide_tiff import write_svs
from slidekit.sampling.masks.facts import SlideFacts
from slidekit.sampling.masks.packed import PackedMask
from slidekit.sampling.places.slide_map import MapParts, SlideMap
from slidekit.sampling.slides import SampledSlide

WIDTH, HEIGHT = 400, 320
MPP = 0.5


def tissue_masks() -> list[np.ndarray]:
    """Three masks of 40 × 32 pixels, 10 level-0 pixels each: a block, a block of half its area, a ring."""
    block, half, ring = (np.zeros((HEIGHT // 10, WIDTH // 10), np.bool_) for _ in range(3))
    block[8:24, 10:30] = True
    half[8:16, 10:30] = True
    ring[4:28, 6:34] = True
    ring[10:22, 14:26] = False
    return [block, half, ring]


def write_slides(
    folder: Path, masks: Sequence[np.ndarray] | None = None, *, label_masks: Sequence[np.ndarray] | None = None
) -> list[SampledSlide]:
    """Write a slide of one colour for each mask; they are called s0, s1, …"""
    folder.mkdir(parents=True, exist_ok=True)
    slides = []
    for number, mask in enumerate(tissue_masks() if masks is None else masks):
        path = write_svs(folder / f"s{number}.svs", [np.full((HEIGHT, WIDTH, 3), 180, np.uint8)], mpp=MPP)
        cv2.imwrite(str(folder / f"s{number}_tissue.png"), mask.astype(np.uint8) * 255)
        more: dict[str, Any] = {}
        if label_masks is not None:
            more["label_mask"] = folder / f"s{number}_labels.png"
            cv2.imwrite(str(more["label_mask"]), label_masks[number])
        slides.append(SampledSlide(path, f"s{number}", mask=folder / f"s{number}_tissue.png", **more))
    return slides


def facts(
    dimensions: tuple[int, int] = (WIDTH, HEIGHT),
    mpp: tuple[float, float] = (MPP, MPP),
    downsamples: Sequence[float] = (1.0, 4.0, 16.0),
) -> SlideFacts:
    return SlideFacts("slide", dimensions, mpp, tuple((by, by) for by in downsamples), "identity")


def map_of(mask: np.ndarray | None, dimensions: tuple[int, int] = (WIDTH, HEIGHT)) -> SlideMap:
    """A map of a slide that there is not."""
    box = (0.0, 0.0, float(dimensions[0]), float(dimensions[1]))
    return SlideMap(MapParts(facts(dimensions), None if mask is None else PackedMask(mask), box))
