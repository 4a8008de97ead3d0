from __future__ import annotations

import math

import pytest

from slidekit.report.flags import FLAG_TITLES, flags_of, severity
from slidekit.slide.report_model import QCFigures, SlideReport


def masked(reason, share, method=None):
    return QCFigures(method=method or reason, reason=reason, share_of_slide=0.01, share_of_tissue=share)


def codes(report):
    return [flag.code for flag in flags_of(report)]


def test_an_ordinary_slide_has_no_flag(report):
    assert flags_of(report()) == ()


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ({"status": "failed", "reason": "Cannot be opened."}, "failed", "Cannot be opened."),
        ({"counts": {"unreadable": 3, "kept": 1231}}, "unreadable", "3 tiles of 1,234"),
        ({"mpp_doubt": "The file says 0.5."}, "mpp", "The file says 0.5."),
        ({"mpp_x": 1.0, "tile_um_x": 128.0, "tile_px": 256}, "enlarged", "enlarged 2 ×: the slide has 1 µm/px"),
        ({"blur_burden": 0.0501}, "blur", "5.0 % of the tissue"),
        ({"qc_methods": (masked("pen", 0.0501),)}, "pen", "5.0 % of the tissue is taken for pen marks"),
        ({"qc_methods": (masked("fold", 0.2), masked("fold", 0.3, "mine"))}, "fold", "30.0 % of the tissue"),
        ({"status": "empty", "counts": {"background": 1234}}, "empty", "1,234 of 1,234 candidates are background"),
        ({"status": "skipped", "reason": "No ROI.", "candidates": 0, "counts": {}}, "skipped", "No ROI."),
        ({"roi_problems": ("Line 3: no number.", "Line 4.")}, "roi_file", "Line 3: no number. And 1 more."),
        ({"unnormalized": 33}, "normalizer", "33 of 659 kept tiles"),
        ({"counts": {"normalizer": 100, "kept": 1134}}, "normalizer", "failed on 100 tiles"),
    ],
)
def test_each_reason_to_look_at_a_slide_is_flagged(report, fields, code, said):
    flags = flags_of(report(**fields))

    assert [flag.code for flag in flags] == [code]
    assert said in flags[0].sentence


@pytest.mark.parametrize(
    "fields",
    [
        {"blur_burden": 0.05},
        {"blur_burden": None},
        {"mpp_x": 0.525, "tile_um_x": 128.0, "tile_px": 256},
        {"blur_burden": math.nan},
        {"unnormalized": 32},
        {"qc_methods": (masked("pen", 0.05), masked("fold", None), masked("otsu", 0.9))},
        {"qc_methods": (masked("pen", 7.0), masked("fold", math.nan))},
        {"status": "skipped", "reason": "Finished before."},
        {"status": "skipped", "reason": "No coordinates.", "candidates": 0, "counts": {}, "coordinates": 0},
    ],
)
def test_what_is_on_or_under_the_line_is_not_flagged(report, fields):
    assert flags_of(report(**fields)) == ()


def test_flags_stand_in_order_of_weight_and_every_code_has_a_title(report):
    worst = report(
        status="failed",
        reason="x",
        counts={"unreadable": 9, "normalizer": 9, "kept": 1},
        mpp_doubt="x",
        blur_burden=0.5,
        roi_problems=("x",),
    )

    assert codes(worst) == ["failed", "unreadable", "mpp", "blur", "roi_file", "normalizer"]
    assert codes(worst) == [code for code in FLAG_TITLES if code in codes(worst)]


def test_slides_sort_by_gravest_flag_then_blur_then_name(report, failed):
    slides = [report("b"), report("a"), report("blur1", blur_burden=0.1), report("blur2", blur_burden=0.2), failed("f")]

    assert [s.slide for s in sorted(slides, key=severity)] == ["f", "blur2", "blur1", "a", "b"]


def test_slides_with_pen_marks_sort_by_their_share(report):
    little, much = (report(name, qc_methods=(masked("pen", share),)) for name, share in (("a", 0.1), ("b", 0.4)))

    assert [s.slide for s in sorted([little, much, report("c", blur_burden=0.1)], key=severity)] == ["c", "b", "a"]


def test_an_empty_slide_without_candidates_says_so():
    assert flags_of(SlideReport(slide="tiny", status="empty"))[0].sentence == "No tile fits into the slide."


def test_sentences_hold_no_path(failed):
    flag = flags_of(failed("x", "/data/Doe John/x.svs: no TIFF header."))[0]

    assert flag.sentence == "x.svs: no TIFF header."
