"""Run the benchmarks and print their tables in Markdown; see ``scripts/bench --help``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

# One thread a library: CPU time then compares work with work.
for variable in ("VIPS_CONCURRENCY", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
sys.path.insert(0, str(Path(__file__).parent))

import cv2  # noqa: E402

cv2.setNumThreads(1)

from benchmarks.bench_slide import make_bench_slide  # noqa: E402
from benchmarks.extraction import CASES, measure_case  # noqa: E402


def main() -> None:
    """Parse arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "slidekit-bench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help="cases whose name contains this")
    arguments = parser.parse_args()
    slide = make_bench_slide(arguments.folder)
    print(f"slide: {slide.name}, {slide.stat().st_size / 1e6:.0f} MB\n")
    print("| case | way | CPU ms per tile | tiles/s | × openslide + Pillow | × pyvips loop | share of floor |")
    print("|---|---|---|---|---|---|---|")
    for case in CASES:
        if arguments.only and arguments.only not in case.name:
            continue
        measured = measure_case(case, slide, arguments.folder, rounds=arguments.rounds)
        for way in measured.cpu:
            if way.startswith("floor"):
                continue
            floor = f"floor {way.removeprefix('slidekit ')}"
            share = f"{measured.ms(floor) / measured.ms(way):.0%}" if floor in measured.cpu else ""
            walls = sorted(measured.wall[way])
            print(
                f"| {case.name} ({measured.tiles} tiles) | {way} | {measured.ms(way):.2f} |"
                f" {measured.tiles / walls[len(walls) // 2]:.0f} | {measured.ratio(way, 'openslide + Pillow'):.1f} |"
                f" {measured.ratio(way, 'pyvips crop().resize()'):.1f} | {share} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
