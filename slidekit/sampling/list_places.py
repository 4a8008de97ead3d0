"""Places of a list on one slide: the cells of its grid that an extraction would keep, or points."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import MissingMPPError, SpecError
from slidekit.pixels.discovery import slide_name
from slidekit.sampling.drafts import boxes_around, share_inside
from slidekit.sampling.slides import SampledSlide
from slidekit.sampling.spec import SamplingSpec
from slidekit.slide.grid import Grid, make_grid
from slidekit.slide.gridded import GriddedSlide
from slidekit.slide.spec import ExtractionSpec

if TYPE_CHECKING:
    from slidekit.sampling.places import SlideMap

__all__ = ["Places", "find_points", "lay_grid", "place_points"]


@dataclass(frozen=True)
class Places:
    """Places of one slide.

    Attributes
    ----------
    centres
        (n, 2) x, y, level-0 pixels.
    cells
        (n, 2) int64: (i, j) on the grid; −1 for points.
    grid
        The grid; None for points.
    left_out
        What is not among them, in words; empty where all are.
    """

    centres: NDArray[np.float64]
    cells: NDArray[np.int64]
    grid: Grid | None = None
    left_out: str = ""


def find_points(slides: tuple[SampledSlide, ...], spec: SamplingSpec) -> dict[int, NDArray[np.float64]]:
    """Points (n, 2) by number of their slide.

    Raises
    ------
    SpecError
        If there is no such slide.
    """
    numbers = {slide.name: index for index, slide in enumerate(slides)}
    found: dict[int, list[tuple[float, float]]] = {}
    for name, x, y in spec.points:
        # A path or file name does as well as the name.
        index = numbers.get(name, numbers.get(slide_name(Path(name)), -1))
        if index < 0:
            raise SpecError(f"points: there is no slide {name!r}.", mend="Give the slide's name, without the suffix.")
        found.setdefault(index, []).append((x, y))
    return {index: np.array(points, np.float64) for index, points in found.items()}


def place_points(points: NDArray[np.float64], size: tuple[float, float], dimensions: tuple[int, int]) -> Places:
    """Take points (n, 2) of a slide, but those around which a patch of `size` has nothing of it, level-0 pixels."""
    there = share_inside(boxes_around(points, size), dimensions) > 0
    gone = len(points) - np.count_nonzero(there)
    words = f"{gone} of {len(points)} points lie so far outside that no patch has any of the slide" if gone else ""
    return Places(points[there], np.full((np.count_nonzero(there), 2), -1, np.int64), left_out=words)


def lay_grid(slide: SampledSlide, spec: SamplingSpec, slide_map: SlideMap) -> tuple[Grid, NDArray[np.bool_]]:
    """Lay the grid over a slide that an extraction would, and decide about its cells as it would.

    Parameters
    ----------
    slide
        The slide, which is opened.
    spec
        Parameters.
    slide_map
        Facts of the slide.

    Returns
    -------
    Grid, ndarray (n,) of bool
        Which cells regions of interest and QC leave, in raster order.

    Raises
    ------
    SlideError, ROIError, QCError
        If the slide cannot be opened, or its regions or QC cannot be used.
    """
    view = spec.scales[0][0]
    by_pixels = view.unit in ("downsample", "level")
    edge = {"um": view.size, "mpp": view.size * view.field_px, "x": f"{view.size:g}x"}.get(view.unit, view.field_px)
    extraction = ExtractionSpec.create(
        tile_px=max(2, view.field_px),
        tile_um=edge,
        stride_div=spec.stride_div,
        use_edge_tiles=spec.use_edge_tiles,
        roi_method=spec.roi_method,
        roi_filter_method=spec.roi_filter_method,
        roi_origin=spec.roi_origin,
        qc_filter_threshold=spec.filter_threshold,
        mpp=spec.mpp,
        reader=spec.reader,
    )
    try:
        opened = GriddedSlide(slide.path, extraction, rois=slide.rois, annotated_mpp=slide.mpp)
    except MissingMPPError:
        if not by_pixels or spec.qc:
            raise
        # Cells that are counted in pixels need no microns, nor do regions.
        opened = GriddedSlide(slide.path, extraction, rois=slide.rois, annotated_mpp=1.0)
    with opened:
        if by_pixels:
            grid = make_grid(
                opened.dimensions,
                (opened.mpp_x, opened.mpp_y),
                tile_px=view.field_px,
                tile_size=view.extent(slide_map.facts),
                stride_div=spec.stride_div,
                use_edge_tiles=spec.use_edge_tiles,
            )
            opened.plan = replace(opened.plan, grid=grid)
        opened.qc(spec.qc)
        assert isinstance(opened.grid, Grid)  # no coordinates are given
        return opened.grid, opened.fates().taken
