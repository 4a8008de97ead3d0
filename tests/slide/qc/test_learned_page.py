"""The page about networks as QC: its examples run, and its picture is what its script draws."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from slidekit.demo.slides import draw_demo_slides

pytestmark = pytest.mark.long  # drawing the demonstration takes most of it

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learned")
    return draw_demo_slides(folder / "demo-project" / "data", size=0.3).slides_dir


def test_the_examples_run(slides: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    # Arrange
    monkeypatch.chdir(slides.parents[2])
    page = (DOCS / "learned-qc.md").read_text(encoding="utf-8")
    names: dict[str, object] = {"__name__": "example"}

    # Act
    for code in re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        exec(code, names)

    # Assert
    scores, stricter = np.asarray(names["scores"]), np.asarray(names["stricter"])
    assert scores.dtype == np.float32
    assert 0 <= scores.min() < 0.1
    assert scores.max() > 0.9
    assert np.array_equal(stricter, scores > 0.3)
    assert "strided_dl" in capsys.readouterr().out


def test_the_script_draws_a_small_picture(slides: Path, tmp_path: Path) -> None:
    # Arrange
    found = importlib.util.spec_from_file_location("learned_qc", DOCS / "examples" / "learned_qc.py")
    assert found is not None
    assert found.loader is not None
    script = importlib.util.module_from_spec(found)
    found.loader.exec_module(script)

    # Act
    script.draw(slides / "demo-2-blur-and-pen.svs", tmp_path / "picture.png")

    # Assert
    assert 5_000 < (tmp_path / "picture.png").stat().st_size < 250_000
    assert (DOCS / "images" / "learned-qc.png").stat().st_size < 250_000
