"""The state of a training after an epoch, in one file without code: it goes on from there after a kill."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import SpecError
from slidekit.io.atomic import atomic_write
from slidekit.segment.differences import SlideFacts, say_changed_slides, say_differences
from slidekit.segment.training.history import EpochResult
from slidekit.slide.segmentation.config import SegmentConfig

__all__ = ["CHECKPOINT", "Checkpoint", "best_epoch"]

CHECKPOINT = "checkpoint.npz"
"""Name of the file in the folder of a model."""

_MEND = "Train into another folder, or with overwrite=True."


@dataclass(frozen=True)
class Checkpoint:
    """A training between two epochs.

    Attributes
    ----------
    fingerprint
        Of config and data: a training goes on only with the same.
    history
        Epochs so far.
    arrays
        Weights and the optimizer's variables, by names that `slidekit.segment.training.keras` knows.
    done
        Whether training has ended; `arrays` is empty then.
    slides
        What it was trained on, as `slidekit.segment.training.base.TrainingData.slides`.
    """

    fingerprint: str
    history: tuple[EpochResult, ...]
    arrays: Mapping[str, NDArray[np.generic]]
    done: bool = False
    slides: Mapping[str, SlideFacts] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write it, in place of the one before; either the old or the new is there at any moment."""
        about = {"fingerprint": self.fingerprint, "done": self.done, "history": [asdict(item) for item in self.history]}
        about["slides"] = {name: dict(facts) for name, facts in self.slides.items()}
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {"about": np.array(json.dumps(about)), **self.arrays}
        np.savez(buffer, **arrays)
        with atomic_write(folder / CHECKPOINT) as file:
            file.write(buffer.getbuffer())

    @classmethod
    def load(cls, folder: Path) -> Checkpoint | None:
        """Read the checkpoint of a folder.

        Returns
        -------
        Checkpoint or None
            None where there is none.

        Raises
        ------
        SpecError
            If it is damaged.
        """
        path = folder / CHECKPOINT
        try:
            # Opened here: numpy leaves a damaged file open.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            about = json.loads(str(arrays.pop("about")))
            history = tuple(EpochResult(**item) for item in about["history"])
            return cls(about["fingerprint"], history, arrays, about["done"], about.get("slides", {}))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, EOFError, AttributeError, zipfile.BadZipFile) as error:
            raise SpecError(f"The checkpoint is damaged ({error}).", mend=_MEND, path=path) from error

    def check(self, fingerprint: str, folder: Path, config: SegmentConfig, slides: Mapping[str, SlideFacts]) -> None:
        """Make sure that it is of this training.

        Parameters
        ----------
        fingerprint, config, slides
            Of the training that is asked for.
        folder
            Where the checkpoint lies, with the config that it is of.

        Raises
        ------
        SpecError
            If config or data are not what they were; it says which.
        """
        if self.fingerprint == fingerprint:
            return
        if differences := _config_differences(folder, config):
            what = f"with another config: {differences}."
        elif self.slides and (changes := say_changed_slides(self.slides, slides)):
            what = f"on other data: {changes}."
        else:
            what = "with another config, or on other data."
        raise SpecError(f"The folder holds a network that was trained {what}", mend=_MEND, path=folder)


def _config_differences(folder: Path, config: SegmentConfig) -> str:
    """Empty where there are none, or the file is not there any more."""
    try:
        before = SegmentConfig.load(folder)
    except SpecError:
        return ""
    return say_differences(before.model_dump(mode="json"), config.model_dump(mode="json"))


def best_epoch(history: Sequence[EpochResult]) -> int:
    """Number of the first epoch with the best Dice; 0 before any."""
    best, number = -1.0, 0
    for result in history:
        if result.dice > best:
            best, number = result.dice, result.epoch
    return number
