from __future__ import annotations

import json
from datetime import datetime

import pandas as pd
import pytest

from slidekit.errors import ReportError
from slidekit.report import write_tables
from slidekit.slide.fate import Fate

CREATED = datetime(2026, 2, 3, 14, 5, 6)


@pytest.fixture
def reports(report, failed):
    return [
        report(
            "胃生検",
            counts={"background": 1000, "pen": 30, "kept": 204},
            labels={"tumor": 4, "stroma": 200},
            qc_shares={"otsu": 0.5},
            roi_problems=("/data/Doe John/rois/a.csv, line 3: no number.",),
        ),
        report("a", blur_burden=0.23456),
        failed("broken", "/data/Doe John/broken.svs: no header."),
    ]


def read(folder, name="extraction_report.csv"):
    return pd.read_csv(folder / name, keep_default_na=False)


def test_one_row_a_slide_with_a_column_for_every_reason(tmp_path, reports, spec):
    write_tables(tmp_path, reports, spec, created=CREATED)

    table = read(tmp_path).set_index("slide")
    assert list(table.index) == ["a", "broken", "胃生検"]
    reasons = [fate.value for fate in Fate if fate != Fate.KEPT] + ["pen"]
    for report in reports:
        row = table.loc[report.slide]
        assert {reason: row[f"dropped_{reason}"] for reason in reasons} == {r: report.counts.get(r, 0) for r in reasons}
        assert (
            row["kept"] + sum(row[f"dropped_{reason}"] for reason in reasons) == row["candidates"] == report.candidates
        )
    assert list(table.columns).index("dropped_pen") == list(table.columns).index("dropped_out_of_focus") + 1


def test_values_are_those_of_the_reports_and_the_spec(tmp_path, reports, spec):
    write_tables(tmp_path, reports, spec, created=CREATED)

    table = read(tmp_path).set_index("slide")
    row = table.loc["胃生検"]
    assert json.loads(row["labels"]) == {"tumor": 4, "stroma": 200}
    assert row["roi_problems"] == "a.csv, line 3: no number."
    assert float(row["mpp_x"]) == 0.2528
    assert row["mpp_source"] == "openslide.mpp-x"
    assert (row["qc"], row["normalizer_source"]) == ("otsu, blur", "target.png")
    assert table.loc["broken", "reason"] == "broken.svs: no header."
    assert table.loc["broken", "mpp_x"] == ""
    assert (table.loc["a", "flags"], table.loc["broken", "flags"]) == ("blur", "failed")


@pytest.mark.parametrize("of_slide", [False, True])
def test_the_report_says_whose_statistics_normalised(tmp_path, reports, spec, of_slide):
    write_tables(tmp_path, reports, spec.model_copy(update={"normalizer_context": of_slide}), created=CREATED)

    assert set(read(tmp_path)["normalizer_context"].astype(str)) == {str(of_slide)}


def test_the_report_has_no_path_and_the_same_bytes_whenever_it_is_written(tmp_path, reports, spec):
    slow = [report.model_copy(update={"seconds": 99.0}) for report in reversed(reports)]
    for name, some, when in (("a", reports, CREATED), ("b", slow, datetime(2030, 1, 1))):
        write_tables(tmp_path / name, some, spec, created=when)

    one, two = ((tmp_path / name / "extraction_report.csv").read_bytes() for name in "ab")
    assert one == two
    assert b"Doe" not in one
    assert b"doe" not in one
    assert b"2026" not in one


def test_timings_stand_in_a_file_of_their_own(tmp_path, reports, spec):
    write_tables(tmp_path, reports, spec, created=CREATED)

    table = read(tmp_path, "timings.csv")
    assert table.to_dict("records")[0] == {"slide": "a", "seconds": 2.0, "tiles_per_second": "329.5"}
    assert table["tiles_per_second"][1] == ""


def test_slides_over_the_line_stand_in_the_warning_file_as_slideflow_writes_it(tmp_path, reports, spec):
    written = write_tables(tmp_path, reports, spec, created=CREATED)

    path = tmp_path / "warn_report-20260203-140506.txt"
    assert path in written
    assert path.read_text() == "/data/Doe John/a.svs,0.23456\n"


def test_without_such_slides_there_is_no_warning_file(tmp_path, report, spec):
    written = write_tables(tmp_path / "new", [report("a", blur_burden=0.05)], spec, created=CREATED)

    assert [path.name for path in written] == ["extraction_report.csv", "timings.csv", "review.csv"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(path.name for path in written)


def test_a_review_that_cannot_be_read_does_not_keep_the_tables_from_being_written(tmp_path, reports, spec):
    (tmp_path / "review.csv").write_bytes(b"\x83\x58\xff")

    with pytest.raises(ReportError, match="not UTF-8"):
        write_tables(tmp_path, reports, spec, created=CREATED)

    assert len(read(tmp_path)) == 3


def test_no_reports_and_no_spec_are_a_table_without_rows(tmp_path):
    write_tables(tmp_path, [], None, created=CREATED)

    assert (tmp_path / "extraction_report.csv").read_text() == "slide\n"


def test_names_that_are_not_utf8_are_written_with_escapes(tmp_path, report):
    write_tables(tmp_path, [report("a\udcff")], None, created=CREATED)

    assert read(tmp_path)["slide"][0] == "a\\xff"
