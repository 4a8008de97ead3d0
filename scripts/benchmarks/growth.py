"""How cost grows: with the number of tiles that are kept, not with the area of the slide."""

from __future__ import annotations

import shutil
import statistics
import time
from pathlib import Path

import shapely

from benchmarks.bench_slide import EDGE, make_bench_slide
from slidekit.slide.extract import OutputFolders, extract_from_wsi
from slidekit.slide.roi import ROI, ROISet
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI

__all__ = ["grow_area", "grow_tiles"]

SHARES = (0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 1.0)
EDGES = (10_000, 20_000, 40_000, 80_000)
TISSUE_PX = 8_000
"""Edge of the square of tissue on slides that differ in area, level-0 pixels."""


def grow_tiles(slide: Path, scratch: Path, *, rounds: int) -> list[tuple[int, float]]:
    """(tiles kept, CPU seconds) for regions of interest that hold more and more of one slide, from its top."""
    return [_extract(slide, scratch, EDGE, EDGE * share, rounds) for share in SHARES]


def grow_area(scratch: Path, *, rounds: int) -> list[tuple[float, int, float]]:
    """(megapixels, tiles kept, CPU seconds) for slides of growing area with the same tissue."""
    grown = []
    for edge in EDGES:
        slide = make_bench_slide(scratch, edge=edge, tissue_px=TISSUE_PX)
        grown.append((edge * edge / 1e6, *_extract(slide, scratch, edge, edge, rounds)))
    return grown


def _extract(slide: Path, scratch: Path, width: float, height: float, rounds: int) -> tuple[int, float]:
    spec = ExtractionSpec.create(tile_px=256, tile_um=128, threads=1)
    rois = ROISet([ROI("part", None, shapely.box(0, 0, width, height))])
    out, seconds, kept = scratch / "grown", [], 0
    for _ in range(rounds):
        started = time.process_time()
        with WSI.from_spec(slide, spec, rois=rois) as wsi:
            wsi.qc("otsu")
            kept = extract_from_wsi(wsi, spec, OutputFolders(tfrecords=out)).kept
        seconds.append(time.process_time() - started)
        shutil.rmtree(out)
    return kept, statistics.median(seconds)
