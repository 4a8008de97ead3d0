from __future__ import annotations

import os
import pickle
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from slidekit.cells.methods.classical import ClassicalNuclei
from slidekit.demo.nuclei import NucleiField, paint_nuclei
from slidekit.errors import SpecError


@cache
def field(seed: int, edge_um: float = 220, **options: float) -> NucleiField:
    return paint_nuclei((edge_um, edge_um), seed=seed, **options)


def centers_of(labels: np.ndarray) -> np.ndarray:
    """Centroids (n, 2), pixel centres at + 0.5, by definition: a loop over the nuclei."""
    places = (np.nonzero(labels == label) for label in range(1, labels.max() + 1))
    return np.array([(columns.mean() + 0.5, rows.mean() + 0.5) for rows, columns in places]).reshape(-1, 2)


def f1_at(truth: np.ndarray, found: np.ndarray, most_px: float) -> float:
    """F1 score, each nucleus matched with one found at most, so that as many as possible are."""
    from scipy.optimize import linear_sum_assignment

    distance = np.linalg.norm(truth[:, None] - found[None], axis=-1)
    matched = distance <= most_px
    rows, columns = linear_sum_assignment(np.where(matched, distance, 1e6))
    return 2 * int(matched[rows, columns].sum()) / (len(truth) + len(found))


def cells_of(labels: np.ndarray, corner: tuple[int, int], box: tuple[int, int, int, int]) -> set[bytes]:
    """Pixels, in the whole image's frame, of each nucleus whose centroid lies in a box (x0, y0, x1, y1)."""
    cells = set()
    for label in range(1, labels.max() + 1):
        rows, columns = np.nonzero(labels == label)
        rows, columns = rows + corner[1], columns + corner[0]
        if box[0] <= columns.mean() < box[2] and box[1] <= rows.mean() < box[3]:
            cells.add(np.stack([rows, columns]).astype(np.int64).tobytes())
    return cells


@pytest.mark.parametrize("per_mm2", [2000.0, 3500.0])
def test_nuclei_of_drawn_tissue_are_found_where_they_are(per_mm2: float) -> None:
    method, scores = ClassicalNuclei(), []

    for seed in range(601, 605):
        drawn = field(seed, 200, per_mm2=per_mm2)
        labels = method(drawn.image, method.facts_of(drawn.image))
        scores.append(f1_at(drawn.centers, centers_of(labels), 3 / drawn.mpp))

    assert np.mean(scores) >= 0.95
    assert min(scores) >= 0.9


def test_outlines_are_those_of_the_nuclei() -> None:
    drawn = field(22, 150, per_mm2=2500.0)
    method = ClassicalNuclei()

    labels = method(drawn.image, method.facts_of(drawn.image))

    inside, truth = labels > 0, drawn.labels > 0
    assert 2 * (inside & truth).sum() / (inside.sum() + truth.sum()) >= 0.88


def test_erythrocytes_are_no_nuclei() -> None:
    drawn = field(23, 150, per_mm2=1500.0, red_cells_per_mm2=6000.0)
    method = ClassicalNuclei()
    labels = method(drawn.image, method.facts_of(drawn.image))

    red = (drawn.image[..., 0] > 150) & (drawn.image[..., 1] < 90) & (drawn.image[..., 2] < 90)

    assert red.sum() > 1000
    assert (labels[red] > 0).mean() < 0.02


@settings(deadline=None, max_examples=4)
@given(x=st.integers(96, 160), y=st.integers(96, 160), width=st.integers(20, 180), height=st.integers(20, 180))
def test_a_window_with_its_margin_shows_the_cells_of_the_whole(x: int, y: int, width: int, height: int) -> None:
    drawn = field(24, per_mm2=6000.0)
    method = ClassicalNuclei()
    facts = method.facts_of(drawn.image)
    margin = round(method.margin_um / method.mpp)
    box = (x, y, x + width, y + height)

    whole = method(drawn.image, facts)
    part = method(drawn.image[y - margin : y + height + margin, x - margin : x + width + margin], facts)

    assert cells_of(part, (x - margin, y - margin), box) == cells_of(whole, (0, 0), box)


