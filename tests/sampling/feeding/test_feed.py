"""Feeds in this process: the stream depends on the sampler alone, what fails is drawn anew, slots are used again."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from slidekit.errors import SlidekitError, SpecError
from slidekit.sampling.feeding.feed import Feed
from tests.pixels.pictures import spoil_tile
from tests.sampling.feeding.feed_slides import digest, make_sampler, stream, write_slides


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_slides(tmp_path_factory.mktemp("feed"))


@pytest.fixture(scope="module")
def expected(folder: Path) -> list:
    """The first 96 patches, by a feed that looks far ahead."""
    return stream(make_sampler(folder), 96, workers=0)


class TestStream:
    def test_steps_come_in_order_and_once(self, expected: list) -> None:
        assert [patch[0] for patch in expected] == list(range(96))
        assert {patch[1] for patch in expected} == {"a", "b", "c"}
        assert len({patch[-1] for patch in expected}) == 96

    @pytest.mark.parametrize(
        ("batch_size", "options"),
        [(8, {"look_ahead": 1}), (7, {"look_ahead": 20}), (96, {}), (5, {"memory": 1}), (8, {"copy": False})],
    )
    def test_it_is_the_same_by_any_batch_and_look_ahead(
        self, folder: Path, expected: list, batch_size: int, options: dict
    ) -> None:
        assert stream(make_sampler(folder), 96, batch_size, workers=0, **options) == expected

    @pytest.mark.parametrize("start", [1, 8, 61])
    def test_it_goes_on_at_any_step(self, folder: Path, expected: list, start: int) -> None:
        assert stream(make_sampler(folder), 96 - start, workers=0, start=start) == expected[start:]

    def test_position_is_the_step_to_go_on_with(self, folder: Path, expected: list) -> None:
        with Feed(make_sampler(folder), 8, workers=0) as feed:
            first = [patch for _ in range(3) for patch in digest(next(feed))]
            position = feed.position
        with Feed(make_sampler(folder), 8, workers=0, start=position) as feed:
            second = digest(next(feed))
        assert position == 24
        assert first + second == expected[:32]

    def test_views_come_as_a_tuple(self, folder: Path) -> None:
        with Feed(make_sampler(folder, views=((16, 4.0),)), 4, workers=0) as feed:
            batch = next(feed)
        assert [view.shape for view in batch.images] == [(4, 32, 32, 3), (4, 16, 16, 3)]

    def test_a_batch_of_its_own_memory_does_not_change(self, folder: Path) -> None:
        with Feed(make_sampler(folder), 8, workers=0, memory=1) as feed:
            batch = next(feed)
            before = digest(batch)
            for _ in range(4):
                next(feed)
            assert digest(batch) == before

    def test_the_report_counts(self, folder: Path) -> None:
        with Feed(make_sampler(folder), 8, steps=20, workers=0) as feed:
            sizes = [len(batch) for batch in feed]
        report = feed.report
        assert sizes == [8, 8, 4]
        assert (report.patches, report.batches, len(report.waits)) == (20, 3, 3)
        assert report.decodes > 0
        assert report.bytes_read > 0
        assert report.patches_per_second > 0
        assert report.redrawn == {}
        assert report.peak_memory is None or report.peak_memory > 1 << 20


class TestFailures:
    @pytest.fixture
    def damaged(self, tmp_path: Path) -> Path:
        folder = write_slides(tmp_path / "damaged", "ab")
        for tile in (0, 7, 8, 14):
            spoil_tile(folder / "a.svs", 0, tile)
        return folder

    def test_what_cannot_be_decoded_is_drawn_anew(self, damaged: Path) -> None:
        with Feed(make_sampler(damaged), 8, steps=80, workers=0) as feed:
            batches = list(feed)
        again = stream(make_sampler(damaged), 80, 16, workers=0, look_ahead=3)
        patches = [patch for batch in batches for patch in digest(batch)]
        redrawn = sum(batch.attempts.sum() for batch in batches)
        assert patches == again
        assert [patch[0] for patch in patches] == list(range(80))
        assert redrawn > 0
        assert feed.report.redrawn == {"a": {"pixels cannot be decoded": redrawn}}
        assert all(image.mean() < 230 for batch in batches for image in batch.images[batch.inside > 0.9])

    def test_a_list_leaves_out_what_cannot_be_decoded(self, damaged: Path) -> None:
        points = tuple((name, 40.0 + 37 * number, 50.0) for number in range(14) for name in "ab")
        sampler = make_sampler(damaged, mode="points", points=points, shuffle=False)
        with Feed(sampler, 4, workers=0) as feed:
            batches = list(feed)
        slides = [name for batch in batches for name in batch.slides]
        left_out = sum(feed.report.left_out["a"].values())
        assert slides.count("b") == 14
        assert slides.count("a") == 14 - left_out
        assert 0 < left_out < 14
        assert feed.report.redrawn == {}
        assert [len(batch) for batch in batches[:-1]] == [4] * (len(batches) - 1)

    def test_slides_that_are_all_damaged_end_the_feed(self, tmp_path: Path) -> None:
        folder = write_slides(tmp_path / "one", "a")
        for tile in range(30):
            spoil_tile(folder / "a.svs", 0, tile)
        with Feed(make_sampler(folder), 2, workers=0) as feed:
            with pytest.raises(SlidekitError, match=r"64 that were drawn for step [01]: .*pixels cannot be decoded"):
                next(feed)
            with pytest.raises(SlidekitError, match="closed"):
                next(feed)


class TestEnds:
    def test_a_closed_feed_says_so(self, folder: Path) -> None:
        feed = Feed(make_sampler(folder), 8, workers=0)
        next(feed)
        feed.close()
        feed.close()
        with pytest.raises(SlidekitError, match="closed"):
            next(feed)

    def test_nothing_stays_open(self, folder: Path) -> None:
        def descriptors() -> set[str]:
            return {path.name for path in Path("/proc/self/fd").iterdir() if os.path.lexists(path)}

        next(Feed(make_sampler(folder), 8, workers=0))
        before = descriptors()
        feed = Feed(make_sampler(folder), 8, workers=0)
        batch = next(feed)
        del feed
        assert descriptors() == before
        assert batch.images.std() > 0

    @pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"start": -1}, {"look_ahead": 0}, {"workers": -1}])
    def test_numbers_are_checked(self, folder: Path, wrong: dict) -> None:
        with pytest.raises(SpecError):
            Feed(make_sampler(folder), **{"batch_size": 8, **wrong})

    def test_it_is_for_one_process(self, folder: Path) -> None:
        with Feed(make_sampler(folder), 8, workers=0) as feed:
            feed._runner.pid += 1
            with pytest.raises(SlidekitError, match="another process"):
                next(feed)

    def test_no_steps_are_no_batches(self, folder: Path) -> None:
        with Feed(make_sampler(folder), 8, steps=0, workers=0) as feed:
            assert list(feed) == []

    def test_views_of_shared_memory_where_asked_for(self, folder: Path) -> None:
        with Feed(make_sampler(folder), 8, workers=0, copy=False) as feed:
            images = next(feed).images
            assert np.shares_memory(images, feed._memory.views[0])


def test_a_feed_of_epochs_ends_with_the_epoch_that_it_starts_in(folder: Path) -> None:
    sampler = make_sampler(folder).replace(mode="epoch")
    total = len(sampler)

    steps = [step for batch in sampler.batches(8, start=total + 3, workers=0) for step in batch.steps.tolist()]

    assert steps == list(range(total + 3, 2 * total))


def test_an_option_that_there_is_not_is_named_with_those_there_are(folder: Path) -> None:
    with pytest.raises(SpecError, match=r"'scaling'.*start, steps, copy, workers"):
        make_sampler(folder).batches(4, scaling="0..1")
