"""`qc.Focus` beside the extraction of the same slide: what finding blurred tissue costs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measure import Measured
from slidekit.slide.extract import OutputFolders, extract_from_wsi
from slidekit.slide.qc.focus import Focus
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI

__all__ = ["measure_focus"]


def measure_focus(slides: Mapping[str, Path], scratch: Path, *, rounds: int) -> dict[str, Any]:
    """CPU of the mask and of an extraction with Otsu's mask, 256 px at 128 µm, each from opening the slide.

    Returns
    -------
    dict
        By slide: ``focus_ms``, ``extract_ms``, medians, and ``share``, the median of the rounds' own ratios.
    """
    rows = {}
    for name, slide in slides.items():
        ways: dict[str, Callable[[], object]] = {
            "focus": partial(_focus, slide),
            "extract": partial(_extract, slide, scratch / "focus"),
        }
        for work in ways.values():
            work()  # so that modules are imported, and files in the page cache
        measured = Measured(1)
        measured.rounds(ways, rounds)
        rows[name] = {
            "focus_ms": measured.ms("focus"),
            "extract_ms": measured.ms("extract"),
            "share": measured.ratio("extract", "focus"),
        }
    return rows


def _focus(slide: Path) -> None:
    with WSI(slide, 256, 128) as wsi:
        Focus()(wsi)


def _extract(slide: Path, out: Path) -> None:
    spec = ExtractionSpec.create(tile_px=256, tile_um=128, threads=1)
    with WSI.from_spec(slide, spec) as wsi:
        wsi.qc("otsu")
        extract_from_wsi(wsi, spec, OutputFolders(tfrecords=out))
    shutil.rmtree(out)
