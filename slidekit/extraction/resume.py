"""What a folder of records already holds: which slides are finished, and with which parameters."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from slidekit.errors import RecordError, SpecError
from slidekit.extraction.verify.slide import check_slide
from slidekit.io.atomic import atomic_write_text
from slidekit.io.tfrecord import index_path, read_index
from slidekit.slide.identity import file_digest, has_identity
from slidekit.slide.job import SlideJob, job_hash
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec

__all__ = [
    "SPEC_FILE",
    "check_same_spec",
    "finished_report",
    "read_report",
    "read_reports",
    "read_spec",
    "read_spec_hash",
    "write_spec",
]

_log = logging.getLogger("slidekit")

SPEC_FILE = "extraction.json"


def read_report(path: Path) -> SlideReport | None:
    """Read a ``{slide}.json``; None if it is not one of ours."""
    try:
        return SlideReport.model_validate_json(path.read_bytes())
    except (ValidationError, OSError):
        return None


def read_reports(folder: Path) -> list[SlideReport]:
    """Read all slides' reports in a folder, by name of the slide."""
    paths = [path for path in folder.glob("*.json") if path.name not in _OTHER_JSON]
    found = ((path, read_report(path)) for path in paths)
    # A copy under another name, made by hand, is not another slide.
    ours = [report for path, report in found if report is not None and path.stem == report.slide]
    return sorted(ours, key=lambda report: report.slide)


_OTHER_JSON = {SPEC_FILE, "manifest.json"}


def finished_report(
    job: SlideJob, spec: ExtractionSpec, *, stopped: Callable[[], bool] = lambda: False
) -> SlideReport | None:
    """The report of a slide that needs no work: same parameters, same slide, files as they were written.

    Parameters
    ----------
    job
        The slide.
    spec
        All parameters.
    stopped
        Whether nobody wants to know any more, while its files are read for ``verify``.

    Returns
    -------
    SlideReport or None
        None if the slide has to be extracted.
    """
    if job.records_dir is None:
        return None
    report = read_report(job.records_dir / f"{job.name}.json")
    if report is None or report.status not in ("done", "empty"):
        return None
    try:
        if report.job_hash != job_hash(job, spec):
            return None
    except OSError:
        return None  # its ROI file cannot be read: whoever extracts the slide will say so
    if not has_identity(job.path, report.identity):
        return None
    if spec.save_tiles and job.tiles is not None and report.kept and not (job.tiles / job.name).is_dir():
        return None
    if job.tfrecords is not None and report.kept and report.records is None:
        return None
    if report.records is not None and not _records_agree(job.records_dir, report):
        return None
    return None if spec.verify and not _is_whole(job, report, stopped) else report


def _records_agree(folder: Path, report: SlideReport) -> bool:
    assert report.records is not None
    path = folder / Path(report.records.name).name
    try:
        index = read_index(index_path(path))
        return path.stat().st_size == report.records.size and len(index) == report.records.records == report.kept
    except (OSError, RecordError):
        return False


def _is_whole(job: SlideJob, report: SlideReport, stopped: Callable[[], bool]) -> bool:
    """Whether all of a slide's files are as they were written, by their bytes; images are not decoded."""
    assert job.records_dir is not None
    loose = None if job.tiles is None else job.tiles / job.name
    faults = check_slide(job.records_dir, report, loose=loose, stopped=stopped).faults
    for fault in faults:
        _log.debug("slide %s is extracted again: %s %s", job.name, fault.path.name, fault.what)
    return not faults


