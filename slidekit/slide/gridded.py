"""`GriddedSlide`: a slide under a grid of cells, and what regions of interest and QC decide about them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from slidekit.pixels.image import RGBImage
from slidekit.slide.cell_tiles import TileCells, say_other_slide
from slidekit.slide.coordinates import Coordinates
from slidekit.slide.grid import CellGrid
from slidekit.slide.masked import MaskedSlide
from slidekit.slide.places import PlaceGrid
from slidekit.slide.plan import SlidePlan, plan_slide
from slidekit.slide.preview import draw_preview
from slidekit.slide.roi import ROI, ROISet, find_roi_file, load_rois, split_artifacts
from slidekit.slide.selection import CellFates, decide_cells
from slidekit.slide.spec import ExtractionSpec

__all__ = ["GriddedSlide"]

_PREVIEW_PX = 1200


class GriddedSlide(MaskedSlide):
    """An open slide with its grid; no tile has been read yet.

    Parameters
    ----------
    path
        File of the slide.
    spec
        All parameters; its `qc` is not run.
    rois
        File of regions of interest, folder with ``{slide}.csv`` (or .geojson, .xml), or a `ROISet`.
    annotated_mpp
        µm/px from the annotations, which goes before `spec.mpp`.
    origin
        Where the grid begins, level-0 pixels.
    coordinates
        Where tiles lie, instead of on a grid; `spec` must say so.

    Attributes
    ----------
    roi_set
        Regions of interest, with the problems of their file.
    artifacts
        Regions whose label is among `spec.artifact_labels`, level-0 pixels: they are removed.
    cells
        Cells that the coordinates are the centroids of, if they are.

    Raises
    ------
    SlideOpenError, MissingMPPError, ROIError, SpecError
        As `WSI` does; the file is closed then.
    """

    def __init__(
        self,
        path: Path,
        spec: ExtractionSpec,
        *,
        rois: str | Path | ROISet | None = None,
        annotated_mpp: float | None = None,
        origin: tuple[float, float] = (0.0, 0.0),
        coordinates: Coordinates | None = None,
    ) -> None:
        super().__init__(
            path,
            reader=spec.reader,
            annotated_mpp=annotated_mpp,
            mpp=spec.mpp,
            from_objective=all(isinstance(size, str) for size in spec.sizes),
        )
        self.spec = spec
        self.qc_masks = []
        self._fates: CellFates | None = None
        self.cells: TileCells | None = None
        try:
            self.plan: SlidePlan = plan_slide(
                self._reader, self._mpp, spec, name=self.name, origin=origin, coordinates=coordinates
            )
            self.roi_set, self.artifacts = split_artifacts(self._load_rois(rois), spec.artifact_labels)
            if spec.roi_method == "ignore":
                self.roi_set = replace(self.roi_set, rois=())
            if spec.roi_method in ("inside", "outside"):
                # A slide that has no regions is told from the others before any work is done on it.
                self.fates()
        except BaseException:
            self.close()
            raise

    def _load_rois(self, rois: str | Path | ROISet | None) -> ROISet:
        if rois is None or (self.spec.roi_method == "ignore" and not self.spec.artifact_labels):
            return ROISet()
        if isinstance(rois, ROISet):
            return rois
        file = Path(rois)
        if file.is_dir():
            found = find_roi_file(file, self.name)
            if found is None:
                return ROISet()
            file = found
        return load_rois(
            file,
            slide_size=self.dimensions,
            bounds_origin=self._reader.metadata.bounds_origin,
            roi_origin=self.spec.roi_origin,
        )

    @property
    def grid(self) -> CellGrid:
        """Geometry of the candidate tiles: a `Grid`, or a `PlaceGrid` of given coordinates."""
        return self.plan.grid

    @property
    def places(self) -> PlaceGrid | None:
        """The given coordinates as cells; None for a slide under a grid."""
        return self.grid if isinstance(self.grid, PlaceGrid) else None

    @property
    def shape(self) -> tuple[int, int]:
        """Cells along x and y; of given coordinates their number, and 1."""
        return self.grid.shape

    @property
    def target_mpp(self) -> float:
        """µm/px of tiles."""
        return self.grid.tile_um[0] / self.grid.tile_px

    @property
    def rois(self) -> tuple[ROI, ...]:
        """Regions of interest, level-0 pixels; artifact regions are not among them."""
        return self.roi_set.rois

    def _forget_fates(self) -> None:
        self._fates = None

    def use_rois(self, rois: ROISet) -> Self:
        """Take other regions of interest from now on; regions with the spec's `artifact_labels` are removed areas.

        Parameters
        ----------
        rois
            Level-0 pixels.
        """
        self.roi_set, self.artifacts = split_artifacts(rois, self.spec.artifact_labels)
        if self.spec.roi_method == "ignore":
            self.roi_set = replace(self.roi_set, rois=())
        self._fates = None
        return self

    def tissue_pixels(self, mpp: float = 4.0) -> RGBImage:
        """Pixels of the slide's tissue: what neither QC nor regions of interest leave out, nor Otsu.

        They are what a stain normaliser measures for its context; `StainNormalizer.context` takes the slide itself.

        Parameters
        ----------
        mpp
            µm/px at which the slide is read.

        Returns
        -------
        ndarray (n, 3), uint8, RGB
            In raster order; n is about 4 million at most.
        """
        from slidekit.slide.context import tissue_pixels

        return tissue_pixels(self, mpp)

    # --- decisions ---------------------------------------------------------------------------------------------

    def fates(self) -> CellFates:
        """What ROIs and QC decide about every cell, before any tile is read."""
        if self._fates is None:
            self._fates = decide_cells(
                self.grid,
                self.dimensions,
                self.rois,
                self.qc_masks,
                roi_method=self.spec.roi_method,
                roi_filter_method=self.spec.roi_filter_method,
                artifacts=self.artifacts,
                refused=None if self.places is None else self.places.refused,
            )
        return self._fates

    def roi_of(self, i: int, j: int) -> ROI | None:
        """The region of interest that cell (i, j) belongs to."""
        place = int(self.fates().roi_index[self.grid.index(i, j)])
        return None if place < 0 else self.rois[place]

    def label_of(self, i: int, j: int) -> str | None:
        """The label of cell (i, j): what was given with its coordinates, else that of its region of interest."""
        given = None if self.places is None else self.places.label(i, j)
        if given is not None:
            return given
        roi = self.roi_of(i, j)
        return None if roi is None else roi.label

    def use_cells(self, cells: TileCells) -> Self:
        """Take the coordinates for the centroids of these cells.

        Raises
        ------
        CellError
            If they are of another slide.
        """
        if cells.dimensions != self.dimensions:
            raise say_other_slide(self.dimensions, cells.dimensions)
        self.cells = cells
        return self

    # --- pictures ----------------------------------------------------------------------------------------------

    def preview(self, width: int | None = None, *, rois: bool = True, tiles: bool = True) -> RGBImage:
        """A picture of the slide with regions of interest, QC masks and kept tiles drawn in.

        Parameters
        ----------
        width
            Columns of the picture; by default its longer side has 1200 px.
        rois, tiles
            Whether to draw them.

        Returns
        -------
        ndarray (rows, columns, 3), uint8, RGB
            Kept tiles are those that ROIs and QC leave; tile filters need pixels and are not run.
        """
        boxes = self.grid.boxes()[self.fates().taken] if tiles else None
        return self.draw(boxes, width=width, rois=rois)

    def draw(self, boxes: npt.NDArray[np.float64] | None, *, width: int | None = None, rois: bool = True) -> RGBImage:
        """As `preview`, with the tiles given as boxes (n, 4) in level-0 pixels."""
        image = self.thumb(width if width is not None else self._preview_width())
        rows, columns, _ = image.shape
        scale = (columns / self.dimensions[0], rows / self.dimensions[1])
        polygons = [roi.polygon for roi in self.rois] if rois else []
        artifacts = [roi.polygon for roi in self.artifacts] if rois else []
        return draw_preview(image, scale, masks=self.qc_masks, polygons=polygons, artifacts=artifacts, tiles=boxes)

    def preview_um(self) -> float:
        """µm per pixel of `draw` and `preview` at their default size."""
        return self.size_um[0] / self._preview_width()

    def _preview_width(self) -> int:
        width_um, height_um = self.size_um
        return max(1, round(_PREVIEW_PX * min(1.0, width_um / height_um)))
