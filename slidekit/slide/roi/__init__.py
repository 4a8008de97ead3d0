"""Regions of interest: polygons, their file formats, and which cells of a grid they select."""

from __future__ import annotations

from slidekit.slide.roi.artifacts import (
    refuse_unknown_labels,
    split_artifacts,
    union_area,
    warn_of_unknown_labels,
)
from slidekit.slide.roi.cells import CellSelection, select_cells
from slidekit.slide.roi.csv_format import write_roi_csv
from slidekit.slide.roi.geojson_writing import write_roi_geojson
from slidekit.slide.roi.load import find_roi_file, load_rois
from slidekit.slide.roi.region import ROI, ROIProblem, ROISet

__all__ = [
    "ROI",
    "CellSelection",
    "ROIProblem",
    "ROISet",
    "find_roi_file",
    "load_rois",
    "refuse_unknown_labels",
    "select_cells",
    "split_artifacts",
    "union_area",
    "warn_of_unknown_labels",
    "write_roi_csv",
    "write_roi_geojson",
]
