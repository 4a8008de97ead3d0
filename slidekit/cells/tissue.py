"""Where on a slide cells count: what its quality control and its regions of interest leave."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import shapely

from slidekit.cells.windows import CellFrame, CellWindow
from slidekit.errors import QCError
from slidekit.slide.gridded import GriddedSlide
from slidekit.slide.image import SlideImage
from slidekit.slide.qc import QCMask, make_masks, resolve_methods

__all__ = ["CellMask", "Tissue", "searched_mm2"]

CellMask: TypeAlias = str | Callable[..., Any] | Sequence[str | Callable[..., Any]] | npt.NDArray[np.bool_]
"""QC methods, or a mask (rows, columns) over the whole slide, True = discard."""

_POINTS, _GLASS = 600, 220


class Tissue:
    """Where cells count.

    Parameters
    ----------
    slide
        Of a `WSI` what its QC masks discard is left out, and so are its artifact regions; its regions of interest count
        by its `roi_method`.
    mask
        More to leave out.
    mpp
        µm/px at which cells are looked for; methods of quality control may ask for it.

    Raises
    ------
    QCError
        If a method of the mask is unknown, or a mask is none of this slide.
    """

    def __init__(self, slide: SlideImage, mask: CellMask | None, mpp: float) -> None:
        self._dimensions = slide.dimensions
        self._masks: list[QCMask] = []
        self._polygons: list[shapely.Polygon] = []
        self._outside = False
        removed: list[shapely.Polygon] = []
        if isinstance(slide, GriddedSlide):
            self._masks += slide.qc_masks
            self._polygons = [roi.polygon for roi in slide.rois]
            self._outside = slide.spec.roi_method == "outside"
            removed = [roi.polygon for roi in slide.artifacts]
        methods = [_as_method(mask, slide)] if isinstance(mask, np.ndarray) else resolve_methods(mask)
        seen = _Seen(slide, mpp)
        self._masks += [made for method in methods for made in make_masks(method, seen, 1.0)]
        self._tree = shapely.STRtree(self._polygons) if self._polygons else None
        self._removed = shapely.STRtree(removed) if removed else None

    def has(self, window: CellWindow, frame: CellFrame) -> bool:
        """Whether a cell that counts may have its centroid in a window's core."""
        core, (width, height) = window.core, frame.pixel
        box = core.left * width, core.top * height, core.right * width, core.bottom * height
        if self._removed is not None and len(self._removed.query(shapely.box(*box), predicate="within")):
            return False
        if self._tree is not None:
            area = shapely.box(*box)
            if not self._outside and not len(self._tree.query(area, predicate="intersects")):
                return False
            if self._outside and len(self._tree.query(area, predicate="within")):
                return False
        left_over: npt.NDArray[np.bool_] | None = None
        for mask in self._masks:
            rows, columns = mask.mask.shape
            left, right = _span(box[0], box[2], columns / self._dimensions[0], columns)
            top, bottom = _span(box[1], box[3], rows / self._dimensions[1], rows)
            part = ~mask.mask[top:bottom, left:right]
            if not part.any():
                return False
            # Masks of one size are told together: what the one leaves, the other may not.
            if left_over is None or left_over.shape == part.shape:
                left_over = part if left_over is None else left_over & part
        return left_over is None or bool(left_over.any())

    def counts(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Which places count.

        Parameters
        ----------
        x, y
            (n,) centroids, level-0 pixels.
        """
        keep = np.ones(len(x), np.bool_)
        for mask in self._masks:
            rows, columns = mask.mask.shape
            column = np.clip(x * (columns / self._dimensions[0]), 0, columns - 1).astype(np.int64)
            row = np.clip(y * (rows / self._dimensions[1]), 0, rows - 1).astype(np.int64)
            keep &= ~mask.mask[row, column]
        if self._tree is not None:
            keep &= _lie_in(self._tree, x, y) != self._outside
        if self._removed is not None:
            keep &= ~_lie_in(self._removed, x, y)
        return keep


def searched_mm2(slide: SlideImage, mask: CellMask | None, mpp: float) -> float:
    """Area of the tissue in which cells count, mm².

    Tissue is what is not glass: a pixel, of 600 at most along a side of the slide, whose darkest channel is below 220.
    The threshold is fixed because a slide that is all tissue has no background to be told from.

    Parameters
    ----------
    slide, mask, mpp
        As for `Tissue`.
    """
    width, height = slide.dimensions
    edge = max(1.0, max(width, height) / _POINTS)
    columns, rows = math.ceil(width / edge), math.ceil(height / edge)
    is_tissue = slide.overview(columns, rows).min(axis=2) < _GLASS
    x, y = np.meshgrid((np.arange(columns) + 0.5) * width / columns, (np.arange(rows) + 0.5) * height / rows)
    counts = Tissue(slide, mask, mpp).counts(x.reshape(-1), y.reshape(-1)) & is_tissue.reshape(-1)
    return float(counts.mean() * width * slide.mpp_x * height * slide.mpp_y / 1e6)


def _lie_in(tree: shapely.STRtree, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which places lie in a region of the tree, or on its edge."""
    inside = np.zeros(len(x), np.bool_)
    inside[tree.query(shapely.points(x, y), predicate="intersects")[0]] = True
    return inside


def _span(start: float, end: float, scale: float, limit: int) -> tuple[int, int]:
    first = min(max(0, int(np.floor(start * scale - 1e-6))), limit - 1)
    return first, min(max(first + 1, int(np.ceil(end * scale + 1e-6))), limit)


def _as_method(mask: npt.NDArray[np.bool_], slide: SlideImage) -> Callable[..., Any]:
    if mask.ndim != 2 or mask.size == 0 or mask.dtype != np.bool_:
        raise QCError(
            f"mask= is an array of {mask.dtype}, shape {mask.shape}, which is no mask of slide {slide.name}.",
            mend="Give (rows, columns) of bool over the whole slide, True = discard.",
        )
    return lambda _: mask


class _Seen:
    """A slide as methods of quality control want it: with the µm/px that is worked at."""

    def __init__(self, slide: SlideImage, mpp: float) -> None:
        self._slide = slide
        self.target_mpp = mpp

    def __getattr__(self, name: str) -> Any:
        return getattr(self._slide, name)
