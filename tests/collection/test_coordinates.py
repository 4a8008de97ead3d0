"""Which given coordinates are of which slide of a dataset."""

from __future__ import annotations

import logging

import pandas as pd
import pytest

from slidekit.collection.coordinates import slide_coordinates
from slidekit.errors import DatasetError
from slidekit.slide.spec import ExtractionSpec

SPEC = ExtractionSpec.create(tile_px=64, tile_um=32, coordinates="c.csv", coordinates_unit="um")
TCGA = "TCGA-A2-A0D0-01Z-00-DX1.1234"


def match(names: list[str], slides: list[str], known: list[str] | None = None) -> dict[str, list[int]]:
    """Slide to the rows that it was given."""
    frame = pd.DataFrame({"slide": names, "x": range(len(names)), "y": 0})
    found = slide_coordinates(frame, SPEC, slides=slides, known=slides if known is None else known)
    assert all((one.unit, one.total) == ("um", len(names)) for one in found.values())
    assert all(one.xy[:, 0].tolist() == one.rows.tolist() for one in found.values())
    return {name: sorted(one.rows.tolist()) for name, one in found.items()}


@pytest.mark.parametrize(
    ("written", "slide"),
    [
        ("a", "a"),
        ("a.svs", "a"),
        ("folder/a.ome.tif", "a"),
        ("C:\\slides\\a.svs", "a"),
        ("a.ome", "a"),
        ("a.svs", "a.svs"),
        ("a.b", "a.b"),
        ("José", "José"),
        (" a ", "a"),
        (TCGA + ".svs", TCGA),
        ("TCGA-A2-A0D0", TCGA),
    ],
)
def test_names_are_read_as_in_annotations(written: str, slide: str) -> None:
    assert match([written, "b"], [slide, "b"]) == {slide: [0], "b": [1]}


def test_every_slide_gets_its_own_and_one_without_gets_none(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert match(["b", "a", "b", "a.svs", "out"], ["a", "b", "c"], ["a", "b", "c", "out"]) == {
            "a": [1, 3],
            "b": [0, 2],
            "c": [],
        }
    # A slide that filters left out is known, and not worth a word.
    assert not caplog.records


def test_slides_that_are_nowhere_are_named(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert match(["a", "x", "x", "y"], ["a"]) == {"a": [0]}
    assert "(3): x, y." in caplog.text


@pytest.mark.parametrize("known", [["a", "b"], ["a", "b", "x"]])
def test_no_slide_named_is_an_error(known: list[str]) -> None:
    with pytest.raises(DatasetError, match="names none of the 2 slides"):
        match(["x"], ["a", "b"], known)


def test_a_patient_of_several_slides_is_not_guessed() -> None:
    with pytest.raises(DatasetError, match="has several slides"):
        match(["TCGA-A2-A0D0", "b"], [TCGA, TCGA.replace("DX1", "DX2"), "b"])


def test_without_a_column_there_must_be_one_slide() -> None:
    frame = pd.DataFrame({"x": [1, 2], "y": [3, 4]})
    found = slide_coordinates(frame, SPEC, slides=["a"], known=["a", "b"])
    assert found["a"].xy.tolist() == [[1, 3], [2, 4]]
    with pytest.raises(DatasetError, match="no column slide"):
        slide_coordinates(frame, SPEC, slides=["a", "b"], known=["a", "b"])
