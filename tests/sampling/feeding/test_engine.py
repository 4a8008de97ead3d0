"""What becomes of patches whose reader dies, and of errors that nobody foresaw, with a crew that is made up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from slidekit.sampling.feeding.chunks import Chunk
from slidekit.sampling.feeding.crew import Death, Done
from slidekit.sampling.feeding.engine import CRASHED, FeedEngine
from slidekit.sampling.feeding.memory import PatchLayout, SharedPatches
from slidekit.sampling.feeding.stream import PatchStream
from slidekit.sampling.feeding.tasks import Bug, MapTask, ReadTask, Setup, Tasks
from slidekit.sampling.reading import Outcome
from tests.sampling.feeding.feed_slides import make_sampler, write_slides


class FakeWorker:
    """Does at once what it is given; dies of slide number 1."""

    number = 0

    def __init__(self, crew: FakeCrew) -> None:
        self._crew = crew

    def give(self, task: ReadTask | MapTask, what: Chunk | MapTask) -> None:
        if isinstance(task, MapTask):
            died = self._crew.dies_of_masks and task.slide == 1
            self._crew.events.append(Death(what, [], "exit code 9") if died else Done(what, self._crew.made(task)))
            return
        self._crew.sizes.append(len(task.plan))
        if self._crew.bug is not None:
            self._crew.events.append(Done(what, Bug(self._crew.bug, "line 7 of theirs")))
        elif (task.plan.slides == 1).any():
            self._crew.events.append(Death(what, [], "signal 11"))
        else:
            blank = [np.zeros((len(task.plan), 2)) for _ in range(3)]
            self._crew.events.append(Done(what, Outcome([], *blank, 1, 1)))


class FakeCrew:
    count, ready, workers = 1, True, ("one",)

    def __init__(self, sampler: object, bug: Exception | None = None, *, dies_of_masks: bool = False) -> None:
        self.events: list[Done | Death] = []
        self.sizes: list[int] = []
        self.bug = bug
        self.dies_of_masks = dies_of_masks
        layout = PatchLayout(1, (32,), labels=False)
        self._tasks = Tasks(Setup(sampler.slides, sampler.spec, layout, 1, 1), SharedPatches(layout))

    def made(self, task: MapTask) -> object:
        return self._tasks.do(task)

    def start(self) -> None:
        """It is there already."""

    def with_time(self) -> Iterator[FakeWorker]:
        while not self.events:
            yield FakeWorker(self)

    def wait(self, *, block: bool) -> list[Done | Death]:
        events, self.events = self.events, []
        return events


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_slides(tmp_path_factory.mktemp("engine"))


def _run(sampler: object, crew: FakeCrew, steps: int = 48) -> tuple[FeedEngine, PatchStream]:
    streamed = PatchStream(64, 0, steps)
    engine = FeedEngine(sampler, streamed, crew, batch_size=16, window=32)
    for _ in range(400):
        if streamed.settled == steps:
            break
        engine.turn(block=True)
    return engine, streamed


def test_a_slide_that_kills_is_found_out_and_done_without(folder: Path) -> None:
    sampler = make_sampler(folder)
    crew = FakeCrew(sampler)
    engine, streamed = _run(sampler, crew)
    slides = streamed.column("slides", np.arange(48))
    assert streamed.settled == 48
    assert set(slides.tolist()) == {0, 2}
    assert set(engine.report.redrawn) == {"b"}
    assert set(engine.report.redrawn["b"]) == {CRASHED}
    assert engine.report.crashes == ["signal 11"] * 3  # as a whole, once more, and one patch
    # What was in one chunk with it and is not its doing came alone.
    assert crew.sizes[0] == crew.sizes[1] > crew.sizes[2] == 1


def test_a_list_leaves_out_the_slide_that_kills(folder: Path) -> None:
    points = tuple((name, 100.0 + number, 100.0) for number in range(8) for name in "abc")
    sampler = make_sampler(folder, mode="points", points=points)
    engine, streamed = _run(sampler, FakeCrew(sampler), 24)
    positions, behind = streamed.next_batch(24)
    assert (len(positions), behind) == (16, 24)
    assert engine.report.left_out == {"b": {CRASHED: 8}}


def test_a_slide_that_kills_while_its_mask_is_made_is_done_without(folder: Path, tmp_path: Path) -> None:
    sampler = make_sampler(folder, mask="histofetch", cache=tmp_path)
    engine, streamed = _run(sampler, FakeCrew(sampler, dies_of_masks=True))
    assert set(streamed.column("slides", np.arange(48)).tolist()) == {0, 2}
    assert set(engine.report.redrawn) == {"b"}
    assert engine.report.crashes == ["exit code 9"]
    assert len(list(tmp_path.rglob("*.png"))) == 2


def test_what_nobody_foresaw_comes_up_with_its_traceback(folder: Path) -> None:
    sampler = make_sampler(folder)
    with pytest.raises(ZeroDivisionError, match="theirs") as caught:
        _run(sampler, FakeCrew(sampler, ZeroDivisionError("theirs")))
    assert "line 7 of theirs" in "".join(caught.value.__notes__)


def test_whatever_is_raised_by_a_task_is_told(folder: Path) -> None:
    sampler = make_sampler(folder)
    layout = PatchLayout(4, (32,), labels=False)
    tasks = Tasks(Setup(sampler.slides, sampler.spec, layout, 1, 1), SharedPatches(layout))
    result = tasks.do_and_tell(ReadTask(sampler.plan(np.arange(4)), np.arange(90, 94)))
    assert isinstance(result, Bug)
    assert isinstance(result.error, IndexError)
    assert "_read" in result.trace or "read" in result.trace


def test_an_error_that_cannot_be_sent_is_told_in_words(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class OwnError(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__(f"{one} and {two}")

    def fail(self: Tasks, task: object) -> None:
        raise OwnError(1, 2)

    sampler = make_sampler(folder)
    layout = PatchLayout(4, (32,), labels=False)
    tasks = Tasks(Setup(sampler.slides, sampler.spec, layout, 1, 1), SharedPatches(layout))
    monkeypatch.setattr(Tasks, "do", fail)
    result = tasks.do_and_tell(MapTask(0))
    assert isinstance(result.error, RuntimeError)
    assert str(result.error) == "OwnError: 1 and 2"
    assert "raise OwnError" in result.trace
