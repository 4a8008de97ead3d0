"""What a project does with its slides, by way of a `Dataset`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slidekit.collection.sources import PathLike
from slidekit.dataset import Dataset
from slidekit.slide.report_model import SlideReport
from slidekit.units import TileSizes

__all__ = ["Running"]


class Running(ABC):
    """Methods of `Project` that make a dataset and run it."""

    @abstractmethod
    def dataset(self, *args: Any, **kwargs: Any) -> Dataset:
        """A dataset of the project's slides."""

    def extract_tiles(
        self,
        tile_px: int,
        tile_um: TileSizes | None = None,
        *,
        tile_mpp: float | Sequence[float] | None = None,
        filters: Mapping[str, Any] | None = None,
        filter_blank: str | Sequence[str] | None = None,
        sources: str | Sequence[str] | None = None,
        **options: Any,
    ) -> dict[Path, SlideReport]:
        """Extract tiles from the project's slides; see `Dataset.extract_tiles`.

        Parameters
        ----------
        tile_px, tile_um, tile_mpp, filters, filter_blank, sources
            As for `dataset`.
        **options
            As for `Dataset.extract_tiles`.
        """
        dataset = self.dataset(
            tile_px, tile_um, tile_mpp=tile_mpp, filters=filters, filter_blank=filter_blank, sources=sources
        )
        return dataset.extract_tiles(**options)

    def cell_segmentation(
        self,
        diam_um: float = 8.0,
        dest: PathLike | None = None,
        *,
        filters: Mapping[str, Any] | None = None,
        filter_blank: str | Sequence[str] | None = None,
        sources: str | Sequence[str] | None = None,
        **options: Any,
    ) -> dict[Path, SlideReport]:
        """Find the cells of the project's slides; see `Dataset.cell_segmentation`.

        Parameters
        ----------
        diam_um, dest
            As for `Dataset.cell_segmentation`; cells go to ``masks`` in the project by default.
        filters, filter_blank, sources
            As for `dataset`.
        **options
            As for `Dataset.cell_segmentation`.
        """
        dataset = self.dataset(filters=filters, filter_blank=filter_blank, sources=sources)
        return dataset.cell_segmentation(diam_um, dest, **options)

    def extract_cells(
        self,
        tile_px: int,
        tile_um: TileSizes | None = None,
        masks_path: PathLike | None = None,
        *,
        tile_mpp: float | Sequence[float] | None = None,
        filters: Mapping[str, Any] | None = None,
        filter_blank: str | Sequence[str] | None = None,
        sources: str | Sequence[str] | None = None,
        **options: Any,
    ) -> dict[Path, SlideReport]:
        """Extract a tile around every cell of the project's slides; see `Dataset.extract_cells`.

        Parameters
        ----------
        tile_px, tile_um, tile_mpp, filters, filter_blank, sources
            As for `dataset`.
        masks_path
            Folder of the cells; default ``masks`` in the project.
        **options
            As for `Dataset.extract_cells`, such as `apply_masks`.
        """
        dataset = self.dataset(
            tile_px, tile_um, tile_mpp=tile_mpp, filters=filters, filter_blank=filter_blank, sources=sources
        )
        return dataset.extract_cells(masks_path, **options)
