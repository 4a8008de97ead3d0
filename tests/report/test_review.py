from __future__ import annotations

import csv
import io
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.errors import ReportError
from slidekit.report.review import ReviewRow, read_review, write_review


@pytest.fixture
def reports(report, failed):
    return [report("calm"), report("blurred", blur_burden=0.2, mpp_doubt="x"), failed("broken"), report("胃生検")]


def test_flagged_slides_come_first_with_empty_columns_to_fill(tmp_path, reports):
    path = write_review(tmp_path / "review.csv", reports)

    assert read_review(path) == [
        ReviewRow("broken", "failed"),
        ReviewRow("blurred", "mpp; blur"),
        ReviewRow("calm"),
        ReviewRow("胃生検"),
    ]
    assert list(pd.read_csv(path).columns) == ["slide", "flag", "decision", "comment"]


def test_what_a_person_wrote_is_carried_over_and_no_row_is_lost(tmp_path, reports):
    path = tmp_path / "review.csv"
    path.write_text(
        "slide,flag,decision,comment,reader\n"
        'calm,blur,exclude,"pen, and a\nfold",Dr. X\n'
        "gone,,keep,was here before,Dr. Y\n"
        "calm,,keep,a second opinion,Dr. Z\n"
    )

    write_review(path, reports)

    rows = read_review(path)
    assert ReviewRow("calm", "", "exclude", "pen, and a\nfold", (("reader", "Dr. X"),)) in rows
    assert ReviewRow("calm", "", "keep", "a second opinion", (("reader", "Dr. Z"),)) in rows
    assert rows[-1] == ReviewRow("gone", "", "keep", "was here before", (("reader", "Dr. Y"),))
    assert {row.slide for row in rows} == {"calm", "blurred", "broken", "胃生検", "gone"}


CELL = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=12)


@settings(deadline=None, max_examples=40)
@given(decisions=st.lists(st.tuples(CELL, CELL), min_size=4, max_size=4), separator=st.sampled_from(",;\t"))
def test_any_text_survives_a_second_run_whatever_the_spreadsheets_separator(tmp_path_factory, decisions, separator):
    from slidekit.slide.report_model import SlideReport

    reports = [SlideReport(slide=f"s{n}", status="done", candidates=1, counts={"kept": 1}) for n in range(4)]
    path = tmp_path_factory.mktemp("review") / "review.csv"
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator)
    writer.writerow(["slide", "flag", "decision", "comment"])
    writer.writerows([f"s{n}", "", *cells] for n, cells in enumerate(decisions))
    path.write_bytes(text.getvalue().encode("utf-8"))

    write_review(path, reports)

    assert [(row.decision, row.comment) for row in read_review(path)] == decisions


def test_a_file_that_would_not_change_is_not_touched(tmp_path, reports):
    path = write_review(tmp_path / "review.csv", reports)
    before = path.stat()

    write_review(path, list(reversed(reports)))

    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.stat().st_ino == before.st_ino


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("slide,flag\n胃".encode("cp932"), "line 2: The review is not UTF-8"),
        (b"image,decision\na,keep\n", "no column slide"),
        (b'slide,decision\n"a' + b"x" * 200_000, "not CSV"),
    ],
)
def test_a_file_that_cannot_be_understood_is_an_error_and_stays_as_it_is(tmp_path, reports, data, message):
    path = tmp_path / "review.csv"
    path.write_bytes(data)

    with pytest.raises(ReportError, match=message):
        write_review(path, reports)

    assert path.read_bytes() == data


def test_cells_beyond_the_head_are_kept(tmp_path, report):
    path = tmp_path / "review.csv"
    path.write_text("slide,decision\ncalm,keep,stray note\n")

    write_review(path, [report("calm")])

    assert read_review(path) == [replace(ReviewRow("calm"), decision="keep", extra=(("column 3", "stray note"),))]


def test_an_empty_file_is_an_empty_review(tmp_path):
    path = tmp_path / "review.csv"
    path.write_text("\n")

    assert read_review(path) == []
