from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from slidekit.errors import SlideError
from slidekit.sampling import PatchSampler
from slidekit.sampling.coverage import count_patches
from slidekit.sampling.lattice import LEAST_TISSUE, Lattice
from tests.sampling.small_slides import HEIGHT, WIDTH, map_of, tissue_masks, write_slides


@pytest.fixture(scope="module")
def sampler(tmp_path_factory):
    folder = tmp_path_factory.mktemp("epoch")
    slides = write_slides(folder, [*tissue_masks(), np.zeros((32, 40), np.bool_)])
    return PatchSampler(slides, 16, 12, mode="epoch", seed=3, cache=folder / "masks")


def epoch(sampler, number):
    return sampler.plan(np.arange(len(sampler)) + number * len(sampler))


def overlapping(centres, size):
    apart = np.abs(centres[:, None] - centres[None])
    close = np.all(apart < size - 1e-6, axis=2)
    return np.count_nonzero(close) - len(centres)


@pytest.mark.parametrize("number", [0, 1, 7])
def test_patches_of_an_epoch_never_overlap_and_hold_tissue(sampler, number):
    plan = epoch(sampler, number)

    assert [overlapping(plan.centres[plan.slides == slide], 24) for slide in range(3)] == [0, 0, 0]
    assert plan.tissue.min() >= LEAST_TISSUE
    assert not plan.attempts.any()


@pytest.mark.parametrize("number", [0, 1, 7])
def test_an_epoch_covers_the_tissue_once(sampler, number):
    coverage = sampler.coverage(number)

    assert coverage.covered > 0.99
    assert coverage.overlap == 0
    assert coverage.patches == len(sampler)
    assert [slide.name for slide in coverage.slides] == ["s0", "s1", "s2"]


def test_a_slide_without_tissue_is_left_out_and_said(sampler):
    assert list(sampler.left_out()) == ["s3"]
    assert "no tissue" in sampler.left_out()["s3"]
    assert "left out" in _text(sampler.coverage().table())


def test_epochs_differ_in_places_and_order_but_not_in_what_each_slide_gives(sampler):
    first, second = epoch(sampler, 0), epoch(sampler, 1)

    assert np.bincount(first.slides).tolist() == np.bincount(second.slides).tolist()
    assert (first.slides != second.slides).any()
    assert not set(map(tuple, first.centres)) & set(map(tuple, second.centres))


def test_the_order_mixes_slides(sampler):
    slides = epoch(sampler, 0).slides
    half = len(slides) // 2

    # Hypergeometric: three standard deviations of the first half's count of each slide.
    for slide in range(3):
        count = np.count_nonzero(slides == slide)
        assert abs(np.count_nonzero(slides[:half] == slide) - count / 2) < 3 * np.sqrt(count) / 2


def test_what_fails_is_drawn_anew_from_the_same_slide_and_at_last_from_any(sampler):
    steps = np.arange(100)

    first, second, ninth = (sampler.plan(steps, np.full(100, attempt)) for attempt in (0, 1, 8))

    assert (first.slides == second.slides).all()
    assert (first.centres != second.centres).all()
    assert (first.slides != ninth.slides).any()
    assert set(second.attempts.tolist()) == {1}


