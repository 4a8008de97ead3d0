"""Cells of a slide: nuclei and megapixels a second, and memory, of the classical method.

Run on its own: ``python scripts/benchmarks/cells.py [SLIDE]``; without a slide one of 13 000 × 12 000 px is written.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.bench_slide import MPP, TEXTURE, drawn_texture, real_texture
from slidekit.io.slide_tiff import TileSource, write_svs

__all__ = ["make_cell_slide", "measure_cells", "measure_method"]

SIZE = 13_000, 12_000


def make_cell_slide(folder: Path) -> Path:
    """Write a slide of 13 000 × 12 000 px of tissue all over, if it is not there yet."""
    texture = real_texture()
    path = folder / f"cells-{'drawn' if texture is None else 'real'}-{SIZE[0]}x{SIZE[1]}.svs"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        tissue = drawn_texture() if texture is None else texture
        levels = [_level(tissue, factor) for factor in (1, 4, 16)]
        write_svs(path, levels, mpp=MPP, objective_power=40, quality=80)
    return path


def _level(texture: np.ndarray, factor: int) -> TileSource:
    """The texture again and again, mirrored so that it has no seams."""
    small = cv2.resize(texture, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    edge = TEXTURE // factor

    def read(x: int, y: int, width: int, height: int) -> np.ndarray:
        columns, rows = (np.arange(first, first + count) % (2 * edge) for first, count in ((x, width), (y, height)))
        columns, rows = (np.minimum(places, 2 * edge - 1 - places) for places in (columns, rows))
        return small[rows[:, None], columns[None]]

    return TileSource(SIZE[0] // factor, SIZE[1] // factor, read)


def measure_method(slide: Path) -> dict[str, float]:
    """The method alone, on one window of 1024 px with its margin, on one core."""
    from slidekit.cells.methods.classical import ClassicalNuclei
    from slidekit.cells.methods.sampling import working_size
    from slidekit.slide.image import SlideImage

    method = ClassicalNuclei()
    edge = 1024 + 2 * round(method.margin_um / method.mpp)
    with SlideImage(slide) as opened:
        facts = method.prepare(opened)
        columns, rows = working_size(opened, method.mpp)
        corner = (columns - edge) // 2, (rows - edge) // 2
        window = opened.overview_window(columns, rows, corner=corner, size=(edge, edge))
    spent = []
    for _ in range(5):
        started = time.process_time()
        labels = method(window, facts)
        spent.append(time.process_time() - started)
    seconds = float(np.median(spent))
    return {"mpx_per_second": window.size / 3e6 / seconds, "nuclei_per_second": float(labels.max()) / seconds}


def measure_cells(slide: Path, *, workers: int | None = None) -> dict[str, float]:
    """The whole slide in a process of its own: from the file to the zarr folder."""
    command = [sys.executable, __file__, str(slide), "--here", "--workers", str(workers or 0)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _measure_here(slide: Path, workers: int | None) -> dict[str, Any]:
    from slidekit.cells import segment_slide

    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        cells = segment_slide(slide, dest=Path(folder), workers=workers)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    status = Path("/proc/self/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024
    return {
        "nuclei": len(cells),
        "seconds": wall,
        "cpu_seconds": cpu,
        "nuclei_per_second": len(cells) / wall,
        "mb": peak,
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("slide", type=Path, nargs="?")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    slide = given.slide or make_cell_slide(Path(tempfile.gettempdir()) / "slidekit-bench")
    cv2.setNumThreads(1)
    if given.here:
        print(json.dumps(_measure_here(slide, given.workers or None)))
        return
    print(json.dumps({"method": measure_method(slide), "slide": measure_cells(slide, workers=given.workers)}, indent=1))


if __name__ == "__main__":
    main()
