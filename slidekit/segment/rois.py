"""From a network's scores to regions of interest."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from shapely import Polygon

from slidekit.errors import SpecError
from slidekit.slide.gridded import GriddedSlide
from slidekit.slide.image import SlideImage
from slidekit.slide.roi import ROI, ROISet
from slidekit.slide.segmentation.config import SegmentConfig
from slidekit.slide.segmentation.mask_polygons import (
    Frame,
    TidyRules,
    class_margins,
    is_number,
    score_polygons,
    tidy_polygons,
)

__all__ = ["Segmenter", "SlideScores", "check_options", "generate_rois", "resolve_segmenter", "rois_of_scores"]


class SlideScores(Protocol):
    """Scores of classes over a whole slide; `slidekit.slide.score_map.ScoreMap` is one."""

    @property
    def values(self) -> NDArray[np.float32]:
        """(rows, columns, classes), probabilities; cells are of equal size, from edge to edge of the slide."""


class Segmenter(Protocol):
    """What gives scores of a slide: a network that was trained, or anything else that does."""

    @property
    def config(self) -> SegmentConfig:
        """What its classes are."""

    def scores(self, wsi: Any) -> SlideScores:
        """Scores of a slide."""


def generate_rois(
    wsi: SlideImage,
    model: Segmenter | str | Path,
    *,
    threshold: float = 0.5,
    min_area_mm2: float = 0.01,
    min_hole_mm2: float = 0.01,
    simplify_um: float | None = None,
    apply: bool = True,
) -> ROISet:
    """Draw regions of interest where a segmentation network finds something.

    Parameters
    ----------
    wsi
        An open slide.
    model
        Folder of a model that `train` wrote, or an object with `config` and `scores(wsi)`.
    threshold
        Probability from which a pixel is in a region; of ``multiclass`` the most probable class is taken instead.
    min_area_mm2, min_hole_mm2
        Smaller regions are left out, smaller holes filled.
    simplify_um
        How far an outline with fewer vertices may be from the exact one; 0 keeps all, None is a quarter of a pixel that
        the network sees.
    apply
        Whether the slide, a `WSI`, takes the regions instead of those that it has.

    Returns
    -------
    ROISet
        Level-0 pixels, not beyond the slide; ``tissue_1``… or ``{label}_1``…, the largest of a label first.

    Raises
    ------
    SpecError
        If a parameter makes no sense, `model` is none, or its classes are not those of its config.
    """
    rules = check_options(threshold, min_area_mm2, min_hole_mm2, simplify_um)
    segmenter = resolve_segmenter(model)
    values = np.asarray(segmenter.scores(wsi).values, np.float32)
    found = rois_of_scores(values, segmenter.config, wsi, rules, threshold=threshold)
    if apply and isinstance(wsi, GriddedSlide):
        wsi.use_rois(found)
    return found


def check_options(
    threshold: float = 0.5,
    min_area_mm2: float = 0.01,
    min_hole_mm2: float = 0.01,
    simplify_um: float | None = None,
) -> TidyRules:
    """Make sure that parameters of `generate_rois` make sense, before any slide is opened.

    Raises
    ------
    SpecError
        If one does not.
    """
    if not is_number(threshold) or not 0 < threshold < 1:
        raise SpecError(f"threshold={threshold!r} is no probability.", mend="Give a number between 0 and 1.")
    return TidyRules(min_area_mm2, min_hole_mm2, simplify_um)


def resolve_segmenter(model: Segmenter | str | Path) -> Segmenter:
    """A model as it is, or loaded from its folder.

    Raises
    ------
    SpecError
        If it is neither.
    """
    if not isinstance(model, str | Path):
        if not isinstance(getattr(model, "config", None), SegmentConfig) or not callable(
            getattr(model, "scores", None)
        ):
            raise SpecError(
                f"{type(model).__name__} is no segmentation network.",
                mend="Give the folder of a model, or an object with config, a SegmentConfig, and scores(wsi).",
            )
        return model
    from slidekit.slide.segmentation.predict import Segmenter as TrainedSegmenter

    loaded: Segmenter = TrainedSegmenter.load(model)
    return loaded


def rois_of_scores(
    values: NDArray[np.float32], config: SegmentConfig, slide: SlideImage, rules: TidyRules, *, threshold: float = 0.5
) -> ROISet:
    """Regions of a map of scores.

    Parameters
    ----------
    values
        (rows, columns, classes), probabilities over the whole slide.
    config
        What the classes are.
    slide
        Whose scores they are.
    rules, threshold
        As for `generate_rois`.

    Raises
    ------
    SpecError
        If there are not as many classes as in `config`, or scores are not numbers.
    """
    if values.ndim != 3 or values.shape[2] != len(config.class_names):
        raise SpecError(
            f"The scores are {values.shape}, and the classes {', '.join(config.class_names)}.",
            mend="Give scores (rows, columns, classes) with a plane for each class.",
        )
    if not np.isfinite(values).all():
        raise SpecError("Some scores are not numbers.", mend="Check the network: its training may have diverged.")
    frame = Frame((values.shape[0], values.shape[1]), slide.dimensions, (slide.mpp_x, slide.mpp_y))
    labels = config.labels or ()
    if config.mode == "binary":
        label = labels[0] if len(labels) == 1 else None
        return ROISet(tuple(_named(tidy_polygons(score_polygons(values[..., 0], threshold), frame, rules), label)))
    if config.mode == "multiclass":
        # The first is what has no label; where a class is ahead of all others it is inside.
        planes, at = class_margins(values)[..., 1:], 0.0
    else:
        planes, at = values, threshold
    rois: list[ROI] = []
    for number, label in enumerate(labels):
        outlines = score_polygons(np.ascontiguousarray(planes[..., number]), at)
        rois += _named(tidy_polygons(outlines, frame, rules), label)
    return ROISet(tuple(rois))


def _named(polygons: list[Polygon], label: str | None) -> list[ROI]:
    return [ROI(f"{label or 'tissue'}_{number}", label, polygon) for number, polygon in enumerate(polygons, start=1)]
