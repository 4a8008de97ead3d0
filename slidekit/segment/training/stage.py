"""A network that will take another's place, in a folder of its own until it is trained."""

from __future__ import annotations

import shutil
from pathlib import Path

from slidekit.errors import SpecError
from slidekit.io.atomic import atomic_write
from slidekit.segment.training.checkpoint import CHECKPOINT, Checkpoint
from slidekit.segment.training.loop import HISTORY
from slidekit.slide.segmentation.config import CONFIG_FILE
from slidekit.slide.segmentation.predict import MODEL

__all__ = ["STAGE", "prepare_stage", "publish_stage"]

STAGE = "in_training"
"""Folder, in that of a model, of the one that is to replace it."""

# The checkpoint is last: with it, the folder is whole.
_FILES = (CONFIG_FILE, MODEL, HISTORY, CHECKPOINT)


def prepare_stage(folder: Path, fingerprint: str) -> Path:
    """Where to train a network that replaces that of a folder.

    Parameters
    ----------
    folder
        Of the network.
    fingerprint
        Of the training: what another one left behind is removed, and the same one goes on.

    Returns
    -------
    Path
        The folder itself where it holds no network, or this training is going on in it; else one in it.
    """
    stage = folder / STAGE
    if not any((folder / name).exists() for name in (MODEL, CHECKPOINT, STAGE)):
        return folder
    here, there = _load(folder), _load(stage)
    if here is not None and here.fingerprint == fingerprint and not here.done:
        return folder
    if there is None or there.fingerprint != fingerprint:
        for name in _FILES:
            (stage / name).unlink(missing_ok=True)
    stage.mkdir(exist_ok=True)
    return stage


def publish_stage(folder: Path) -> None:
    """Put the trained network in place of the one before; killed in between, `train` with ``overwrite`` does it again.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    stage = folder / STAGE
    # Without its checkpoint nobody takes the folder for a finished training while files of two networks are in it.
    (folder / CHECKPOINT).unlink(missing_ok=True)
    for name in _FILES:
        with atomic_write(folder / name) as target, (stage / name).open("rb") as source:
            shutil.copyfileobj(source, target)
    for name in reversed(_FILES):
        (stage / name).unlink()
    # Anything else in it is not of this program.
    if not any(stage.iterdir()):
        stage.rmdir()


def _load(folder: Path) -> Checkpoint | None:
    try:
        return Checkpoint.load(folder)
    except SpecError:
        # Damaged: nothing goes on from it.
        return None
