"""Memory of a segmentation does not grow with the slide."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from slidekit.cells import Segmentation
from slidekit.io.slide_tiff import TileSource, write_svs

WIDTH, HEIGHT, PERIOD, MPP = 13_000, 12_000, 500, 0.25
NUCLEI = 30

SEGMENT = """
import json, sys
import cv2, numpy as np
from slidekit.cells import segment_slide
def dark(image):
    return cv2.connectedComponents((image[..., 0] < 160).astype(np.uint8), connectivity=8)[1]
cells = segment_slide(sys.argv[1], dark, mpp=0.5, dest=sys.argv[2], workers=2)
# Not getrusage: that begins with the peak of the process that started this one.
peak = int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1024
print(json.dumps({"cells": len(cells), "peak_mb": peak, "problems": cells.problems}))
"""


def pattern() -> tuple[np.ndarray, np.ndarray]:
    """A square of tissue that is repeated, and the centres (x, y) of its nuclei."""
    rng = np.random.default_rng(8)
    centres = np.stack(np.meshgrid(np.arange(6), np.arange(5)), axis=-1).reshape(-1, 2) * [83, 100] + [40, 50]
    centres = centres + rng.integers(-9, 10, centres.shape)
    tissue = np.clip(np.array([232.0, 190.0, 214.0]) + rng.normal(0, 4, (PERIOD, PERIOD, 1)), 0, 255).astype(np.uint8)
    for x, y in centres.tolist():
        cv2.circle(tissue, (x, y), 16, (95, 70, 150), -1, cv2.LINE_AA)
    return cv2.GaussianBlur(tissue, (0, 0), 1.2), centres


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_156_megapixels_take_less_than_a_gigabyte_and_every_nucleus_is_found_once(tmp_path: Path) -> None:
    tissue, centres = pattern()

    def read(x: int, y: int, width: int, height: int) -> np.ndarray:
        return tissue[(np.arange(y, y + height) % PERIOD)[:, None], (np.arange(x, x + width) % PERIOD)[None]]

    path = write_svs(tmp_path / "large.svs", [TileSource(WIDTH, HEIGHT, read)], mpp=MPP, quality=90)

    done = subprocess.run(
        [sys.executable, "-c", SEGMENT, str(path), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["peak_mb"] <= 1000, result
    assert result["problems"] == []
    assert result["cells"] == NUCLEI * (WIDTH // PERIOD) * (HEIGHT // PERIOD)
    found = Segmentation.open(tmp_path / "large.cells.zarr").centroids()
    # Each found place is that of a nucleus (± 1 µm), and no two of the same.
    tile, place = np.divmod(found, PERIOD)
    distance = np.linalg.norm(place[:, np.newaxis] - (centres + 0.5), axis=2)
    assert distance.min(axis=1).max() < 4
    keys = np.column_stack([tile, distance.argmin(axis=1)])
    assert len(np.unique(keys, axis=0)) == len(found)
