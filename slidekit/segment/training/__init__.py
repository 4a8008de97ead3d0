"""Training of segmentation networks: epochs, checkpoints, early stopping, and the folder that comes of it."""

from __future__ import annotations

from slidekit.segment.training.history import EpochResult
from slidekit.segment.training.run import TrainedModel, train

__all__ = ["EpochResult", "TrainedModel", "train"]
