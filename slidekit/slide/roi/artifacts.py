"""Artifact regions: regions of given labels, which are removed from a slide rather than taken."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import shapely

from slidekit.errors import SlidekitError
from slidekit.slide.roi.load import load_rois
from slidekit.slide.roi.region import ROI, ROISet
from slidekit.wording import some_of

__all__ = ["split_artifacts", "union_area", "warn_of_unknown_labels"]

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
    missing, there = {_plain(label): label for label in labels}, set[str]()
    for path in files:
        if not missing:
            break
        try:
            found = load_rois(path).labels
        except (SlidekitError, OSError):
            continue
        there.update(found)
        for label in found:
            missing.pop(_plain(label), None)
    if missing:
        named = ", ".join(map(repr, sorted(missing.values())))
        known = f"labels there are: {some_of(sorted(there), _MOST_NAMED)}" if there else "no region has a label"
        _log.warning("artifact_labels: no region of any slide is labelled %s; %s.", named, known)
    return tuple(sorted(missing.values()))
