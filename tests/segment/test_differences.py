"""Two trainings or exports that are not the same, in words."""

from __future__ import annotations

from slidekit.segment.differences import say_changed_slides, say_differences
from slidekit.segment.mask_config import ExportedSlide, MaskConfig


def test_only_parameters_that_differ_are_named() -> None:
    before = {"mpp": 10.0, "labels": ["a", "b"], "seed": 0, "mode": "binary"}
    assert say_differences(before, before) == ""
    said = say_differences(before, {**before, "mpp": 8.0, "labels": None, "new": True})
    assert said == "mpp=10, not 8; labels=[a, b], not none; new=none, not True"


def test_masks_of_the_same_meaning_do_not_differ_by_their_slides() -> None:
    one = ExportedSlide(columns=1, rows=1, pixel_um=(1, 1))
    before = MaskConfig(mpp=10, labels=("a",), slides={"s": one}, unfinished=("t",))
    assert before.differences(MaskConfig(mpp=10, labels=("a",))) == ""
    assert before.differences(MaskConfig(mpp=10, artifact_labels=("pen",))) == (
        "labels=[a], not none; artifact_labels=[], not [pen]"
    )


def test_slides_are_named_with_what_of_them_is_new() -> None:
    # Arrange
    def facts(rois: str, use: str = "training", mpp: str = "file") -> dict[str, str]:
        slide = ExportedSlide(columns=5, rows=4, pixel_um=(10, 10), patient="p", source=f"12-ab mpp={mpp} rois={rois}")
        return {"use": use, **slide.facts}

    before = {"a": facts("1"), "b": facts("1"), "c": facts("1"), "d": facts("1"), "e": facts("1")}
    now = {"a": facts("1"), "b": facts("2"), "c": facts("3", mpp="0.5"), "d": facts("1", "validation"), "f": facts("1")}
    # Act, Assert
    assert say_changed_slides(before, before) == ""
    assert say_changed_slides(before, now) == (
        "other regions: b; other µm/px and regions: c; for validation, not training: d; not there any more: e; new: f"
    )
