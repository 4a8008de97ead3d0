"""A batch of patches, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Batch"]


@dataclass(frozen=True)
class Batch:
    """Patches in the order of their steps.

    Attributes
    ----------
    images
        (n, tile_px, tile_px, 3) uint8, RGB; a tuple of such where a patch has several views.
    steps
        (n,) int64: the step that each is of.
    slides, slide_index
        Names of slides, and (n,) int32 their numbers, in the order of the sampler's.
    loc
        (n, 2) int64: (x, y) of what was read, level-0 pixels: the centre, rounded down.
    centres
        (n, 2) float64: the same, not rounded.
    mpp
        (n,) float64: µm per pixel of the (first) image; the mean of x and y. NaN where the slide's is not known.
    scales
        (n,) int16: numbers of scales, in the order of the sampler's.
    tissue
        (n,) float32: share of the patch that is tissue, by the mask, at the place that was planned, which what was
        read is half a stored pixel away from at most; NaN where there is no mask.
    inside
        (n,) float32: share of the patch that lies on the slide, as it was planned; the rest is white.
    classes
        (n,) int16: the class whose place it is, from 0; −1 where no class was asked for.
    background
        (n,) bool: whether the place was drawn from anywhere on the slide.
    targets
        What a model is to learn of each patch's slide; None where no slide has a label.
    labels
        (n, tile_px, tile_px) uint8: 0 is no class, k + 1 is class k; None where it was not asked for.
    attempts
        (n,) int32: how many patches of the step could not be had before this one.
    """

    images: NDArray[np.uint8] | tuple[NDArray[np.uint8], ...]
    steps: NDArray[np.int64]
    slides: list[str]
    slide_index: NDArray[np.int32]
    loc: NDArray[np.int64]
    centres: NDArray[np.float64]
    mpp: NDArray[np.float64]
    scales: NDArray[np.int16]
    tissue: NDArray[np.float32]
    inside: NDArray[np.float32]
    classes: NDArray[np.int16]
    background: NDArray[np.bool_]
    targets: list[Any] | None
    labels: NDArray[np.uint8] | None
    attempts: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.steps)
