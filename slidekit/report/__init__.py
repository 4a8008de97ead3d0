"""What people are handed after a run: the PDF, the tables, the list of slides to look at."""

from __future__ import annotations

from slidekit.report.entries import SlidePictures
from slidekit.report.flags import BLUR_WARNING, FLAG_TITLES, Flag, flags_of
from slidekit.report.pdf import write_report
from slidekit.report.qc_table import read_qc_table
from slidekit.report.review import ReviewRow, read_review, write_review
from slidekit.report.tables import STAMP, extraction_rows, plain_cell, write_qc_table, write_tables

__all__ = [
    "BLUR_WARNING",
    "FLAG_TITLES",
    "STAMP",
    "Flag",
    "ReviewRow",
    "SlidePictures",
    "extraction_rows",
    "flags_of",
    "plain_cell",
    "read_qc_table",
    "read_review",
    "write_qc_table",
    "write_report",
    "write_review",
    "write_tables",
]
