"""The benchmarks of the sampler run at toy size, so that a change of the sampler cannot leave them behind."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from slidekit.io.slide_tiff import make_pyramid, write_svs
from slidekit.sampling import PatchSampler

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    pixels = np.full((1024, 1024, 3), 240, np.uint8)
    pixels[200:800, 200:800] = np.random.default_rng(0).integers(20, 160, (600, 600, 3), np.uint8)
    return write_svs(tmp_path / "slide.svs", make_pyramid(pixels, (4,)), mpp=0.25)


def test_draining_counts_what_came(monkeypatch: pytest.MonkeyPatch, slide: Path, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    sampling = import_module("benchmarks.sampling")
    sampler = PatchSampler(slide, 64, 32, cache=tmp_path / "masks")

    drained = sampling.drain(sampler, 140, batch=4, workers=0)

    assert drained["patches"] == 140
    assert drained["patches/s"] > 0
    assert drained["sustained"] > 0
    assert drained["p95"] >= drained["p50"] > 0
    assert 0 < drained["decodes"] <= 9
    assert 20 < drained["memory"] < 10_000


def test_unseen_slides_differ_and_are_not_copied_twice(monkeypatch: pytest.MonkeyPatch, slide: Path) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    start = import_module("benchmarks.sampling_start")

    copies = start.make_unseen_slides(slide, slide.parent / "unseen")
    written = [path.stat().st_mtime_ns for path in copies]
    again = start.make_unseen_slides(slide, slide.parent / "unseen")

    assert len({path.stat().st_size for path in copies}) == 10
    assert again == copies
    assert [path.stat().st_mtime_ns for path in again] == written
    assert len(PatchSampler(copies[0], 64, 32, cache=slide.parent / "masks")[0:3]) == 3
