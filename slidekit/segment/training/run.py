"""`train`: from regions of interest, or from exported images and masks, to the folder of a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from slidekit.errors import DatasetError, SpecError
from slidekit.segment.crops import TrainingCrops, ValidationCrops
from slidekit.segment.data import SegmentData
from slidekit.segment.differences import SlideFacts
from slidekit.segment.exporting import SlidesToSegment
from slidekit.segment.training.base import Batch, OnBatch, OnEpoch, ValidationBatch
from slidekit.segment.training.checkpoint import CHECKPOINT, best_epoch
from slidekit.segment.training.gathering import gather_data, shared_patients
from slidekit.segment.training.history import EpochResult
from slidekit.segment.training.loop import fit, training_fingerprint
from slidekit.segment.training.stage import prepare_stage, publish_stage
from slidekit.slide.segmentation.config import SegmentConfig
from slidekit.slide.segmentation.predict import MODEL

if TYPE_CHECKING:
    from slidekit.segment.progress import OnSlide

__all__ = ["TrainedModel", "train"]

_DATA = "data"


@dataclass(frozen=True)
class TrainedModel:
    """A trained network.

    Attributes
    ----------
    path
        Its folder: ``model.keras``, ``segment_config.json``, ``history.csv``.
    config
        What it was trained with, labels included.
    history
        All epochs.
    training, validation
        Names of the slides; one that was cut in two is in both.
    shared_patients
        Patients who train and validate: where there are any, the Dice is better than it will be on others.
    """

    path: Path
    config: SegmentConfig
    history: tuple[EpochResult, ...]
    training: tuple[str, ...]
    validation: tuple[str, ...]
    shared_patients: tuple[str, ...] = ()

    @property
    def best(self) -> EpochResult:
        """The epoch whose network was kept."""
        return self.history[best_epoch(self.history) - 1]

    @property
    def dice(self) -> float:
        """Mean Dice coefficient of the classes on the validation data, of the network that was kept.

        The background of ``multiclass`` is no class here, and one that is nowhere does not count.
        """
        return self.best.dice

    @property
    def dice_by_class(self) -> Mapping[str, float]:
        """The same of each class, the background of ``multiclass`` too; NaN where neither truth nor network has it."""
        return self.best.dice_by_class


def train(
    config: SegmentConfig,
    dataset: SlidesToSegment | None = None,
    val_dataset: SlidesToSegment | None = None,
    data_source: str | Path | None = None,
    *,
    num_workers: int = 2,
    dest: str | Path = "segment_model",
    overwrite: bool = False,
    include_generated: bool = False,
    on_slide: OnSlide | None = None,
    on_epoch: OnEpoch | None = None,
    on_batch: OnBatch | None = None,
) -> TrainedModel:
    """Train a segmentation network, and write it into a folder.

    The network of the epoch with the best Dice on the validation data is kept, and training ends when
    ``config.patience`` epochs have not been better. Each epoch ends with a checkpoint: the same call goes on after a
    kill, and comes to the same; of a training that is finished it gives the result. On one machine's CPU the same seed
    gives the same network but for the order in which threads of the framework add up numbers.

    Parameters
    ----------
    config
        Of the network and its training.
    dataset
        Slides with regions of interest, such as `slidekit.Dataset`; their images and masks are exported into
        ``{dest}/data``; slides that lie there from an earlier call are not used. With `data_source`, only these
        slides of it are used.
    val_dataset
        Slides to validate on. Without, ``config.val_fraction`` of the patients validate; of one patient only, a part
        of each slide, with a warning, as where a patient has slides on both sides. A label that none of them has is
        no mistake: its Dice is NaN where the network does not find it either.
    data_source
        Folder of `slidekit.segment.export_thumbs_and_masks`, instead of an export; without `dataset`, all slides in it.
    num_workers
        Threads that make crops beside the network.
    dest
        Folder of the model, made where it is missing.
    overwrite
        Whether another network in it is replaced, and slides are exported anew. The network that is there stays until
        the new one is trained; killed before, the same call goes on.
    include_generated
        Whether regions that a network generated, and nobody edited, are truth like drawn ones; else their slides are
        left out, and the log names them. Of `data_source`, the export was told.
    on_slide, on_epoch, on_batch
        Told of the progress: of the export, after each epoch, after each batch.

    Returns
    -------
    TrainedModel

    Raises
    ------
    DatasetError
        If there are no slides, none has what is to be found, or the data are not what `config` says.
    SpecError
        If the folder holds another network, the loss is not a number, or memory runs out.
    MissingExtraError
        If Keras is not installed.
    """
    folder = Path(dest).expanduser().absolute()
    export = {"overwrite": overwrite, "include_generated": include_generated, "on_slide": on_slide}
    training, validation = gather_data(config, (dataset, val_dataset), data_source, folder / _DATA, export)
    config = config.with_labels(training.labels)
    data = _Crops(training, validation, config)
    folder.mkdir(parents=True, exist_ok=True)
    place = folder
    if overwrite:
        place = prepare_stage(folder, training_fingerprint(config, data))
    elif (folder / MODEL).exists() and not (folder / CHECKPOINT).exists():
        raise SpecError(
            "The folder holds a network already, which was not trained here.",
            mend="Train into another folder, or with overwrite=True.",
            path=folder,
        )
    history = fit(config, data, place, num_workers=num_workers, on_epoch=on_epoch, on_batch=on_batch)
    if place != folder:
        publish_stage(folder)
    shared = tuple(shared_patients(training, validation))
    return TrainedModel(folder, config, tuple(history), training.slides, validation.slides, shared)


class _Crops:
    """Crops of exported data; a `slidekit.segment.training.base.TrainingData`."""

    def __init__(self, training: SegmentData, validation: SegmentData, config: SegmentConfig) -> None:
        self._sides = training, validation
        self._training = TrainingCrops(training, config)
        self._validation = ValidationCrops(validation, config)
        _check_truth(self._validation, validation, config)

    @property
    def steps(self) -> int:
        return len(self._training)

    @cached_property
    def fingerprint(self) -> str:
        # By names, sizes and what was exported: bytes of pictures are not read once more for it.
        return repr([(side.parts, side.used_config.model_dump(mode="json")) for side in self._sides])

    @property
    def slides(self) -> Mapping[str, SlideFacts]:
        known: dict[str, dict[str, str]] = {}
        for use, side in zip(("training", "validation"), self._sides, strict=True):
            for name in side.slides:
                facts = {"use": use, **side.config.slides[name].facts}
                # Of one patient alone, a part of each slide validates.
                known[name] = {**facts, "use": "both"} if name in known else facts
        return known

    def batch(self, epoch: int, step: int) -> Batch:
        return self._training.batch(epoch, step)

    def validation(self) -> Iterator[ValidationBatch]:
        for step in range(len(self._validation)):
            yield self._validation.batch(step)


def _check_truth(crops: ValidationCrops, data: SegmentData, config: SegmentConfig) -> None:
    """Without any class in the validation data there is no Dice, and no epoch is better than another."""
    first = 1 if config.mode == "multiclass" else 0
    if not any(crops.batch(step)[1][..., first:].any() for step in range(len(crops))):
        raise DatasetError(
            f"No pixel of the validation data is in a region: {', '.join(data.slides)}.",
            mend="Give other slides by val_dataset=, another seed=, or a larger val_fraction=.",
            path=data.folder,
        )
