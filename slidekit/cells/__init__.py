"""Cells of a slide: found in windows without seams, kept as zarr, exported for QuPath."""

from __future__ import annotations

from slidekit.cells.importing import import_cells
from slidekit.cells.methods import CellMethod
from slidekit.cells.segment import segment_slide
from slidekit.cells.segmentation import Segmentation
from slidekit.cells.slideflow import load_slideflow

__all__ = ["CellMethod", "Segmentation", "import_cells", "load_slideflow", "segment_slide"]
