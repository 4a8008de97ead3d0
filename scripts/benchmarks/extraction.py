"""Extraction: slidekit in each mode beside the loops, on the same cells, and its share of the floor."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.peers import Work, openslide_and_pillow, pyvips_crop_and_resize
from slidekit.pixels.jpeg import decode_jpeg, join_tables, with_colour_marker
from slidekit.pixels.readers.tiff_levels import tiff_levels
from slidekit.slide.encode import encode_image
from slidekit.slide.extract import OutputFolders, extract_from_wsi
from slidekit.slide.selection import CellFates
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI

__all__ = ["CASES", "Case", "Measured", "measure_case"]


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes
    ----------
    name
        What is measured.
    tile_px, tile_um
        Size of tiles.
    level0
        Whether pyramid levels are left out.
    modes
        `resample` modes of slidekit.
    rows
        Rows of cells to take; None for the whole slide with an Otsu mask.
    """

    name: str
    tile_px: int
    tile_um: float
    level0: bool = False
    modes: tuple[str, ...] = ("shrink", "exact")
    rows: int | None = 6


CASES = (
    Case("256 px @ 128 µm", 256, 128),
    Case("256 px @ 64 µm", 256, 64, modes=("shrink",), rows=4),
    Case("299 px @ 302 µm, level 1", 299, 302, modes=("shrink",), rows=12),
    Case("299 px @ 302 µm, level 0", 299, 302, level0=True, modes=("shrink", "fast", "exact"), rows=5),
)


@dataclass
class Measured:
    """Seconds of CPU and of wall time for each way, a value a round; tiles done in a round."""

    tiles: int
    cpu: dict[str, list[float]] = field(default_factory=dict)
    wall: dict[str, list[float]] = field(default_factory=dict)

    def take(self, way: str, work: Callable[[], None]) -> None:
        """Time one call."""
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        self.cpu.setdefault(way, []).append(time.process_time() - cpu)
        self.wall.setdefault(way, []).append(time.perf_counter() - wall)

    def ms(self, way: str) -> float:
        """Median CPU milliseconds per tile."""
        return statistics.median(self.cpu[way]) * 1e3 / self.tiles

    def ratio(self, way: str, other: str) -> float:
        """Median over rounds of `other` over `way`."""
        return statistics.median(b / a for a, b in zip(self.cpu[way], self.cpu[other], strict=True))


def measure_case(case: Case, slide: Path, scratch: Path, *, rounds: int = 5) -> Measured:
    """Run all ways in turn, `rounds` times."""
    cells, work = _choose_cells(case, slide)
    measured = Measured(len(cells))
    for _ in range(rounds):
        measured.take("openslide + Pillow", lambda: openslide_and_pillow(work, scratch / "peer.tfrecords"))
        measured.take("pyvips crop().resize()", lambda: pyvips_crop_and_resize(work, scratch / "peer.tfrecords"))
        for mode in case.modes:
            measured.take(f"slidekit {mode}", lambda mode=mode: _run(case, slide, cells, scratch, mode))
    for mode in case.modes:
        decode, encode = _floor(case, slide, cells, mode)
        measured.cpu[f"floor {mode}"] = [decode + encode] * rounds
    return measured


def _spec(case: Case, mode: str, threads: int = 1) -> ExtractionSpec:
    return ExtractionSpec.create(
        tile_px=case.tile_px,
        tile_um=case.tile_um,
        resample=mode,
        enable_downsample=not case.level0,
        threads=threads,
    )


def _choose_cells(case: Case, slide: Path) -> tuple[np.ndarray, Work]:
    with WSI.from_spec(slide, _spec(case, "exact")) as wsi:
        wsi.qc("otsu")
        cells = wsi.grid.cells()[wsi.fates().taken]
        if case.rows is not None:
            middle = wsi.grid.rows // 2
            cells = cells[(cells[:, 1] >= middle) & (cells[:, 1] < middle + case.rows)]
        source = wsi.plan.source
        corners = [wsi.grid.corner(int(i), int(j)) for i, j in cells]
        work = Work(slide, corners, wsi.grid.tile_width, source.level, source.downsample_x, case.tile_px)
    return cells, work


def _run(case: Case, slide: Path, cells: np.ndarray, scratch: Path, mode: str, threads: int = 1) -> None:
    spec = _spec(case, mode, threads)
    out = scratch / "slidekit"
    with WSI.from_spec(slide, spec) as wsi:
        keep_only(wsi, cells)
        extract_from_wsi(wsi, spec, OutputFolders(tfrecords=out))
    shutil.rmtree(out)


def keep_only(wsi: WSI, cells: np.ndarray) -> None:
    """Leave the given cells of a slide to be extracted, as a mask would."""
    reasons = np.full(len(wsi.grid), "background", dtype=object)
    reasons[cells[:, 1] * wsi.grid.columns + cells[:, 0]] = "kept"
    wsi._fates = CellFates(reasons, np.full(len(wsi.grid), -1))


def _floor(case: Case, slide: Path, cells: np.ndarray, mode: str) -> tuple[float, float]:
    """CPU seconds to decode each covering native tile once, and to encode each tile once: the least of 3."""
    with WSI.from_spec(slide, _spec(case, mode)) as wsi:
        source = wsi.plan.source
        level = tiff_levels(slide)[source.level]
        boxes = wsi.grid.boxes()[cells[:, 1] * wsi.grid.columns + cells[:, 0]] / wsi.levels[source.level].downsample_x
        tiles = [wsi[int(i), int(j)] for i, j in cells]
    needed = {
        row * level.columns + column
        for x0, y0, x1, y1 in boxes
        for row in range(int(y0 // level.tile_height), int(np.ceil(y1 / level.tile_height)))
        for column in range(int(x0 // level.tile_width), int(np.ceil(x1 / level.tile_width)))
    }
    data = slide.read_bytes()
    streams = [
        with_colour_marker(
            join_tables(level.tables, data[level.offsets[index] : level.offsets[index] + level.counts[index]]),
            ycbcr=level.photometric == 6,
        )
        for index in sorted(needed)
        if index < len(level.counts)
    ]
    decode = min(_cpu(lambda: [decode_jpeg(stream, source.shrink) for stream in streams]) for _ in range(3))
    encode = min(_cpu(lambda: [encode_image(tile) for tile in tiles]) for _ in range(3))
    return decode, encode


def _cpu(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
