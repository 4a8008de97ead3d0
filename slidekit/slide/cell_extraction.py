"""A tile around every cell of an open slide."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from slidekit.slide.cell_tiles import SlideCells
from slidekit.slide.extract import OutputFolders, extract_from_wsi
from slidekit.slide.report_model import SlideReport
from slidekit.slide.wsi import WSI

__all__ = ["extract_cells_of"]


def extract_cells_of(
    wsi: WSI, segmentation: SlideCells, folders: OutputFolders, *, apply_masks: bool, options: dict[str, Any]
) -> SlideReport:
    """Extract a tile around the centroid of every cell; see `WSI.extract_cells`.

    Parameters
    ----------
    wsi
        The slide, with its regions of interest and what QC has masked.
    segmentation
        Its cells.
    folders
        Where to write.
    apply_masks
        Whether pixels outside of the cell are black.
    options
        Fields of `ExtractionSpec` over those of the slide.

    Raises
    ------
    CellError, SpecError, SlideReadError
        As `WSI.extract_cells` does.
    """
    cells = segmentation.for_tiles(apply_masks)
    coordinates = cells.coordinates
    settled = {"stride_div": 1.0, "randomize_origin": False, "coordinates": coordinates.source}
    spec = wsi.spec.with_options(**{**options, **settled})
    rois = replace(wsi.roi_set, rois=(*wsi.roi_set.rois, *wsi.artifacts))
    annotated = wsi.mpp if wsi.mpp_source == "annotations" else None
    with WSI.from_spec(wsi.path, spec, rois=rois, annotated_mpp=annotated, coordinates=coordinates) as placed:
        placed.use_cells(cells).qc_masks.extend(wsi.qc_masks)
        if "qc" in options:
            placed.qc(spec.qc)
        return extract_from_wsi(placed, spec, folders)
