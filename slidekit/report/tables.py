"""The tables beside the PDF: ``extraction_report.csv``, ``timings.csv``, the warning file, ``review.csv``."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from slidekit.io.atomic import atomic_write_text
from slidekit.report.flags import BLUR_WARNING, blur_of, flags_of
from slidekit.report.privacy import without_paths
from slidekit.report.qc_table import QC_COLUMNS, QC_TABLE, qc_rows
from slidekit.report.qc_words import qc_text
from slidekit.report.review import csv_text, write_review
from slidekit.slide.fate import Fate, ordered_counts
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec

__all__ = ["STAMP", "extraction_rows", "plain_cell", "write_qc_table", "write_tables"]

STAMP = "%Y%m%d-%H%M%S"
"""`strftime` format of the time in the names of reports."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What spreadsheets take for the beginning of a formula (OWASP, CSV injection)."""

_Row = dict[str, Any]


def write_tables(
    folder: str | Path, reports: Sequence[SlideReport], spec: ExtractionSpec | None, *, created: datetime
) -> list[Path]:
    """Write the tables of a run; each file appears whole.

    Parameters
    ----------
    folder
        Where they go; made if it is not there.
    reports
        One a slide, in any order.
    spec
        Parameters of the run; None where they are not known.
    created
        Time in the name of the warning file.

    Returns
    -------
    list of Path
        ``extraction_report.csv`` (the same bytes for the same results: no time or date in it, no folders),
        ``timings.csv``, ``qc_report.csv`` where QC was run (one row a slide and method, no folders either),
        ``warn_report-YYYYmmdd-HHMMSS.txt`` if a slide is over the blur warning line (lines
        ``path,burden``, as Slideflow writes them), ``review.csv``.

    Raises
    ------
    ReportError
        If an existing ``review.csv`` cannot be understood; all else is written, and it is left as it is.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    ordered = sorted(reports, key=lambda report: (report.slide, report.path))
    written = [folder / "extraction_report.csv", folder / "timings.csv"]
    atomic_write_text(written[0], _csv_table(extraction_rows(ordered, spec)))
    atomic_write_text(written[1], _csv_table(_timing_rows(ordered), ("slide", "seconds", "tiles_per_second")))
    # What an earlier run has written must not stand beside the results of one without QC.
    if any(report.qc_figures for report in ordered) or (folder / QC_TABLE).exists():
        written.append(write_qc_table(folder, ordered))
    blurred = [report for report in ordered if (blur_of(report) or 0.0) > BLUR_WARNING]
    if blurred:
        warnings = folder / f"warn_report-{created.strftime(STAMP)}.txt"
        lines = [f"{csv_text(report.path or report.slide)},{report.blur_burden!r}\n" for report in blurred]
        atomic_write_text(warnings, "".join(lines))
        written.append(warnings)
    return [*written, write_review(folder / "review.csv", ordered)]


def write_qc_table(
    folder: str | Path, reports: Sequence[SlideReport], *, before: Sequence[Mapping[str, str]] = ()
) -> Path:
    """Write ``qc_report.csv``: one row a slide and QC method; no time or date in it, no folders.

    Parameters
    ----------
    folder
        Where it goes; made if it is not there.
    reports
        One a slide, in any order.
    before
        Rows of an earlier table, of which those of other slides stay.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows = qc_rows(sorted(reports, key=lambda report: (report.slide, report.path)))
    now = {_cell(report.slide) for report in reports}
    rows += [{name: row[name] for name in QC_COLUMNS} for row in before if row["slide"] not in now]
    # By name as it stands in the table; the order of methods within a slide stays.
    rows.sort(key=lambda row: str(_cell(row["slide"])))
    atomic_write_text(folder / QC_TABLE, _csv_table(rows, QC_COLUMNS))
    return folder / QC_TABLE