def test_part_of_an_epoch_covers_part_of_the_tissue_and_random_patches_overlap(sampler):
    half = sampler.coverage(steps=len(sampler) // 2)
    random = sampler.replace(mode="random").coverage(steps=len(sampler))

    assert 0.35 < half.covered < 0.6
    assert half.overlap == 0
    assert random.covered < 0.9
    assert random.overlap > 0.1


def test_without_tissue_there_is_no_epoch(tmp_path):
    slides = write_slides(tmp_path, [np.zeros((32, 40), np.bool_)])
    sampler = PatchSampler(slides, 16, 12, mode="epoch", cache=tmp_path / "masks")

    with pytest.raises(SlideError, match="No slide has tissue for an epoch"):
        sampler.plan([0])


MASKS = st.lists(st.lists(st.booleans(), min_size=10, max_size=10), min_size=8, max_size=8)


@given(MASKS, st.floats(20, 300), st.floats(15, 200), st.sampled_from([0.0, 0.3, 0.9]), st.integers(0, 20))
@settings(deadline=None, max_examples=30)
def test_a_lattice_gives_each_epoch_as_many_cells_that_hold_enough(mask, width, height, least, number):
    # Arrange
    slide_map = map_of(np.array(mask))
    try:
        lattice = Lattice(slide_map, (width, height), least, seed=1)
    except SlideError:
        reject()

    # Act
    cells = lattice.cells(slide_map, number)
    centres = lattice.centres(cells, np.arange(len(cells.numbers)))

    # Assert
    assert len(cells.numbers) == lattice.count == len(set(cells.numbers.tolist()))
    half = np.array([width, height]) / 2
    enough = max(least, LEAST_TISSUE if width < WIDTH or height < HEIGHT else 0)
    assert slide_map.tissue_share(np.hstack([centres - half, centres + half])).min() >= enough
    assert ((centres > -half) & (centres < half + np.array([WIDTH, HEIGHT]))).all()
    assert overlapping(centres, np.array([width, height])) == 0


BOXES = st.lists(st.tuples(st.floats(-50, 450), st.floats(-50, 370), st.floats(1, 300), st.floats(1, 300)), max_size=6)


@given(BOXES, st.integers(1, 12), st.integers(1, 12))
@settings(deadline=None, max_examples=60)
def test_patches_over_a_pixel_are_counted_as_one_by_one(boxes, rows, columns):
    # Arrange
    array = np.array([(x, y, x + w, y + h) for x, y, w, h in boxes]).reshape(-1, 4)
    x = (np.arange(columns) + 0.5) * WIDTH / columns
    y = (np.arange(rows) + 0.5) * HEIGHT / rows

    # Act
    counts = count_patches(array, (WIDTH, HEIGHT), (rows, columns))

    # Assert: a centre within a millionth of a pixel of an edge may count either way.
    near = 1e-4
    least, most = np.zeros((rows, columns)), np.zeros((rows, columns))
    for x0, y0, x1, y1 in array:
        for total, by in ((least, -near), (most, near)):
            inside_x, inside_y = (x > x0 - by) & (x < x1 + by), (y > y0 - by) & (y < y1 + by)
            total += inside_y[:, None] & inside_x[None]
    assert ((least <= counts) & (counts <= most)).all()


def _text(table):
    from rich.console import Console

    console = Console(width=100)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_tissue_at_the_edge_of_a_slide_comes_as_often_as_in_its_middle():
    # Arrange
    size = 130.0
    slide_map = map_of(np.ones((32, 40), np.bool_))
    lattice = Lattice(slide_map, (size, size), 0.0, seed=1)
    visits = np.zeros((HEIGHT // 10, WIDTH // 10))

    # Act
    for number in range(60):
        cells = lattice.cells(slide_map, number)
        centres = lattice.centres(cells, np.arange(len(cells.numbers)))
        boxes = np.hstack([centres - size / 2, centres + size / 2])
        visits += count_patches(boxes, (WIDTH, HEIGHT), visits.shape)

    # Assert
    visits /= 60
    assert visits[:, 0].mean() > 0.75  # those that have least are left out where an epoch has too many
    assert visits[:, -1].mean() > 0.75
    assert visits.mean() > 0.93
    assert visits.max() <= 1


@pytest.mark.parametrize("size", [max(WIDTH, HEIGHT), 20 * WIDTH])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_slide_that_is_not_larger_than_a_patch_is_one_in_its_middle(size, seed):
    slide_map = map_of(np.ones((32, 40), np.bool_))
    lattice = Lattice(slide_map, (size, size), 0.0, seed=seed)
    for number in range(3):
        cells = lattice.cells(slide_map, number)
        assert lattice.centres(cells, np.arange(lattice.count)).tolist() == [[WIDTH / 2, HEIGHT / 2]]
