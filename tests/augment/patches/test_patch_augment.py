"""Patches, their views and their labels, augmented; what histo-fetch and Histo-cloud did wrong is tested against."""

from __future__ import annotations

import dataclasses
import pickle

import cv2
import numpy as np
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.augment.patches import PatchAugment
from slidekit.errors import SpecError

MOVES_ONLY = PatchAugment(hue=0, lightness=0, warp=False)
SIDES = st.integers(4, 40)


def any_image(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3)).astype(np.uint8)


def any_labels(seed, *shape):
    return np.random.default_rng(seed).choice(np.array([0, 2, 7], np.uint8), shape)


def directions(image):
    return [np.rot90(side, turn) for side in (image, image[:, ::-1]) for turn in range(4)]


# histo-fetch: a probability strictly between 0 and 1 gave patches of 256 and of 260 pixels in one batch.
@pytest.mark.parametrize("shape", [(256, 256), (31, 20), (4, 4)])
def test_a_batch_has_one_shape_at_any_probability(shape):
    images, labels = any_image(1, 6, *shape), any_labels(2, 6, *shape)
    results, label_results = PatchAugment(probability=0.5).apply_batch(images, range(6), labels)
    changed = [not np.array_equal(result, image) for result, image in zip(results, images, strict=True)]
    assert results.shape == images.shape
    assert results.dtype == label_results.dtype == np.uint8
    assert label_results.shape == labels.shape
    assert 0 < sum(changed) < 6


def test_the_share_of_augmented_patches():
    from scipy.stats import binomtest

    images = np.tile(any_image(3, 4, 4), (2000, 1, 1, 1))
    for share in (0.1, 0.5, 0.9):
        augment = PatchAugment(probability=share, hue=0.1, lightness=0, warp=False, flips=False, turns=False)
        results, _ = augment.apply_batch(images, np.arange(2000))
        changed = (results != images).any((1, 2, 3)).sum()
        assert binomtest(int(changed), 2000, share).pvalue > 0.001


def test_probability_zero_changes_nothing_and_gives_new_arrays():
    image, labels = any_image(4, 9, 9), any_labels(4, 9, 9)
    for seed in range(20):
        result, label_result = PatchAugment(probability=0).apply(image, seed, labels)
        assert np.array_equal(result, image)
        assert np.array_equal(label_result, labels)
    assert not np.shares_memory(result, image)
    assert not np.shares_memory(label_result, labels)


# Histo-cloud: an augmented label 2 became 2 / 255, and then 0.
def test_labels_survive():
    labels = np.full((64, 64), 2, np.uint8)
    _, result = PatchAugment().apply(any_image(5, 64, 64), 5, labels)
    assert (result == 2).all()


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(-(2**63), 2**63 - 1), shape=st.tuples(SIDES, SIDES))
def test_shapes_stay_labels_gain_no_value_and_inputs_are_left_alone(seed, shape):
    # Arrange
    image, labels = any_image(6, *shape), any_labels(7, *shape)
    before = image.copy(), labels.copy()

    # Act
    result, label_result = PatchAugment(displacement=0.05).apply(image, seed, labels)

    # Assert
    assert (result.shape, result.dtype) == (image.shape, np.uint8)
    assert (label_result.shape, label_result.dtype) == (labels.shape, np.uint8)
    assert {*np.unique(label_result)} <= {*np.unique(labels)}
    assert np.array_equal(image, before[0])
    assert np.array_equal(labels, before[1])


def test_labels_move_with_their_image():
    # Arrange
    labels = np.zeros((96, 96), np.uint8)
    labels[10:50, 30:80], labels[55:90, 5:40] = 1, 2
    image = np.stack([labels == 0, labels == 1, labels == 2], axis=-1) * np.uint8(255)
    augment = PatchAugment(hue=0, lightness=0, displacement=0.02)

    for seed in range(6):
        # Act
        result, label_result = augment.apply(image, seed, labels)

        # Assert: where the image was not mixed, it is its label's.
        pure = result.max(2) == 255
        assert pure.mean() > 0.9
        assert np.array_equal(result.argmax(2)[pure], label_result[pure])
        assert not np.array_equal(label_result, labels)


def test_all_eight_directions_come_equally_often_and_without_loss():
    from scipy.stats import chisquare

    image, labels = any_image(8, 5, 5), any_image(8, 5, 5)[..., 0]
    known = [side.tobytes() for side in directions(image)]
    counts = np.zeros(8)
    for seed in range(800):
        result, label_result = MOVES_ONLY.apply(image, seed, labels)
        counts[known.index(result.tobytes())] += 1
        assert np.array_equal(label_result, result[..., 0])
    assert chisquare(counts).pvalue > 0.001


