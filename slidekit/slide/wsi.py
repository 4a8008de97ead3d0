"""`WSI`: one whole-slide image, its grid of tiles, its regions of interest and its quality control."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

import numpy as np
import numpy.typing as npt

from slidekit.pixels.discovery import slide_name
from slidekit.pixels.mpp import settle_mpp
from slidekit.pixels.readers import Level, SlideReader, open_slide
from slidekit.pixels.readers.base import RGBImage
from slidekit.pixels.strips import read_overview, read_overview_bands
from slidekit.slide.grid import Grid
from slidekit.slide.plan import SlidePlan, plan_slide
from slidekit.slide.preview import draw_preview
from slidekit.slide.qc import QCMask, make_mask, resolve_methods
from slidekit.slide.roi import ROI, ROISet, find_roi_file, load_rois
from slidekit.slide.selection import CellFates, decide_cells
from slidekit.slide.spec import ExtractionSpec, ROIMethod
from slidekit.slide.tiles import TileReader

if TYPE_CHECKING:
    import pandas as pd

    from slidekit.slide.report_model import SlideReport

__all__ = ["WSI"]

T = TypeVar("T")

_OVERVIEWS_KEPT = 2
_PREVIEW_PX = 1200


class WSI:
    """An open slide, seen as tiles of one physical size.

    Use it as a context manager, or `close` it.

    Parameters
    ----------
    path
        File of the slide.
    tile_px
        Edge of a tile, output pixels.
    tile_um
        Edge of a tile in microns, or a magnification (``"10x"``).
    stride_div
        Stride is the tile's edge divided by this.
    roi_method
        ``auto``, ``inside``, ``outside`` or ``ignore``.
    roi_filter_method
        ``center``, or the share of a tile's area (0–1) that must lie in regions of interest.
    rois
        File of regions of interest, folder with ``{slide}.csv`` (or .geojson, .xml), or a `ROISet`.
    mpp
        µm/px of level 0, over what the file says.
    origin
        Where the grid begins, level-0 pixels.
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
        If options make no sense.
    """

    def __init__(
        self,
        path: str | Path,
        tile_px: int,
        tile_um: float | str,
        stride_div: float = 1.0,
        *,
        roi_method: ROIMethod = "auto",
        roi_filter_method: Literal["center"] | float = "center",
        rois: str | Path | ROISet | None = None,
        mpp: float | None = None,
        origin: tuple[float, float] = (0.0, 0.0),
        **options: Any,
    ) -> None:
        spec = ExtractionSpec.create(
            tile_px=tile_px,
            tile_um=tile_um,
            stride_div=stride_div,
            roi_method=roi_method,
            roi_filter_method=roi_filter_method,
            mpp=mpp,
            **options,
        )
        self._open(Path(path), spec, rois=rois, annotated_mpp=None, origin=origin)
        self.qc(spec.qc)

    @classmethod
    def from_spec(
        cls,
        path: str | Path,
        spec: ExtractionSpec,
        *,
        rois: str | Path | ROISet | None = None,
        annotated_mpp: float | None = None,
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
        """
        wsi = cls.__new__(cls)
        wsi._open(Path(path), spec, rois=rois, annotated_mpp=annotated_mpp, origin=(0.0, 0.0))
        return wsi

    def _open(
        self,
        path: Path,
        spec: ExtractionSpec,
        *,
        rois: str | Path | ROISet | None,
        annotated_mpp: float | None,
        origin: tuple[float, float],
    ) -> None:
        self.path = path
        self.name = slide_name(path)
        self.spec = spec
        self.qc_masks: list[QCMask] = []
        self._overviews: OrderedDict[tuple[int, int], RGBImage] = OrderedDict()
        self._reader = open_slide(path, spec.reader)
        try:
            settled = settle_mpp(
                path,
                self._reader.metadata,
                annotated=annotated_mpp,
                given=spec.mpp,
                from_objective=isinstance(spec.tile_um, str),
            )
            self.plan: SlidePlan = plan_slide(self._reader, settled, spec, name=self.name, origin=origin)
            self.roi_set = self._load_rois(rois)
            self._tiles = TileReader(self._reader, self.plan.grid, self.plan.source)
            self._fates: CellFates | None = None
            if spec.roi_method in ("inside", "outside"):
                self._decide()
        except BaseException:
            self._reader.close()
            raise

    def _load_rois(self, rois: str | Path | ROISet | None) -> ROISet:
        if rois is None or self.spec.roi_method == "ignore":
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

    # --- what the slide is -------------------------------------------------------------------------------------

    @property
    def dimensions(self) -> tuple[int, int]:
        """Width and height of level 0, pixels."""
        return self._reader.dimensions

    @property
    def levels(self) -> tuple[Level, ...]:
        """Pyramid levels, largest first."""
        return self._reader.levels

    @property
    def mpp(self) -> float:
        """µm/px of level 0 along x; `mpp_y` is the other axis, `mpp_source` says who stated it."""
        return self.plan.mpp.x

    @property
    def mpp_x(self) -> float:
        """µm/px of level 0 along x."""
        return self.plan.mpp.x

    @property
    def mpp_y(self) -> float:
        """µm/px of level 0 along y."""
        return self.plan.mpp.y

    @property
    def mpp_source(self) -> str:
        """Where the µm/px came from: a header field, ``annotations``, ``mpp=`` or ``objective``."""
        return self.plan.mpp.source

    @property
    def target_mpp(self) -> float:
        """µm/px of tiles."""
        return self.grid.tile_um[0] / self.grid.tile_px

    @property
    def properties(self) -> Mapping[str, str]:
        """Everything that the file's header says."""
        return self._reader.metadata.properties

    @property
    def vendor(self) -> str:
        """Format of the slide, such as ``aperio``."""
        return self._reader.metadata.vendor

    @property
    def reader(self) -> SlideReader:
        """The reader that delivers the pixels."""
        return self._reader

    @property
    def grid(self) -> Grid:
        """Geometry of the candidate tiles."""
        return self.plan.grid

    @property
    def shape(self) -> tuple[int, int]:
        """Cells along x and y."""
        return self.grid.shape

    @property
    def rois(self) -> tuple[ROI, ...]:
        """Regions of interest, level-0 pixels."""
        return self.roi_set.rois

    def area(self) -> float | None:
        """Area that is not discarded by QC, mm²; the whole slide's where no QC was run."""
        width, height = self.dimensions
        total = width * self.mpp_x * height * self.mpp_y / 1e6
        if not self.qc_masks:
            return total
        rows = max(mask.mask.shape[0] for mask in self.qc_masks)
        columns = max(mask.mask.shape[1] for mask in self.qc_masks)
        kept = np.ones((rows, columns), np.bool_)
        for mask in self.qc_masks:
            kept &= ~mask.resized(columns, rows)
        return float(total * kept.mean())

    # --- pictures ----------------------------------------------------------------------------------------------

    def overview(self, columns: int, rows: int) -> RGBImage:
        """Read the whole slide as an image of `columns` × `rows`; the last ones asked for are kept."""
        key = (columns, rows)
        if key not in self._overviews:
            width, height = self.dimensions
            self._overviews[key] = read_overview(self._reader, width / columns, height / rows)
            while len(self._overviews) > _OVERVIEWS_KEPT:
                self._overviews.popitem(last=False)
        return self._overviews[key]

    def overview_bands(
        self, columns: int, rows: int, *, band_rows: int, overlap: int
    ) -> Iterator[tuple[int, RGBImage]]:
        """As `overview`, in bands of rows with `overlap` rows of the neighbours; nothing is kept."""
        width, height = self.dimensions
        return read_overview_bands(self._reader, width / columns, height / rows, band_rows=band_rows, overlap=overlap)

    def thumb(self, width: int | None = None, *, mpp: float | None = None) -> RGBImage:
        """A picture of the whole slide.

        Parameters
        ----------
        width
            Columns of the picture; 1024 if `mpp` is not given either.
        mpp
            µm/px of the picture instead.

        Returns
        -------
        ndarray (rows, columns, 3), uint8, RGB
        """
        slide_width, slide_height = self.dimensions
        if mpp is not None:
            width = max(1, round(slide_width * self.mpp_x / mpp))
        width = width or 1024
        rows = max(1, round(width * slide_height * self.mpp_y / (slide_width * self.mpp_x)))
        return self.overview(width, rows)

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
        slide_width, slide_height = self.dimensions[0] * self.mpp_x, self.dimensions[1] * self.mpp_y
        if width is None:
            width = max(1, round(_PREVIEW_PX * min(1.0, slide_width / slide_height)))
        image = self.thumb(width)
        rows, columns, _ = image.shape
        scale = (columns / self.dimensions[0], rows / self.dimensions[1])
        polygons = [roi.polygon for roi in self.rois] if rois else []
        return draw_preview(image, scale, masks=self.qc_masks, polygons=polygons, tiles=boxes)

    def preview_um(self) -> float:
        """µm per pixel of `draw` and `preview` at their default size."""
        slide_width, slide_height = self.dimensions[0] * self.mpp_x, self.dimensions[1] * self.mpp_y
        return slide_width / max(1, round(_PREVIEW_PX * min(1.0, slide_width / slide_height)))

    # --- quality control ---------------------------------------------------------------------------------------

    def qc(self, method: str | Callable[..., Any] | Sequence[str | Callable[..., Any]]) -> Self:
        """Run QC and discard what it masks; masks add up over calls.

        Parameters
        ----------
        method
            ``otsu``, ``blur``, ``both``, a callable on a `WSI`, or several of them.

        Raises
        ------
        QCError
            For an unknown word, or a callable that does not return a mask of this slide.
        """
        spec = self.spec
        methods = resolve_methods(
            method,
            blur_radius=spec.qc_blur_radius,
            blur_threshold=spec.qc_blur_threshold,
            blur_mpp=spec.qc_blur_mpp,
        )
        made = (make_mask(one, self, spec.qc_filter_threshold) for one in methods)
        self.qc_masks.extend(mask for mask in made if mask is not None)
        self._fates = None
        return self

    def remove_qc(self) -> Self:
        """Forget all QC masks."""
        self.qc_masks.clear()
        self._fates = None
        return self

    def fates(self) -> CellFates:
        """What ROIs and QC decide about every cell, before any tile is read."""
        return self._fates if self._fates is not None else self._decide()

    def _decide(self) -> CellFates:
        self._fates = decide_cells(
            self.grid,
            self.dimensions,
            self.rois,
            self.qc_masks,
            roi_method=self.spec.roi_method,
            roi_filter_method=self.spec.roi_filter_method,
        )
        return self._fates

    def roi_of(self, i: int, j: int) -> ROI | None:
        """The region of interest that cell (i, j) belongs to."""
        place = int(self.fates().roi_index[self.grid.index(i, j)])
        return None if place < 0 else self.rois[place]

    # --- tiles -------------------------------------------------------------------------------------------------

    @property
    def tiles(self) -> TileReader:
        """Reader of the grid's cells."""
        return self._tiles

    def __len__(self) -> int:
        """Number of tiles that ROIs and QC leave."""
        return int(np.count_nonzero(self.fates().taken))

    def __getitem__(self, cell: tuple[int, int]) -> RGBImage:
        """Pixels (tile_px, tile_px, 3) of cell (i, j), whatever ROIs and QC say about it.

        Raises
        ------
        IndexError
            If there is no such cell.
        SlideReadError
            If its pixels cannot be decoded.
        """
        i, j = cell
        self.grid.index(i, j)
        return self._tiles.read(i, j)

    def __iter__(self) -> Iterator[RGBImage]:
        """Tiles that ROIs and QC leave, in raster order.

        Raises
        ------
        SlideReadError
            At a tile that cannot be decoded.
        """
        for _, image in self.map(lambda image: image, workers=1):
            yield image

    def map(
        self, function: Callable[[RGBImage], T], *, workers: int | None = None
    ) -> Iterator[tuple[tuple[int, int], T]]:
        """Apply a function to every tile that ROIs and QC leave.

        Parameters
        ----------
        function
            Takes the pixels (tile_px, tile_px, 3) of a tile; called from several threads.
        workers
            Threads; one per core by default.

        Yields
        ------
        ((int, int), result)
            The tile's (loc_x, loc_y), level-0 pixels, and what the function returned; in raster order, a few
            strips of tiles at a time, whatever the slide's size.

        Raises
        ------
        SlideReadError
            At a tile that cannot be decoded.
        """
        from slidekit.slide.parallel import map_ordered, usable_cores

        def work(strip: Any) -> list[tuple[tuple[int, int], T]]:
            results = []
            for i, j, image in self._tiles.cut(strip):
                if isinstance(image, Exception):
                    raise image
                results.append((self.grid.location(i, j), function(image)))
            return results

        strips = self._tiles.strips(self.grid.cells()[self.fates().taken])
        for results in map_ordered(work, strips, threads=workers or usable_cores()):
            yield from results

    def get_tile_dataframe(self, *, kept_only: bool = False) -> pd.DataFrame:
        """A table of the grid's cells.

        Parameters
        ----------
        kept_only
            Leave out what ROIs and QC drop.

        Returns
        -------
        DataFrame
            Index ``{slide}-{loc_x}-{loc_y}``; columns loc_x, loc_y (level-0 pixels), grid_x, grid_y, roi_name,
            roi_desc, label, mpp_x, mpp_y (of level 0), reason (``kept`` or why not; tile filters need pixels
            and are not run).
        """
        from slidekit.slide.table import tile_table

        table = tile_table(self.name, self.grid, self.rois, self.fates())
        return table[table["reason"] == "kept"] if kept_only else table

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
            Any field of `ExtractionSpec`, over those that the slide was opened with.
        """
        from slidekit.slide.extract import OutputFolders, extract_from_wsi

        if "qc" in options:
            self.qc(options["qc"])
        spec = ExtractionSpec.create(**{**self.spec.model_dump(exclude={"tile_mpp"}), **options})
        return extract_from_wsi(self, spec, OutputFolders(_folder(tfrecord_dir), _folder(tiles_dir)))

    # --- housekeeping ------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of the file."""
        self._overviews.clear()
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        width, height = self.dimensions
        return (
            f"WSI({self.name!r}, {width} × {height} px at {self.mpp:.4g} µm/px, "
            f"{math.prod(self.shape)} cells of {self.spec.label})"
        )


def _folder(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)
