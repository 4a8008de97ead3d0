"""``review.csv``: where a person writes what they decided; what they wrote is never lost."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from slidekit.errors import ReportError
from slidekit.io.atomic import atomic_write
from slidekit.io.user_file import read_bytes
from slidekit.report.flags import flags_of, severity
from slidekit.slide.report_model import SlideReport

__all__ = ["REVIEW_COLUMNS", "ReviewRow", "read_review", "write_review"]

REVIEW_COLUMNS = ("slide", "flag", "decision", "comment")


@dataclass(frozen=True)
class ReviewRow:
    """One row of ``review.csv``.

    Attributes
    ----------
    slide
        Name of the slide.
    flag
        Codes of its flags, joined by ``"; "``; empty for none.
    decision, comment
        What the reviewer wrote.
    extra
        Columns that the reviewer added, by their name.
    line
        Line of the file (from 1) that the row was read from; 0 for a new row.
    """

    slide: str
    flag: str = ""
    decision: str = ""
    comment: str = ""
    extra: tuple[tuple[str, str], ...] = ()
    line: int = field(default=0, compare=False)


def read_review(path: str | Path, *, needs: Sequence[str] = ("slide",)) -> list[ReviewRow]:
    """Read a review, as slidekit wrote it or as a spreadsheet saved it.

    Parameters
    ----------
    path
        CSV, separated by comma, semicolon or tab; UTF-8, with or without BOM.
    needs
        Columns that must be there.

    Raises
    ------
    ReportError
        If it is not such a file.
    """
    path = Path(path)
    text = _read_text(path)
    if not text.strip():
        return []
    # Spreadsheets use the separator of the country that they are set to.
    first = text.lstrip().splitlines()[0]
    separator = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        return _rows([(reader.line_num, row) for row in reader], path, needs)
    except csv.Error as error:
        mend = "Look for a quotation mark that is not closed."
        raise ReportError(f"The review is not CSV: {error}.", mend=mend, path=path, line=reader.line_num) from error


def _read_text(path: Path) -> str:
    data = read_bytes(path, error=ReportError, what="The review")
    mend = 'In the spreadsheet, save it as "CSV UTF-8".'
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ReportError("The review is not UTF-8.", mend=mend, path=path, line=line) from error
    if (place := text.find("\0")) >= 0:
        what = "The review holds NUL characters, as UTF-16 and damaged files do."
        raise ReportError(what, mend=mend, path=path, line=text.count("\n", 0, place) + 1)
    return text


def _rows(lines: list[tuple[int, list[str]]], path: Path, needs: Sequence[str]) -> list[ReviewRow]:
    lines = [(number, row) for number, row in lines if any(cell.strip() for cell in row)]
    if not lines:
        return []
    head = [cell.strip().lower() for cell in lines[0][1]]
    if missing := [name for name in needs if name not in head]:
        mend = f"Its first line must be {','.join(REVIEW_COLUMNS)}."
        raise ReportError(f"The review has no column {missing[0]}.", mend=mend, path=path, line=lines[0][0])
    if twice := [name for name in REVIEW_COLUMNS if head.count(name) > 1]:
        # Which of two decisions counts is not for a program to choose.
        what = f"The review has two columns named {twice[0]}."
        raise ReportError(what, mend="Rename one of them.", path=path, line=lines[0][0])
    names = [cell.strip() for cell in lines[0][1]]
    rows = []
    for number, cells in lines[1:]:
        # Cells beyond the head are kept under a name of their own rather than dropped.
        padded = cells + [""] * (len(head) - len(cells))
        own = {name: padded[head.index(name)] for name in REVIEW_COLUMNS if name in head}
        extra = [
            (names[place] if place < len(names) and names[place] else f"column {place + 1}", cell)
            for place, cell in enumerate(padded)
            if place >= len(head) or head[place] not in REVIEW_COLUMNS
        ]
        rows.append(ReviewRow(**own, extra=tuple(extra), line=number))
    return rows


def write_review(path: str | Path, reports: Sequence[SlideReport]) -> Path:
    """Write ``review.csv``: flagged slides first, the gravest on top.

    Decisions, comments and columns that a person added to an existing file are carried over; rows of slides that
    are not among `reports` stay, at the end. A file whose content would not change is not touched.

    Parameters
    ----------
    path
        The file; UTF-8 with a BOM, so that spreadsheets show every script aright.
    reports
        One a slide.

    Raises
    ------
    ReportError
        If the existing file cannot be understood; it is left as it is.
    """
    path = Path(path)
    before: dict[str, list[ReviewRow]] = {}
    for row in read_review(path) if path.exists() else []:
        before.setdefault(row.slide, []).append(row)
    rows: list[ReviewRow] = []
    for report in sorted(reports, key=severity):
        name = csv_text(report.slide)
        flag = "; ".join(found.code for found in flags_of(report))
        rows += [replace(row, flag=flag) for row in before.pop(name, [ReviewRow(name)])]
    rows += [row for left in before.values() for row in left]
    data = _encode(rows)
    if not path.exists() or path.read_bytes() != data:
        with atomic_write(path) as file:
            file.write(data)
    return path


def _encode(rows: Sequence[ReviewRow]) -> bytes:
    added = list(dict.fromkeys(name for row in rows for name, _ in row.extra))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*REVIEW_COLUMNS, *added])
    for row in rows:
        extra = dict(row.extra)
        writer.writerow([row.slide, row.flag, row.decision, row.comment, *(extra.get(name, "") for name in added)])
    return text.getvalue().encode("utf-8-sig")


def csv_text(text: str) -> str:
    """Text that UTF-8 can hold: bytes of a file name that are not UTF-8 become escapes of their value."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
