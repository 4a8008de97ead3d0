"""docs/export.md: its example runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from slidekit.io.slide_tiff import write_svs
from slidekit.project import create_project

pytest.importorskip("webdataset")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "export.md"


def test_the_example_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Arrange: two slides of noise that looks like tissue
    monkeypatch.chdir(tmp_path)
    Path("slides").mkdir()
    for seed, name in enumerate(("a", "b")):
        pixels = np.random.default_rng(seed).integers((150, 60, 120), (220, 140, 190), (512, 512, 3)).astype(np.uint8)
        write_svs(Path("slides") / f"{name}.svs", [pixels], mpp=0.5)
    Path("annotations.csv").write_text("patient,slide,category,site\np,a,tumor,x\nq,b,benign,y\n")
    project = create_project("study", slides="slides", annotations="annotations.csv")
    project.extract_tiles(256, 128, report=False, workers=1)
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)

    # Act
    exec(compile(code, "export.md", "exec"), {})

    # Assert
    assert capsys.readouterr().out == "8 tiles in 2 files\n"
    assert sorted(path.name for path in Path("study-webdataset").iterdir()) == ["_export.json", "tiles-000000.tar"]
