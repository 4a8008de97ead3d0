"""Where the time of a run goes: the functions that do the work, timed from outside."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import slidekit.pixels.readers.native_jpeg
import slidekit.pixels.strips
import slidekit.slide.extract
import slidekit.slide.gridded
import slidekit.slide.spool
import slidekit.slide.tiles
from slidekit.slide.extract import OutputFolders, extract_from_wsi
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI

__all__ = ["split_by_stage"]


def split_by_stage(slide: Path, scratch: Path, *, rounds: int) -> dict[str, float]:
    """CPU seconds of each stage of one extraction, one thread, with Otsu mask and pictures for the report.

    Parameters
    ----------
    slide, scratch
        The slide, and where to write.
    rounds
        Of each stage, the least of so many rounds.
    """
    extract = slidekit.slide.extract
    places: list[tuple[Any, str, str]] = [
        (slidekit.pixels.readers.native_jpeg, "decode_jpeg", "decode native tiles (JPEG)"),
        (slidekit.pixels.strips, "resize_to_plan", "resample strips (libvips)"),
        (slidekit.slide.tiles.TileReader, "_read", "read bytes, cache, assemble strips"),
        (extract, "tile_statistics", "gray and white shares"),
        (extract, "encode_image", "encode tiles (JPEG)"),
        (slidekit.slide.spool.RecordSpool, "add", "records to the spool (protobuf, CRC)"),
        (extract, "_write", "final file: order, SHA-256, index, table"),
        (slidekit.slide.gridded.GriddedSlide, "qc", "Otsu mask"),
        (slidekit.slide.gridded.GriddedSlide, "draw", "picture for the report"),
        (extract, "summarise", "figures of the report"),
    ]
    clock = _Clock()
    restore = [(owner, name, getattr(owner, name)) for owner, name, _ in places]
    least: dict[str, float] = {}
    try:
        for owner, name, label in places:
            setattr(owner, name, clock.timed(getattr(owner, name), label))
        for _ in range(rounds):
            for label, seconds in _one_round(clock, slide, scratch).items():
                least[label] = min(least.get(label, float("inf")), seconds)
    finally:
        for owner, name, function in restore:
            setattr(owner, name, function)
    return dict(sorted(least.items(), key=lambda item: -item[1]))


class _Clock:
    """Seconds of each stage, what it calls of other stages not counted."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inner: list[float] = []

    def timed(self, function: Callable[..., Any], label: str) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            started = time.perf_counter()
            self._inner.append(0.0)
            try:
                return function(*arguments, **keywords)
            finally:
                spent = time.perf_counter() - started
                self.seconds[label] = self.seconds.get(label, 0.0) + spent - self._inner.pop()
                if self._inner:
                    self._inner[-1] += spent

        return call


def _one_round(clock: _Clock, slide: Path, scratch: Path) -> dict[str, float]:
    clock.seconds.clear()
    spec = ExtractionSpec.create(tile_px=256, tile_um=128, threads=1)
    out = scratch / "stages"
    started = time.perf_counter()
    with WSI.from_spec(slide, spec) as wsi:
        wsi.qc("otsu")
        extract_from_wsi(wsi, spec, OutputFolders(tfrecords=out, previews=out))
    spent = time.perf_counter() - started
    shutil.rmtree(out)
    seconds = dict(clock.seconds)
    return seconds | {"all else": spent - sum(seconds.values())}
