"""Splits of a dataset for training and validation."""

from __future__ import annotations

import logging
import math
import operator
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, get_args

from slidekit.collection.label_values import are_numbers, text_as_number
from slidekit.collection.labels import texts_of
from slidekit.collection.names import settle_name
from slidekit.collection.numbers import plain_number, whole_number
from slidekit.collection.selection import Selection
from slidekit.collection.sources import PathLike
from slidekit.errors import DatasetError
from slidekit.splits.drawing import Split
from slidekit.splits.entries import SplitRequest, Strategy
from slidekit.splits.patients import Label, Patient, gather_patients, quarters
from slidekit.splits.settling import settle_splits
from slidekit.wording import some_of

__all__ = ["Splitting"]

logger = logging.getLogger(__name__)

ModelType = Literal["classification", "categorical", "regression", "linear", "survival", "cph"]

_CLASSES = ("classification", "categorical")
_MANY = 10
"""Different numbers from which a column is one of numbers, where nobody has said what it is."""


class Splitting(Selection):
    """What `Dataset` does before training: set patients aside for validation.

    Patients are split, and never slides or tiles: no patient is on both sides. What comes out holds its slides for
    good; no filter that is removed from it, and nothing that is looked up in it, leads to the other side.
    """

    _splits_file: Path | None = None

    def split(
        self,
        model_type: ModelType | None = None,
        labels: str | Sequence[str] | Mapping[str, Any] | None = None,
        val_strategy: Strategy | Literal["none"] = "fixed",
        splits: PathLike | None = None,
        val_fraction: float | None = None,
        val_k_fold: int | None = None,
        k_fold_iter: int | None = None,
        site_labels: str | Mapping[str, str] = "site",
        read_only: bool = False,
        seed: int = 0,
    ) -> tuple[Self, Self]:
        """Split the dataset by patients, with the same share of every class on both sides.

        The split depends on the patients, their labels and the seed, and not on the order of rows or files.

        Parameters
        ----------
        model_type
            ``"classification"`` (or ``"categorical"``): labels are classes. ``"regression"`` (``"linear"``,
            ``"survival"``, ``"cph"``): they are numbers, of which each quarter is shared out. None: a column of
            more than ten different numbers is one of numbers. Of several columns it holds for each.
        labels
            A column, several columns, or slide to label; slides that have none in a dict are on neither side.
            None: patients are not stratified.
        val_strategy
            - ``"fixed"``: a share of the patients validates.
            - ``"k-fold"``: patients are dealt to folds, of which one validates.
            - ``"k-fold-preserved-site"``: the same, with all patients of a site in one fold (Howard et al., 2021).
            - ``"bootstrap"``: as many patients as there are, are drawn with replacement for training; those who are
              never drawn validate. Who was drawn twice is in the training set once, for a dataset holds a slide
              once; `splits` says how often.
            - ``"none"``: all patients train, and the second dataset is empty.
        splits
            File of splits, such as ``splits.json``, slidekit's or Slideflow's: if it has a split of the same
            strategy, seed, folds, patients and labels, that is used, else the new one is added. Default is
            ``splits.json`` in the project, and for a dataset without project no file.
        val_fraction
            Share of validation for ``"fixed"``, default 0.2.
        val_k_fold
            Number of folds, default 3.
        k_fold_iter
            Which fold validates, from 1; needed for folds.
        site_labels
            Column of the sites, or slide to site.
        read_only
            Whether to leave the file as it is.
        seed
            Seed.

        Returns
        -------
        tuple of Dataset
            For training and for validation.

        Raises
        ------
        DatasetError
            If a patient has slides of two classes or two sites, a label or site is blank, there are too few
            patients or sites, or the file cannot be used.
        AnnotationsError
            If there is no such column.
        """
        if val_strategy not in (*get_args(Strategy), "none"):
            names = ", ".join((*get_args(Strategy), "none"))
            raise DatasetError(f"val_strategy={val_strategy!r} is no way to split.", mend=f"There are: {names}.")
        if val_strategy == "none":
            return self._with_side(self.slides()), self._with_side(())
        folds = val_strategy in ("k-fold", "k-fold-preserved-site")
        k = _folds(3 if val_k_fold is None else val_k_fold) if folds else None
        if k is not None and k_fold_iter not in range(1, k + 1):
            raise DatasetError(
                f"k_fold_iter={k_fold_iter!r} is none of {k} folds.", mend=f"Give 1 to {k}, or use kfold_split."
            )
        if val_fraction is not None and val_strategy != "fixed":
            logger.warning("val_fraction=%s has no meaning with the strategy %s.", val_fraction, val_strategy)
        fraction = _fraction(0.2 if val_fraction is None else val_fraction) if val_strategy == "fixed" else None
        request = SplitRequest(val_strategy, _seed(seed), k, fraction, _name_of(labels))
        sites = site_labels if val_strategy == "k-fold-preserved-site" else None
        found = self._settle(request, model_type, labels, sites, splits, read_only)
        return found[(k_fold_iter or 1) - 1 if folds else 0]

    def kfold_split(
        self,
        k: int,
        *,
        labels: str | Sequence[str] | Mapping[str, Any] | None = None,
        preserved_site: bool = False,
        site_labels: str | Mapping[str, str] = "site",
        splits: PathLike | None = None,
        read_only: bool = False,
        seed: int = 0,
    ) -> tuple[tuple[Self, Self], ...]:
        """Split the dataset into folds, each of which validates once.

        Parameters
        ----------
        k
            Number of folds.
        preserved_site
            Whether all patients of a site are in one fold.
        labels, site_labels, splits, read_only, seed
            As for `split`.

        Returns
        -------
        tuple of pairs of Dataset
            For training and for validation, fold by fold; each patient validates exactly once.

        Raises
        ------
        DatasetError, AnnotationsError
            As for `split`.
        """
        strategy: Strategy = "k-fold-preserved-site" if preserved_site else "k-fold"
        request = SplitRequest(strategy, _seed(seed), _folds(k), labels=_name_of(labels))
        return self._settle(request, None, labels, site_labels if preserved_site else None, splits, read_only)

    def _settle(
        self,
        request: SplitRequest,
        model_type: ModelType | None,
        labels: str | Sequence[str] | Mapping[str, Any] | None,
        sites: str | Mapping[str, str] | None,
        splits: PathLike | None,
        read_only: bool,
    ) -> tuple[tuple[Self, Self], ...]:
        found = self._labels_to_split_by(labels, model_type)
        owners = self.patients()
        if found is not None:
            owners = {slide: owner for slide, owner in owners.items() if slide in found}
        located = None if sites is None else self._sites(sites, owners)
        patients = gather_patients(owners, found, located)
        path = self._splits_file if splits is None else Path(splits).expanduser().absolute()
        drawn = settle_splits(patients, request, path=path, read_only=read_only)
        return tuple(self._sides(split, patients) for split in drawn)

    def _sides(self, split: Split, patients: Sequence[Patient]) -> tuple[Self, Self]:
        slides = {one.name: one.slides for one in patients}
        training, validation = (
            self._with_side(slide for name in side for slide in slides[name])
            for side in (split.training, split.validation)
        )
        return training, validation

    def _labels_to_split_by(
        self, labels: str | Sequence[str] | Mapping[str, Any] | None, model_type: ModelType | None
    ) -> dict[str, Label] | None:
        """Slide to class or number."""
        if model_type is not None and model_type not in get_args(ModelType):
            names = ", ".join(get_args(ModelType))
            raise DatasetError(f"model_type={model_type!r} is not known.", mend=f"There are: {names}.")
        if labels is None:
            return None
        if isinstance(labels, Mapping):
            return _classes_or_numbers(self._texts_of_mapping(labels), model_type)
        if isinstance(labels, str):
            return _classes_or_numbers(texts_of(self, labels), model_type)
        if not labels:
            raise DatasetError("labels= names no column.", mend="Give a column, or None for no labels.")
        columns = [_classes_or_numbers(texts_of(self, column), model_type) for column in labels]
        if len(columns) == 1:
            return columns[0]
        owners = self.patients()
        parts = [_as_classes(column, owners) for column in columns]
        return {slide: tuple(part[slide] for part in parts) for slide in owners}

    def _texts_of_mapping(self, labels: Mapping[str, Any]) -> dict[str, str]:
        slides = self.slides()
        given = {settle_name(slide): settle_name(label) for slide, label in labels.items()}
        texts = {slide: text for slide in slides if (text := given.get(settle_name(slide)))}
        if missing := [slide for slide in slides if slide not in texts]:
            logger.warning(
                "%d of %d slides have no label and are on neither side: %s.",
                len(missing),
                len(slides),
                some_of(missing),
            )
        return texts

    def _sites(self, sites: str | Mapping[str, str], owners: Mapping[str, str]) -> dict[str, str]:
        if isinstance(sites, str):
            return texts_of(self, sites, list(owners))
        given = {settle_name(slide): settle_name(site) for slide, site in sites.items()}
        if missing := [slide for slide in owners if not given.get(settle_name(slide))]:
            raise DatasetError(f"Slides have no site: {some_of(missing)}.", mend="Add them to site_labels=.")
        return {slide: given[settle_name(slide)] for slide in owners}


