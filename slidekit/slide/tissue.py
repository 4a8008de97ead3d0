"""What QC masks say about the tissue of a slide: how much there is, how much is blurred, and whether to believe it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np

from slidekit.slide.fate import Fate
from slidekit.slide.gridded import GriddedSlide
from slidekit.slide.qc import Otsu, QCMask, blur_burden, join_masks, make_mask

__all__ = ["TissueFacts", "tissue_facts"]

_COLOURED = 0.1
"""Median saturation of background above which it is not glass: 0.00–0.04 on slides of glass, 0.27 on one of tissue."""

_SIDE = 500
"""Pixels along the longer side that are enough for a median."""

_DARK = 0.5
"""Median brightness (HSV value) of background or, without background, of the slide, below which it is not glass."""


class TissueFacts(NamedTuple):
    """Facts for the report; None where no QC was run.

    Attributes
    ----------
    share
        Share of the slide that is tissue, 0–1: what no mask of background covers.
    blur_burden
        Share of tissue that any mask of focus covers, 0–1; None where focus was not measured or there is no tissue.
    doubt
        Why the background should be looked at by a person; None where there is no doubt.
    masked
        For each QC mask, in their order, the share of tissue that it covers, 0–1; None for background, which says
        what is tissue, and where there is none.
    """

    share: float | None = None
    blur_burden: float | None = None
    doubt: str | None = None
    masked: tuple[float | None, ...] = ()


def tissue_facts(slide: GriddedSlide) -> TissueFacts:
    """Sum up the QC masks of a slide.

    Parameters
    ----------
    slide
        QC has been run. Where Otsu was not among the methods it is computed for the figures, and drops no tile.
    """
    masks = slide.qc_masks
    if not masks:
        return TissueFacts()
    background = _union(masks, Fate.BACKGROUND)
    if background is None:
        background = make_mask(Otsu(), slide, 1.0)
        assert background is not None
    masked = tuple(
        None if mask.reason == Fate.BACKGROUND else blur_burden(mask.mask, background.mask) for mask in masks
    )
    out_of_focus = _union(masks, Fate.OUT_OF_FOCUS)
    blurred = None if out_of_focus is None else blur_burden(out_of_focus.mask, background.mask)
    return TissueFacts(1 - background.share, blurred, _doubt(slide, background), masked)


def _union(masks: Sequence[QCMask], reason: Fate) -> QCMask | None:
    """What any of the masks with that reason discards; None where there is none."""
    found = [mask for mask in masks if mask.reason == reason]
    if len(found) < 2:
        return found[0] if found else None
    rows, columns = max(one.mask.shape[0] for one in found), max(one.mask.shape[1] for one in found)
    return replace(found[0], mask=join_masks(found, columns, rows))


def _doubt(slide: GriddedSlide, background: QCMask) -> str | None:
    """Otsu divides any slide in two: what it calls background may be the paler part of the tissue."""
    rows, columns = background.mask.shape
    step = max(1, max(rows, columns) // _SIDE)
    image, mask = slide.overview(columns, rows)[::step, ::step], background.mask[::step, ::step]
    pixels = np.ascontiguousarray(image[mask] if np.count_nonzero(mask) > 0.01 * mask.size else image)
    hsv = cv2.cvtColor(pixels.reshape(1, -1, 3), cv2.COLOR_RGB2HSV)
    saturation, value = np.median(hsv[0, :, 1]) / 255, np.median(hsv[0, :, 2]) / 255
    if value < _DARK:
        return "The slide is dark where there should be glass: Otsu's threshold is made for bright field."
    if np.count_nonzero(mask) > 0.01 * mask.size and saturation > _COLOURED:
        return (
            f"{background.share:.0%} of the slide was taken for background, but is coloured: the slide may be tissue"
            " all over."
        )
    return None
