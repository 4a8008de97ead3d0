"""Measure slidekit beside the loops that people write, all in one run, and write docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

# One thread a library: CPU time then compares work with work.
for variable in ("VIPS_CONCURRENCY", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
sys.path.insert(0, str(Path(__file__).parent))

import cv2  # noqa: E402

cv2.setNumThreads(1)

from benchmarks import page  # noqa: E402
from benchmarks.apart import measure_apart  # noqa: E402
from benchmarks.bench_slide import make_bench_slide  # noqa: E402
from benchmarks.cells import make_cell_slide, measure_cells, measure_method  # noqa: E402
from benchmarks.command import Run, run_extract, run_imports  # noqa: E402
from benchmarks.extraction import CASES, Case, measure_case, measure_threads, ways_of  # noqa: E402
from benchmarks.focus import measure_focus  # noqa: E402
from benchmarks.frameworks import FRAMEWORKS, measure_frameworks  # noqa: E402
from benchmarks.growth import grow_area, grow_tiles  # noqa: E402
from benchmarks.masks import measure_masks  # noqa: E402
from benchmarks.normalizers import measure_normalizers  # noqa: E402
from benchmarks.records import write_records  # noqa: E402
from benchmarks.sampling_run import measure_sampling  # noqa: E402
from benchmarks.stages import split_by_stage  # noqa: E402

PARTS = (
    "extraction",
    "threads",
    "masks",
    "focus",
    "cells",
    "normalizers",
    "frameworks",
    "loading",
    "sampling",
    "command",
    "stages",
    "growth",
)


def main() -> None:
    """Parse arguments, measure the parts that are asked for, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "slidekit-bench")
    parser.add_argument("--rounds", type=int, default=5, help="each figure is the median of so many")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS, help="parts to measure anew")
    parser.add_argument("--case", default="", help="extraction cases whose name contains this")
    parser.add_argument("--peak", nargs=2, metavar=("CASE", "WAY"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    slide = make_bench_slide(folder)
    if arguments.peak:
        print(_peak_here(*arguments.peak, slide, folder))
        return
    kept = folder / "results.json"
    results: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    for part in arguments.only:
        print(f"measuring: {part} …", file=sys.stderr, flush=True)
        if part == "extraction":
            results.setdefault(part, {}).update(_extraction(slide, folder, arguments.rounds, arguments.case))
        else:
            results[part] = _MEASURES[part](slide, folder, arguments.rounds)
        kept.write_text(json.dumps(results, indent=1))
    print(page.write(results, Path(__file__).parent.parent / "docs"))


def _slide_of(case: Case, bench: Path) -> Path | None:
    return _real_slide() if case.real else bench


def _real_slide() -> Path | None:
    data = os.environ.get("SLIDEKIT_TEST_DATA")
    return Path(data) / "slides" / "gastric-HE-40x.svs" if data else None


def _extraction(bench: Path, folder: Path, rounds: int, only: str) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for case in CASES:
        slide = _slide_of(case, bench)
        if only not in case.name or slide is None:
            continue
        measured = measure_case(case, slide, folder, rounds=rounds)
        ways = [way for way in measured.wall if not way.startswith("floor")]
        loops = [way for way in ways if not way.startswith("slidekit")]
        rows = {}
        for way in ways:
            floor = f"floor {way.removeprefix('slidekit ')}"
            rows[way] = {
                "ms": measured.ms(way),
                "tiles_per_second": measured.per_second(way),
                "ratios": {loop: measured.ratio(way, loop) for loop in loops},
                "share": measured.ratio(way, floor) if floor in measured.cpu else None,
                "peak": _peak(case, way, folder),
            }
        results[case.name] = {"tiles": measured.units, "rounds": rounds, "ways": rows}
        print(page.extraction_table({case.name: results[case.name]}), flush=True)
    return results


def _peak(case: Case, way: str, folder: Path) -> float:
    command = [sys.executable, __file__, "--folder", str(folder), "--peak", case.name, way]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _peak_here(name: str, way: str, bench: Path, folder: Path) -> float:
    """Peak resident memory, MB, of this process, which has done nothing else, while it extracts."""
    case = next(case for case in CASES if case.name == name)
    slide = _slide_of(case, bench)
    assert slide is not None
    work = ways_of(case, slide, folder)[1][way]
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far was of choosing the cells
    work()
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def _threads(slide: Path, folder: Path, rounds: int) -> dict[str, Any]:
    return measure_threads(slide, folder, rounds=rounds)


def _masks(slide: Path, _: Path, rounds: int) -> dict[str, Any]:
    measured = measure_masks(slide, rounds=rounds)
    return {way: measured.ms(way) for way in measured.cpu}


def _focus(slide: Path, folder: Path, rounds: int) -> dict[str, Any]:
    slides = {"bench slide": slide}
    if (real := _real_slide()) is not None:
        slides = {real.stem: real, "CMU-1-Small-Region": real.with_name("CMU-1-Small-Region.svs"), **slides}
    return measure_focus(slides, folder, rounds=rounds)


def _cells(_: Path, folder: Path, rounds: int) -> dict[str, Any]:
    slide = make_cell_slide(folder)
    return {
        "method": measure_method(slide),
        "slide": {str(workers): measure_cells(slide, workers=workers) for workers in (1, 2)},
    }


def _normalizers(slide: Path, _: Path, rounds: int) -> dict[str, Any]:
    measured, apart = measure_normalizers(slide, rounds=rounds)
    return {
        method: {
            "ms": measured.ms(method),
            "textbook_ms": measured.ms(f"{method} as written"),
            "ratio": measured.ratio(method, f"{method} as written"),
            "apart": apart[method],
        }
        for method in apart
    }


def _frameworks(slide: Path, _: Path, rounds: int) -> dict[str, Any]:
    measured, peers = measure_frameworks(slide, rounds=rounds)
    rows: dict[str, dict[str, Any]] = {}
    for way in measured.cpu:
        # The name of a way ends with its framework.
        method, framework = way.rsplit(" ", 1)
        peer = peers.get(method, {}).get(framework)
        rows.setdefault(method, {})[framework] = {
            "per_second": 1e3 / measured.ms(way),
            "ratio": None if peer is None else measured.ratio(way, peer),
        }
    held = measured.ratio("vahadane, stains of the slide numpy", "vahadane numpy")
    return {"frameworks": list(FRAMEWORKS), "rows": rows, "vahadane_held": held}


def _loading(slide: Path, folder: Path, rounds: int) -> dict[str, Any]:
    records = write_records(slide, folder / "records")
    paths = sorted(map(str, records.glob("*/*.tfrecords")))
    return {
        "opening": measure_apart("loading.measure_opening", str(folder / "indexes"), rounds=rounds),
        "torch": measure_apart("loading.measure_torch", paths, rounds=rounds),
        "tensorflow": measure_apart("loading_tensorflow.measure_tensorflow", str(records), rounds=rounds),
    }


def _sampling(slide: Path, folder: Path, rounds: int) -> dict[str, Any]:
    return measure_sampling(slide, _real_slide(), folder, rounds=rounds)


def _command(slide: Path, folder: Path, rounds: int) -> dict[str, Any]:
    glass = folder / "glass"
    for old in glass.glob("*.svs"):
        old.unlink()
    make_bench_slide(glass, edge=20_000, tissue_px=0)
    tissue = folder / "tissue"
    tissue.mkdir(exist_ok=True)
    # Of an earlier run with another bench slide: there must be one.
    for old in tissue.iterdir():
        old.unlink()
    (tissue / slide.name).symlink_to(slide)
    ways = {
        "imports": lambda: run_imports(),
        "glass": lambda: run_extract(glass, folder),
        "one thread": lambda: run_extract(tissue, folder, options=("--threads", "1")),
        "two threads": lambda: run_extract(tissue, folder, options=("--threads", "2")),
    }
    runs: dict[str, list[Run]] = {way: [] for way in ways}
    for way in ("imports", "glass"):
        ways[way]()  # so that compiled modules are there, as they are after an installation
    for _ in range(rounds):
        for way, run in ways.items():
            runs[way].append(run())
    return {way: vars(Run.median(done)) for way, done in runs.items()}


def _stages(slide: Path, folder: Path, rounds: int) -> dict[str, Any]:
    return split_by_stage(slide, folder, rounds=rounds)


def _growth(slide: Path, folder: Path, rounds: int) -> dict[str, Any]:
    return {"tiles": grow_tiles(slide, folder, rounds=rounds), "area": grow_area(folder, rounds=rounds)}


_MEASURES = {
    "threads": _threads,
    "masks": _masks,
    "focus": _focus,
    "cells": _cells,
    "normalizers": _normalizers,
    "frameworks": _frameworks,
    "loading": _loading,
    "sampling": _sampling,
    "command": _command,
    "stages": _stages,
    "growth": _growth,
}


if __name__ == "__main__":
    main()
