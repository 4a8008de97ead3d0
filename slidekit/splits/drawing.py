"""Seeded splits of patients, stratified by label: each side has its share of every class."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from slidekit.collection.numbers import whole_number
from slidekit.errors import DatasetError
from slidekit.seeding import slide_generator
from slidekit.splits.patients import Patient, strata
from slidekit.wording import some_of

__all__ = ["Split", "draw_bootstrap", "draw_fixed", "draw_folds", "folds_to_splits", "shuffle"]

logger = logging.getLogger(__name__)

_ATTEMPTS = 100


@dataclass(frozen=True)
class Split:
    """Names of patients on two sides.

    Attributes
    ----------
    training, validation
        Sorted; no patient is on both.
    draws
        Patient to how often a bootstrap drew it for training; empty for other splits.
    """

    training: tuple[str, ...]
    validation: tuple[str, ...]
    draws: Mapping[str, int] = field(default_factory=dict)


def shuffle(patients: Sequence[Patient], seed: int, purpose: str) -> list[Patient]:
    """Order patients by a hash of seed, purpose and name: it depends neither on their order nor on one another."""

    def key(patient: Patient) -> tuple[bytes, str]:
        return hashlib.sha256(f"{seed}\0{purpose}\0{patient.name}".encode()).digest(), patient.name

    return sorted(patients, key=key)


def draw_fixed(patients: Sequence[Patient], fraction: float, seed: int) -> Split:
    """Set a share of the patients aside for validation.

    Of all patients the share is rounded to the nearest number, and each side has at least one. Each class of two
    patients or more has one on either side, if the smaller side has room for all such classes; beyond that, its
    share is kept as near as can be (largest remainders, ties by the seed). If there is no room, each class keeps its
    share within one patient, and chance decides, by the seed and the remainders, which classes have one more. The log
    names classes that are on one side only.

    Parameters
    ----------
    patients
        At least two.
    fraction
        Share of validation, between 0 and 1.
    seed
        Seed.

    Raises
    ------
    DatasetError
        If the fraction is none, or there are fewer than two patients.
    """
    if not 0 < fraction < 1:
        raise DatasetError(f"val_fraction={fraction!r} is no share.", mend="Give a number between 0 and 1.")
    _demand(patients, 2, "two sides")
    groups, share = strata(patients), Fraction(fraction)
    total = min(max(round(share * len(patients)), 1), len(patients) - 1)
    counts = _share_out([len(group) for group in groups], share, total, seed)
    validation = [
        patient.name
        for group, count in zip(groups, counts, strict=True)
        for patient in shuffle(group, seed, "fixed")[:count]
    ]
    split = _split(patients, validation)
    _tell_one_sided(groups, split)
    return split


def draw_folds(patients: Sequence[Patient], k: int, seed: int) -> list[list[str]]:
    """Deal patients to folds: sizes differ by at most one, for every class as for all.

    Parameters
    ----------
    patients
        At least `k`.
    k
        Number of folds, at least 2.
    seed
        Seed.

    Returns
    -------
    list of list of str
        Patients of each fold, sorted.

    Raises
    ------
    DatasetError
        If there are fewer patients than folds, or fewer than two folds.
    """
    if whole_number(k, 2) is None:
        raise DatasetError(f"k={k!r} is no number of folds.", mend="Give 2 or more.")
    _demand(patients, k, f"{k} folds")
    folds: list[list[str]] = [[] for _ in range(k)]
    dealt, groups = 0, strata(patients)
    if small := [f"{_word(group[0])} ({len(group)})" for group in groups if len(group) < k and _is_class(group[0])]:
        logger.warning(
            "Labels have fewer patients than there are folds (%d), so that not each fold has one: %s.",
            k,
            some_of(small),
        )
    chances = _chances(len(groups), seed, "order of classes")
    for number in sorted(range(len(groups)), key=lambda number: chances[number]):
        group = groups[number]
        # The next class begins where this one ends, so that the first folds are not always the larger.
        for place, patient in enumerate(shuffle(group, seed, "k-fold"), start=dealt):
            folds[place % k].append(patient.name)
        dealt += len(group)
    return [sorted(fold) for fold in folds]


def draw_bootstrap(patients: Sequence[Patient], seed: int) -> Split:
    """Draw as many patients as there are, with replacement and class by class; who is never drawn validates.

    That is about 37 % of them (Efron and Tibshirani, 1993, An introduction to the bootstrap).

    Parameters
    ----------
    patients
        At least two.
    seed
        Seed.

    Raises
    ------
    DatasetError
        If there are fewer than two patients, or each class has only one.
    """
    _demand(patients, 2, "two sides")
    for attempt in range(_ATTEMPTS):
        draws: Counter[str] = Counter()
        groups = strata(patients)
        for number, group in enumerate(groups):
            names = sorted(patient.name for patient in group)
            generator = slide_generator(seed, f"{number}\0{attempt}", "bootstrap")
            draws.update(names[place] for place in generator.integers(len(names), size=len(names)))
        validation = [patient.name for patient in patients if patient.name not in draws]
        # Of very few patients all may be drawn.
        if validation:
            split = Split(tuple(sorted(draws)), tuple(sorted(validation)), dict(sorted(draws.items())))
            _tell_one_sided(groups, split)
            return split
    raise DatasetError(
        "A bootstrap leaves no patient for validation: each class has one patient.",
        mend="Leave labels= out, or use another strategy.",
    )


def folds_to_splits(folds: Sequence[Sequence[str]]) -> tuple[Split, ...]:
    """One split a fold, which validates, while all others train."""
    everyone = {name for fold in folds for name in fold}
    return tuple(Split(tuple(sorted(everyone.difference(fold))), tuple(sorted(fold))) for fold in folds)


def _share_out(sizes: Sequence[int], share: Fraction, total: int, seed: int) -> list[int]:
    """How many of each class are among the `total` of a side."""
    several = sum(size > 1 for size in sizes)
    room = several <= min(total, sum(sizes) - total)
    chances = _chances(len(sizes), seed, "shares of classes")
    counts = [int(room and size > 1) for size in sizes]
    places: list[tuple[float | Fraction, float, int]] = []
    for number, size in enumerate(sizes):
        for count in range(counts[number], size - int(room and size > 1)):
            # What the class still lacks of its share when it has so many; whole patients come before all remainders.
            lacks: float | Fraction = share * size - count
            if not room and 0 < lacks < 1:
                # Drawn in proportion to the remainders (Efraimidis and Spirakis, 2006, Inform. Process. Lett. 97).
                lacks = chances[number] ** (1 / float(lacks))
            places.append((lacks, chances[number], number))
    for _, _, number in sorted(places, reverse=True)[: total - sum(counts)]:
        counts[number] += 1
    return counts


def _chances(classes: int, seed: int, purpose: str) -> list[float]:
    """Draw a number for each class, from 0 to 1."""
    return [float(slide_generator(seed, str(number), purpose).random()) for number in range(classes)]


def _is_class(patient: Patient) -> bool:
    return patient.label is not None and not isinstance(patient.label, float)


def _word(patient: Patient) -> str:
    return " + ".join(patient.label) if isinstance(patient.label, tuple) else str(patient.label)


def _tell_one_sided(groups: Sequence[Sequence[Patient]], split: Split) -> None:
    lacking = []
    for word, side in (("training", split.training), ("validation", split.validation)):
        names = set(side)
        classes = [
            _word(group[0]) for group in groups if _is_class(group[0]) and names.isdisjoint(p.name for p in group)
        ]
        if classes:
            lacking.append(f"{word} has none of {some_of(classes)}")
    if lacking:
        logger.warning("Labels are on one side only: %s.", "; ".join(lacking))


def _split(patients: Sequence[Patient], validation: Sequence[str]) -> Split:
    held = set(validation)
    return Split(tuple(sorted(one.name for one in patients if one.name not in held)), tuple(sorted(held)))


def _demand(patients: Sequence[Patient], least: int, what: str) -> None:
    if len(patients) < least:
        raise DatasetError(
            f"There are {len(patients)} patients for {what}.",
            mend=(f"Take at most {len(patients)} folds, w" if least > 2 and len(patients) > 1 else "W")
            + "iden the filters, or check the column patient of the annotations.",
        )
