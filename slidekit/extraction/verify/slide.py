"""Everything that stands beside each other for one slide: records, table of tiles, loose tiles."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from slidekit.extraction.verify.faults import MEND_ACCESS, MEND_OURS, Fault, Tally
from slidekit.extraction.verify.records import DecodeImage, RecordCheck, check_records
from slidekit.slide.fate import Fate
from slidekit.slide.report_model import SlideReport

__all__ = ["SlideCheck", "check_slide"]

_LOOSE_SUFFIXES = (".jpg", ".png")
"""Of loose tiles."""

_READ = frozenset({Fate.UNREADABLE, Fate.GRAYSPACE, Fate.WHITESPACE, Fate.NORMALIZER, Fate.MAX_TILES, Fate.KEPT})
"""Fates of tiles that were read: those have a row in ``{slide}.tiles.csv``."""


@dataclass(frozen=True)
class SlideCheck:
    """What was found of a slide.

    Attributes
    ----------
    faults
        What is wrong.
    records
        Its TFRecord file; None if there is none.
    """

    faults: tuple[Fault, ...]
    records: RecordCheck | None = None


def check_slide(
    folder: Path,
    report: SlideReport,
    *,
    loose: Path | None = None,
    decode: DecodeImage | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> SlideCheck:
    """Compare the files of a finished slide with its report.

    Parameters
    ----------
    folder
        Folder of its ``{slide}.json``.
    report
        What that says; ``done`` or ``empty``.
    loose
        Folder of its loose tiles; None leaves them alone.
    decode
        Decodes images; None leaves them alone, and says nothing that ``slidekit extract --verify`` would not find.
    stopped
        Asked now and then; reading ends when it says so.
    """
    faults: list[Fault] = []
    records = _claimed_records(folder, report, faults, decode, stopped)
    table = folder / f"{report.slide}.tiles.csv"
    kept = _kept_tiles(table, report, faults)
    if records is not None and records.locations is not None:
        places = Counter(map(tuple, records.locations.tolist()))
        if kept is not None and not records.faults and Counter(kept) != places:
            faults.append(Fault(table, "lists other tiles as kept than the records hold.", MEND_OURS))
        # Of 10 000 slides the places would add up.
        records = replace(records, locations=None)
    if loose is not None and report.loose_tiles:
        names = None
        if kept is not None:
            ends = ("", *(f"_{size}" for size in report.further))
            names = [f"{report.slide}-{x}-{y}{end}" for x, y in kept for end in ends]
        faults += _loose_faults(loose, report, names, decode, stopped)
    return SlideCheck(tuple(faults), records)


def _claimed_records(
    folder: Path,
    report: SlideReport,
    faults: list[Fault],
    decode: DecodeImage | None,
    stopped: Callable[[], bool],
) -> RecordCheck | None:
    """Look at the TFRecord file that a report claims; None if there is none, or should be none."""
    claim = report.records
    path = folder / f"{report.slide}.tfrecords"
    if claim is None:
        return None
    if (claim.records, claim.name) != (report.kept, path.name):
        what = f"contradicts itself: {report.kept} tiles kept, {claim.records} records in {claim.name}."
        faults.append(Fault(folder / f"{report.slide}.json", what, MEND_OURS))
    if not path.is_file():
        faults.append(Fault(path, f"is missing, where {claim.records} records were written.", MEND_OURS))
        return None
    check = check_records(
        path, claim=claim, tile_px=report.tile_px, further=report.further, decode=decode, stopped=stopped
    )
    faults += check.faults
    return check


def _kept_tiles(table: Path, report: SlideReport, faults: list[Fault]) -> list[tuple[int, int]] | None:
    """Places of the tiles that a ``{slide}.tiles.csv`` lists as kept; None, and a fault, if it cannot be trusted."""
    fates: Counter[str] = Counter()
    kept = []
    try:
        with table.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, strict=True):
                fates[row["reason"] or "cut off"] += 1
                if row["reason"] == Fate.KEPT:
                    kept.append((int(row["loc_x"]), int(row["loc_y"])))
    except FileNotFoundError:
        faults.append(Fault(table, "is missing.", MEND_OURS))
        return None
    except OSError as error:
        what = f"cannot be read: {error.strerror or type(error).__name__}."
        faults.append(Fault(table, what, MEND_ACCESS))
        return None
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        faults.append(Fault(table, f"is not a table of tiles ({type(error).__name__}: {error}).", MEND_OURS))
        return None
    told = {reason: count for reason, count in report.counts.items() if reason in _READ}
    if dict(fates) != told:
        what = f"has {_say(fates)}, where {report.slide}.json has {_say(told)}."
        faults.append(Fault(table, what, MEND_OURS))
        return None
    return kept


def _say(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items())) or "no tiles"


def _loose_faults(
    loose: Path,
    report: SlideReport,
    names: list[str] | None,
    decode: DecodeImage | None,
    stopped: Callable[[], bool],
) -> list[Fault]:
    """Look for the loose tiles of a slide; `names` are their files' without suffix, if they are known."""
    if not loose.is_dir():
        return [Fault(loose, f"is missing, where {report.loose_tiles} loose tiles were written.", MEND_OURS)]
    found = {path.stem: path for path in sorted(loose.iterdir()) if path.suffix in _LOOSE_SUFFIXES}
    missing, bad = Tally(), Tally()
    for name in sorted(found) if names is None else names:
        if stopped():
            break
        if (path := found.get(name)) is None:
            missing.add(name)
        elif decode is not None:
            _look(path, report.tile_px, decode, bad)
    total = report.loose_tiles * (1 + len(report.further))
    if names is None and len(found) < total:
        what = f"holds {len(found)} loose tiles, where {total} were written."
        return [Fault(loose, what, MEND_OURS)]
    faults = [Fault(loose, missing.say(total, "tiles are missing"), MEND_OURS)] if missing.count else []
    if bad.count:
        # Loose tiles carry no checksum: only whoever decodes them can know.
        mend = "Move the folder away, and run the same `slidekit extract` again."
        faults.append(Fault(loose, bad.say(total, "tiles cannot be decoded"), mend))
    return faults


def _look(path: Path, tile_px: int | None, decode: DecodeImage, bad: Tally) -> None:
    try:
        rows, columns = decode(path.read_bytes())
    except OSError as error:
        bad.add(f"{path.name}: {error.strerror or type(error).__name__}")
    except ValueError as error:
        bad.add(f"{path.name}: {error}")
    else:
        if tile_px is not None and (rows, columns) != (tile_px, tile_px):
            bad.add(f"{path.name}: it has {columns} × {rows} pixels, not {tile_px} × {tile_px}")
