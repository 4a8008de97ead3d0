"""What patches come at some steps: where each is, decided before a pixel is read."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """Patches of some steps, a row each; a function of the seed, the step and the slides, and of nothing else.

    Attributes
    ----------
    steps
        (n,) int64: the step that each is of.
    attempts
        (n,) int32: how many patches of the step could not be had before this one; 0 for the first.
    slides
        (n,) int32: numbers of slides, in the order of the sampler's.
    scales
        (n,) int16: numbers of scales, in the order of the sampler's.
    centres
        (n, 2) float64: (x, y) of the patch's centre, level-0 pixels, before it is moved to whole stored pixels.
    classes
        (n,) int16: the class whose place it is, from 0; −1 where no class was asked for.
    background
        (n,) bool: True for a place anywhere on the slide, whether there is tissue or not.
    tissue
        (n,) float32: share of the patch that is tissue, by the mask; NaN where there is no mask.
    inside
        (n,) float32: share of the patch that lies on the slide; the rest is white.
    seeds
        (n,) int64, not negative: what the patch's augmentation depends on.
    """

    steps: NDArray[np.int64]
    attempts: NDArray[np.int32]
    slides: NDArray[np.int32]
    scales: NDArray[np.int16]
    centres: NDArray[np.float64]
    classes: NDArray[np.int16]
    background: NDArray[np.bool_]
    tissue: NDArray[np.float32]
    inside: NDArray[np.float32]
    seeds: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.steps)

    def take(self, rows: NDArray[np.int64] | slice) -> Self:
        """Some of the patches, in that order."""
        return type(self)(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})
