"""`TiledSlide`: the pixels of a slide's tiles, and their table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from slidekit.pixels.image import RGBImage
from slidekit.slide.further import FurtherReader
from slidekit.slide.gridded import GriddedSlide
from slidekit.slide.parallel import map_ordered, usable_cores
from slidekit.slide.tiles import Strip, TileReader

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TiledSlide"]

T = TypeVar("T")


class TiledSlide(GriddedSlide):
    """An open slide whose tiles can be read."""

    @cached_property
    def tiles(self) -> TileReader:
        """Reader of the grid's cells."""
        return TileReader(self._reader, self.grid, self.plan.source)

    @cached_property
    def further(self) -> tuple[FurtherReader, ...]:
        """Readers of concentric tiles of further sizes, in the order of `ExtractionSpec.more_um`."""
        return tuple(FurtherReader(self._reader, self.grid, plan) for plan in self.plan.further)

    def __len__(self) -> int:
        """Number of tiles that ROIs and QC leave."""
        return int(self.fates().taken.sum())

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
        return self.tiles.read(i, j)

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

        def work(strip: Strip) -> list[tuple[tuple[int, int], T]]:
            results = []
            for i, j, image in self.tiles.cut(strip):
                if isinstance(image, Exception):
                    raise image
                results.append((self.grid.location(i, j), function(image)))
            return results

        strips = self.tiles.strips(self.grid.cells()[self.fates().taken])
        for results in map_ordered(work, strips, threads=workers or usable_cores()):
            yield from results

    def get_tile_dataframe(self, *, kept_only: bool = False) -> pd.DataFrame:
        """A table of the grid's cells, or of the given coordinates.

        Parameters
        ----------
        kept_only
            Leave out what ROIs and QC drop.

        Returns
        -------
        DataFrame
            Index ``{slide}-{loc_x}-{loc_y}``; columns loc_x, loc_y (level-0 pixels), grid_x, grid_y, roi_name,
            roi_desc, label, mpp_x, mpp_y (of level 0), reason (``kept`` or why not; tile filters need pixels
            and are not run). For given coordinates ``row``, the row of their table from 0, is there instead of grid_x
            and grid_y.
        """
        from slidekit.slide.table import tile_table

        table = tile_table(self.name, self.grid, self.rois, self.fates())
        return table[table["reason"] == "kept"] if kept_only else table
