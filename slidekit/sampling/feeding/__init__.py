"""Batches of patches, read ahead by worker processes over shared memory."""

from __future__ import annotations

from slidekit.sampling.feeding.batch import Batch
from slidekit.sampling.feeding.feed import Feed
from slidekit.sampling.feeding.report import FeedReport

__all__ = ["Batch", "Feed", "FeedReport"]
