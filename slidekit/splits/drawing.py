"""Seeded splits of patients, stratified by label: each side has its share of every class."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from slidekit.collection.shares import apportion
from slidekit.errors import DatasetError
from slidekit.seeding import slide_generator
from slidekit.splits.patients import Patient, strata

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

    Of each class the share is kept within one patient, and of all patients it is rounded to the nearest number;
    each side has at least one patient.

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
    counts = apportion({number: share * len(group) for number, group in enumerate(groups)}, total)
    validation = [
        patient.name
        for number, group in enumerate(groups)
        for patient in shuffle(group, seed, "fixed")[: counts[number]]
    ]
    return _split(patients, validation)


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
    if isinstance(k, bool) or not isinstance(k, int) or k < 2:
        raise DatasetError(f"k={k!r} is no number of folds.", mend="Give 2 or more.")
    _demand(patients, k, f"{k} folds")
    folds: list[list[str]] = [[] for _ in range(k)]
    dealt = 0
    for group in strata(patients):
        if len(group) < k and not isinstance(group[0].label, float):
            logger.warning(
                "The label %s has fewer patients (%d) than there are folds (%d): not each has one.",
                group[0].label,
                len(group),
                k,
            )
        # The next class begins where this one ends, so that the first folds are not always the larger.
        for number, patient in enumerate(shuffle(group, seed, "k-fold"), start=dealt):
            folds[number % k].append(patient.name)
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
        for number, group in enumerate(strata(patients)):
            names = sorted(patient.name for patient in group)
            generator = slide_generator(seed, f"{number}\0{attempt}", "bootstrap")
            draws.update(names[place] for place in generator.integers(len(names), size=len(names)))
        validation = [patient.name for patient in patients if patient.name not in draws]
        # Of very few patients all may be drawn.
        if validation:
            return Split(tuple(sorted(draws)), tuple(sorted(validation)), dict(sorted(draws.items())))
    raise DatasetError(
        "A bootstrap leaves no patient for validation: each class has one patient.",
        mend="Leave labels= out, or use another strategy.",
    )


def folds_to_splits(folds: Sequence[Sequence[str]]) -> tuple[Split, ...]:
    """One split a fold, which validates, while all others train."""
    everyone = {name for fold in folds for name in fold}
    return tuple(Split(tuple(sorted(everyone.difference(fold))), tuple(sorted(fold))) for fold in folds)


def _split(patients: Sequence[Patient], validation: Sequence[str]) -> Split:
    held = set(validation)
    return Split(tuple(sorted(one.name for one in patients if one.name not in held)), tuple(sorted(held)))


def _demand(patients: Sequence[Patient], least: int, what: str) -> None:
    if len(patients) < least:
        raise DatasetError(
            f"There are {len(patients)} patients for {what}.",
            mend="Widen the filters, or check the column patient of the annotations.",
        )
