"""What a training asks of its data, and what it tells of its progress."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from slidekit.segment.differences import SlideFacts
from slidekit.segment.training.history import EpochResult

__all__ = ["Batch", "OnBatch", "OnEpoch", "TrainingData", "ValidationBatch"]

Batch = tuple[NDArray[np.float32], NDArray[Any]]
"""Images, float32 (n, h, w, 3), RGB 0–255; targets, (n, h, w, classes), 0 or 1."""

ValidationBatch = tuple[NDArray[np.float32], NDArray[Any], NDArray[np.float32]]
"""The same, and weights (n, h, w, 1): 0 for pixels that do not count."""

OnEpoch = Callable[[EpochResult], None]
"""Called after each epoch, when all of it is on disk."""

OnBatch = Callable[[int, int, int], None]
"""Called after each batch with the epoch, the batch, both from 1, and the number of batches of an epoch."""


class TrainingData(Protocol):
    """Crops to learn from, and crops to validate on."""

    @property
    def steps(self) -> int:
        """Batches of an epoch."""

    @property
    def fingerprint(self) -> str:
        """Tells these data from others."""

    @property
    def slides(self) -> Mapping[str, SlideFacts]:
        """Slide to what of it the fingerprint is of, to say what has changed; none where nobody knows."""

    def batch(self, epoch: int, step: int) -> Batch:
        """Batch `step`, from 0, of an epoch, from 1: always the same one. Called from several threads."""

    def validation(self) -> Iterable[ValidationBatch]:
        """Crops that cover all validation images; each pixel counts in one of them."""
