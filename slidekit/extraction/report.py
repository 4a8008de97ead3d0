"""The report of TFRecords that exist: ours with all that is known of them, Slideflow's with what can be found out."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from slidekit.errors import ReportError
from slidekit.extraction.exclusive import folder_lock
from slidekit.extraction.foreign import describe_foreign
from slidekit.extraction.outputs import write_pdf
from slidekit.extraction.resume import read_reports, read_spec
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec

__all__ = ["report_from_records"]


def report_from_records(folders: Sequence[Path], *, slides: Mapping[str, Path], dest: Path | None) -> list[Path]:
    """Write the tables and the PDF for folders of TFRecords.

    Parameters
    ----------
    folders
        Folders that hold TFRecords themselves.
    slides
        Name to file of slides that can be opened for a picture, where the records came without one.
    dest
        Where to write; by default into each folder, a report each. With `dest`, one report of all folders.

    Returns
    -------
    list of Path
        The PDFs.

    Raises
    ------
    ReportError
        If there are no TFRecords.
    """
    groups = [[folder] for folder in folders] if dest is None else [list(folders)]
    written = []
    for group in groups:
        written += _report_group(group, slides, dest or group[0])
    return written


def _report_group(folders: Sequence[Path], slides: Mapping[str, Path], dest: Path) -> list[Path]:
    from slidekit.report import write_tables

    created = datetime.now()
    spec = _common_spec(folders)
    with tempfile.TemporaryDirectory() as made:
        reports: dict[str, SlideReport] = {}
        pictures: dict[str, Path] = {}
        for folder in folders:
            for report in _reports_of(folder, slides, Path(made)):
                if report.slide in reports:
                    raise ReportError(
                        f"Slide {report.slide} has records in two of the folders.",
                        mend="Name one folder of tiles, or leave the destination out for a report in each.",
                        path=folder,
                    )
                reports[report.slide] = report
                pictures[report.slide] = Path(made) if report.reader is None else folder / "previews"
        if not reports:
            raise ReportError("there are no TFRecords.", mend="Extract tiles first.", path=folders[0])
        dest.mkdir(parents=True, exist_ok=True)
        listed = list(reports.values())
        # A run may be at work in the folder, and write the same files.
        with folder_lock(dest):
            write_tables(dest, listed, spec, created=created)
            return write_pdf(dest, listed, spec, created, pictures=pictures)


def _reports_of(folder: Path, slides: Mapping[str, Path], made: Path) -> list[SlideReport]:
    ours = {report.slide: report for report in read_reports(folder)}
    others = [
        describe_foreign(path, slides.get(path.stem), made)
        for path in sorted(folder.glob("*.tfrecords"))
        if path.stem not in ours
    ]
    return [*ours.values(), *others]


def _common_spec(folders: Sequence[Path]) -> ExtractionSpec | None:
    specs = [read_spec(folder) for folder in folders]
    first = specs[0]
    return first if first is not None and all(spec == first for spec in specs) else None
