"""Patients, which are what is split: their slides, their label and their site."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from slidekit.errors import DatasetError
from slidekit.wording import some_of

__all__ = ["Label", "Patient", "gather_patients", "quarters", "strata"]

Label = str | float | tuple[str, ...]
"""A class, a number, or the classes in several columns."""

_QUARTERS = 4

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Patient:
    """A patient.

    Attributes
    ----------
    name
        Name in the annotations.
    slides
        The patient's slides, sorted.
    label
        Label of all of them; of numbers the mean. None if none is given.
    site
        Where the patient was treated, for splits that keep sites together.
    """

    name: str
    slides: tuple[str, ...]
    label: Label | None = None
    site: str | None = None


def gather_patients(
    owners: Mapping[str, str],
    labels: Mapping[str, Label] | None = None,
    sites: Mapping[str, str] | None = None,
) -> tuple[Patient, ...]:
    """Put slides together by patient.

    Parameters
    ----------
    owners
        Slide to patient.
    labels
        Slide to label, for all slides; numbers are floats.
    sites
        Slide to site, for all slides.

    Returns
    -------
    tuple of Patient
        Sorted by name, whatever the order of the slides.

    Raises
    ------
    DatasetError
        If a patient has slides of two classes or two sites.
    """
    slides = defaultdict(list)
    for slide, owner in sorted(owners.items()):
        slides[owner].append(slide)
    return tuple(
        Patient(
            name,
            tuple(own),
            None if labels is None else _label_of(name, {slide: labels[slide] for slide in own}),
            None if sites is None else _only_one("sites", name, {slide: sites[slide] for slide in own}),
        )
        for name, own in sorted(slides.items())
    )


def _label_of(name: str, labels: Mapping[str, Label]) -> Label:
    numbers = [label for label in labels.values() if isinstance(label, float)]
    if len(numbers) == len(labels):
        return math.fsum(numbers) / len(numbers)
    return _only_one("labels", name, labels)


def _only_one(what: str, name: str, values: Mapping[str, _Value]) -> _Value:
    first, *others = dict.fromkeys(values.values())
    if others:
        by_slide = [f"{slide} {value}" for slide, value in values.items()]
        raise DatasetError(
            f"Patient {name!r} has slides of {1 + len(others)} {what}: {some_of(by_slide)}.",
            mend="Patients are split as a whole: correct the annotations, or filter slides of the others out.",
        )
    return first


def strata(patients: Sequence[Patient]) -> list[list[Patient]]:
    """Groups of patients that are shared out in equal parts: by class, and numbers by the quarter that they are in.

    Patients without labels are one group. Groups come in the order of their labels, patients as they are given.
    """
    groups: dict[tuple[object, ...], list[Patient]] = defaultdict(list)
    parts = quarters(patient.label for patient in patients)
    for patient in patients:
        label = patient.label
        key: tuple[object, ...] = (parts[label],) if isinstance(label, float) else (repr(label),)
        groups[key].append(patient)
    return [groups[key] for key in sorted(groups, key=lambda key: (type(key[0]).__name__, key))]


def quarters(labels: Iterable[Label | None]) -> dict[float, int]:
    """Number to the quarter of all numbers that it is in, 0 to 3; equal numbers are in the same."""
    numbers = np.array([label for label in labels if isinstance(label, float)], np.float64)
    if not len(numbers):
        return {}
    limits = np.quantile(numbers, np.arange(1, _QUARTERS) / _QUARTERS)
    return {float(number): int(np.searchsorted(limits, number, side="left")) for number in numbers}
