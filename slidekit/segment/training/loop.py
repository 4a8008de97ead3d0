"""Epoch after epoch, until one of them has been the best for long enough."""

from __future__ import annotations

import hashlib
import json
import math
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from slidekit.errors import MissingExtraError
from slidekit.segment.dice import mean_dice
from slidekit.segment.training.base import Batch, OnBatch, OnEpoch, TrainingData
from slidekit.segment.training.checkpoint import Checkpoint, best_epoch
from slidekit.segment.training.history import EpochResult, write_history
from slidekit.slide.segmentation.config import SegmentConfig
from slidekit.slide.segmentation.predict import MODEL

if TYPE_CHECKING:
    from slidekit.segment.training.keras import KerasTraining

__all__ = ["HISTORY", "fit", "training_fingerprint"]

HISTORY = "history.csv"
"""Name of the table of epochs beside it."""

# Batches that are made ahead of the network, for each worker.
_AHEAD = 2


def fit(
    config: SegmentConfig,
    data: TrainingData,
    folder: Path,
    *,
    num_workers: int = 2,
    on_epoch: OnEpoch | None = None,
    on_batch: OnBatch | None = None,
) -> list[EpochResult]:
    """Train a network; what is in the folder from an earlier, unfinished training of the same is gone on with.

    Parameters
    ----------
    config
        Of the network and its training.
    data
        To train and to validate on.
    folder
        Where ``model.keras``, the best network so far, its config, ``history.csv`` and the checkpoint go.
    num_workers
        Threads that make batches; 0 for none beside this one.
    on_epoch, on_batch
        Told of the progress. What they raise ends the training, which can go on from the last epoch.

    Returns
    -------
    list of EpochResult
        All epochs, those of the earlier runs included.

    Raises
    ------
    SpecError
        If the folder holds another training, the loss is not a number, or memory runs out.
    MissingExtraError
        If Keras is not installed.
    """
    fingerprint = training_fingerprint(config, data)
    checkpoint = Checkpoint.load(folder)
    if checkpoint is not None:
        checkpoint.check(fingerprint, folder, config, data.slides)
        if checkpoint.done and (folder / MODEL).is_file():
            return list(checkpoint.history)
    training = _make(config)
    config.save(folder)
    history: list[EpochResult] = []
    if checkpoint is not None and not checkpoint.done:
        training.restore(checkpoint.arrays)
        history.extend(checkpoint.history)
    while len(history) < config.epochs and len(history) - best_epoch(history) < config.patience:
        history.append(_run_epoch(config, training, data, len(history) + 1, num_workers, on_batch))
        if best_epoch(history) == len(history):
            training.save_model(folder / MODEL)
        write_history(folder / HISTORY, history)
        # Last: where this run is killed before, the epoch is run again and comes to the same.
        Checkpoint(fingerprint, tuple(history), training.arrays(), slides=data.slides).save(folder)
        if on_epoch is not None:
            on_epoch(history[-1])
    Checkpoint(fingerprint, tuple(history), {}, done=True, slides=data.slides).save(folder)
    return history


def _run_epoch(
    config: SegmentConfig,
    training: KerasTraining,
    data: TrainingData,
    epoch: int,
    num_workers: int,
    on_batch: OnBatch | None,
) -> EpochResult:
    rate = training.begin_epoch(epoch)
    loss = math.nan
    for step, (images, targets) in enumerate(_batches(data, epoch, num_workers), start=1):
        loss = training.step(images, targets)
        if on_batch is not None:
            on_batch(epoch, step, data.steps)
    val_loss, count = training.validate(data.validation())
    by_class = count.by_class()
    background = "background" if config.mode == "multiclass" else None
    return EpochResult(epoch, loss, val_loss, mean_dice(by_class, background=background), by_class, rate)


def _batches(data: TrainingData, epoch: int, num_workers: int) -> Iterator[Batch]:
    """The batches of an epoch in their order, made ahead by threads: which batch it is says what is in it."""
    if num_workers < 1:
        for step in range(data.steps):
            yield data.batch(epoch, step)
        return
    with ThreadPoolExecutor(num_workers, thread_name_prefix="slidekit-crops") as pool:
        waiting: deque[Future[Batch]] = deque()
        try:
            for step in range(data.steps):
                waiting.append(pool.submit(data.batch, epoch, step))
                if len(waiting) > _AHEAD * num_workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _make(config: SegmentConfig) -> KerasTraining:
    try:
        module = import_module("slidekit.segment.training.keras")
    except ImportError as error:
        raise MissingExtraError(
            "Training a segmentation network needs Keras, which is not installed, or not with what it works on.",
            mend="Install it with: pip install 'slidekit[tensorflow]'.",
        ) from error
    training: KerasTraining = module.KerasTraining(config)
    return training


def training_fingerprint(config: SegmentConfig, data: TrainingData) -> str:
    """Tell a training from those of other configs or other data."""
    text = json.dumps([config.model_dump(mode="json"), data.fingerprint])
    return hashlib.sha256(text.encode()).hexdigest()
