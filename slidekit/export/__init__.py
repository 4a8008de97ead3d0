"""Other doors out: tiles of TFRecords into the formats of other training stacks, by those formats' own libraries."""

from __future__ import annotations

from slidekit.export.base import ExportOptions, ExportTile, SlideRecords, TileSource
from slidekit.export.exporter import FORMATS, ExportFormat, ExportResult, export_tiles

__all__ = [
    "FORMATS",
    "ExportFormat",
    "ExportOptions",
    "ExportResult",
    "ExportTile",
    "SlideRecords",
    "TileSource",
    "export_tiles",
]
