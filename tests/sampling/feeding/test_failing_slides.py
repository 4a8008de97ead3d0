"""Slides that fail while they are fed from: damaged, replaced, or gone; and a feed that is interrupted."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from slidekit.errors import SlidekitError, SpecError
from slidekit.io.slide_tiff import write_svs
from slidekit.sampling.feeding.feed import Feed
from slidekit.sampling.feeding.tasks import Setup
from slidekit.sampling.feeding.workers import can_cross
from slidekit.sampling.reading.opened import OpenedSlide
from slidekit.sampling.reading.pool import REPLACED, SlidePool
from tests.pixels.pictures import spoil_tile
from tests.sampling.feeding.feed_slides import make_sampler, write_slides


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_slides(tmp_path / "slides", "ab")


@pytest.mark.parametrize("workers", [0, 1])
def test_more_damaged_places_than_there_is_room_for_are_passed(tmp_path: Path, workers: int) -> None:
    folder = write_slides(tmp_path / "slides")
    for tile in range(30):
        spoil_tile(folder / "b.svs", 0, tile)
    counts = {"a": 2, "b": 30, "c": 9}
    points = tuple((name, 60.0 + 5 * number, 60.0) for name, count in counts.items() for number in range(count))
    sampler = make_sampler(folder, mode="points", points=points, shuffle=False)
    with Feed(sampler, 4, workers=workers, look_ahead=4) as feed:
        batches = [batch.steps.tolist() for batch in feed]
        with pytest.raises(StopIteration):
            next(feed)
    assert batches == [[0, 1, 32, 33], [34, 35, 36, 37], [38, 39, 40]]
    assert feed.report.left_out == {"b": {"pixels cannot be decoded": 30}}


@pytest.mark.parametrize("edge", [600, 300])
def test_a_slide_that_was_replaced_is_not_read(folder: Path, edge: int) -> None:
    # Arrange
    sampler = make_sampler(folder)
    sampler.plan(range(32))
    glass = np.full((edge, edge, 3), 255, np.uint8)
    write_svs(folder / "new.svs", [glass], mpp=0.2528, tile_size=128)
    (folder / "new.svs").replace(folder / "a.svs")

    # Act
    with Feed(sampler, 16, steps=32, workers=0) as feed:
        slides = {name for batch in feed for name in batch.slides}

    # Assert
    assert slides == {"b"}
    assert set(feed.report.redrawn["a"]) == {REPLACED}


def test_a_slide_that_goes_away_while_it_is_opened_is_a_reason(folder: Path) -> None:
    def opened(slide: object, spec: object) -> OpenedSlide:
        raise FileNotFoundError(2, "No such file or directory")

    sampler = make_sampler(folder)
    pool = SlidePool(sampler.slides, sampler.spec, opener=opened)
    assert pool.get(0) == "cannot be opened: the file cannot be read (No such file or directory)."


def test_ctrl_c_closes_a_feed_that_reads_here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = Feed(make_sampler(folder), 8, steps=1600, workers=0)
    next(feed)

    def interrupted(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(5)

    monkeypatch.setattr(OpenedSlide, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(feed)
    position = feed.position
    with pytest.raises(SlidekitError, match="Make another that starts at its position"):
        next(feed)
    assert position >= 8


def test_the_error_that_ends_a_feed_names_slides(folder: Path) -> None:
    for name in "ab":
        for tile in range(30):
            spoil_tile(folder / f"{name}.svs", 0, tile)
    with (
        Feed(make_sampler(folder), 2, workers=0) as feed,
        pytest.raises(SlidekitError, match=r"a: \d+ × pixels cannot be decoded"),
    ):
        next(feed)


def test_slides_without_a_place_are_in_the_report(folder: Path) -> None:
    (folder / "c.svs").write_bytes(b"no slide")
    with Feed(make_sampler(folder, mode="grid"), 8, workers=0) as feed:
        next(feed)
    assert list(feed.report.slides_left_out) == ["c"]
    assert "Slide left out" in "".join(str(cell) for cell in feed.report.__rich__().columns[0].cells)


def test_memory_is_at_least_that_of_this_process(folder: Path) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("the system does not tell")
    with Feed(make_sampler(folder), 8, steps=8, workers=0) as feed:
        list(feed)
    here = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS:"))
    assert feed.report.peak_memory >= int(here.split()[1]) * 1024 * 0.9


@pytest.mark.parametrize("memory", ["1GB", -5, 0])
def test_memory_is_checked(folder: Path, memory: object) -> None:
    with pytest.raises(SpecError, match="memory="):
        Feed(make_sampler(folder), 8, memory=memory)


def test_a_folder_called_main_is_no_reason_to_read_here(tmp_path: Path) -> None:
    folder = write_slides(tmp_path / "m__main__x", "a")
    sampler = make_sampler(folder)
    with Feed(sampler, 2, workers=0) as feed:
        layout = feed._memory.layout
    assert can_cross(Setup(sampler.slides, sampler.spec, layout, 1, 1))
