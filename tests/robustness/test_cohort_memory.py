"""The driver's memory over a cohort: what thousands of slides leave in it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from slidekit.io.slide_tiff import write_svs

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")

PROGRAM = """
import sys
from pathlib import Path
from slidekit.extraction.runner import SlideJob, run_extraction
from slidekit.slide.spec import ExtractionSpec

slide, folder, number, report = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "report"
names = [f"S{place:05d}" for place in range(number)]
for name in names:
    (folder / f"{name}.svs").hardlink_to(slide)
jobs = [SlideJob(name, folder / f"{name}.svs", tfrecords=folder / "records") for name in names]
spec = ExtractionSpec.create(tile_px=64, tile_um=32, report=report)
reports = run_extraction(jobs, spec, report_dir=folder / "records")
assert {one.status for one in reports.values()} == {"done"}
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(int(peak.split()[1]) / 1024)
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "tiny.svs"
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    noise[..., 1] //= 2
    write_svs(path, [noise], mpp=0.5)
    return path


def peak_of_driver(tiny: Path, folder: Path, number: int, report: str) -> float:
    """MB that the driver of a run over so many slides takes at most."""
    folder.mkdir()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", PROGRAM, str(tiny), str(folder), str(number), report]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


@pytest.mark.parametrize(
    ("number", "report", "most"),
    [
        pytest.param(120, "no report", 5, id="100 slides", marks=pytest.mark.long),
        pytest.param(2020, "no report", 50, id="2000 slides", marks=pytest.mark.long),
        pytest.param(2020, "report", 50, id="2000 slides with their report", marks=pytest.mark.long),
    ],
)
def test_the_driver_hardly_grows_with_the_number_of_slides(
    tiny, tmp_path, number: int, report: str, most: float
) -> None:
    few = peak_of_driver(tiny, tmp_path / "few", 20, report)
    many = peak_of_driver(tiny, tmp_path / "many", number, report)

    logging.getLogger(__name__).info("%d slides, %s: the driver grew by %.1f MB", number, report, many - few)
    assert many - few < most
