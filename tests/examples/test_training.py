"""The complete examples: pages that say what the scripts do, and scripts that learn."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"

# Runs a script as its page says, then compares what it predicts on the new slide with what was drawn there.
JUDGE = """
import json, sys
from pathlib import Path
script, folder = sys.argv[1], Path(sys.argv[2])
module = __import__(script)
accuracy = module.main(folder)

from slidekit import WSI
new = folder / "data" / "new" / "new.svs"
found = module.predict(new, folder / "model", folder / "again.png")
with WSI(new, 64, 64, roi_method="inside", rois=folder / "data" / "new.csv") as wsi:
    table = wsi.get_tile_dataframe(kept_only=True)
right = [
    (found[row.loc_x, row.loc_y] > 0.5) == (row.label == "tumor")
    for row in table.itertuples()
    if (row.loc_x, row.loc_y) in found
]
print(json.dumps([accuracy, sum(right) / len(right), len(right)]))
"""


@pytest.mark.parametrize("name", ["torch", "tensorflow"])
def test_pages_show_what_stands_in_the_scripts(name: str) -> None:
    page = (DOCS / f"train-{name}.md").read_text(encoding="utf-8")
    script = (DOCS / "examples" / f"train_{name}.py").read_text(encoding="utf-8")

    shown = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)

    assert len(shown) >= 6
    # The formatter indents, and breaks lines, in another way on a page.
    assert [code for code in shown if "".join(code.split()) not in "".join(script.split())] == []


def run(script: str, folder: Path) -> tuple[float, float, int]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(DOCS / "examples"), *sys.path])}
    ended = subprocess.run(
        [sys.executable, "-c", JUDGE, script, str(folder)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    accuracy, on_new_slide, tiles = json.loads(ended.stdout.splitlines()[-1])
    return accuracy, on_new_slide, tiles


def check(script: str, folder: Path) -> None:
    accuracy, on_new_slide, tiles = run(script, folder)

    # Chance is 0.5; three seeds gave 0.99 or more.
    assert accuracy > 0.9
    assert on_new_slide > 0.9
    assert tiles > 50
    assert json.loads((folder / "model" / "params.json").read_text())["norm_fit"]
    assert (folder / "heat-map.png").read_bytes() == (folder / "again.png").read_bytes()


@pytest.mark.long
@pytest.mark.torch
def test_torch_learns_and_predicts(tmp_path: Path) -> None:
    check("train_torch", tmp_path)


@pytest.mark.long
@pytest.mark.tensorflow
@pytest.mark.skipif(find_spec("tensorflow") is None, reason="TensorFlow is not installed")
def test_tensorflow_learns_and_predicts(tmp_path: Path) -> None:
    check("train_tensorflow", tmp_path)
