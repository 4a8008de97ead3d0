"""Slides that are exported, and the labels of their regions that count."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from slidekit.errors import DatasetError, SlidekitError, SpecError
from slidekit.segment.roi_files import RoiFiles
from slidekit.slide.roi import load_rois
from slidekit.slide.segmentation.config import SegmentMode
from slidekit.wording import some_of

__all__ = ["ExportJob", "SlidesToSegment", "gather_jobs", "settle_labels"]


logger = logging.getLogger(__name__)


class SlidesToSegment(Protocol):
    """Slides with their regions of interest; `slidekit.Dataset` is one."""

    def paths(self) -> dict[str, Path]:
        """Slide to path."""

    def roi_files(self) -> dict[str, Path]:
        """Slide to file of regions, for the slides that have one."""

    def mpp(self) -> dict[str, float]:
        """Slide to µm/px from the annotations, for the slides that have it there."""

    def patients(self) -> dict[str, str]:
        """Slide to patient."""


@dataclass(frozen=True)
class ExportJob:
    """A slide with what is known of it; None where nothing is.

    Attributes
    ----------
    name, path, mpp, patient
        The slide.
    rois
        Its file of regions, if that counts.
    generated
        A file of regions that does not count: a network made it, and nobody edited it.
    """

    name: str
    path: Path
    rois: Path | None
    mpp: float | None
    patient: str | None
    generated: Path | None = None


def gather_jobs(dataset: SlidesToSegment, *, include_generated: bool = False) -> list[ExportJob]:
    """All slides, by name.

    Parameters
    ----------
    dataset
        The slides.
    include_generated
        Whether regions that a network generated count like drawn ones; else the log names their slides.

    Raises
    ------
    DatasetError
        If there are none.
    """
    paths, rois, mpp, patients = dataset.paths(), dataset.roi_files(), dataset.mpp(), dataset.patients()
    if not paths:
        raise DatasetError("The dataset has no slides.", mend="Give slides=, or check filters and annotations.")
    generated: dict[str, Path] = {}
    if not include_generated:
        generated = {name: rois[name] for name in sorted(paths) if name in rois and RoiFiles.is_generated(rois[name])}
    if generated:
        logger.warning(
            "Regions that a network generated, and nobody edited, are no truth to train on: %s left out (%s).",
            f"{len(generated)} slide{'' if len(generated) == 1 else 's'}",
            some_of(list(generated)),
        )
    drawn = {name: file for name, file in rois.items() if name not in generated}
    return [
        ExportJob(name, path, drawn.get(name), mpp.get(name), patients.get(name), generated.get(name))
        for name, path in sorted(paths.items())
    ]


def settle_labels(
    jobs: Sequence[ExportJob],
    mode: SegmentMode,
    labels: Sequence[str] | None,
    artifact_labels: Sequence[str],
    *,
    allow_missing: bool = False,
) -> tuple[str, ...] | None:
    """The labels that count, in the order of the classes; None where all regions do.

    Raises
    ------
    SpecError
        If the mode is unknown, `labels` is empty, or a label is an artifact's as well.
    DatasetError
        If no region has one of the labels, and that is not allowed.
    """
    if mode not in ("binary", "multiclass", "multilabel"):
        raise SpecError(f"mode={mode!r} is unknown.", mend="Use binary, multiclass or multilabel.")
    if labels is not None and not labels:
        raise SpecError("labels holds nothing.", mend="Name a label, or leave labels out.")
    if mode == "binary" and labels is None and not artifact_labels:
        return None
    counts = _count_labels(jobs)
    there = some_of([f"{label!r} ({count})" for label, count in sorted(counts.items())]) or "none"
    if missing := [label for label in (*(labels or ()), *artifact_labels) if label not in counts]:
        what = f"No region of interest has the label {some_of([repr(label) for label in missing])}."
        if not allow_missing:
            raise DatasetError(what, mend=f"Labels and how many slides have them: {there}.")
        logger.warning("%s Labels and how many slides have them: %s.", what, there)
    if labels is not None:
        if doubled := set(labels) & set(artifact_labels):
            raise SpecError(f"{some_of(sorted(doubled))} is among labels and artifact_labels.", mend="Choose one.")
        return tuple(dict.fromkeys(labels))
    if mode == "binary":
        return None
    found = tuple(label for label in sorted(counts) if label not in artifact_labels)
    if not found:
        raise DatasetError("No region of interest has a label.", mend='Label the regions, or use mode="binary".')
    return found


def _count_labels(jobs: Sequence[ExportJob]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for job in jobs:
        try:
            labels = load_rois(job.rois).labels if job.rois is not None else ()
        except (SlidekitError, OSError):
            # It is named as a slide that failed when its turn comes.
            continue
        for label in labels:
            counts[label] = counts.get(label, 0) + 1
    return counts
