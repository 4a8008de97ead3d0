"""A segmentation network as a QC method: what it takes for tissue is kept, or what it takes for an artifact is not."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from slidekit.errors import QCError
from slidekit.slide.qc.base import BoolMask, QCMethod, SlideView
from slidekit.slide.qc.mask import own_threshold
from slidekit.slide.segmentation.predict import Segmenter

__all__ = ["Segment", "StridedSegment"]


class Segment(QCMethod):
    """Discard where a segmentation network's score is below a threshold, or above it.

    Parameters
    ----------
    model
        Folder of a model that `slidekit.segment.train` wrote, its ``.keras`` file, or a `Segmenter`.
    class_idx
        The class whose probability is the score: its place among the network's outputs (of ``multiclass`` 0 is the
        background), or its label. None is any class: of ``multiclass`` what is not background, of ``multilabel`` the
        likeliest.
    threshold_direction
        ``less`` discards what scores less than `threshold`: for tissue. ``greater`` discards what scores more: for
        artifacts.
    overlap
        Pixels that neighbouring windows share; a quarter of a window by default.
    threshold
        0–1.
    name
        Its word in reports.
    reason
        What a tile that it drops is counted as; `name` by default. With ``background`` it takes the place of ``otsu``,
        and is what the blur burden takes for background.
    filter_threshold
        A tile is dropped if more than this share of it is masked; by default the run's `qc_filter_threshold`.

    Raises
    ------
    QCError
        If there is no such model or class, or the parameters make no sense.
    MissingExtraError
        If Keras is not installed.
    """

    name = "segment"
    reason = "segment"

    def __init__(
        self,
        model: str | Path | Segmenter,
        class_idx: int | str | None = None,
        threshold_direction: Literal["less", "greater"] = "less",
        overlap: int | None = None,
        *,
        threshold: float = 0.5,
        name: str | None = None,
        reason: str | None = None,
        filter_threshold: float | None = None,
    ) -> None:
        if filter_threshold is not None:
            self.filter_threshold = own_threshold(filter_threshold)
        self._segmenter = model if isinstance(model, Segmenter) else Segmenter.load(model)
        if threshold_direction not in ("less", "greater"):
            raise QCError(
                f"threshold_direction={threshold_direction!r} is unknown.",
                mend="Use less, which keeps the class, or greater, which discards it.",
            )
        if overlap is not None and not 0 <= overlap < self._segmenter.config.size:
            raise QCError(
                f"overlap={overlap} is no part of windows of {self._segmenter.config.size} px.",
                mend="Leave it out, or give fewer pixels.",
            )
        self.model = self._segmenter.path
        self.class_idx = _find_class(class_idx, self._segmenter.config.class_names)
        self.threshold_direction = threshold_direction
        self.overlap = overlap
        self.threshold = _checked(threshold)
        # Of this instance alone.
        vars(self).update(name=name or "segment", reason=reason or name or "segment")

    def __call__(  # type: ignore[override]  # a raw map is not a mask
        self, wsi: SlideView, threshold: float | Literal[False] | None = None
    ) -> BoolMask | npt.NDArray[np.float32]:
        """Compute the mask of a slide, or its map of scores.

        Parameters
        ----------
        wsi
            The slide.
        threshold
            Instead of the method's own; False gives the map.

        Returns
        -------
        ndarray (rows, columns)
            bool, True = discard; or float32, 0–1. Covers the whole slide.

        Raises
        ------
        QCError
            If the model is damaged, or gives no finite numbers.
        SlideReadError
            If more than 5 % of the slide cannot be decoded.
        """
        least = self.threshold if threshold is None or threshold is False else _checked(threshold)
        score = self._score(self._segmenter.scores(wsi, overlap=self.overlap).values)
        if threshold is False:
            return score
        mask: BoolMask = score < least if self.threshold_direction == "less" else score > least
        return mask

    def parameters(self) -> dict[str, Any]:
        """Everything that the mask depends on, as plain JSON values; of the model its name and digest."""
        own = {} if self.filter_threshold is None else {"filter_threshold": self.filter_threshold}
        return own | {
            "class_idx": self.class_idx,
            "model": self._segmenter.key,
            "name": self.name,
            "overlap": self.overlap,
            "reason": self.reason,
            "threshold": self.threshold,
            "threshold_direction": self.threshold_direction,
        }

    def _score(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if self.class_idx is not None:
            return np.ascontiguousarray(values[..., self.class_idx])
        if self._segmenter.config.mode == "multiclass":
            return np.asarray(1 - values[..., 0])
        return np.asarray(values.max(axis=-1))


StridedSegment = Segment
"""Slideflow's name for the one whose windows overlap."""


def _find_class(wanted: int | str | None, names: tuple[str, ...]) -> int | None:
    if isinstance(wanted, str) and wanted in names:
        return names.index(wanted)
    is_place = isinstance(wanted, int) and not isinstance(wanted, bool) and 0 <= wanted < len(names)
    if wanted is None or is_place:
        return None if wanted is None else int(wanted)
    listed = ", ".join(f"{place} ({name})" for place, name in enumerate(names))
    raise QCError(f"class_idx={wanted!r}: the model has no such class.", mend=f"It has {listed}.")


def _checked(threshold: Any) -> float:
    if isinstance(threshold, bool) or not isinstance(threshold, int | float | np.number) or math.isnan(threshold):
        raise QCError(f"{threshold!r} is not a threshold.", mend="Give a number from 0 to 1.")
    if not 0 <= threshold <= 1:
        raise QCError(f"threshold={threshold} is not a probability.", mend="Give a number from 0 to 1.")
    return float(threshold)
