"""The CSV of regions: every spelling, every bad row, and what we write is what we read."""

from __future__ import annotations

import math

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely import Polygon

from slidekit.errors import ROIError
from slidekit.slide.roi import ROI, load_rois, write_roi_csv

SQUARE = [(0, 0), (10, 0), (10, 10), (0, 10)]


def rows(name, points, label=""):
    return "".join(f"{name},{x},{y},{label}\n" for x, y in points)


def write(folder, text, encoding="utf-8"):
    path = folder / "slide.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("names", ["roi_name,x_base,y_base", "ROI_Name,X_base,Y_base", "ROI_name,X_base,Y_base"])
def test_every_spelling_of_the_header(tmp_path, names):
    text = f"{names}\n" + "".join(f"a,{x},{y}\n" for x, y in SQUARE)

    found = load_rois(write(tmp_path, text))

    assert [(roi.name, roi.label) for roi in found] == [("a", None)]
    assert found.rois[0].polygon.equals(Polygon(SQUARE))
    assert found.problems == ()


def test_columns_in_any_order_with_extras_bom_blanks_and_crlf(tmp_path):
    text = "Note, Y_BASE ,label,roi_name,x_base\r\n\r\n" + "".join(
        f"hi,{y}.5,Tumor ,Ärea 1,{x}.25\r\n" for x, y in SQUARE
    )

    found = load_rois(write(tmp_path, text, "utf-8-sig"))

    assert [(roi.name, roi.label) for roi in found] == [("Ärea 1", "Tumor")]
    assert found.rois[0].polygon.bounds == (0.25, 0.5, 10.25, 10.5)


def test_utf16_is_read(tmp_path):
    text = "roi_name,x_base,y_base,label\n" + rows("腫瘍", SQUARE)

    assert load_rois(write(tmp_path, text, "utf-16")).rois[0].name == "腫瘍"


def test_a_closed_ring_and_an_open_one_are_the_same(tmp_path):
    text = "roi_name,x_base,y_base,label\n" + rows("a", [*SQUARE, SQUARE[0]])

    found = load_rois(write(tmp_path, text))

    assert found.rois[0].polygon.area == 100
    assert not found.problems


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a,x,3,", "'x', which is not a number"),
        ("a,1", "no y_base"),
        ("a,,4,", "no x_base"),
        ("a,nan,4,", "not a position"),
        ("a,4,-inf,", "not a position"),
        ("a,1e300,4,", "not a position"),
        (",1,4,", "no name"),
    ],
)
def test_an_unreadable_row_is_said_with_its_line_and_the_rest_is_used(tmp_path, row, said):
    text = "roi_name,x_base,y_base,label\n" + rows("a", SQUARE[:2]) + row + "\n" + rows("a", SQUARE[2:])

    found = load_rois(write(tmp_path, text))

    assert found.rois[0].polygon.equals(Polygon(SQUARE))
    (problem,) = found.problems
    assert (problem.line, problem.kind) == (4, "skipped")
    assert said in problem.what
    assert str(problem).startswith("slide.csv, line 4: ")


def test_thousands_of_unreadable_rows_are_counted(tmp_path):
    text = "roi_name,x_base,y_base,label\n" + rows("a", SQUARE) + "a,?,?,\n" * 5000

    found = load_rois(write(tmp_path, text))

    assert len(found) == 1
    assert len(found.problems) == 101
    assert "4900 more" in found.problems[-1].what


def test_too_few_points(tmp_path):
    text = "roi_name,x_base,y_base,label\n" + rows("a", SQUARE) + rows("b", [(1, 1), (2, 2), (1, 1)])

    found = load_rois(write(tmp_path, text))

    assert [roi.name for roi in found] == ["a"]
    assert [(p.name, p.line, p.kind) for p in found.problems] == [("b", 6, "skipped")]


def test_rows_that_are_not_together_are_joined_and_said_once(tmp_path):
    first, second = rows("a", SQUARE), rows("b", [(x + 20, y) for x, y in SQUARE])
    pairs = zip(first.splitlines(), second.splitlines(), strict=True)
    text = "roi_name,x_base,y_base,label\n" + "".join(f"{a}\n{b}\n" for a, b in pairs)

    found = load_rois(write(tmp_path, text))

    assert [roi.name for roi in found] == ["a", "b"]
    assert [roi.polygon.area for roi in found] == [100, 100]
    assert [(p.name, p.line, p.kind) for p in found.problems] == [("a", 4, "warning"), ("b", 5, "warning")]


def test_one_name_with_two_labels_is_two_regions(tmp_path):
    far = [(x + 20, y) for x, y in SQUARE]
    text = "roi_name,x_base,y_base,label\n" + rows("1", SQUARE, "tumor") + rows("1", far, "stroma")

    found = load_rois(write(tmp_path, text))

    assert [(roi.name, roi.label, roi.polygon.area) for roi in found] == [
        ("1", "tumor", 100),
        ("1_2", "stroma", 100),
    ]
    assert found.labels == ("stroma", "tumor")
    assert [p.kind for p in found.problems] == ["warning", "mended"]


def test_a_label_in_some_rows_only_is_the_label_of_the_region(tmp_path):
    text = "roi_name,x_base,y_base,label\n" + rows("a", SQUARE[:2]) + rows("a", SQUARE[2:], "tumor")

    found = load_rois(write(tmp_path, text))

    assert [(roi.label, roi.polygon.area) for roi in found] == [("tumor", 100)]
    assert not found.problems


def test_holes_by_nesting_of_equal_labels(tmp_path):
    inner = [(x / 2 + 2, y / 2 + 2) for x, y in SQUARE]
    text = "roi_name,x_base,y_base,label\n" + rows("a", SQUARE, "t") + rows("b", inner, "t") + rows("c", inner, "s")

    found = load_rois(write(tmp_path, text))

    assert [(roi.name, roi.polygon.area) for roi in found] == [("a", 75), ("c", 25)]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "empty"),
        ("\n\n", 1, "empty"),
        ("roi_name,x_base\na,1\n", 1, "y_base"),
        ("\nname,x,y\n", 2, "roi_name, x_base, y_base"),
        ("roi_name;x_base;y_base\na;1;2\n", 1, "semicolons"),
        ("roi_name\tx_base\ty_base\na\t1\t2\n", 1, "tabs"),
        ("roi_name,ROI_Name,x_base,y_base\n", 1, "twice"),
        ('roi_name,x_base,y_base\na,"' + "9" * 200_000 + '",3\n', 2, "CSV"),
    ],
)
def test_a_file_without_the_columns_is_an_error_with_a_mend(tmp_path, text, line, said):
    path = write(tmp_path, text)

    with pytest.raises(ROIError, match=said) as caught:
        load_rois(path)

    assert (caught.value.path, caught.value.line) == (path, line)
    assert caught.value.mend


def test_text_that_is_not_utf8_is_an_error_with_its_line(tmp_path):
    path = tmp_path / "slide.csv"
    path.write_bytes("roi_name,x_base,y_base\nä,1,2\n".encode("latin-1"))

    with pytest.raises(ROIError, match="UTF-8") as caught:
        load_rois(path)

    assert caught.value.line == 2


def test_a_header_alone_is_said(tmp_path):
    found = load_rois(write(tmp_path, "roi_name,x_base,y_base\n"))

    assert len(found) == 0
    assert [problem.kind for problem in found.problems] == ["warning"]


def test_what_is_written(tmp_path):
    path = tmp_path / "out.csv"
    hole = [(2, 2), (4, 2), (4, 4), (2, 4)]
    write_roi_csv(path, [ROI("a, b", "tumor", Polygon(SQUARE, [hole])), ROI("c", None, shapely.box(20, 0.5, 21, 1))])

    lines = path.read_text(encoding="utf-8").splitlines()

    assert lines[0] == "roi_name,label,x_base,y_base"
    assert [line.rsplit(",", 2)[0] for line in lines[1:]] == (
        ['"a, b",tumor'] * 4 + ['"a, b_hole1",tumor'] * 4 + ["c,"] * 4
    )
    assert set(lines[9:]) == {"c,,21,0.5", "c,,21,1", "c,,20,1", "c,,20,0.5"}


@st.composite
def written(draw):
    """Regions apart from each other, some with holes and islands in the holes."""
    rois = []
    for number in range(draw(st.integers(0, 4))):
        x, y = number * 100.0, draw(st.floats(-50, 50))
        angle = sorted(draw(st.lists(st.integers(0, 359), min_size=5, max_size=12, unique=True)))
        radius = [draw(st.floats(30, 45)) for _ in angle]
        corners = [
            (x + r * math.cos(math.radians(a)), y + r * math.sin(math.radians(a)))
            for a, r in zip(angle, radius, strict=True)
        ]
        shell = Polygon(corners)
        if not shell.is_valid or shell.area == 0:
            continue
        label = draw(st.sampled_from(["tumor", "stroma", None]))
        size = draw(st.floats(0.5, 20))
        hole = shapely.box(x - size, y - size, x + size, y + size)
        if draw(st.booleans()) and shell.contains_properly(hole):
            rois.append(ROI(f"island {number}", label, shapely.box(x - size / 3, y - size / 3, x, y)))
            shell = shell.difference(hole)
        rois.append(ROI(f"r{number}", label, shell))
    return rois


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rois=written())
def test_what_is_written_is_what_is_read(tmp_path, rois):
    path = tmp_path / "slide.csv"

    write_roi_csv(path, rois)
    found = load_rois(path)

    assert [(roi.name, roi.label) for roi in found] == [(roi.name, roi.label) for roi in rois]
    for before, after in zip(rois, found, strict=True):
        assert after.polygon.symmetric_difference(before.polygon).area == 0


def test_names_of_holes_avoid_names_of_regions(tmp_path):
    path = tmp_path / "slide.csv"
    rois = [
        ROI("a_hole1", None, shapely.box(50, 50, 60, 60)),
        ROI("a", None, Polygon(SQUARE, [[(2, 2), (4, 2), (4, 4)]])),
    ]

    write_roi_csv(path, rois)

    assert [roi.polygon.area for roi in load_rois(path)] == [100, 98]


@pytest.mark.parametrize(
    "rois",
    [
        [ROI("a", None, shapely.box(0, 0, 9, 9)), ROI("b", None, shapely.box(2, 2, 3, 3))],
        [ROI("a", "x", shapely.box(0, 0, 9, 9)), ROI("b", "x", shapely.box(0, 0, 9, 9))],
        [ROI("a", "x", shapely.box(0, 0, 9, 9)), ROI("a", "x", shapely.box(20, 0, 29, 9))],
        [ROI(" ", "x", shapely.box(0, 0, 9, 9))],
    ],
)
def test_what_a_csv_cannot_say_is_refused_and_nothing_is_written(tmp_path, rois):
    path = tmp_path / "slide.csv"
    path.write_text("old")

    with pytest.raises(ROIError) as caught:
        write_roi_csv(path, rois)

    assert caught.value.mend
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
