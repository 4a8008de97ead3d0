"""Scores of a network over a whole slide, in bounded memory: the one engine for patch classifiers and dense networks.

The network sees square windows of the slide's overview at its own µm/px. They are spread evenly over the slide, from
edge to edge, so that all of them hold real pixels and cells of the map lie where their windows do, to the slide's far
end. What windows say where they overlap is blended by weights that add up to one (`slidekit.pixels.windows`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from slidekit.pixels.windows import WindowAxis, WindowShare
from slidekit.slide.checked_scorer import CheckedScorer, Preprocess
from slidekit.slide.window_layout import WindowLayout, wanted_windows, window_axes
from slidekit.slide.window_reading import WindowReader

if TYPE_CHECKING:
    # Only for types: methods import this module, and their room imports methods.
    from slidekit.slide.qc.base import BoolMask, SlideView
    from slidekit.slide.qc.scorers.base import Scorer

__all__ = ["ScoreMap", "WindowLayout", "score_map"]


@dataclass(frozen=True)
class ScoreMap:
    """Scores of classes over a whole slide.

    Attributes
    ----------
    values
        float32 (rows, columns, classes); cells are of equal size, from edge to edge of the slide.
    dimensions
        Width and height of the slide, level-0 pixels.
    slide_mpp
        µm/px of level 0, x and y.
    """

    values: npt.NDArray[np.float32]
    dimensions: tuple[int, int]
    slide_mpp: tuple[float, float]

    @property
    def pixel(self) -> tuple[float, float]:
        """Width and height of a cell, level-0 pixels."""
        rows, columns, _ = self.values.shape
        return self.dimensions[0] / columns, self.dimensions[1] / rows

    @property
    def mpp(self) -> tuple[float, float]:
        """Width and height of a cell, µm."""
        width, height = self.pixel
        return width * self.slide_mpp[0], height * self.slide_mpp[1]

    def resized(self, columns: int, rows: int) -> npt.NDArray[np.float32]:
        """The scores at another resolution: means where it is coarser, interpolated linearly where it is finer.

        Returns
        -------
        ndarray (rows, columns, classes), float32
        """
        have = self.values.shape
        if have[:2] == (rows, columns):
            return self.values
        coarser = rows <= have[0] and columns <= have[1]
        how = cv2.INTER_AREA if coarser else cv2.INTER_LINEAR
        resized = np.asarray(cv2.resize(self.values, (columns, rows), interpolation=how), dtype=np.float32)
        return resized.reshape(rows, columns, -1)


def score_map(
    slide: SlideView,
    scorer: Scorer,
    layout: WindowLayout,
    *,
    classes: int | None = None,
    preprocess: Preprocess | None = None,
    dense: bool = False,
    skip: BoolMask | None = None,
    name: str = "score map",
) -> ScoreMap:
    """Scores of a whole slide.

    Parameters
    ----------
    slide
        The slide.
    scorer
        The network.
    layout
        Where its windows lie, and how many are read and scored together.
    classes
        Number of classes that the network is to give; None takes what it gives.
    preprocess
        Makes of images uint8 (n, h, w, 3) what the network takes; None hands them on as they are.
    dense
        Whether the network gives scores of pixels, (n, h', w', classes), or of whole windows, (n, classes).
    skip
        (rows, columns) over the whole slide: a window that lies in it altogether is neither read nor scored; its
        scores are 0.
    name
        Of the method, for messages.

    Returns
    -------
    ScoreMap
        Of a patch classifier that always says the same exactly that; of a dense network to 1e-6.

    Raises
    ------
    QCError
        If parameters make no sense, a map would be too large, or scores are not finite, or not of the shape or number
        that they have to be.
    SlideReadError
        If more than 5 % of the slide cannot be decoded; less is shown to the network as white.
    """
    layout.check(name)
    what = f"{name}, slide {slide.name}"
    ask = CheckedScorer(scorer, preprocess, what, layout.window_px, dense=dense, classes=classes)
    # Pixels of a window to a pixel of the output.
    stride = ask.probe() if dense else 1
    across, down = window_axes(layout, layout.grid(slide), stride if dense else None, what)
    values = _blend(slide, ask, layout, (across, down), stride, skip)
    if values is None:
        values = np.zeros((down.cells, across.cells, classes or 1), np.float32)
    return ScoreMap(values.astype(np.float32, copy=False), slide.dimensions, (slide.mpp_x, slide.mpp_y))


def _blend(
    slide: SlideView,
    ask: CheckedScorer,
    layout: WindowLayout,
    axes: tuple[WindowAxis, WindowAxis],
    stride: int,
    skip: BoolMask | None,
) -> npt.NDArray[np.floating] | None:
    """Scores of all windows, added up; None if none was wanted."""
    across, down = axes
    starts = [start * stride for start in across.starts], [start * stride for start in down.starts]
    reader = WindowReader(slide, layout.grid(slide))
    wanted = wanted_windows(across, down, skip)
    values: npt.NDArray[np.floating] | None = None
    for places, images in reader.batches(starts, layout.window_px, wanted, batch=layout.batch, buffer=layout.buffer):
        scores = ask(images)
        if values is None:
            # Sums of a few shares that are float64 round to the very float32 that all of them are shares of: a score
            # must not pass a threshold that it equals. Maps of dense networks are too large for it.
            kind = np.float64 if scores.ndim == 2 else np.float32
            values = np.zeros((down.cells, across.cells, scores.shape[-1]), kind)
        for (row, column), one in zip(places, scores, strict=True):
            _add(values, down.shares[row], across.shares[column], one)
    return values


def _add(
    values: npt.NDArray[np.floating], down: WindowShare, across: WindowShare, scores: npt.NDArray[np.float32]
) -> None:
    """Add what a window says to the cells that it reaches: (classes,), or (h, w, classes) of a dense network."""
    if scores.ndim == 1:
        added = down.of_whole()[:, None, None] * across.of_whole()[:, None] * scores
    else:
        added = across.gather(down.gather(scores, axis=0), axis=1)
    cells = values[down.cells, across.cells]
    np.add(cells, added, out=cells, casting="same_kind")
