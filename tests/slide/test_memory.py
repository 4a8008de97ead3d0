"""Memory of one slide does not grow with the slide."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from slidekit.demo.layout import lay_out
from slidekit.demo.scene import FragmentPlan
from slidekit.demo.tissue import draw_tissue
from tests.slide.huge_slide import TILE, write_huge_svs

WIDTH, HEIGHT = 100_000, 80_000
BAND = range(40_000, 43_000)

EXTRACT = """
import json, sys
from slidekit.slide.extract import OutputFolders, extract_from_wsi
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI
from pathlib import Path
spec = ExtractionSpec.create(tile_px=299, tile_um=302, qc=sys.argv[3].split(","), threads=2,
                             enable_downsample=sys.argv[4] == "pyramid", resample=sys.argv[5])
with WSI.from_spec(sys.argv[1], spec) as wsi:
    wsi.qc(spec.qc)
    folder = Path(sys.argv[2])
    report = extract_from_wsi(wsi, spec, OutputFolders(folder, None, folder / "previews"))
# Not getrusage: that begins with the peak of the process that started this one.
peak = int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1024
print(json.dumps({"kept": report.kept, "peak_mb": peak}))
"""


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scene = lay_out(500, 500, (FragmentPlan((0.5, 0.5), (0.49, 0.49)),), seed=5)
    tissue = draw_tissue(scene, 0.25)[900 : 900 + TILE, 900 : 900 + TILE]

    def in_band(x: int, y: int, edge: int) -> bool:
        return y < BAND.stop and y + edge > BAND.start

    path = tmp_path_factory.mktemp("huge") / "huge.svs"
    return write_huge_svs(path, WIDTH, HEIGHT, np.ascontiguousarray(tissue), in_band)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
@pytest.mark.parametrize(
    ("qc", "levels", "resample"),
    [
        ("otsu", "pyramid", "shrink"),
        pytest.param("blur,otsu", "level 0", "shrink", marks=pytest.mark.long),
        pytest.param("otsu", "level 0", "exact", marks=pytest.mark.long),
    ],
)
def test_a_slide_of_8_gigapixels_takes_half_a_gigabyte(
    huge: Path, tmp_path: Path, qc: str, levels: str, resample: str
) -> None:
    arguments = [str(huge), str(tmp_path), qc, levels, resample]
    done = subprocess.run(
        [sys.executable, "-c", EXTRACT, *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["kept"] >= 40
    assert result["peak_mb"] <= 500, result


HUGE_REDUCTION = """
import json, sys
import pyvips, tifffile
from pathlib import Path
from slidekit.slide.extract import OutputFolders, extract_from_wsi
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI

def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1024

spec = ExtractionSpec.create(tile_px=256, tile_um=256 * 16, threads=2, enable_downsample=False, resample="exact",
                             grayspace_fraction=1)
before = peak()
with WSI.from_spec(sys.argv[1], spec) as wsi:
    kept = extract_from_wsi(wsi, spec, OutputFolders(Path(sys.argv[2]))).kept
print(json.dumps({"kept": kept, "more_mb": peak() - before}))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_tiles_of_64_times_the_slides_resolution_take_little_memory(tmp_path: Path) -> None:
    """256 px of 16 µm from 0.25 µm/px: 800 MB of pixels a tile, and two threads."""
    pattern = np.tile(np.arange(TILE, dtype=np.uint8)[:, None], (TILE, 3)).reshape(TILE, TILE, 3)
    path = write_huge_svs(tmp_path / "a.svs", 34_000, 17_000, pattern, lambda x, y, edge: True)
    done = subprocess.run(
        [sys.executable, "-c", HUGE_REDUCTION, str(path), str(tmp_path / "out")],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["kept"] == 2
    assert result["more_mb"] <= 200, result
