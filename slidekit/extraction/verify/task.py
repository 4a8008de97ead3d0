"""What there is to verify in a folder, slide by slide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from slidekit.extraction.resume import read_report
from slidekit.extraction.verify.faults import MEND_FOREIGN, MEND_OURS, Fault
from slidekit.extraction.verify.records import DecodeImage, RecordCheck, check_records
from slidekit.extraction.verify.slide import SlideCheck, check_slide
from slidekit.extraction.verify.survey import RecordFolder, Survey
from slidekit.io.lock import LOCK
from slidekit.io.tfrecord import promised_sizes
from slidekit.slide.report_model import SlideReport

__all__ = ["SlideTask", "plan_tasks"]

_FINISHED = ("done", "empty")


@dataclass(frozen=True)
class SlideTask:
    """One slide to look at: by its report if it is finished, else by its TFRecord file alone.

    Attributes
    ----------
    folder
        Where it stands.
    slide
        Its name.
    report
        Its ``{slide}.json``; None if there is none, or none that can be read.
    loose
        Folder of its loose tiles; None if there are none, or it is not known.
    loose_is_lost
        Whether there are loose tiles somewhere.
    """

    folder: RecordFolder
    slide: str
    report: SlideReport | None
    loose: Path | None = None
    loose_is_lost: bool = False

    @property
    def tfrecord(self) -> Path:
        """Where its TFRecord file is, or would be."""
        return self.folder.path / f"{self.slide}.tfrecords"

    @property
    def has_failed(self) -> bool:
        """Whether its report says that it could not be extracted."""
        return self.report is not None and self.report.status == "failed"

    def run(self, *, decode: DecodeImage | None, stopped: Callable[[], bool]) -> SlideCheck:
        """Look at the slide's files; see `check_slide` for the parameters."""
        check = SlideCheck(())
        if self.report is not None and self.report.status in _FINISHED:
            check = check_slide(self.folder.path, self.report, loose=self.loose, decode=decode, stopped=stopped)
        if check.records is None and self.tfrecord.name in self.folder.names:
            # Nothing but the folder's name says which sizes there should be.
            sizes = promised_sizes(self.folder.path.name)
            records = check_records(self.tfrecord, further=sizes, decode=decode, stopped=stopped)
            unclaimed = () if records.faults else self._say_unclaimed(records)
            check = SlideCheck((*check.faults, *records.faults, *unclaimed), records)
        if f"{self.slide}{LOCK}" not in self.folder.names:
            return check
        # What a run is about to replace is not wrong for long.
        said = f" But look at {self.slide}{LOCK}: another run may be at work on the slide."
        return replace(check, faults=tuple(replace(fault, mend=fault.mend + said) for fault in check.faults))

    def _say_unclaimed(self, records: RecordCheck) -> tuple[Fault, ...]:
        """What to think of a file that is whole, and that no report claims, as none does Slideflow's."""
        report, name = self.report, f"{self.slide}.json"
        if report is not None and report.status in _FINISHED:
            what = f"is not known to {name}, which says that no records were written."
            return (Fault(self.tfrecord, what, "Move it away, with its index."),)
        if report is not None and report.records is not None:
            what = f"may be incomplete: {name} says that its extraction was cut off."
            return (Fault(self.tfrecord, what, MEND_OURS),)
        if report is None and name in self.folder.names:
            what = f"is damaged: it is not the report of slide {self.slide}."
            return (Fault(self.folder.path / name, what, f"Move {self.tfrecord.name} away, and extract it again."),)
        if self.folder.is_ours and records.has_cells:
            what = f"is not known to any {name}: nothing says that it is complete."
            return (Fault(self.tfrecord, what, MEND_FOREIGN),)
        return ()


def plan_tasks(folder: RecordFolder, found: Survey) -> list[SlideTask]:
    """Find the slides of a folder.

    Parameters
    ----------
    folder
        The folder.
    found
        All that was found, loose tiles among it.
    """
    reports: dict[str, SlideReport] = {}
    for name in folder.reports:
        report = read_report(folder.path / f"{name}.json")
        if report is not None and report.slide == name:
            reports[name] = report
    tasks = []
    for name in sorted(reports.keys() | set(folder.records)):
        report = reports.get(name)
        if report is None or not report.loose_tiles or report.status != "done":
            tasks.append(SlideTask(folder, name, report))
            continue
        loose = _loose_folder(folder, report, found)
        tasks.append(SlideTask(folder, name, report, loose, loose is None))
    return tasks


def _loose_folder(folder: RecordFolder, report: SlideReport, found: Survey) -> Path | None:
    """Find the folder of a slide's loose tiles, or where it should be; None if nothing is known of it."""
    if report.records is None:
        return folder.path / report.slide  # extracted without TFRecords: all stands together
    label = folder.path.name
    usual = folder.path.parent.parent / "tiles" / label
    homes = [home for home in found.labelled.get(label, []) if home != folder.path and not found.is_of_records(home)]
    homes += [usual] if usual.is_dir() and usual not in homes else []
    places = [home / report.slide for home in homes]
    return next((place for place in places if place.is_dir()), places[0] if places else None)
