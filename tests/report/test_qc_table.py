"""``qc_report.csv``, and what the PDF says about QC methods."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from pathlib import Path

import pypdfium2
import pytest

from slidekit.report import write_qc_table, write_tables
from slidekit.report.cohort_qc import qc_blocks
from slidekit.report.entries import make_entries
from slidekit.report.qc_table import QC_COLUMNS, qc_height, qc_rows, read_qc_table
from slidekit.slide.report_model import QCFigures, SlideReport

CREATED = datetime(2026, 2, 3, 14, 5, 6)
LONG = "my_very_long_named_quality_control_method"


def figures(method: str, of_tissue: float | None, **fields) -> QCFigures:
    known = {"reason": method, "share_of_slide": 0.25, "area_mm2": 3.5, "tiles_dropped": 7}
    return QCFigures(method=method, share_of_tissue=of_tissue, **{**known, **fields})


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def text_of(path: Path) -> list[str]:
    document = pypdfium2.PdfDocument(path)
    return [" ".join(page.get_textpage().get_text_range().split()) for page in document]


# --- the CSV ----------------------------------------------------------------------------------------------------


def test_one_row_a_slide_and_method_in_their_order(tmp_path, report, failed) -> None:
    # Arrange
    parameters = {"method": "Pen", "weights": "/data/Doe John/net.onnx", "bands": [{"low": 0.1}]}
    reports = [
        report("b", qc_methods=(figures("pen", 0.125, parameters=parameters), figures("otsu", None))),
        failed("c"),
        report("a", qc_methods=(figures("blur", 1 / 3, reason="out_of_focus"),)),
    ]

    # Act
    rows = read(write_qc_table(tmp_path / "new", reports))

    # Assert
    assert tuple(rows[0]) == QC_COLUMNS
    assert [(row["slide"], row["method"], row["reason"]) for row in rows] == [
        ("a", "blur", "out_of_focus"),
        ("b", "pen", "pen"),
        ("b", "otsu", "otsu"),
    ]
    assert rows[0]["share_of_tissue"] == "0.333333"
    # Background says what is tissue: it has no share of it.
    assert rows[2]["share_of_tissue"] == ""
    assert (rows[1]["share_of_slide"], rows[1]["area_mm2"], rows[1]["tiles_dropped"]) == ("0.25", "3.5", "7")
    # No folders: they may be called after patients.
    assert json.loads(rows[1]["parameters"]) == {**parameters, "weights": "net.onnx"}


def test_the_table_stands_beside_the_others_where_qc_was_run(tmp_path, report, spec) -> None:
    plain = [report()]

    assert tmp_path / "qc_report.csv" not in write_tables(tmp_path, plain, spec, created=CREATED)
    assert tmp_path / "qc_report.csv" in write_tables(
        tmp_path, [report(qc_methods=(figures("pen", 0.1),))], spec, created=CREATED
    )
    # It does not outlive its run: without QC it is empty.
    assert tmp_path / "qc_report.csv" in write_tables(tmp_path, plain, spec, created=CREATED)
    assert read(tmp_path / "qc_report.csv") == []


def test_files_of_earlier_versions_give_what_they_know(tmp_path, report) -> None:
    before = report(qc_shares={"otsu": 0.5, "blur": 0.25}, width=1000, height=2000, mpp_x=0.5, mpp_y=0.25)
    old = before.model_dump(mode="json", exclude={"qc_methods", "qc_tissue_shares", "artifacts", "artifacts_mm2"})

    rows = read(write_qc_table(tmp_path, [SlideReport.model_validate_json(json.dumps(old))]))

    assert [(row["method"], row["share_of_slide"]) for row in rows] == [("otsu", "0.5"), ("blur", "0.25")]
    assert rows[0]["area_mm2"] == "0.125"
    assert {row[column] for row in rows for column in ("reason", "share_of_tissue", "tiles_dropped")} == {""}


# --- the PDF ----------------------------------------------------------------------------------------------------


def test_a_slide_shows_what_each_method_masks(make_pdf, report) -> None:
    methods = (figures("pen", 0.125), figures("otsu", None, share_of_slide=0.618, tiles_dropped=1234))

    pages = text_of(make_pdf([report("one", qc_methods=methods), report("two")])[0])

    (of_slide,) = (page for page in pages if "masked by QC" in page)
    assert "pen 25.0 % 12.5 % 7" in of_slide
    assert "otsu 61.8 % – 1,234" in of_slide


@pytest.mark.parametrize("count", [0, 1, 2, 3, 8, 9])
def test_slides_with_any_number_of_methods_have_a_page(make_pdf, report, count) -> None:
    names = [LONG, "染みや気泡を見つける方法", *(f"method_{k}" for k in range(9))][:count]
    methods = tuple(figures(name, 0.01 * k) for k, name in enumerate(names))

    pages = text_of(make_pdf([report("a", qc_methods=methods), report("b", qc_methods=methods)])[0])

    shown = " ".join(pages)
    assert ("masked by QC" in shown) == (count > 0)
    assert ("Quality control of tissue" in shown) == (count > 0)
    if count >= 3:
        # In a narrow column the middle of a long name is left out.
        assert "染みや" in shown
        assert "method_0" in shown
    assert (qc_height(report(qc_methods=methods)) == 0) == (count == 0)


def test_more_methods_than_there_is_room_for_are_counted(make_pdf, report) -> None:
    methods = tuple(figures(f"method_{k:02}", 0.01) for k in range(40))
    crowded = report(
        "crowded",
        qc_methods=methods,
        roi_problems=tuple(f"problem {k} " + "word " * 60 for k in range(9)),
        labels={f"label {k}": 1 for k in range(30)},
        counts={f"reason {k}": 30 for k in range(40)} | {"kept": 34},
    )

    pages = text_of(make_pdf([report("one", qc_methods=methods, blur_burden=0.2), crowded])[0])

    (one,) = (page for page in pages if "masked by QC" in page)
    assert "and 24 more, in qc_report.csv" in one
    assert "32 more methods are left out." in " ".join(pages)
    # On its page there is not even room for these.
    (other,) = (page for page in pages if "crowded done" in page and "sample tiles" in page)
    assert "masked by QC" not in other


def test_the_cohort_shows_who_suffers_most_from_what(make_pdf, report) -> None:
    # Arrange
    shares = {"clean": (0.0, 0.0), "pen-marked": (0.4, 0.01), "blurred": (0.02, 0.3), "both": (0.06, 0.07)}
    reports = [
        report(name, qc_methods=(figures("pen", pen), figures("blur", blur), figures("otsu", None)))
        for name, (pen, blur) in shares.items()
    ]

    # Act
    (page,) = (page for page in text_of(make_pdf(reports)[0]) if "Quality control of tissue" in page)

    # Assert
    table = page[page.index("Quality control of tissue") : page.index("All slides")]
    assert "slides above 5 % 2 of 4 2 of 4" in table
    assert "median of the slides 4.0 % 4.0 %" in table
    assert table.index("pen-marked") < table.index("blurred") < table.index("both")
    assert "no such figures" not in table
    # Those that have none are not among the worst; background is no method to suffer from.
    assert "clean" not in table
    assert "otsu" not in table


def test_a_large_cohort_shows_the_worst_and_says_so(report) -> None:
    reports = [report(f"s{k:03}", qc_methods=(figures("pen", k / 100),)) for k in range(60)]

    blocks = qc_blocks(make_entries(reports))

    # Heading, note, head, two lines of summary, twenty slides.
    assert len(blocks) == 25
    assert all(block.header is blocks[2] for block in blocks[5:])


def test_the_cohort_says_how_many_slides_do_not_count(make_pdf, report, failed) -> None:
    reports = [report("a", qc_methods=(figures("pen", 0.1),)), report("b"), failed("c")]

    assert "2 slides have no such figures and do not count." in " ".join(text_of(make_pdf(reports)[0]))


def test_the_legend_has_the_colours_of_what_ran(make_pdf, report) -> None:
    # Arrange
    methods = (figures("pen", 0.01), figures("mine", 0.01), figures("blur", 0.01, reason="out_of_focus"))

    # Act
    page = next(page for page in text_of(make_pdf([report("one", qc_methods=methods)])[0]) if "kept tile" in page)

    # Assert
    legend = page[page.index("kept tile") :]
    for label, there in (("out of focus", True), ("pen", True), ("other QC", True), ("fold", False), ("region", False)):
        assert (label in legend) is there


def test_without_a_method_that_measures_tissue_there_is_no_such_part(report, failed) -> None:
    assert qc_blocks(make_entries([failed(), report(), report("x", qc_methods=(figures("otsu", None),))])) == []


def test_shares_of_a_damaged_file_are_no_figures(report) -> None:
    assert qc_blocks(make_entries([report(qc_methods=(figures("pen", 7.0), figures("fold", float("nan"))))])) == []


def test_artifact_regions_are_among_the_facts_and_in_the_legend(make_pdf, report) -> None:
    pages = text_of(make_pdf([report("one", artifacts=3, artifacts_mm2=1.25), report("two")])[0])

    shown = " ".join(pages)
    assert "3 · 1.25 mm²" in shown
    # Fact and legend of the one slide; nothing of it with the other.
    assert shown.count("artifact region") == 2


def test_figures_of_a_damaged_file_are_left_empty() -> None:
    figures = QCFigures(
        method="otsu", share_of_slide=float("nan"), share_of_tissue=9e9, area_mm2=-1.0, tiles_dropped=-4
    )

    (row,) = qc_rows([SlideReport(slide="s", status="done", qc_methods=(figures,))])

    assert [row[name] for name in ("share_of_slide", "share_of_tissue", "area_mm2", "tiles_dropped")] == [None] * 4


@pytest.mark.parametrize("name", ["=cmd|x", "+1", "-1", "@a"])
def test_no_cell_of_text_is_a_formula(name, tmp_path) -> None:
    figures = QCFigures(method=name, reason=name, share_of_slide=0.5)

    write_qc_table(tmp_path, [SlideReport(slide=name, status="done", qc_methods=(figures,))])

    (row,) = read_qc_table(tmp_path / "qc_report.csv")
    assert [row[column] for column in ("slide", "method", "reason")] == [f"'{name}"] * 3
