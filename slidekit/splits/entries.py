"""Entries of ``splits.json``: ours and Slideflow's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from slidekit.errors import DatasetError
from slidekit.splits.drawing import Split, folds_to_splits
from slidekit.splits.patients import Patient, strata

__all__ = ["SplitRequest", "Strategy", "find_splits", "make_entry"]

Strategy = Literal["fixed", "bootstrap", "k-fold", "k-fold-preserved-site"]

_NOTE = "Each fold validates once, while all other patients train."


@dataclass(frozen=True)
class SplitRequest:
    """What is asked for.

    Attributes
    ----------
    strategy
        How patients are split.
    seed
        Seed. An entry of Slideflow's, which says none, counts as one of seed 0; its share of validation is told by
        the patients on its sides.
    k
        Number of folds; None where there are none.
    fraction
        Share of validation; None where the strategy has none.
    labels
        What the labels are, for people to read: columns, or None.
    """

    strategy: Strategy
    seed: int = 0
    k: int | None = None
    fraction: float | None = None
    labels: str | tuple[str, ...] | None = None


def find_splits(
    entries: Sequence[Mapping[str, Any]], request: SplitRequest, patients: Sequence[Patient], path: Path
) -> tuple[Split, ...] | None:
    """Splits of the first entry that has the same strategy, seed, folds, share, patients and labels.

    Parameters
    ----------
    entries
        As `slidekit.splits.file.read_entries` gives them.
    request
        What is asked for.
    patients
        All of them. Their slides may be others than when the entry was made.
    path
        The file, for messages.

    Raises
    ------
    DatasetError
        If such an entry has a patient on both sides or on none, or a side without patients.
    """
    for number, entry in enumerate(entries, start=1):
        if _fits(entry, request, patients):
            splits = _splits_of(entry)
            _check_sides(splits, patients, path, number)
            if request.strategy != "k-fold-preserved-site" or _keeps_sites(splits, patients):
                return splits
    return None


def make_entry(request: SplitRequest, patients: Sequence[Patient], splits: Sequence[Split]) -> dict[str, Any]:
    """Write a split as an entry, which says who trains and who validates."""
    entry: dict[str, Any] = {"strategy": request.strategy, "seed": request.seed, "labels": request.labels}
    entry["patients"] = {
        one.name: {"label": one.label, **({} if one.site is None else {"site": one.site}), "slides": one.slides}
        for one in patients
    }
    if request.k is not None:
        return entry | {"k": request.k, "note": _NOTE, "folds": [{"validation": split.validation} for split in splits]}
    if request.fraction is not None:
        entry["val_fraction"] = request.fraction
    sides = {"training": splits[0].training, "validation": splits[0].validation}
    return entry | sides | ({"draws": dict(splits[0].draws)} if splits[0].draws else {})


def _fits(entry: Mapping[str, Any], request: SplitRequest, patients: Sequence[Patient]) -> bool:
    there = entry.get("patients")
    if entry.get("strategy") != request.strategy or not isinstance(there, dict):
        return False
    if there.keys() != {one.name for one in patients} or not all(isinstance(one, dict) for one in there.values()):
        return False
    if entry.get("seed", 0) != request.seed or entry.get("val_fraction", request.fraction) != request.fraction:
        return False
    splits = _splits_of(entry)
    if len(splits) != (request.k or 1):
        return False
    if request.fraction is not None and "val_fraction" not in entry:
        # Slideflow rounds the share of every class down.
        missed = abs(len(splits[0].validation) - request.fraction * len(patients))
        if missed > max(1, len(strata(patients))):
            return False
    if "tfrecords" in entry:
        # Slideflow may have numbered the classes: whatever they are called, the same patients are of the same.
        theirs = [_plain(there[one.name].get("outcome_label")) for one in patients]
        ours = [_plain(one.label) for one in patients]
        return len({*zip(theirs, ours, strict=True)}) == len({*theirs}) == len({*ours})
    return all(_plain(there[one.name].get("label")) == _plain(one.label) for one in patients)


def _splits_of(entry: Mapping[str, Any]) -> tuple[Split, ...]:
    """Splits of an entry, empty if it is none that is known."""
    sides = entry.get("tfrecords", entry)
    if "tfrecords" in entry and isinstance(sides, dict):
        owners = {slide: name for name, one in entry["patients"].items() for slide in _names(one.get("slides"))}
        sides = {key: sorted({owners.get(slide, slide) for slide in _names(value)}) for key, value in sides.items()}
        folds = [f"k-fold-{number}" for number in range(1, len(sides) + 1)]
        if sides and set(folds) == sides.keys():
            return folds_to_splits([sides[fold] for fold in folds])
    if not isinstance(sides, dict):
        return ()
    if isinstance(listed := sides.get("folds"), list):
        return folds_to_splits([_names(fold.get("validation") if isinstance(fold, dict) else None) for fold in listed])
    if "training" not in sides or "validation" not in sides:
        return ()
    draws = sides.get("draws")
    training, validation = (tuple(sorted(_names(sides[side]))) for side in ("training", "validation"))
    return (Split(training, validation, draws if isinstance(draws, dict) else {}),)


def _check_sides(splits: Sequence[Split], patients: Sequence[Patient], path: Path, number: int) -> None:
    everyone, mend = {one.name for one in patients}, "Mend the entry, or remove it."
    validated = [name for split in splits for name in split.validation]
    for split in splits:
        if both := {*split.training} & {*split.validation}:
            what = f"entry {number} has patient {min(both)!r} on both sides."
            raise DatasetError(what, mend=mend, path=path)
        placed = {*split.training, *split.validation}
        if forgotten := everyone - placed:
            what = f"entry {number} has patient {min(forgotten)!r} on neither side."
            raise DatasetError(what, mend=mend, path=path)
        if strangers := placed - everyone:
            what = f"entry {number} has {min(strangers)!r} on a side, who is none of its patients."
            raise DatasetError(what, mend=mend, path=path)
        for word, side in (("training", split.training), ("validation", split.validation)):
            if not side:
                raise DatasetError(f"entry {number} has no patient for {word}.", mend=mend, path=path)
    if len(validated) != len(set(validated)):
        raise DatasetError(f"entry {number} has a patient in two folds.", mend=mend, path=path)


def _keeps_sites(splits: Sequence[Split], patients: Sequence[Patient]) -> bool:
    sites = {one.name: one.site for one in patients}
    pairs = {(sites[name], fold) for fold, split in enumerate(splits) for name in split.validation}
    return len(pairs) == len({site for site, _ in pairs})


def _plain(label: Any) -> Any:
    """A label as JSON gives it back, and such that it can be in a set."""
    if isinstance(label, list | tuple):
        return tuple(_plain(item) for item in label)
    return repr(label) if isinstance(label, dict) else label


def _names(value: Any) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []
