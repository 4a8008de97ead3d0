"""`WSI`: one whole-slide image as tiles of one physical size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from slidekit.errors import CellError, SpecError
from slidekit.slide.cell_tiles import SlideCells, say_other_slide
from slidekit.slide.coordinate_table import CoordinatesOf, coordinates_of
from slidekit.slide.coordinates import Coordinates
from slidekit.slide.roi import ROISet
from slidekit.slide.spec import ExtractionSpec, ROIMethod
from slidekit.slide.tiled import TiledSlide
from slidekit.units import TileSizes

if TYPE_CHECKING:
    from slidekit.slide.report_model import SlideReport

__all__ = ["WSI"]

_QC_FIELDS = ("qc_filter_threshold", "qc_blur_radius", "qc_blur_threshold", "qc_blur_mpp")


class WSI(TiledSlide):
    """An open slide, seen as tiles of one physical size.

    Use it as a context manager, or `close` it.

    Parameters
    ----------
    path
        File of the slide.
    tile_px
        Edge of a tile, output pixels.
    tile_um
        Edge of a tile in microns, or a magnification (``"10x"``). Of several, for concentric tiles, the first is that
        of the grid and of all that is asked of a `WSI`; `extract_tiles` writes them all.
    tile_mpp
        µm/px of the tiles, instead of `tile_um`: 0.5 with tiles of 256 px is the same as 128 µm.
    stride_div
        Stride is the tile's edge divided by this.
    roi_method
        ``auto``, ``inside``, ``outside`` or ``ignore``.
    roi_filter_method
        ``center``, or the share of a tile's area (0–1) that must lie in regions of interest.
    rois
        File of regions of interest, folder with ``{slide}.csv`` (or .geojson, .xml), or a `ROISet`.
    artifact_labels
        Label, or labels, of regions that are removed, whatever the other regions and `roi_method` say.
    mpp
        µm/px of level 0, over what the file says.
    origin
        Where the grid begins, level-0 pixels.
    coordinates
        Where tiles lie, instead of on a grid: an array (n, 2) of x and y, a DataFrame or the path of a CSV or parquet
        file with the columns ``x``, ``y`` and, if they are there, ``slide`` (other slides' rows are left out) and
        ``label``. The options `coordinates_unit` and `coordinates_anchor` say what they mean: by default centres of
        tiles, level-0 pixels.
    **options
        Any other field of `ExtractionSpec`, such as `use_edge_tiles`, `reader`, `resample`, `roi_origin`.

    Raises
    ------
    SlideOpenError
        If no reader opens the file.
    MissingMPPError
        If its µm/px is unknown or cannot be true.
    ROIError
        If the file of regions cannot be used, or regions are demanded and missing.
    SpecError
        If options make no sense, or both or neither of `tile_um` and `tile_mpp` are given.
    DatasetError
        If the table of coordinates cannot be used, or names other slides only.
    """

    _segmentation: SlideCells | None = None

    def __init__(
        self,
        path: str | Path,
        tile_px: int,
        tile_um: TileSizes | None = None,
        stride_div: float = 1.0,
        *,
        tile_mpp: float | Sequence[float] | None = None,
        roi_method: ROIMethod = "auto",
        roi_filter_method: Literal["center"] | float = "center",
        rois: str | Path | ROISet | None = None,
        artifact_labels: str | Sequence[str] | None = None,
        mpp: float | None = None,
        origin: tuple[float, float] = (0.0, 0.0),
        coordinates: CoordinatesOf | None = None,
        **options: Any,
    ) -> None:
        spec = ExtractionSpec.create(
            tile_px=tile_px,
            **_tile_size(tile_um, tile_mpp),
            stride_div=stride_div,
            roi_method=roi_method,
            roi_filter_method=roi_filter_method,
            artifact_labels=artifact_labels,
            mpp=mpp,
            coordinates=coordinates,
            **options,
        )
        places = None if coordinates is None else coordinates_of(coordinates, Path(path), spec)
        if places is not None:
            spec = spec.model_copy(update={"coordinates_unit": places.unit, "coordinates_anchor": places.anchor})
        super().__init__(Path(path), spec, rois=rois, origin=origin, coordinates=places)
        try:
            self.qc(spec.qc)
        except BaseException:
            self.close()
            raise

    @classmethod
    def from_spec(
        cls,
        path: str | Path,
        spec: ExtractionSpec,
        *,
        rois: str | Path | ROISet | None = None,
        annotated_mpp: float | None = None,
        coordinates: Coordinates | None = None,
    ) -> Self:
        """Open a slide for an extraction; QC is not run yet.

        Parameters
        ----------
        path
            File of the slide.
        spec
            All parameters.
        rois
            As for `WSI`.
        annotated_mpp
            µm/px from the annotations, which goes before `spec.mpp`.
        coordinates
            Where tiles lie, instead of on a grid; `spec.coordinates` names where they are from.
        """
        wsi = cls.__new__(cls)
        TiledSlide.__init__(wsi, Path(path), spec, rois=rois, annotated_mpp=annotated_mpp, coordinates=coordinates)
        return wsi

    def extract_tiles(
        self,
        tfrecord_dir: str | Path | None = None,
        tiles_dir: str | Path | None = None,
        **options: Any,
    ) -> SlideReport:
        """Extract this slide's tiles.

        Parameters
        ----------
        tfrecord_dir
            Folder for ``{slide}.tfrecords`` and the files beside it; None writes no records.
        tiles_dir
            Folder for loose tiles; None writes none.
        **options
            Any field of `ExtractionSpec`, over those that the slide was opened with; `qc` is run on top of what
            was run before.

        Raises
        ------
        SpecError
            For options that make no sense, or that would change the sizes of tiles, the grid or the regions of an open
            slide.
        SlideReadError
            If too many tiles cannot be decoded.
        """
        from slidekit.slide.extract import OutputFolders, extract_from_wsi

        spec = self.spec.with_options(**options)
        if "qc" in options:
            self.qc(
                spec.qc,
                blur_radius=spec.qc_blur_radius,
                blur_threshold=spec.qc_blur_threshold,
                blur_mpp=spec.qc_blur_mpp,
                filter_threshold=spec.qc_filter_threshold,
            )
        elif changed := [name for name in _QC_FIELDS if getattr(spec, name) != getattr(self.spec, name)]:
            raise SpecError(f"{', '.join(changed)} is given, but no QC to run with it.", mend="Give qc as well.")
        return extract_from_wsi(self, spec, OutputFolders(_folder(tfrecord_dir), _folder(tiles_dir)))

    def apply_segmentation(self, segmentation: SlideCells) -> Self:
        """Take the cells that were found on this slide; `extract_cells` cuts a tile around each.

        Parameters
        ----------
        segmentation
            A `slidekit.cells.Segmentation`.

        Raises
        ------
        CellError
            If it is none, or of another slide.
        """
        if not hasattr(segmentation, "for_tiles"):
            raise CellError(
                f"{type(segmentation).__name__} is no Segmentation.",
                mend="Open cells that were saved by slidekit.cells.Segmentation.open(path).",
                path=self.path,
            )
        if segmentation.dimensions != self.dimensions:
            raise say_other_slide(self.dimensions, segmentation.dimensions)
        self._segmentation = segmentation
        return self

    @property
    def segmentation(self) -> SlideCells | None:
        """The cells that `apply_segmentation` has taken."""
        return self._segmentation

    def extract_cells(
        self,
        tfrecord_dir: str | Path | None = None,
        tiles_dir: str | Path | None = None,
        *,
        apply_masks: bool = True,
        **options: Any,
    ) -> SlideReport:
        """Extract a tile around the centroid of every cell; records and report are those of `extract_tiles`.

        Parameters
        ----------
        tfrecord_dir, tiles_dir
            As for `extract_tiles`.
        apply_masks
            Whether pixels outside of the cell are black. Filters and stain normalisation see the whole tile before.
        **options
            As for `extract_tiles`; also `use_edge_tiles`, which keeps cells whose tiles reach over the slide's edge
            (otherwise they are counted as outside the slide), `roi_method` and the like.

        Returns
        -------
        SlideReport
            Its counts add up to the number of cells. A record has the cell's number as ``cell_id`` and its class as
            ``label``.

        Raises
        ------
        CellError
            If no segmentation was applied; if only centroids are known and masks are to be applied.
        SpecError, SlideReadError
            As `extract_tiles` does.
        """
        from slidekit.slide.cell_extraction import extract_cells_of
        from slidekit.slide.extract import OutputFolders

        if self._segmentation is None:
            raise CellError("No cells are known of this slide.", mend="Call apply_segmentation before.", path=self.path)
        folders = OutputFolders(_folder(tfrecord_dir), _folder(tiles_dir))
        return extract_cells_of(self, self._segmentation, folders, apply_masks=apply_masks, options=options)

    def __repr__(self) -> str:
        width, height = self.dimensions
        return (
            f"WSI({self.name!r}, {width} × {height} px at {self.mpp:.4g} µm/px, "
            f"{math.prod(self.shape)} cells of {self.spec.label})"
        )


def _tile_size(tile_um: TileSizes | None, tile_mpp: float | Sequence[float] | None) -> dict[str, Any]:
    if tile_um is None and tile_mpp is None:
        raise SpecError("The size of the tiles is missing.", mend="Give tile_um= (microns) or tile_mpp= (µm/px).")
    return {name: size for name, size in (("tile_um", tile_um), ("tile_mpp", tile_mpp)) if size is not None}


def _folder(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)
