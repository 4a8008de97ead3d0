"""How soon training begins on slides never seen, and what it keeps on disk: sampling beside chopping."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import MASK_UM, otsu
from benchmarks.sampling import BATCH, PX, UM, WORKERS
from benchmarks.sampling_peers import chop, write_mask
from slidekit.sampling import PatchSampler
from slidekit.slide.wsi import WSI

__all__ = ["make_unseen_slides", "measure_first_batch", "measure_masks_and_tiles"]

SLIDES = 10
CHOPPED = 40
"""Tiles of a slide that are truly chopped, spread over it; the others are reckoned to take as long."""

QUALITIES = (95, 75)
"""Of JPEG: what the rest of the page has, and Pillow's default."""


@dataclass(frozen=True)
class _Cells:
    """Tissue tiles of a slide: top-left corners (level-0 pixels), and how OpenSlide is to read them."""

    corners: list[tuple[float, float]]
    level: int
    read_px: int


def make_unseen_slides(slide: Path, folder: Path) -> list[Path]:
    """Copies of a slide that no cache can take for it or for each other: other names, times, and sizes."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{slide.stem}-{number}{slide.suffix}" for number in range(SLIDES)]
    for number, path in enumerate(paths):
        if path.exists() and path.stat().st_size == slide.stat().st_size + 16 * (number + 1):
            continue
        shutil.copyfile(slide, path)
        with path.open("ab") as file:
            file.write(os.urandom(16 * (number + 1)))  # after the end of a TIFF there may be anything
    return paths


def measure_first_batch(slides: list[Path], *, rounds: int) -> dict[str, float]:
    """Time to the first batch of 32 patches, 256 px and 128 µm, of slides without masks.

    To be called in a new process; `rounds` is not used, for the slides are not new twice.

    Returns
    -------
    dict
        ``seconds`` until the first batch is there; ``slides`` that its patches come from.
    """
    with tempfile.TemporaryDirectory() as cache:
        started = time.perf_counter()
        sampler = PatchSampler(slides, PX, UM, cache=cache)
        with sampler.batches(BATCH, workers=WORKERS) as feed:
            batch = next(feed)
            seconds = time.perf_counter() - started
        return {"seconds": seconds, "slides": len(set(batch.slides))}


def measure_masks_and_tiles(slide: Path, *, rounds: int) -> dict[str, float]:
    """Chop a slide into JPEG tiles of 256 px and 128 µm, and compare with its mask in the cache.

    Returns
    -------
    dict
        ``tiles`` of tissue; ``seconds`` that one process takes to make an Otsu mask and to chop them at Q95, reckoned
        from ``every`` so manieth of them; ``bytes`` and ``bytes Q75`` of the tiles, likewise; ``mask``: bytes of what
        slidekit keeps of the slide in its cache, all files; ``histo-fetch mask``: bytes of the other's.
    """
    cells = _choose_cells(slide)
    every = max(1, len(cells.corners) // CHOPPED)
    share = cells.corners[::every]
    scale = len(cells.corners) / len(share)
    seconds, written = [], {}
    for _ in range(rounds):
        started = time.perf_counter()
        _make_otsu_mask(slide)
        masked = time.perf_counter() - started
        for quality in QUALITIES:
            with tempfile.TemporaryDirectory() as scratch:
                started = time.perf_counter()
                settings = {"level": cells.level, "read_px": cells.read_px, "tile_px": PX, "quality": quality}
                written[quality] = chop(slide, share, Path(scratch), **settings) * scale
                if quality == QUALITIES[0]:
                    seconds.append(masked + (time.perf_counter() - started) * scale)
    return {
        "tiles": len(cells.corners),
        "every": every,
        "seconds": statistics.median(seconds),
        "bytes": written[95],
        "bytes Q75": written[75],
        **_mask_bytes(slide),
    }


def _mask_bytes(slide: Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as scratch:
        cache = Path(scratch) / "cache"
        PatchSampler(slide, PX, UM, cache=cache)[0]
        kept = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
        return {"mask": kept, "histo-fetch mask": write_mask(slide, Path(scratch)).stat().st_size}


def _make_otsu_mask(slide: Path) -> None:
    """As the loops of the extraction do."""
    import openslide

    opened = openslide.OpenSlide(str(slide))
    mpp = float(opened.properties[openslide.PROPERTY_NAME_MPP_X])
    width, height = opened.dimensions
    otsu(opened.get_thumbnail((width * mpp / MASK_UM, height * mpp / MASK_UM)))
    opened.close()


def _choose_cells(slide: Path) -> _Cells:
    with WSI(slide, PX, UM, resample="exact", qc="otsu") as wsi:
        cells = wsi.grid.cells()[wsi.fates().taken]
        source = wsi.plan.source
        corners = [wsi.grid.corner(int(i), int(j)) for i, j in cells]
        return _Cells(corners, source.level, round(wsi.grid.tile_width / source.downsample_x))
