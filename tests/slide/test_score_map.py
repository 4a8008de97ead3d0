"""Maps of scores against direct computations in numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.errors import QCError, SlideReadError
from slidekit.pixels.windows import window_starts
from slidekit.slide.qc.scorers.plain import PlainScorer
from slidekit.slide.score_map import ScoreMap, WindowLayout, score_map


class Slide:
    """An image as a slide of 0.5 µm/px whose `holes` (x0, y0, x1, y1) cannot be decoded."""

    name = "stand-in"
    mpp_x = mpp_y = 0.5

    def __init__(self, image: np.ndarray, holes: tuple[tuple[int, int, int, int], ...] = ()) -> None:
        self.image = image
        self.dimensions = image.shape[1], image.shape[0]
        self.holes = holes
        self.read = 0

    def overview_window(self, columns: int, rows: int, *, corner: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
        assert (columns, rows) == self.dimensions
        (x, y), (width, height) = corner, size
        if any(x < hole[2] and hole[0] < x + width and y < hole[3] and hole[1] < y + height for hole in self.holes):
            raise SlideReadError("tile 3 is damaged")
        self.read += width * height
        window = np.full((height, width, 3), 255, np.uint8)
        x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + width, columns), min(y + height, rows)
        window[y0 - y : y1 - y, x0 - x : x1 - x] = self.image[y0:y1, x0:x1]
        return window


def noise(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(width * height).integers(0, 256, (height, width, 3), np.uint8)


def make(slide: Slide, function: Callable, window: int, overlap: int = 0, **options) -> ScoreMap:
    placing = {key: options.pop(key) for key in ("batch", "buffer", "thin") if key in options}
    layout = WindowLayout(0.5, window, options.pop("overlap_px", overlap), **placing)
    return score_map(slide, PlainScorer(function), layout, **options)


def means(batch: np.ndarray) -> np.ndarray:
    return batch.mean(axis=(1, 2)) / 255


SLIDES = st.tuples(st.integers(1, 130), st.integers(1, 130))


@given(SLIDES, st.integers(7, 50), st.integers(1, 5), st.integers(1, 9))
@settings(deadline=None, max_examples=30)
def test_a_cell_is_the_score_of_its_patch(size: tuple[int, int], window: int, buffer: int, batch: int) -> None:
    image = noise(*size)

    found = make(Slide(image), means, window, buffer=buffer, batch=batch).values

    width, height = size
    padded = np.pad(image, ((window, window), (window, window), (0, 0)), constant_values=255)
    wanted = [
        [
            padded[y + window : y + 2 * window, x + window : x + 2 * window].mean(axis=(0, 1)) / 255
            for x in window_starts(width, window, 0)
        ]
        for y in window_starts(height, window, 0)
    ]
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@st.composite
def overlapping(draw: st.DrawFn) -> tuple[tuple[int, int], int, int, int, int]:
    window = draw(st.integers(7, 50))
    return draw(SLIDES), window, draw(st.integers(0, window - 1)), draw(st.integers(1, 5)), draw(st.integers(1, 9))


@given(overlapping())
@settings(deadline=None, max_examples=30)
def test_overlap_leaves_no_seam(case) -> None:
    # Arrange: windows cannot be told from one another by these scores
    size, window, overlap, buffer, batch = case
    image = noise(*size)
    if size[0] * size[1] / max(1, window - overlap) ** 2 > 900:
        overlap = 0
    options = {"buffer": buffer, "batch": batch}

    # Act
    constant = make(Slide(image), lambda images: np.full((len(images), 2), [0.7, 0.3]), window, overlap, **options)
    pointwise = make(Slide(image), lambda images: (images / 255) ** 2, window, overlap, dense=True, **options)

    # Assert
    assert np.abs(constant.values - [0.7, 0.3]).max() <= 1e-6
    assert pointwise.values.shape == image.shape
    assert np.abs(pointwise.values - (image / 255) ** 2).max() <= 1e-6


def test_overlapping_patches_are_blended_by_their_weights() -> None:
    # Arrange: the same in full, pixel by pixel, in float64
    image = noise(90, 70)
    total, weight = np.zeros((70, 90, 3)), np.zeros((70, 90, 1))
    rise = np.sin(np.pi / 2 * (np.arange(10) + 0.5) / 10) ** 2
    taper = np.concatenate([rise, rise[::-1]])
    for y in window_starts(70, 20, 10):
        for x in window_starts(90, 20, 10):
            patch = np.s_[y : y + 20, x : x + 20]
            total[patch] += taper[:, None, None] * taper[:, None] * image[patch].mean(axis=(0, 1)) / 255
            weight[patch] += taper[:, None, None] * taper[:, None]

    # Act
    found = make(Slide(image), means, 20, 10).values

    # Assert
    assert found.shape == (7, 9, 3)
    np.testing.assert_allclose(found, (total / weight).reshape(7, 10, 9, 10, 3).mean(axis=(1, 3)), atol=1e-6)


@pytest.mark.parametrize("size", [(317, 203), (64, 40), (30, 200)])
def test_networks_with_coarse_outputs_are_placed_where_they_looked(size: tuple[int, int]) -> None:
    image = noise(*size)

    def quarters(images: np.ndarray) -> np.ndarray:
        return images.reshape(len(images), 8, 4, 8, 4, 3).mean(axis=(2, 4)) / 255

    found = make(Slide(image), quarters, 32, 12, dense=True).values

    width, height = size[0] // 4, size[1] // 4
    wanted = image[: height * 4, : width * 4].reshape(height, 4, width, 4, 3).mean(axis=(1, 3)) / 255
    assert found.shape == (round(size[1] / 4), round(size[0] / 4), 3)
    assert np.abs(found[:height, :width] - wanted).max() <= 1e-6


def test_a_thinned_map_is_the_mean_of_the_whole_one() -> None:
    image = noise(120, 80)

    found = make(Slide(image), lambda images: images / 255, 32, 8, dense=True, thin=5)

    np.testing.assert_allclose(found.values, image.reshape(16, 5, 24, 5, 3).mean(axis=(1, 3)) / 255, atol=1e-6)
    assert found.pixel == (5, 5)
    assert found.mpp == (2.5, 2.5)


def test_a_step_in_the_slide_is_where_it_is_to_the_far_end() -> None:
    # Arrange: bright from column 930 of 1000, which is no multiple of a patch
    image = np.zeros((61, 1000, 3), np.uint8)
    image[:, 930:] = 255

    found = make(Slide(image), means, 64)

    cell = found.pixel[0]
    edge = (found.values[0, :, 0] < 0.5).sum() * cell
    assert abs(edge - 930) <= cell / 2 + 64 / 4


def test_skipped_windows_are_neither_read_nor_scored() -> None:
    slide = Slide(noise(128, 64))
    seen = []
    skip = np.zeros((8, 16), np.bool_)
    skip[:, 4:] = True
    skip[1, 9] = False

    def count(images: np.ndarray) -> np.ndarray:
        seen.append(len(images))
        return np.ones((len(images), 1))

    found = make(slide, count, 32, skip=skip, buffer=1).values[..., 0]

    assert found.tolist() == [[1, 0, 1, 0], [1, 0, 0, 0]]
    assert sum(seen) == 3
    assert slide.read == 3 * 32 * 32
    assert not make(Slide(noise(128, 64)), count, 32, skip=np.ones((1, 1), np.bool_), classes=2).values.any()


def test_what_cannot_be_decoded_is_white_and_the_rest_is_seen() -> None:
    image = noise(400, 400)
    slide = Slide(image, holes=((100, 100, 140, 140),))

    found = make(slide, lambda images: images / 255, 64, dense=True, buffer=3).values

    lost = (found > 1 - 1e-6).all(axis=-1)
    assert lost[100:140, 100:140].all()
    assert lost.sum() <= 72 * 72
    np.testing.assert_allclose(found[~lost], image[~lost] / 255, atol=1e-6)


@pytest.mark.parametrize("size", [300, 6000])
def test_a_slide_that_is_damaged_all_over_is_told_soon(size: int) -> None:
    image = np.broadcast_to(np.uint8(0), (size, size, 3))

    with pytest.raises(SlideReadError, match=r"More than 5% of slide stand-in cannot be decoded \(tile 3"):
        make(Slide(image, holes=((0, 0, size, size),)), means, 64)


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (lambda images: np.full((len(images), 2), np.nan), {}, "not finite"),
        (lambda images: np.ones((len(images) + 1, 2)), {}, "shape"),
        (lambda images: np.ones((2, 2, 2)), {}, "shape"),
        (lambda images: np.ones((len(images), 0)), {}, "shape"),
        (lambda images: np.ones((len(images), 2)), {"dense": True}, "shape"),
        (lambda images: np.ones((len(images), 5, 5, 2)), {"dense": True}, "5 × 5 scores for windows of 16"),
        (lambda images: np.ones((len(images), 2)), {"classes": 3}, "2 classes"),
        (lambda images: np.ones((len(images), 2 + len(images) % 2)), {"batch": 2, "buffer": 5}, "3 classes|2 classes"),
        (lambda images: ("a", "b"), {}, "no array of numbers"),
        (means, {"batch": 0}, "batch=0"),
        (means, {"overlap": 16}, "overlap=16"),
    ],
)
def test_what_is_wrong_names_method_and_slide(function: Callable, options: dict, message: str) -> None:
    with pytest.raises(QCError, match=message) as caught:
        make(Slide(noise(90, 90)), function, 16, name="my method", **options)

    assert "my method" in str(caught.value)
    assert caught.value.mend
    assert "stand-in" in str(caught.value) or "cannot work" in str(caught.value)


def test_scores_of_one_class_may_come_without_its_axis() -> None:
    image = noise(64, 32)

    flat = make(Slide(image), lambda images: images.mean(axis=(1, 2, 3)), 16).values
    small = make(Slide(image), lambda images: images.mean(axis=(1, 2, 3))[:, None, None, None], 16).values

    assert flat.shape == (2, 4, 1)
    assert np.array_equal(flat, small)


def test_resized_means_and_interpolates() -> None:
    values = np.arange(24, dtype=np.float32).reshape(4, 6, 1)
    found = ScoreMap(values, (60, 40), (0.5, 0.25))

    np.testing.assert_allclose(found.resized(3, 2), values.reshape(2, 2, 3, 2, 1).mean(axis=(1, 3)))
    assert found.resized(12, 8).shape == (8, 12, 1)
    assert found.mpp == (5.0, 2.5)


@given(st.sampled_from([0.1, 0.7, 0.9, 1.0, 1 / 3]), st.integers(0, 15), st.integers(1, 90), st.integers(1, 90))
@settings(deadline=None, max_examples=25)
def test_a_patch_classifier_that_always_says_the_same_passes_no_threshold_that_it_equals(
    score: float, overlap: int, width: int, height: int
) -> None:
    overlap = min(overlap, 12) if width * height > 900 else overlap

    found = make(Slide(noise(width, height)), lambda images: np.full((len(images), 1), score), 16, overlap).values

    assert np.array_equal(found, np.full_like(found, score))


def test_what_a_network_sees_of_a_damaged_slide_does_not_depend_on_the_buffer() -> None:
    # Arrange: 1.5 % of the slide, which windows that overlap meet several times
    image = noise(320, 320)
    holes = ((150, 150, 170, 165), (30, 200, 40, 210))

    maps = [make(Slide(image, holes), means, 40, 30, buffer=buffer).values for buffer in (1, 3, 100)]

    assert np.array_equal(maps[0], maps[1])
    assert np.array_equal(maps[0], maps[2])


@pytest.mark.parametrize(("edge", "fails"), [(64, False), (80, True)])
def test_what_is_lost_is_counted_once(edge: int, fails: bool) -> None:
    # Arrange: 4 % of the slide is lost, or 6.25 %; each of its pixels is read up to 16 times
    slide = Slide(noise(320, 320), holes=((0, 0, edge, edge),))

    if fails:
        with pytest.raises(SlideReadError, match="5%"):
            make(slide, means, 40, 30)
    else:
        assert make(slide, means, 40, 30).values.shape == (32, 32, 3)


def test_a_map_that_would_not_fit_is_told() -> None:
    with pytest.raises(QCError, match=r"my method, slide stand-in: the map would have more than"):
        make(Slide(np.broadcast_to(np.uint8(0), (20000, 20000, 3))), means, 1, name="my method")


def test_mistakes_in_functions_name_method_and_slide() -> None:
    with pytest.raises(QCError, match=r"my method, slide stand-in: the model failed.*KeyError: 'conv1'\. Mend"):
        make(Slide(noise(40, 40)), lambda images: {}["conv1"], 16, name="my method")
    with pytest.raises(QCError, match=r"my method, slide stand-in: preprocess failed.*ZeroDivisionError"):
        make(Slide(noise(40, 40)), means, 16, name="my method", preprocess=lambda images: 1 / 0)
