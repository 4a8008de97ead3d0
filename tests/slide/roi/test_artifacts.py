"""Regions that are removed: told from the others by their label, measured, and typos in labels warned of."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import shapely

from slidekit.errors import SpecError
from slidekit.slide.roi import (
    ROI,
    ROISet,
    refuse_unknown_labels,
    split_artifacts,
    union_area,
    warn_of_unknown_labels,
    write_roi_csv,
)

BOX = shapely.box(0, 0, 10, 10)
REGIONS = ROISet(
    (ROI("a", "tumor", BOX), ROI("b", "necrosis", BOX), ROI("c", None, BOX), ROI("d", "pen", BOX), ROI("e", "Pen", BOX))
)


def test_labels_decide_and_their_case_counts() -> None:
    regions, artifacts = split_artifacts(REGIONS, ("necrosis", "pen"))

    assert [roi.name for roi in regions] == ["a", "c", "e"]
    assert [roi.name for roi in artifacts] == ["b", "d"]


def test_without_labels_nothing_is_touched() -> None:
    assert split_artifacts(REGIONS, ()) == (REGIONS, ())


def test_the_area_is_that_of_the_union_on_the_slide() -> None:
    # Two boxes that overlap by 50, one of them half beyond the left edge.
    rois = [ROI("a", "pen", shapely.box(-5, 0, 5, 10)), ROI("b", "pen", shapely.box(0, 0, 10, 10))]

    assert union_area(rois, (100, 100)) == pytest.approx(100)
    assert union_area(rois, (8, 5)) == pytest.approx(40)


def write(folder: Path, name: str, label: str | None) -> Path:
    path = folder / f"{name}.csv"
    write_roi_csv(path, [ROI("r", label, BOX)])
    return path


def test_a_label_that_nobody_has_is_named_once_with_those_there_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = [write(tmp_path, "1", "tumor"), write(tmp_path, "2", "necrosis"), write(tmp_path, "3", None)]
    (tmp_path / "broken.csv").write_text("no regions")

    with caplog.at_level(logging.WARNING):
        missing = warn_of_unknown_labels([tmp_path / "broken.csv", *files], ("necrosis", "necrsis"))

    assert missing == ("necrsis",)
    assert [record.getMessage() for record in caplog.records] == [
        "artifact_labels: no region of any slide is labelled 'necrsis'; labels there are: necrosis, tumor."
    ]


def test_labels_that_some_slide_has_are_not_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = [write(tmp_path, "1", "tumor"), tmp_path / "not-read-any-more.csv"]

    assert warn_of_unknown_labels(files, ("tumor",)) == ()
    assert not caplog.records


def test_where_no_region_has_a_label_that_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert warn_of_unknown_labels([write(tmp_path, "1", None)], ("pen",)) == ("pen",)
    assert "no region has a label" in caplog.text


def test_a_label_that_nobody_has_is_refused_with_those_there_are(tmp_path: Path) -> None:
    files, others = [write(tmp_path, "1", "tumor")], [write(tmp_path, "2", "necrosis")]

    with pytest.raises(SpecError, match="labelled 'necrossis'") as caught:
        refuse_unknown_labels(files, ("tumor", "necrossis"), others=others)

    assert "Labels there are: necrosis, tumor." in str(caught.value)
    assert refuse_unknown_labels(files, ("tumor",), others=[tmp_path / "not-read.csv"]) == ()


@pytest.mark.parametrize("case", ["others have it", "a file is broken", "another is broken", "no labels"])
def test_where_it_may_be_no_typo_it_is_warned_of(tmp_path: Path, case: str, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "broken.csv").write_text("no regions")
    files, others = [write(tmp_path, "1", None if case == "no labels" else "tumor")], list[Path]()
    if case == "others have it":
        others.append(write(tmp_path, "2", "pen"))
    elif case != "no labels":
        (files if case == "a file is broken" else others).append(tmp_path / "broken.csv")

    assert refuse_unknown_labels(files, ("pen",), others=others) == ("pen",)
    assert "labelled 'pen'" in caplog.text


def test_labels_are_equal_however_unicode_writes_them() -> None:
    regions = ROISet((ROI("a", "A\u0308rtifact", shapely.box(0, 0, 1, 1)), ROI("b", "tumor", shapely.box(0, 0, 1, 1))))

    others, artifacts = split_artifacts(regions, ("\u00c4rtifact",))

    assert [roi.name for roi in artifacts] == ["a"]
    assert [roi.name for roi in others.rois] == ["b"]
