"""What each epoch of a training came to, and the table of it."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from slidekit.io.atomic import atomic_write_text

__all__ = ["EpochResult", "write_history"]


@dataclass(frozen=True)
class EpochResult:
    """One epoch.

    Attributes
    ----------
    epoch
        From 1.
    loss
        Mean over the batches.
    val_loss
        Mean over the pixels' batches of the validation data.
    dice
        Mean of `dice_by_class`, without the background of ``multiclass`` and without classes that are nowhere.
    dice_by_class
        Dice coefficient of each class over all validation data; NaN where neither truth nor network has it.
    lr
        Learning rate.
    """

    epoch: int
    loss: float
    val_loss: float
    dice: float
    dice_by_class: dict[str, float] = field(default_factory=dict)
    lr: float = 0.0


def write_history(path: Path, history: Sequence[EpochResult]) -> None:
    """Write ``history.csv``: ``epoch,loss,val_loss,dice,lr`` and ``dice_{class}`` of each; empty where it is NaN."""
    classes = list(history[0].dice_by_class) if history else []
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["epoch", "loss", "val_loss", "dice", "lr", *(f"dice_{name}" for name in classes)])
    for result in history:
        numbers = [result.loss, result.val_loss, result.dice, result.lr]
        numbers += [result.dice_by_class[name] for name in classes]
        writer.writerow([result.epoch, *("" if math.isnan(number) else f"{number:.6g}" for number in numbers)])
    atomic_write_text(path, text.getvalue())
