"""Bags: each slide once an epoch, no place twice before all have come, whatever replica and start."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from slidekit.errors import DatasetError, SpecError
from slidekit.sampling.bags import Bags
from tests.sampling.face_slides import PX, make_sampler, write_noise


@pytest.fixture(scope="module")
def sampler(tmp_path_factory):
    return make_sampler(tmp_path_factory.mktemp("bags"))


def test_an_epoch_has_each_slide_once_in_an_order_of_its_own(sampler) -> None:
    bags = Bags(sampler, 4)

    found = list(bags.batches(epochs=6, workers=0))

    orders = [tuple(bag.slide for bag in found[first : first + 3]) for first in range(0, 18, 3)]
    assert len(bags) == 3
    assert all(sorted(order) == ["s0", "s1", "s2"] for order in orders)
    assert len(set(orders)) > 1
    assert [bag.number for bag in found] == list(range(18))
    for bag in found:
        assert bag.images.shape == (4, PX, PX, 3)
        assert set(bag.patches.slides) == {bag.slide}
        assert bag.label == (1 if bag.slide == "s1" else 0)


def test_no_place_comes_again_before_all_have_come(sampler) -> None:
    # Arrange: the tissue of a slide is 128 px wide, which has 16 patches of 32 px
    alone = sampler.replace(mode="epoch")
    cells = len(alone) // 3
    assert cells >= 12
    bags = Bags(sampler, 4)

    # Act
    places = [bag.patches.centres for bag in bags.batches(epochs=cells // 4, workers=0) if bag.slide == "s0"]

    # Assert: centres of different cells of 32 px; those of neighbours are jittered within them
    together = np.concatenate(places)
    assert len(together) == cells // 4 * 4
    assert len(np.unique(np.round(together, 3), axis=0)) == len(together)
    first = np.concatenate([places[0], places[1]])
    gaps = np.abs(first[:, None] - first[None]).max(-1) + np.eye(8) * 1e9
    assert gaps.min() > 1


def test_a_bag_larger_than_the_tissue_is_filled_from_the_next_round(sampler) -> None:
    cells = len(sampler.replace(mode="epoch")) // 3

    bag = next(Bags(sampler, cells + 5).batches(workers=0))

    assert len(bag.images) == cells + 5


def test_bags_are_the_same_from_any_start_and_for_replicas(sampler) -> None:
    whole = list(Bags(sampler, 3).batches(epochs=2, workers=0))

    rest = list(Bags(sampler, 3).batches(start=4, epochs=2, workers=0))
    shared = [list(Bags(sampler, 3, rank=rank, num_replicas=2).batches(epochs=2, workers=0)) for rank in range(2)]

    assert all(np.array_equal(a.images, b.images) for a, b in zip(whole[4:], rest, strict=True))
    for rank in range(2):
        assert [bag.number for bag in shared[rank]] == [rank, rank + 2, rank + 4]
        assert all(np.array_equal(bag.images, whole[bag.number].images) for bag in shared[rank])


def test_slides_that_give_nothing_are_named(tmp_path, caplog) -> None:
    slides = write_noise(tmp_path / "slides")
    empty = tmp_path / "empty.png"
    cv2.imwrite(str(empty), np.zeros((32, 32), np.uint8))
    slides[1] = replace(slides[1], mask=empty)
    (tmp_path / "broken.svs").write_bytes(b"no slide")
    slides[2] = replace(slides[2], path=tmp_path / "broken.svs")

    bags = Bags(make_sampler(tmp_path, slides), 4)

    assert set(bags.unusable) == {"s1", "s2"}
    assert "2 slides give no bags: s1, s2" in caplog.text
    assert [bag.slide for bag in bags.batches(epochs=2, workers=0)] == ["s0", "s0"]
    with pytest.raises(DatasetError, match="No slide gives bags"):
        Bags(make_sampler(tmp_path, slides[1:]), 4)


def test_lists_and_scales_are_refused(sampler) -> None:
    for other in (sampler.replace(mode="grid"), sampler.replace(tile_um=[8, 16])):
        with pytest.raises(SpecError, match="one size"):
            Bags(other, 4)
    with pytest.raises(SpecError, match="rank=3"):
        Bags(sampler, 4, rank=3, num_replicas=2)
    with pytest.raises(SpecError, match="no option 'num_workers'"):
        Bags(sampler, 4).batches(num_workers=2)


def test_a_slide_whose_pixels_all_fail_is_left_out_and_named(
    sampler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Arrange: nothing of s1 can be read
    from slidekit.sampling.feeding import tasks

    expected = [bag for bag in Bags(sampler, 4).batches(epochs=4, workers=0) if bag.slide != "s1"]
    read = tasks.PatchReader.read

    def fail(self, plan, *rest):
        outcome = read(self, plan, *rest)
        outcome.failures.extend((row, "damaged") for row in np.flatnonzero(plan.slides == 1).tolist())
        return outcome

    monkeypatch.setattr(tasks.PatchReader, "read", fail)
    bags = Bags(sampler, 4)

    # Act
    found = list(bags.batches(epochs=4, workers=0))

    # Assert
    assert [bag.number for bag in found] == [bag.number for bag in expected]
    for bag, other in zip(found, expected, strict=True):
        assert np.array_equal(bag.images, other.images)
    assert list(bags.left_out) == ["s1"]
    assert "s1 gives no bags from here on" in caplog.text
    assert [bag.slide for bag, _ in zip(bags.batches(workers=0), range(5), strict=False)].count("s1") == 0
