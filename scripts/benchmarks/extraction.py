"""Extraction: slidekit in each mode beside the loops, on the same cells, and its share of the floor."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.measure import Measured
from benchmarks.peers import LOOPS, Work
from slidekit.pixels.jpeg import decode_jpeg, join_tables, with_colour_marker
from slidekit.pixels.readers.tiff_levels import tiff_levels
from slidekit.slide.encode import encode_image
from slidekit.slide.extract import OutputFolders, extract_from_wsi
from slidekit.slide.selection import CellFates
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI

__all__ = ["CASES", "Case", "measure_case", "measure_threads", "ways_of"]


@dataclass(frozen=True)
class Case:
    """One block of the table.

    Attributes
    ----------
    name
        What is measured.
    tile_px, tile_um
        Size of tiles.
    modes
        `resample` modes of slidekit.
    level0
        Whether pyramid levels are left out.
    rows
        Rows of cells to take from the middle of the slide; None for all.
    qc
        Whether each way makes its Otsu mask as well.
    real
        Whether the slide is the real one of SLIDEKIT_TEST_DATA.
    """

    name: str
    tile_px: int
    tile_um: float
    modes: tuple[str, ...] = ("shrink",)
    level0: bool = False
    rows: int | None = None
    qc: bool = False
    real: bool = False


CASES = (
    Case("256 px @ 128 µm", 256, 128, ("shrink", "exact"), rows=30),
    Case("256 px @ 64 µm", 256, 64, rows=20),
    Case("299 px @ 302 µm, level 1", 299, 302),
    Case("299 px @ 302 µm, level 0", 299, 302, ("shrink", "fast", "exact"), level0=True, rows=18),
    Case("whole slide with Otsu, 256 px @ 128 µm", 256, 128, qc=True),
    Case("real slide of 0.2528 µm/px, 256 px @ 128 µm", 256, 128, ("shrink", "fast"), real=True),
)


def measure_case(case: Case, slide: Path, scratch: Path, *, rounds: int) -> Measured:
    """Run all ways, and the floor of each mode, in turn."""
    cells, ways = ways_of(case, slide, scratch)
    measured = Measured(len(cells))
    floors = {f"floor {mode}": _floor(case, slide, cells, mode) for mode in case.modes}
    measured.rounds(ways | floors, rounds)
    return measured


def ways_of(case: Case, slide: Path, scratch: Path) -> tuple[np.ndarray, dict[str, Callable[[], object]]]:
    """The cells of a case, and each way of extracting them."""
    cells, work = _choose_cells(case, slide)
    ways: dict[str, Callable[[], object]] = {
        name: partial(loop, work, scratch / "peer.tfrecords") for name, loop in LOOPS.items()
    }
    for mode in case.modes:
        ways[f"slidekit {mode}"] = partial(_extract, case, slide, cells, scratch, mode)
    return cells, ways


def measure_threads(slide: Path, scratch: Path, *, rounds: int) -> dict[str, float]:
    """How many times as fast, by the clock, two threads extract the whole slide as one does, by mode."""
    faster = {}
    for mode in ("shrink", "exact"):
        case = Case("threads", 256, 128, qc=True)
        cells, _ = _choose_cells(case, slide)
        measured = Measured(len(cells))
        ways = {f"{n}": partial(_extract, case, slide, cells, scratch, mode, threads=n) for n in (1, 2)}
        measured.rounds(ways, rounds)
        faster[mode] = measured.ratio("2", "1", wall=True)
    return faster


def _spec(case: Case, mode: str, threads: int = 1) -> ExtractionSpec:
    return ExtractionSpec.create(
        tile_px=case.tile_px, tile_um=case.tile_um, resample=mode, enable_downsample=not case.level0, threads=threads
    )


def _choose_cells(case: Case, slide: Path) -> tuple[np.ndarray, Work]:
    with WSI.from_spec(slide, _spec(case, "exact")) as wsi:
        wsi.qc("otsu")
        cells = wsi.grid.cells()[wsi.fates().taken]
        if case.rows is not None:
            first = (wsi.grid.rows - case.rows) // 2
            cells = cells[(cells[:, 1] >= first) & (cells[:, 1] < first + case.rows)]
        source = wsi.plan.source
        corners = [wsi.grid.corner(int(i), int(j)) for i, j in cells]
        work = Work(
            slide, corners, wsi.grid.tile_width, source.level, source.downsample_x, case.tile_px, wsi.mpp, case.qc
        )
    return cells, work


def _extract(case: Case, slide: Path, cells: np.ndarray, scratch: Path, mode: str, threads: int = 1) -> None:
    spec = _spec(case, mode, threads)
    out = scratch / "slidekit"
    with WSI.from_spec(slide, spec) as wsi:
        if case.qc:
            wsi.qc("otsu")
        else:
            _keep_only(wsi, cells)
        extract_from_wsi(wsi, spec, OutputFolders(tfrecords=out))
    shutil.rmtree(out)


def _keep_only(wsi: WSI, cells: np.ndarray) -> None:
    """Leave the given cells of a slide to be extracted, as a mask would."""
    reasons = np.full(len(wsi.grid), "background", dtype=object)
    reasons[cells[:, 1] * wsi.grid.columns + cells[:, 0]] = "kept"
    wsi._fates = CellFates(reasons, np.full(len(wsi.grid), -1))


def _floor(case: Case, slide: Path, cells: np.ndarray, mode: str) -> Callable[[], object]:
    """Decoding each native tile under the cells once, and encoding each tile once, all of them in memory."""
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

    def decode_and_encode() -> None:
        for stream in streams:
            decode_jpeg(stream, source.shrink)
        for tile in tiles:
            encode_image(tile)

    return decode_and_encode
