from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.report.privacy import without_paths
from slidekit.slide.report_model import SlideReport


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/data/Doe John/a.svs: no header.", "a.svs: no header."),
        ("/data/rois/a.csv, line 3: bad", "a.csv, line 3: bad"),
        ("Cannot open '/mnt/x y/z.svs'.", "Cannot open 'z.svs'."),
        (r"C:\Users\doe\a.svs is broken", "a.svs is broken"),
        (r"\\server\share\Doe\a.svs", "a.svs"),
        ("file:///data/Doe/a.svs", "a.svs"),
        ("~/Doe/a.svs", "a.svs"),
        ("slides/Doe/a.svs: no", "a.svs: no"),
        ("0.25 µm/px and 3 tiles/s and/or more", "0.25 µm/px and 3 tiles/s and/or more"),
        ("JPEG at 1/2", "JPEG at 1/2"),
        ("/data/Doe John/a.svs says 0.25 µm/px", "a.svs says 0.25 µm/px"),
        ("See https://host/Doe/a.svs", "See a.svs"),
    ],
)
def test_folders_are_cut_and_the_rest_stays(text, expected):
    assert without_paths(text) == expected


def test_the_slides_own_path_is_known_even_where_it_looks_like_no_path():
    report = SlideReport(slide="a", status="failed", path="p:1; Doe/x's: y/a.svs")

    assert without_paths("p:1; Doe/x's: y/a.svs: broken", report) == "a.svs: broken"


NAMES = st.text(st.characters(whitelist_categories=("Lu", "Ll", "Nd"), max_codepoint=0x3FF), min_size=1, max_size=8)


@settings(deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=4), NAMES, st.sampled_from(["", " ", "-"]))
def test_no_folder_of_an_absolute_path_is_left(folders, name, joint):
    folders = [f"F{joint}{folder}Q" for folder in folders]
    path = "/" + "/".join(folders) + f"/{name}.svs"

    said = without_paths(f"{path}: cannot be read.")

    assert said == f"{name}.svs: cannot be read."
