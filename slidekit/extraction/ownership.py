"""Which files are slidekit's own: nothing else is ever replaced or removed."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

from slidekit.errors import SlideError
from slidekit.extraction.resume import read_report
from slidekit.io.atomic import PART
from slidekit.io.tfrecord import loose_name
from slidekit.slide.fate import Fate
from slidekit.slide.job import SlideJob

__all__ = ["check_ours", "clear_slide", "is_foreign", "remove_parts", "remove_shared_parts"]

_STAMP = "[0-9]" * 8 + "-" + "[0-9]" * 6
_SHARED = (
    "extraction.json",
    "manifest.json",
    "extraction_report.csv",
    "timings.csv",
    "qc_report.csv",
    f"tile_extraction_report-{_STAMP}*.pdf",
    f"warn_report-{_STAMP}.txt",
)
"""Names of the files that stand once in a folder, whatever the slides."""


def check_ours(job: SlideJob) -> None:
    """Refuse to replace files that slidekit did not make, such as Slideflow's records of the same slide.

    Raises
    ------
    SlideError
        If records or loose tiles stand under the slide's name that its ``{slide}.json`` does not claim.
    """
    if job.records_dir is None:
        return
    report = read_report(job.records_dir / f"{job.name}.json")
    if report is None and is_foreign(path := job.records_dir / f"{job.name}.json"):
        raise SlideError(
            f"{path.name} exists, and was not made by slidekit.",
            mend="Move it away, or use another folder for TFRecords.",
            path=path,
        )
    claimed = report is not None and report.records is not None
    if job.tfrecords is not None and not claimed and (path := job.tfrecords / f"{job.name}.tfrecords").exists():
        raise SlideError(
            f"{path.name} exists, and was not made by slidekit.",
            mend="Move it away, or use another folder for TFRecords.",
            path=path,
        )
    claimed = report is not None and report.loose_tiles > 0
    if job.tiles is not None and not claimed and (loose := job.tiles / job.name).exists():
        raise SlideError(
            f"The folder {loose.name} for its loose tiles exists, and was not made by slidekit.",
            mend="Move it away, or use another folder for tiles.",
            path=loose,
        )


def is_foreign(path: Path) -> bool:
    """Whether a ``{slide}.json`` is there that slidekit did not write: whole JSON that says something else."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False  # it is not there, or damaged, and then may be ours
    return not (isinstance(content, dict) and {"slide", "status"} <= content.keys())


def clear_slide(job: SlideJob) -> None:
    """Remove what an earlier extraction of a slide left: only files that its ``{slide}.json`` proves to be ours."""
    folder = job.records_dir
    if folder is None or (report := read_report(folder / f"{job.name}.json")) is None:
        return
    if report.loose_tiles and job.tiles is not None:
        loose = job.tiles / job.name
        # Only of the format that was written: a mask may bear the name of its tile.
        suffixes = (report.loose_format,) if report.loose_format else ("jpg", "png")
        for stem in _kept_tiles(folder / f"{job.name}.tiles.csv", job.name):
            for name in (f"{stem}.{suffix}" for suffix in suffixes):
                for one in (name, *(loose_name(name, size) for size in report.further)):
                    (loose / one).unlink(missing_ok=True)
        if loose.is_dir() and not any(loose.iterdir()):
            loose.rmdir()
    names = [f"{job.name}.tiles.csv", f"{job.name}.json"]
    if report.records is not None:
        names = [f"{job.name}.index.npz", f"{job.name}.tfrecords", *names]
    # What proves the others to be ours goes last: should the run be killed here, the next one knows them.
    for name in names:
        (folder / name).unlink(missing_ok=True)


def _kept_tiles(table: Path, slide: str) -> list[str]:
    """Names, without suffix, of the loose tiles that a ``{slide}.tiles.csv`` lists as kept."""
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return [f"{slide}-{int(row['loc_x'])}-{int(row['loc_y'])}" for row in rows if row["reason"] == Fate.KEPT]
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return []


def remove_parts(job: SlideJob) -> None:
    """Remove the temporary files of a slide whose extraction was cut off."""
    suffixes = (".spool", ".tfrecords", ".index.npz", ".json", ".tiles.csv", ".jpg", ".samples.jpg")
    for folder in (job.records_dir, job.tiles, job.previews):
        for suffix in suffixes if folder is not None else ():
            assert folder is not None
            (folder / f"{job.name}{suffix}{PART}").unlink(missing_ok=True)
    if job.tiles is not None and (loose := job.tiles / f"{job.name}{PART}").is_dir():
        shutil.rmtree(loose)


def remove_shared_parts(folder: Path) -> None:
    """Remove the temporary files of a run that was cut off while it wrote what stands once in a folder.

    Raises
    ------
    OSError
        If one cannot be removed.
    """
    for pattern in _SHARED:
        for path in folder.glob(f"{pattern}{PART}"):
            path.unlink(missing_ok=True)