@pytest.mark.parametrize(
    ("options", "square", "expected"),
    [
        ({"flips": False}, True, {0, 1, 2, 3}),
        ({"turns": False}, True, {0, 2, 4, 6}),
        ({"flips": False}, False, {0, 2}),
        ({}, False, {0, 2, 4, 6}),
        ({"flips": False, "turns": False}, True, {0}),
    ],
)
def test_which_directions_come(options, square, expected):
    image = any_image(9, 6, 6 if square else 4)
    known = [side.tobytes() for side in directions(image)]
    augment = dataclasses.replace(MOVES_ONLY, **options)
    assert {known.index(augment.apply(image, seed)[0].tobytes()) for seed in range(60)} == expected


def test_a_view_that_is_not_square_keeps_all_views_from_quarter_turns():
    views = any_image(10, 8, 8), any_image(11, 8, 6)
    for seed in range(30):
        square, oblong = MOVES_ONLY.apply(views, seed)[0]
        places = [
            [side.tobytes() for side in directions(view)].index(result.tobytes())
            for view, result in zip(views, (square, oblong), strict=True)
        ]
        assert places[0] == places[1]
        assert oblong.shape == (8, 6, 3)


@pytest.mark.parametrize(
    ("options", "part"), [({"lightness": 0, "warp": False}, "hue"), ({"hue": 0, "warp": False}, "lightness")]
)
def test_colours_shift_by_draws_of_the_published_width(options, part):
    from skimage import color

    # Arrange
    pixel = np.full((1, 1, 1, 3), (200, 60, 120), np.uint8)
    augment = PatchAugment(flips=False, turns=False, **options)

    # Act
    results, _ = augment.apply_batch(np.tile(pixel, (800, 1, 1, 1)), np.arange(800))

    # Assert
    if part == "hue":
        turns = color.rgb2hsv(results)[..., 0] - color.rgb2hsv(pixel)[..., 0]
        assert np.std((turns + 0.5) % 1 - 0.5) == pytest.approx(0.025, rel=0.08)
    else:
        before, after = (color.rgb2lab(values / 255)[..., 0] / 100 for values in (pixel, results))
        powers = np.log(after) / np.log(before)
        assert powers.mean() == pytest.approx(1, abs=0.003)
        assert powers.std() == pytest.approx(0.015, rel=0.1)


def test_parts_do_not_change_each_others_draws():
    image = any_image(12, 24, 24)
    for seed in range(5):
        warped = PatchAugment(hue=0, lightness=0, flips=False, turns=False).apply(image, seed)[0]
        everything = PatchAugment(hue=0, lightness=0).apply(image, seed)[0]
        assert everything.tobytes() in {side.tobytes() for side in directions(warped)}


@settings(deadline=None, max_examples=8)
@given(seeds=st.lists(st.integers(0, 2**63 - 1), max_size=4))
def test_a_patch_in_a_batch_is_as_alone(seeds):
    images, labels = any_image(13, len(seeds), 12, 12), any_labels(13, len(seeds), 12, 12)
    augment = PatchAugment(probability=0.8)
    together, label_together = augment.apply_batch(images, np.array(seeds, np.int64), labels)
    for place, seed in enumerate(seeds):
        result, label_result = augment.apply(images[place], seed, labels[place])
        assert np.array_equal(together[place], result)
        assert np.array_equal(label_together[place], label_result)


def test_seeds_decide():
    images = np.tile(any_image(14, 16, 16), (40, 1, 1, 1))
    first, again, other = (PatchAugment().apply_batch(images, range(s, s + 40))[0] for s in (0, 0, 40))
    assert np.array_equal(first, again)
    assert len({image.tobytes() for image in np.concatenate([first, other])}) == 80


def test_the_size_of_a_stacks_views_does_not_matter(tiles):
    # Arrange: the same field at two resolutions.
    from scipy.ndimage import zoom

    large = zoom(tiles[1], (8, 8, 1), order=1, mode="grid-constant", grid_mode=True).clip(0, 255)
    small = large.reshape(80, 4, 80, 4, 3).mean((1, 3)).astype(np.uint8)

    for seed in range(4):
        # Act
        (large_result, small_result, tiny), _ = PatchAugment().apply((large, small, large[:4, :4]), seed)

        # Assert
        reduced = large_result.reshape(80, 4, 80, 4, 3).mean((1, 3))
        assert np.abs(reduced - small_result)[2:-2, 2:-2].mean() < 2.5
        assert np.abs(small_result.astype(float) - small)[2:-2, 2:-2].mean() > 5
        assert tiny.shape == (4, 4, 3)


def test_a_wide_view_stays_registered_with_the_narrow_one_in_its_middle(tiles):
    wide = np.pad(tiles[2], ((20, 20), (20, 20), (0, 0)), mode="reflect")
    views = tiles[2], wide
    augment = PatchAugment(displacement=0.03)
    for seed in range(6):
        (narrow_result, wide_result), _ = augment.apply(views, seed, widths=(128.0, 256.0))
        apart = np.abs(narrow_result.astype(int) - wide_result[20:60, 20:60])[1:-1, 1:-1]
        assert apart.mean() < 0.5
        batch = augment.apply_batch([view[None] for view in views], [seed], widths=(128.0, 256.0))[0]
        assert np.array_equal(batch[0][0], narrow_result)
        assert np.array_equal(batch[1][0], wide_result)


