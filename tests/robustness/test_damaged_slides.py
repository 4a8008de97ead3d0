"""Slides that are damaged in every way: a clean error, tiles counted unreadable, or the pixels that the bytes hold.

Each goes all the way to records in a child process, as in a run. With ``--log-cli-level=INFO`` the tests say how many
slides ended how, the figures of `docs/reliability.md`.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.robustness.slide_corpus import Case, damage, foreign_files, plan
from tests.robustness.slide_driver import extract_all
from tests.robustness.slide_oracle import decodings, explain, read_tiles
from tests.robustness.slide_sources import REAL, SOURCES, write_sources

_log = logging.getLogger("slidekit.tests")

MOST_SECONDS = 10.0
MOST_GROWTH = 1 << 30

UNFORESEEN = re.compile(r"\(\w+\.py, line \d+, in \S+\)$")
"""How `run_job` reports an error that is not one of slidekit's."""

Tiles = dict[tuple[int, int], np.ndarray]


class Tally:
    """What became of slides and of kept tiles, and what must not have become of them."""

    def __init__(self) -> None:
        self.slides: Counter[str] = Counter()
        self.tiles: Counter[str] = Counter()
        self.problems: list[str] = []
        self.slowest, self.largest = 0.0, 0

    def add(self, case: Case, results: list[dict[str, Any]], sound: dict[int, Tiles], out: Path) -> None:
        """Judge a slide."""
        if not results:
            self.slides["child ended"] += 1
            return
        explained: Counter[str] = Counter()
        for result in results:
            self.slowest = max(self.slowest, result["seconds"])
            self.largest = max(self.largest, result["growth"])
            self.problems += [f"{case}: {problem}" for problem in _problems(result)]
            if result["status"] == "done" and result["mpp"] == 0.5:
                explained += self._judge_tiles(case, result, sound.get(result["scale"], {}), out)
        self.tiles += explained
        if results[0]["status"] == "failed":
            outcome = "clean error"
        elif any(result["counts"].get("unreadable") for result in results):
            outcome = "tiles counted unreadable"
        elif explained.keys() - {"equal"}:
            outcome = "the pixels that others decode"
        else:
            outcome = "the pixels of the undamaged slide"
        self.slides[outcome] += 1

    def _judge_tiles(self, case: Case, result: dict[str, Any], sound: Tiles, out: Path) -> Counter[str]:
        scale = result["scale"]
        tiles = read_tiles(out / str(scale) / f"{case.path.name.partition('.')[0]}.tfrecords")
        decoded = None
        explained: Counter[str] = Counter()
        for cell, tile in tiles.items():
            why = explain(tile, cell, scale, sound.get(cell), decoded or [])
            if why is None and decoded is None:
                decoded = decodings(case.path)
                why = explain(tile, cell, scale, sound.get(cell), decoded)
            if why is None:
                self.problems.append(f"{case}: nothing explains tile {cell} at scale {scale} by {result['reader']}")
            elif why == "absent" and tile.min() == 255:
                self.problems.append(f"{case}: blank tile {cell} at scale {scale} was kept")
            else:
                explained[why] += 1
        return explained

    def summarise(self) -> str:
        """The figures as text."""
        slides = ", ".join(f"{count} {name}" for name, count in self.slides.most_common())
        tiles = ", ".join(f"{count} {name}" for name, count in self.tiles.most_common())
        most = f"{self.slowest:.1f} s and {self.largest / 2**20:.0f} MB"
        return f"{self.slides.total()} damaged slides: {slides}; kept tiles: {tiles or 'none'}; at most {most} a slide"


def _problems(result: dict[str, Any]) -> Iterable[str]:
    if result["status"] == "failed" and UNFORESEEN.search(result["reason"]):
        yield f"unforeseen: {result['reason']}"
    if result["status"] != "done" and len(result["reason"]) < 15:
        yield f"{result['status']} without a reason: {result['reason']!r}"
    if result["seconds"] > MOST_SECONDS:
        yield f"took {result['seconds']:.1f} s"
    if result["growth"] > MOST_GROWTH:
        yield f"took {result['growth'] / 2**20:.0f} MB"


def run_corpus(originals: dict[str, Path], picked: list[tuple[str, str, int]], folder: Path, tile_px: int) -> Tally:
    """Extract the undamaged slides, then the damaged ones, and judge these."""
    tally, out = Tally(), folder / "out"
    sound: dict[str, dict[int, Tiles]] = {}
    for case, results in extract_all([Case(name, "sound", 0, path) for name, path in originals.items()], out, tile_px):
        name = case.path.name.partition(".")[0]
        assert results, (
            f"{case}: the child ended on a slide that is not damaged: {(out / 'stderr.txt').read_text()[-500:]}"
        )
        assert all(result["status"] in ("done", "empty") for result in results), f"{case}: {results}"
        sound[case.source] = {
            result["scale"]: read_tiles(out / str(result["scale"]) / f"{name}.tfrecords")
            for result in results
            if result["status"] == "done"
        }
    cases: list[Case] = []
    for number, (name, path) in enumerate(originals.items()):
        cases += damage(path, folder, [one for one in picked if one[0] == name], f"s{number:02d}n")
    for case, results in extract_all(cases, out, tile_px):
        tally.add(case, results, sound[case.source], out)
    _log.info(tally.summarise())
    return tally


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_sources(tmp_path_factory.mktemp("sources"), list(SOURCES))


def test_a_share_of_the_corpus(originals, tmp_path):
    tally = run_corpus(originals, plan(list(SOURCES), every=9), tmp_path, 64)

    assert tally.problems == []
    # The damage is such that all of these occur.
    assert tally.slides["clean error"] > 5
    assert tally.slides["tiles counted unreadable"] > 3
    assert tally.tiles["equal"] > 500


def test_files_that_are_no_slides(tmp_path):
    tally = Tally()

    for case, results in extract_all(foreign_files(tmp_path), tmp_path / "out"):
        tally.add(case, results, {}, tmp_path / "out")

    _log.info(tally.summarise())
    assert tally.problems == []
    assert tally.slides["clean error"] == tally.slides.total()


@pytest.mark.long
def test_the_whole_corpus(originals, tmp_path):
    tally = run_corpus(originals, plan(list(SOURCES), rounds=2), tmp_path, 64)

    assert tally.problems == []
    assert tally.slides.total() >= 500
    assert tally.slides["clean error"] > 100
    assert tally.slides["tiles counted unreadable"] > 100
    assert tally.tiles["equal"] > 5000


@pytest.mark.long
@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL)
def test_damaged_copies_of_real_slides(real_data, tmp_path, name):
    tally = run_corpus({name: real_data / "slides" / name}, plan([name]), tmp_path, 256)

    assert tally.problems == []
    assert tally.slides.total() >= 20
    assert tally.slides["child ended"] < tally.slides.total() / 2