def test_every_nucleus_is_in_one_piece_and_numbered() -> None:
    from skimage.measure import label

    drawn = field(24, per_mm2=6000.0)
    method = ClassicalNuclei()

    labels = method(drawn.image, method.facts_of(drawn.image))

    assert labels.dtype == np.int32
    assert np.array_equal(np.unique(labels), np.arange(labels.max() + 1))
    # skimage joins neighbours of equal value: as many pieces as labels.
    assert label(labels, connectivity=1, background=0).max() == labels.max()


def test_the_scale_is_that_of_the_microns() -> None:
    counts = []
    for mpp in (0.4, 0.5):
        drawn = paint_nuclei((150, 150), mpp, seed=25)
        method = ClassicalNuclei(mpp=mpp)
        counts.append(method(drawn.image, method.facts_of(drawn.image)).max())

    assert counts[0] == pytest.approx(counts[1], rel=0.06)


@pytest.mark.parametrize("value", [255, 128, 0])
def test_an_image_of_one_colour_has_no_nuclei(value: int) -> None:
    image = np.full((64, 80, 3), value, np.uint8)
    method = ClassicalNuclei()

    assert not method(image, method.facts_of(image)).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (7, 3)])
def test_images_smaller_than_a_nucleus_are_taken(shape: tuple[int, int]) -> None:
    drawn = field(24, per_mm2=6000.0)
    method = ClassicalNuclei()
    image = np.ascontiguousarray(drawn.image[: shape[0], : shape[1]])

    assert method(image, method.facts_of(drawn.image)).shape == shape


def test_more_sensitive_means_more_nuclei() -> None:
    drawn = field(24, per_mm2=6000.0)
    facts = ClassicalNuclei().facts_of(drawn.image)

    counts = [ClassicalNuclei(sensitivity=value)(drawn.image, facts).max() for value in (0.2, 0.5, 0.8)]

    assert counts[0] < counts[1] < counts[2]


def test_areas_keep_their_limits() -> None:
    drawn = field(24, per_mm2=6000.0)
    method = ClassicalNuclei(min_area_um2=30, max_area_um2=60)

    labels = method(drawn.image, method.facts_of(drawn.image))

    areas = np.bincount(labels.ravel())[1:] * method.mpp**2
    assert len(areas) > 50
    assert areas.min() >= 30
    assert areas.max() <= 60


def test_it_travels_to_other_processes() -> None:
    drawn = field(22, 150, per_mm2=2500.0)
    method = ClassicalNuclei(diam_um=9)
    facts = method.facts_of(drawn.image)

    again, told = pickle.loads(pickle.dumps((method, facts)))

    assert again.parameters() == method.parameters()
    assert np.array_equal(again(drawn.image, told), method(drawn.image, facts))


@pytest.mark.parametrize(
    "wrong",
    [
        {"diam_um": 0},
        {"mpp": -1},
        {"mpp": 3},
        {"sensitivity": 1.5},
        {"stain": "pas"},
        {"min_area_um2": 50, "max_area_um2": 20},
    ],
)
def test_parameters_without_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SpecError):
        ClassicalNuclei(**wrong)


@pytest.mark.realdata
def test_nuclei_of_real_tissue_are_dark_and_of_a_nucleus_size() -> None:
    data = os.environ.get("SLIDEKIT_TEST_DATA")
    if not data:
        pytest.skip("SLIDEKIT_TEST_DATA is not set")
    image = np.asarray(Image.open(Path(data) / "tiles" / "stardist_histo.jpg").convert("RGB"))
    method = ClassicalNuclei()

    labels = method(image, method.facts_of(image))

    # Counted by eye on the picture: about 300.
    assert 260 <= labels.max() <= 350
    areas = np.bincount(labels.ravel())[1:] * method.mpp**2
    assert 25 <= np.median(areas) <= 60
    assert image[labels > 0].mean() < image[labels == 0].mean() - 35
