"""Artifact regions: regions of given labels, which are removed from a slide rather than taken."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import shapely

from slidekit.errors import SlidekitError, SpecError
from slidekit.slide.roi.load import load_rois
from slidekit.slide.roi.region import ROI, ROISet
from slidekit.wording import some_of

__all__ = ["refuse_unknown_labels", "split_artifacts", "union_area", "warn_of_unknown_labels"]

_log = logging.getLogger("slidekit")

_MOST_NAMED = 12


def split_artifacts(regions: ROISet, labels: Collection[str]) -> tuple[ROISet, tuple[ROI, ...]]:
    """Divide regions into those of interest and those that are removed.

    Parameters
    ----------
    regions
        All regions of a slide.
    labels
        Labels of artifact regions, as they are written; upper and lower case differ. The two ways in which Unicode
        writes an accented letter, of which macOS prefers the other, do not.

    Returns
    -------
    ROISet, tuple of ROI
        The regions of other labels, or of none; and the artifact regions. Both in the order of the file.
    """
    if not labels:
        return regions, ()
    removed = set(map(_plain, labels))
    is_artifact = [roi.label is not None and _plain(roi.label) in removed for roi in regions.rois]
    artifacts = tuple(roi for roi, yes in zip(regions.rois, is_artifact, strict=True) if yes)
    others = tuple(roi for roi, yes in zip(regions.rois, is_artifact, strict=True) if not yes)
    return replace(regions, rois=others), artifacts


def _plain(label: str) -> str:
    """A label in Unicode's form C, to compare it by."""
    return unicodedata.normalize("NFC", label)


def union_area(rois: Sequence[ROI], dimensions: tuple[int, int]) -> float:
    """Area of a slide that at least one region covers, in square pixels of level 0.

    Parameters
    ----------
    rois
        Regions, level-0 pixels.
    dimensions
        Width and height of the slide, level-0 pixels; what lies beyond does not count.
    """
    union = shapely.union_all([roi.polygon for roi in rois])
    return float(shapely.intersection(union, shapely.box(0, 0, *dimensions)).area)


def warn_of_unknown_labels(files: Iterable[Path], labels: Collection[str]) -> tuple[str, ...]:
    """Warn of artifact labels that no region of any slide has: a typo would remove nothing, and nobody would know.

    Files are read until each label has been seen, of one slide mostly; one that cannot be read is passed over here,
    for its slide will say so.

    Parameters
    ----------
    files
        Files of regions, of all slides.
    labels
        Labels of artifact regions.

    Returns
    -------
    tuple of str
        The labels that nobody has, sorted; the log has one warning of them, with the labels there are.
    """
    return _warn(_look(files, labels))


def refuse_unknown_labels(
    files: Iterable[Path], labels: Collection[str], *, others: Iterable[Path] = ()
) -> tuple[str, ...]:
    """Refuse artifact labels that no region has: artifacts would count as regions of interest.

    Parameters
    ----------
    files
        Files of regions, of the slides of a run.
    labels
        Labels of artifact regions.
    others
        Files of slides beside which the run takes some: a label that one of these has is no typo. They are read only
        where a label is missing.

    Returns
    -------
    tuple of str
        The labels that no slide of the run has, if that is no error: because others have it, because no region has a
        label at all, or because a file cannot be read. The log has a warning of them.

    Raises
    ------
    SpecError
        For a label that no region has; it names those there are.
    """
    here = _look(files, labels)
    if here.missing:
        beyond = _look(others, here.missing)
        there = here.there | beyond.there
        if beyond.missing and there and here.all_read and beyond.all_read:
            raise SpecError(
                f"artifact_labels: no region is labelled {_quoted(beyond.missing)}.",
                mend=f"Write it as the regions do, or leave it out. Labels there are: {_listed(there)}.",
            )
    return _warn(here)


class _Found(NamedTuple):
    """Labels of which no region was found, sorted; labels that regions have; whether every file could be read."""

    missing: tuple[str, ...]
    there: frozenset[str]
    all_read: bool


def _look(files: Iterable[Path], labels: Collection[str]) -> _Found:
    missing, there, all_read = {_plain(label): label for label in labels}, set[str](), True
    for path in files:
        if not missing:
            break
        try:
            found = load_rois(path).labels
        except (SlidekitError, OSError):
            all_read = False
            continue
        there.update(found)
        for label in found:
            missing.pop(_plain(label), None)
    return _Found(tuple(sorted(missing.values())), frozenset(there), all_read)


def _warn(found: _Found) -> tuple[str, ...]:
    if found.missing:
        known = f"labels there are: {_listed(found.there)}" if found.there else "no region has a label"
        _log.warning("artifact_labels: no region of any slide is labelled %s; %s.", _quoted(found.missing), known)
    return found.missing


def _quoted(labels: Sequence[str]) -> str:
    return ", ".join(map(repr, labels))


def _listed(labels: Collection[str]) -> str:
    return some_of(sorted(labels), _MOST_NAMED)