def check_same_spec(folder: Path, spec: ExtractionSpec, slides: Collection[str]) -> None:
    """Refuse to mix tiles of different parameters in one folder.

    Parameters
    ----------
    folder
        Folder of records.
    spec
        All parameters.
    slides
        Names of the slides that are to be extracted into it.

    Raises
    ------
    SpecError
        If the folder holds tiles made with other parameters and `spec.overwrite` is off, or some of them are of
        slides that are not among `slides`; says what differs.
    """
    path = folder / SPEC_FILE
    if not path.is_file():
        return
    unknown = None
    try:
        changed = "; ".join(_differences(path, spec))
    except SpecError as error:
        unknown, changed = error, "unknown ones"
    # Of ten thousand slides, reading what became of them takes a while.
    tiled = [report.slide for report in read_reports(folder) if report.kept] if changed else []
    if not tiled:
        return
    if not spec.overwrite:
        raise unknown or SpecError(
            f"The folder holds tiles that were made with other parameters ({changed}).",
            mend="Use overwrite=True (--overwrite) to replace them, or another folder for TFRecords.",
            path=folder,
        )
    if others := [slide for slide in tiled if slide not in slides]:
        raise SpecError(
            f"The folder also holds tiles of other slides, made with other parameters: {', '.join(others[:5])}"
            f"{' …' if len(others) > 5 else ''}.",
            mend="Extract all of them again together, or use another folder for TFRecords.",
            path=folder,
        )


def _differences(path: Path, spec: ExtractionSpec) -> list[str]:
    """What differs between ``extraction.json`` and a spec, a phrase for each parameter."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        before: dict[str, Any] = dict(content["spec"])
        source = content.get("normalizer_source_sha256")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SpecError(
            f"is not readable ({error}), so it cannot be known how the tiles beside it were made.",
            mend="Use overwrite=True (--overwrite) to extract them again, or another folder.",
            path=path,
        ) from error
    now = json.loads(json.dumps(spec.canonical()))
    changed = [
        f"{name}: {before.get(name)!r} before, {now.get(name)!r} now"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    if not changed and source != _source_digest(spec):
        changed.append("normalizer_source: a file of the same name, with other content now")
    return changed


def _source_digest(spec: ExtractionSpec) -> str | None:
    """Hash of the image that tiles are normalised to; None if it is none."""
    path = None if spec.normalizer_source is None else Path(spec.normalizer_source)
    return file_digest(path) if path is not None and path.is_file() else None


class _Described(str):
    """A QC method that was an object: its name, and its own threshold, if it had one."""

    filter_threshold: float | None = None

    @classmethod
    def of(cls, description: dict[str, Any]) -> _Described:
        method = cls(description["method"])
        method.filter_threshold = description.get("filter_threshold")
        return method


def read_spec(folder: Path) -> ExtractionSpec | None:
    """The parameters that the tiles in a folder were made with, for a report; None if they are not known.

    QC methods that were objects come back as their description: such a spec can be shown, not run.
    """
    try:
        fields: dict[str, Any] = json.loads((folder / SPEC_FILE).read_text(encoding="utf-8"))["spec"]
        known = {name: value for name, value in fields.items() if name in ExtractionSpec.model_fields}
        methods = [method if isinstance(method, str) else _Described.of(method) for method in known.get("qc", [])]
        return ExtractionSpec.model_construct(**{**known, "qc": tuple(methods)})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def read_spec_hash(folder: Path) -> str | None:
    """The hash of the parameters that a folder is extracted with; None if it is not known.

    Raises
    ------
    OSError
        If the file is there, it may be, and cannot be read.
    """
    try:
        content = json.loads((folder / SPEC_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return str(content["spec_hash"]) if isinstance(content, dict) and "spec_hash" in content else None


def write_spec(folder: Path, spec: ExtractionSpec, versions: dict[str, str], *, coordinates: int | None = None) -> None:
    """Write ``extraction.json``: the parameters of the tiles in a folder, and the versions that made them.

    Parameters
    ----------
    folder, spec, versions
        Where, and what.
    coordinates
        Number of rows of the table of given coordinates; None where tiles are from a grid.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = {"spec": spec.canonical(), "spec_hash": spec.digest(), "versions": versions}
    if (source := _source_digest(spec)) is not None:
        content["normalizer_source_sha256"] = source
    if coordinates is not None:
        # Not a parameter: slides whose rows have not changed stay as they are.
        content["coordinates_rows"] = coordinates
    atomic_write_text(folder / SPEC_FILE, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
