"""Splits as they were made before, or new ones."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from slidekit.splits.drawing import Split, draw_bootstrap, draw_fixed, draw_folds, folds_to_splits
from slidekit.splits.entries import SplitRequest, find_splits, make_entry
from slidekit.splits.file import locked, read_entries, write_entries
from slidekit.splits.patients import Patient
from slidekit.splits.sites import draw_site_folds

__all__ = ["draw_splits", "settle_splits"]

logger = logging.getLogger(__name__)


def settle_splits(
    patients: Sequence[Patient], request: SplitRequest, *, path: Path | None = None, read_only: bool = False
) -> tuple[Split, ...]:
    """Use a split that is in a file, or draw one and add it there.

    Parameters
    ----------
    patients
        What is split.
    request
        How.
    path
        The file; None for no file. Of jobs that ask at the same time all get the same.
    read_only
        Whether the file is only read.

    Returns
    -------
    tuple of Split
        One, or one a fold.

    Raises
    ------
    DatasetError
        If the patients cannot be split so, or the file cannot be used.
    """
    if path is None:
        return draw_splits(patients, request)
    found = find_splits(read_entries(path), request, patients, path)
    if found is None:
        drawn = draw_splits(patients, request)
        if read_only:
            return drawn
        with locked(path):
            # Another job may have been quicker; its split is the one that stands.
            entries = read_entries(path)
            found = find_splits(entries, request, patients, path)
            if found is None:
                write_entries(path, [*entries, make_entry(request, patients, drawn)])
                return drawn
    logger.info("A split of %d patients (%s) is taken from %s.", len(patients), request.strategy, path)
    return found


def draw_splits(patients: Sequence[Patient], request: SplitRequest) -> tuple[Split, ...]:
    """Draw a split, the same for the same patients, labels, sites and request.

    Raises
    ------
    DatasetError
        If the patients cannot be split so.
    """
    if request.strategy == "fixed":
        return (draw_fixed(patients, request.fraction or 0.0, request.seed),)
    if request.strategy == "bootstrap":
        return (draw_bootstrap(patients, request.seed),)
    draw = draw_folds if request.strategy == "k-fold" else draw_site_folds
    return folds_to_splits(draw(patients, request.k or 0, request.seed))
