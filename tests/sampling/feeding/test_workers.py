"""Feeds with worker processes: the same stream, masks made by them, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from slidekit.sampling.feeding.feed import Feed
from slidekit.sampling.feeding.memory import PatchLayout
from slidekit.sampling.feeding.tasks import Setup
from slidekit.sampling.feeding.workers import can_cross
from tests.pixels.pictures import spoil_tile
from tests.sampling.feeding.feed_slides import digest, make_sampler, stream, write_slides

_HELPER = """
import os
from dataclasses import dataclass
from slidekit.augment.patches import PatchAugment

@dataclass(frozen=True)
class Killer(PatchAugment):
    seeds: frozenset = frozenset()
    parent: int = 0

    def apply(self, images, seed, labels=None, *, widths=None):
        if int(seed) in self.seeds and os.getpid() != self.parent:
            os._exit(9)
        return tuple(images), labels

@dataclass(frozen=True)
class Careless(PatchAugment):
    parent: int = 0

    def apply(self, images, seed, labels=None, *, widths=None):
        if os.getpid() != self.parent:
            raise KeyError("careless of me")
        return tuple(images), labels
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three slides, of which one is damaged in part."""
    folder = write_slides(tmp_path_factory.mktemp("workers"))
    for tile in range(0, 30, 3):
        spoil_tile(folder / "a.svs", 0, tile)
    return folder


def _gone(pids: list[int], seconds: float = 10.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return True
        time.sleep(0.02)
    return False


def _when_ready(feed: Feed) -> list[int]:
    """Wait until the workers have started up; their numbers."""
    crew = feed._runner._crew
    while len(crew.workers) < crew.count or not all(worker.ready for worker in crew.workers):
        time.sleep(0.02)
    return [worker.pid for worker in crew.workers]


def test_two_workers_give_the_same_stream_and_leave_nothing_behind(folder: Path) -> None:
    options = {"views": ((16, 2.0),)}
    expected = stream(make_sampler(folder, **options), 160, workers=0)
    sampler = make_sampler(folder, **options)
    shared = set(Path("/dev/shm").iterdir())
    with Feed(sampler, 8, workers=2, steps=160, look_ahead=32) as feed:
        patches = digest(next(feed))
        pids = _when_ready(feed)
        time.sleep(0.2)
        assert feed._stream.planned <= 8 + feed._stream.slots  # a consumer that takes his time is waited for
        patches += [patch for batch in feed for patch in digest(batch)]
    assert patches == expected
    assert len(pids) == 2
    assert _gone(pids)
    assert set(Path("/dev/shm").iterdir()) == shared
    assert set(feed.report.redrawn["a"]) == {"pixels cannot be decoded"}


def test_what_is_let_go_of_ends_its_workers(folder: Path) -> None:
    feed = Feed(make_sampler(folder), 8, workers=1)
    batch = next(feed)
    pids = _when_ready(feed)
    runner = feed._runner
    del feed
    assert _gone(pids)
    assert not runner._thread.is_alive()
    assert batch.images.std() > 0


def test_what_is_defined_in_a_script_cannot_cross(folder: Path) -> None:
    sampler = make_sampler(folder)
    layout = PatchLayout(1, (32,), labels=False)
    assert can_cross(Setup(sampler.slides, sampler.spec, layout, 1, 1))
    local = sampler.spec.model_copy(update={"mask": lambda slide: None})
    assert not can_cross(Setup(sampler.slides, local, layout, 1, 1))


@pytest.mark.long
@pytest.mark.parametrize(("workers", "look_ahead", "start"), [(1, 16, 0), (2, 512, 37), (4, 64, 0), (4, 1, 100)])
def test_any_workers_give_the_same_stream(folder: Path, workers: int, look_ahead: int, start: int) -> None:
    expected = stream(make_sampler(folder), 400 - start, 16, workers=0, start=start)
    with Feed(make_sampler(folder), 16, steps=400 - start, start=start, workers=workers, look_ahead=look_ahead) as feed:
        found = digest(next(feed))
        # Else this process has read all before they have started up.
        _when_ready(feed)
        found += [patch for batch in feed for patch in digest(batch)]
    assert found == expected


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """A module that workers can import."""
    (tmp_path / "feed_helper_module.py").write_text(_HELPER)
    monkeypatch.syspath_prepend(tmp_path)
    import feed_helper_module

    return feed_helper_module


@pytest.mark.long
def test_a_process_that_is_killed_by_a_slide_costs_no_step(folder: Path, helper: object) -> None:
    # What the parent reads before workers are ready must not be what kills: the patches come later.
    plain = make_sampler(folder)
    plan = plain.plan(list(range(900)))
    seeds = frozenset(plan.seeds[(plan.slides == 1) & (plan.steps > 850)].tolist())
    sampler = make_sampler(folder, augment=helper.Killer(seeds=seeds, parent=os.getpid()))
    with Feed(sampler, 8, workers=1, steps=900, look_ahead=32) as feed:
        steps = [step for batch in feed for step in batch.steps.tolist() if _when_ready(feed)]
    assert steps == list(range(900))
    assert "exit code 9" in feed.report.crashes
    assert set(feed.report.redrawn["b"]) == {"the process that read it died"}


@pytest.mark.long
def test_an_error_of_a_worker_comes_up_with_its_traceback(folder: Path, helper: object) -> None:
    sampler = make_sampler(folder, augment=helper.Careless(parent=os.getpid()))
    with Feed(sampler, 8, workers=1) as feed:
        next(feed)
        pids = _when_ready(feed)
        with pytest.raises(KeyError, match="careless") as caught:
            list(feed)
    assert "feed_helper_module.py" in "".join(caught.value.__notes__)
    assert _gone(pids)


@pytest.mark.long
def test_a_worker_that_is_killed_is_replaced(folder: Path) -> None:
    expected = stream(make_sampler(folder), 800, workers=0)
    with Feed(make_sampler(folder), 8, workers=2, steps=800, look_ahead=64) as feed:
        patches = digest(next(feed))
        os.kill(_when_ready(feed)[0], signal.SIGKILL)
        patches += [patch for batch in feed for patch in digest(batch)]
    assert patches == expected
    assert len(feed.report.crashes) == 1


@pytest.mark.long
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_their_parent(folder: Path, end: signal.Signals) -> None:
    # A script without a guard of __main__, interrupted while it waits, or killed.
    script = f"""
        import time
        from slidekit.sampling.feeding.feed import Feed
        from slidekit.sampling.sampler import PatchSampler
        sampler = PatchSampler({str(folder)!r}, 32, 16, mask=None)
        feed = Feed(sampler, 8, workers=2)
        next(feed)
        crew = feed._runner._crew
        while len(crew.workers) < 2:
            time.sleep(0.01)
        print(*[worker.pid for worker in feed._runner._crew.workers], flush=True)
        while True:
            next(feed)
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    arguments = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    ) as program:
        pids = [int(pid) for pid in program.stdout.readline().split()]
        time.sleep(0.3)
        program.send_signal(end)
        _, said = program.communicate(timeout=30)
    assert len(pids) == 2
    assert _gone(pids)
    if end == signal.SIGINT:
        assert "KeyboardInterrupt" in said
        assert said.count("Traceback") == 1