def extraction_rows(reports: Sequence[SlideReport], spec: ExtractionSpec | None) -> list[_Row]:
    """Rows of ``extraction_report.csv``, column to value; every row has the same columns.

    Parameters
    ----------
    reports
        In the order of the rows.
    spec
        Parameters of the run; None leaves their columns out.
    """
    known = [fate.value for fate in Fate]
    seen = {reason for report in reports for reason in report.counts}
    reasons = [reason for reason in ordered_counts([*known, *sorted(seen)]) if reason != Fate.KEPT]
    shares = sorted({name for report in reports for name in report.qc_shares})
    parameters = _parameter_columns(spec)
    return [
        {
            **_result_columns(report),
            # Prefixed, because a QC method may have the name of any other column.
            **{f"dropped_{reason}": report.counts.get(reason, 0) for reason in reasons},
            **_slide_columns(report),
            **{f"share_{name}": report.qc_shares.get(name) for name in shares},
            **_remark_columns(report),
            **parameters,
        }
        for report in reports
    ]


def _result_columns(report: SlideReport) -> _Row:
    return {
        "slide": report.slide,
        "status": report.status,
        "reason": without_paths(report.reason, report),
        "flags": "; ".join(flag.code for flag in flags_of(report)),
        "candidates": report.candidates,
        "kept": report.kept,
    }


def _slide_columns(report: SlideReport) -> _Row:
    return {
        "unnormalized": report.unnormalized,
        "mpp_x": report.mpp_x,
        "mpp_y": report.mpp_y,
        "mpp_source": without_paths(report.mpp_source or "", report),
        "mpp_doubt": without_paths(report.mpp_doubt or "", report),
        "level": report.level,
        "level_downsample": report.level_downsample,
        "resampling": report.resampling,
        "reader": report.reader,
        "vendor": report.vendor,
        "width": report.width,
        "height": report.height,
        "tile_px": report.tile_px,
        "tile_um_x": report.tile_um_x,
        "tile_um_y": report.tile_um_y,
        "tissue_share": report.tissue_share,
        "tissue_mm2": report.tissue_mm2,
        "blur_burden": report.blur_burden,
    }


def _remark_columns(report: SlideReport) -> _Row:
    return {
        "rois": report.rois,
        "artifacts": report.artifacts,
        "artifacts_mm2": report.artifacts_mm2,
        "labels": json.dumps(report.labels, sort_keys=True, ensure_ascii=False) if report.labels else "",
        "roi_problems": " | ".join(without_paths(text, report) for text in report.roi_problems),
        "warnings": " | ".join(without_paths(text, report) for text in report.warnings),
        "tfrecord": report.records.name if report.records else "",
        "sha256": report.records.sha256 if report.records else "",
    }


def _parameter_columns(spec: ExtractionSpec | None) -> _Row:
    if spec is None:
        return {}
    return {
        "tile_um": spec.tile_um,
        "stride_div": spec.stride_div,
        "roi_method": spec.roi_method,
        "roi_filter_method": spec.roi_filter_method,
        "artifact_labels": ", ".join(spec.artifact_labels),
        "qc": qc_text(spec),
        "grayspace_fraction": spec.grayspace_fraction,
        "grayspace_threshold": spec.grayspace_threshold,
        "whitespace_fraction": spec.whitespace_fraction,
        "whitespace_threshold": spec.whitespace_threshold,
        "normalizer": spec.normalizer,
        "normalizer_source": re.split(r"[/\\]", spec.normalizer_source or "")[-1],
        "normalizer_context": spec.normalizer_context,
        "img_format": spec.img_format,
    }


def _timing_rows(reports: Iterable[SlideReport]) -> list[_Row]:
    return [
        {
            "slide": report.slide,
            "seconds": round(report.seconds, 3),
            "tiles_per_second": round(report.kept / report.seconds, 2) if report.seconds > 0 else None,
        }
        for report in reports
    ]


def _csv_table(rows: Sequence[_Row], columns: Sequence[str] = ()) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns or (rows[0] if rows else ("slide",)))
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float):
        # Ten digits tell slides apart and do not show the last bit of a division.
        return f"{value:.10g}"
    return _harmless(csv_text(value)) if isinstance(value, str) else value


def plain_cell(text: str) -> str:
    """Text of a cell as it was before it was made harmless; names that are no UTF-8 keep their escapes."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


def _harmless(text: str) -> str:
    """Text that spreadsheets do not run as a formula: of names that others gave to slides, labels and methods."""
    return f"'{text}" if text.startswith(_FORMULA) else text
