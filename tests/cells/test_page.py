"""The Python of docs/cells.md runs from top to bottom."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from slidekit import create_project
from slidekit.cells import Segmentation
from slidekit.demo.nuclei import paint_nuclei
from slidekit.io.slide_tiff import write_svs

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cells.md"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the slide that the page speaks of."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slides").mkdir()
    write_svs(tmp_path / "slides" / "slide.svs", [paint_nuclei((60, 50), 0.5, seed=3).image], mpp=0.5)
    (tmp_path / "slide.svs").symlink_to(tmp_path / "slides" / "slide.svs")
    return tmp_path


def run_examples(which: slice) -> dict[str, object]:
    code = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(code) == 2
    names: dict[str, object] = {}
    for number, example in enumerate(code[which]):
        exec(compile(example, f"{PAGE.name}[{number}]", "exec"), names)
    return names


def test_the_example_of_one_slide_runs(folder: Path) -> None:
    names = run_examples(slice(0, 1))

    found = Segmentation.open(folder / "cells" / "slide.cells.zarr")
    large = [area for area in found.table["area_um2"] if area >= 20]
    assert len(json.loads((folder / "large.geojson").read_text())["features"]) == len(large) > 5
    assert names["report"].candidates == len(large)  # type: ignore[attr-defined]


@pytest.mark.long
def test_the_example_of_many_slides_runs(folder: Path) -> None:
    create_project("study", slides="slides")

    run_examples(slice(1, 2))

    assert len(Segmentation.open(folder / "study" / "masks" / "slide.cells.zarr")) > 5
    assert len(list((folder / "study").rglob("slide.tfrecords"))) == 1
