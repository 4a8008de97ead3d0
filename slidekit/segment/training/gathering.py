"""What a network is trained on, and what it is validated on."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from slidekit.errors import DatasetError
from slidekit.segment.data import SegmentData
from slidekit.segment.exporting import SlidesToSegment, export_thumbs_and_masks
from slidekit.segment.splitting import split_data
from slidekit.slide.segmentation.config import SegmentConfig
from slidekit.wording import some_of

__all__ = ["gather_data", "shared_patients"]

logger = logging.getLogger(__name__)


def gather_data(
    config: SegmentConfig,
    datasets: tuple[SlidesToSegment | None, SlidesToSegment | None],
    data_source: str | Path | None,
    folder: Path,
    export: dict[str, Any],
) -> tuple[SegmentData, SegmentData]:
    """Data to train and to validate on; exported into a folder, where they are not yet.

    Parameters
    ----------
    config, data_source
        As for `slidekit.segment.train`.
    datasets
        Its `dataset` and `val_dataset`.
    folder
        For the export.
    export
        Options of `export_thumbs_and_masks`.

    Returns
    -------
    training, validation : SegmentData
        No slide is in both as a whole. Patients may be: the log says so loudly.

    Raises
    ------
    DatasetError
        If there are no slides on one of the sides, a slide is on both, or data are not what `config` says.
    """
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
    if shared := shared_patients(training, validation):
        logger.warning(
            "Patients of the validation slides also train (%s): the network has seen their tissue, and the Dice will "
            "be better than on other patients. Validate on slides of patients who do not train.",
            some_of(shared),
        )
    return training, validation


def shared_patients(training: SegmentData, validation: SegmentData) -> list[str]:
    """Names of the patients who are on both sides, sorted; without annotations each slide is a patient."""
    return sorted(set(training.patients().values()) & set(validation.patients().values()))


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