def _classes_or_numbers(texts: Mapping[str, str], model_type: ModelType | None) -> dict[str, Label]:
    """Slide to class, or to number if that is what labels are."""
    as_numbers = are_numbers(texts.values()) and len(set(texts.values())) > _MANY
    if model_type is not None:
        as_numbers = model_type not in _CLASSES
    if not as_numbers:
        return dict(texts)
    numbers = {slide: text_as_number(text) for slide, text in texts.items()}
    if wrong := sorted({repr(texts[slide]) for slide, number in numbers.items() if number is None}):
        raise DatasetError(
            f"Labels are {some_of(wrong)}, not numbers.", mend='Correct them, or model_type="classification".'
        )
    return {slide: number for slide, number in numbers.items() if number is not None}


def _as_classes(labels: Mapping[str, Label], owners: Mapping[str, str]) -> dict[str, str]:
    """Slide to class; for numbers the quarter in which its patient's mean is."""
    own: dict[str, list[float]] = defaultdict(list)
    for slide, owner in owners.items():
        if isinstance(label := labels[slide], float):
            own[owner].append(label)
    means = {owner: math.fsum(numbers) / len(numbers) for owner, numbers in own.items()}
    parts = quarters(means.values())
    return {
        slide: f"quarter {parts[means[owner]] + 1}" if owner in means else str(labels[slide])
        for slide, owner in owners.items()
    }


def _name_of(labels: Any) -> str | tuple[str, ...] | None:
    if labels is None or isinstance(labels, str):
        return labels
    if isinstance(labels, Mapping):
        return "given by slide"
    if not isinstance(labels, Sequence) or not all(isinstance(column, str) for column in labels):
        raise DatasetError(
            f"A dataset cannot be split by labels that are a {type(labels).__name__} such as this.",
            mend="Give a column, a list of columns, or a dict of slide to label.",
        )
    return tuple(labels)


def _seed(seed: Any) -> int:
    try:
        return operator.index(seed)
    except TypeError:
        raise DatasetError(f"seed={seed!r} is no seed.", mend="Give a whole number.") from None


def _folds(k: Any) -> int:
    number = whole_number(k, 2)
    if number is None:
        raise DatasetError(f"k={k!r} is no number of folds.", mend="Give 2 or more.")
    return number


def _fraction(share: Any) -> float:
    number = plain_number(share)
    if number is None or not 0 < number < 1:
        raise DatasetError(f"val_fraction={share!r} is no share.", mend="Give a number between 0 and 1.")
    return number
