"""The examples of docs/training-data.md run, one after another."""

from __future__ import annotations

import re
from pathlib import Path

from slidekit.demo.slides import draw_demo_slides
from slidekit.project import create_project

PAGE = Path(__file__).resolve().parents[2] / "docs" / "training-data.md"


def test_the_examples_run(tmp_path: Path, monkeypatch, capsys) -> None:
    # Arrange
    monkeypatch.chdir(tmp_path)
    data = draw_demo_slides(tmp_path / "data", size=0.3)
    project = create_project("study", slides=data.slides_dir, rois=data.rois_dir, annotations=data.annotations)
    project.extract_tiles(256, 128, report=False)
    names: dict[str, object] = {}

    # Act: they assert on their own account, too
    for number, code in enumerate(re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.S | re.M)):
        exec(compile(code, f"{PAGE.name}[{number}]", "exec"), names)

    # Assert
    dataset = names["dataset"]
    assert names["cancer"].slides() == ["demo-1-regions", "demo-2-blur-and-pen", "demo-3-rescan"]
    assert names["north"].slides() == ["demo-1-regions", "demo-2-blur-and-pen"]
    assert set(names["large"].slides()) < set(dataset.slides())
    assert "tumor" in capsys.readouterr().out
    parts = {*names["training"].slides()}, {*names["validation"].slides()}
    assert parts[0] | parts[1] == set(dataset.slides())
    assert not parts[0] & parts[1]
    assert names["clipped"].num_tiles <= names["training"].num_tiles
    assert (tmp_path / "study" / "splits.json").is_file()