def test_labels_are_those_of_the_first_view():
    views, labels = (any_image(19, 20, 20), any_image(20, 20, 20)), any_labels(21, 20, 20)
    augment = PatchAugment(displacement=0.05)
    for seed in range(6):
        both, alone = augment.apply(views, seed, labels), augment.apply(views[0], seed, labels)
        assert np.array_equal(both[0][0], alone[0])
        assert np.array_equal(both[1], alone[1])


def test_the_points_move_as_far_as_published():
    image = any_image(22, 64, 64)
    for grid in (8, 5):
        said = PatchAugment(grid=grid, displacement=1 / (10 * grid)).apply(image, 3)[0]
        assert np.array_equal(PatchAugment(grid=grid).apply(image, 3)[0], said)


def test_widths_that_only_rounding_tells_apart_are_one_width():
    views = any_image(16, 20, 20), any_image(17, 40, 40)
    same = PatchAugment().apply(views, 1)[0]
    rounded = PatchAugment().apply(views, 1, widths=(128.0, 128.00001))[0]
    assert all(np.array_equal(one, other) for one, other in zip(same, rounded, strict=True))


def test_the_number_of_opencvs_threads_does_not_matter():
    image = any_image(18, 256, 256)
    threads = cv2.getNumThreads()
    try:
        results = []
        for number in (1, 4):
            cv2.setNumThreads(number)
            results.append(PatchAugment().apply(image, 2)[0])
    finally:
        cv2.setNumThreads(threads)
    assert np.array_equal(*results)


def test_arrays_that_are_viewed_in_other_orders():
    image = any_image(15, 20, 20)
    for augment in (PatchAugment(), MOVES_ONLY, dataclasses.replace(MOVES_ONLY, warp=True)):
        for seed in range(4):
            expected = augment.apply(image[:, ::-1, ::-1].copy(), seed)[0]
            assert np.array_equal(augment.apply(image[:, ::-1, ::-1], seed)[0], expected)


def test_it_goes_to_other_processes_and_into_models():
    class Spec(pydantic.BaseModel):
        augment: PatchAugment | bool | None

    augment = PatchAugment(probability=0.25, grid=5, displacement=0.02)
    spec = Spec(augment=augment)
    assert pickle.loads(pickle.dumps(augment)) == augment
    assert spec.augment is augment
    assert Spec.model_validate_json(spec.model_dump_json()).augment == augment
    assert hash(augment) == hash(dataclasses.replace(augment))


@pytest.mark.parametrize(
    "options",
    [
        {"probability": 1.1},
        {"probability": True},
        {"hue": -0.1},
        {"lightness": float("nan")},
        {"lightness": 0.3},
        {"displacement": "wide"},
        {"warp": 1},
        {"flips": None},
        {"grid": 2},
        {"grid": 8.0},
    ],
)
def test_values_out_of_bounds(options):
    (name,) = options
    with pytest.raises(SpecError, match=name):
        PatchAugment(**options)


@pytest.mark.parametrize(
    ("images", "more", "mend"),
    [
        (np.zeros((4, 4, 3), np.float32), {}, "floats"),
        (np.zeros((4, 4, 4), np.uint8), {}, "alpha"),
        (np.zeros((0, 4, 3), np.uint8), {}, "uint8"),
        ((), {}, "at least one"),
        (np.zeros((4, 4, 3), np.uint8), {"labels": np.zeros((4, 5), np.uint8)}, "first view"),
        (np.zeros((4, 4, 3), np.uint8), {"labels": np.zeros((4, 4), np.int64)}, "uint8"),
        ([np.zeros((4, 4, 3), np.uint8)], {"widths": (1, 2)}, "each view"),
        ([np.zeros((4, 4, 3), np.uint8)], {"widths": (0,)}, "above 0"),
    ],
)
def test_arrays_that_are_no_patch(images, more, mend):
    with pytest.raises(SpecError, match=mend):
        PatchAugment().apply(images, 1, **more)


def test_seeds_of_any_size_and_numbers_of_numpy():
    images = any_image(1, 2, 12, 12)
    augment = PatchAugment(hue=np.float32(0.25), grid=np.int64(8))
    assert augment == PatchAugment(hue=0.25)
    assert type(augment.hue) is float
    for seeds in ([2**70, 3], [2**63 + 1, -1]):
        together, _ = augment.apply_batch(images, seeds)
        alone = [augment.apply(image, seed)[0] for image, seed in zip(images, seeds, strict=True)]
        assert np.array_equal(together, alone)


def test_seeds_that_do_not_fit_the_batch():
    for seeds in ([1], [1.0, 2.0], 3):
        with pytest.raises(SpecError, match="one seed a patch"):
            PatchAugment().apply_batch(np.zeros((2, 4, 4, 3), np.uint8), seeds)
    with pytest.raises(SpecError, match="each view of each patch"):
        PatchAugment().apply_batch([np.zeros((2, 4, 4, 3), np.uint8), np.zeros((1, 4, 4, 3), np.uint8)], [1, 2])
