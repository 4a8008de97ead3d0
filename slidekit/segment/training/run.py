"""`train`: from regions of interest, or from exported images and masks, to the folder of a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slidekit.errors import DatasetError, SpecError
from slidekit.segment.crops import TrainingCrops, ValidationCrops
from slidekit.segment.data import SegmentData
from slidekit.segment.exporting import SlidesToSegment, export_thumbs_and_masks
from slidekit.segment.splitting import split_data
from slidekit.segment.training.base import Batch, OnBatch, OnEpoch, ValidationBatch
from slidekit.segment.training.checkpoint import CHECKPOINT, best_epoch
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
    """

    path: Path
    config: SegmentConfig
    history: tuple[EpochResult, ...]
    training: tuple[str, ...]
    validation: tuple[str, ...]

    @property
    def best(self) -> EpochResult:
        """The epoch whose network was kept."""
        return self.history[best_epoch(self.history) - 1]

    @property
    def dice(self) -> float:
        """Mean Dice coefficient of the classes on the validation data, of the network that was kept."""
        return self.best.dice

    @property
    def dice_by_class(self) -> Mapping[str, float]:
        """The same of each class; NaN where neither truth nor network has it."""
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
        of each slide, with a warning. A label that none of them has is no mistake: its Dice is NaN where the network
        does not find it either.
    data_source
        Folder of `slidekit.segment.export_thumbs_and_masks`, instead of an export; without `dataset`, all slides in it.
    num_workers
        Threads that make crops beside the network.
    dest
        Folder of the model, made where it is missing.
    overwrite
        Whether another network in it is replaced, and slides are exported anew. The network that is there stays until
        the new one is trained; killed before, the same call goes on.
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
    export = {"overwrite": overwrite, "on_slide": on_slide}
    training, validation = _gather(config, (dataset, val_dataset), data_source, folder / _DATA, export)
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
    return TrainedModel(folder, config, tuple(history), training.slides, validation.slides)


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
            mend="Give other slides as val_dataset, another seed, or a larger val_fraction.",
            path=data.folder,
        )


def _gather(
    config: SegmentConfig,
    datasets: tuple[SlidesToSegment | None, SlidesToSegment | None],
    data_source: str | Path | None,
    folder: Path,
    export: dict[str, Any],
) -> tuple[SegmentData, SegmentData]:
    """Data to train and to validate on; exported into a folder, where they are not yet."""
    dataset, val_dataset = datasets
    if data_source is not None:
        everything = SegmentData.open(data_source, config)
        chosen = everything if dataset is None else _of(everything, dataset)
        if val_dataset is None:
            return split_data(chosen, config)
        validation = _of(everything, val_dataset)
        training = chosen if dataset is not None else everything.subset(set(everything.slides) - set(validation.slides))
    elif dataset is None:
        raise DatasetError("There is nothing to train on.", mend="Give a dataset, or data_source, a folder.")
    elif val_dataset is None:
        return split_data(_export(config, dataset, folder / "slides", export), config)
    else:
        training = _export(config, dataset, folder / "training", export)
        # In binary mode, too, labels that are given may be on the slides to train on alone.
        options = {**export, "allow_missing_labels": True}
        validation = _export(config.with_labels(training.labels), val_dataset, folder / "validation", options)
    if both := sorted(set(training.slides) & set(validation.slides)):
        raise DatasetError(
            f"Slides to train on are among those to validate on: {', '.join(both)}.",
            mend="Take them out of one of the two.",
        )
    if not training.parts:
        raise DatasetError("No slide is left to train on.", mend="Give more slides.", path=training.folder)
    return training, validation


def _export(config: SegmentConfig, dataset: SlidesToSegment, dest: Path, export: dict[str, Any]) -> SegmentData:
    export_thumbs_and_masks(dataset, config.mpp, dest, mode=config.mode, labels=config.labels, **export)
    # The folder may hold slides of an earlier call as well.
    return _of(SegmentData.open(dest, config), dataset)


def _of(data: SegmentData, dataset: SlidesToSegment) -> SegmentData:
    """The slides of a data set among exported ones."""
    found = data.subset(dataset.paths())
    if not found.parts:
        raise DatasetError("None of the slides of the dataset was exported.", mend="Export them.", path=data.folder)
    return found
