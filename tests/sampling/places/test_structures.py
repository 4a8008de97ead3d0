"""Places of structures: what patches hold by shapely, thin and tight structures, and very many of them."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from slidekit.sampling.masks.coverage import cover
from slidekit.sampling.masks.facts import SlideFacts
from slidekit.sampling.masks.packed import PackedMask
from slidekit.sampling.places.places import Places
from slidekit.sampling.places.redraws import redraw
from slidekit.sampling.places.slide_map import MapParts, SlideMap
from slidekit.sampling.places.structures import DrawnStructures
from slidekit.slide.roi import ROI, ROISet
from slidekit.slide.roi.class_regions import ClassRegions
from slidekit.slide.roi.fill import Raster

SIDE = 9000


def class_map(*shapes: shapely.Polygon, labels: np.ndarray | None = None, per="area", box=None) -> SlideMap:
    facts = SlideFacts("slide", (SIDE, SIDE), (0.5, 0.5), ((1.0, 1.0),), "1-a")
    rois = ROISet(tuple(ROI(f"roi{number}", "a", shape) for number, shape in enumerate(shapes)))
    classes = ClassRegions.of(rois, ("a",), (SIDE, SIDE)) if labels is None else labels
    return SlideMap(MapParts(facts, None, box or (0.0, 0.0, SIDE, SIDE), classes, per=per))


def places_of(shape: shapely.Polygon, edge: float, least: float) -> Places:
    return class_map(shape).places("class", (edge, edge), class_index=0, least=least)


def draws(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.random(count), rng.random((count, 2))


def held(shape: shapely.Polygon, centres: np.ndarray, edge: float) -> np.ndarray:
    half = edge / 2
    patches = shapely.box(*(centres - half).T, *(centres + half).T)
    return shapely.area(shapely.intersection(patches, shape)) / min(shape.area, edge * edge)


def plus(arm: float, width: float) -> shapely.Polygon:
    return shapely.union(
        shapely.box(4000 - width / 2, 4000 - arm, 4000 + width / 2, 4000 + arm),
        shapely.box(4000 - arm, 4000 - width / 2, 4000 + arm, 4000 + width / 2),
    )


def comb() -> shapely.Polygon:
    bars = [shapely.box(2000 + 40 * n, 2000, 2009 + 40 * n, 2600) for n in range(30)]
    return shapely.union_all([*bars, shapely.box(2000, 2000, 3169, 2012)])


@pytest.mark.parametrize(
    ("shape", "edge", "least"),
    [
        (shapely.box(3000, 3000, 6000, 6000) - shapely.box(3500, 3500, 5500, 5500), 512, 0.5),
        (comb(), 64, 0.35),
        (plus(400, 3), 256, 0.2),
        (shapely.box(4000, 4000, 4256, 4256), 256, 0.97),
        (shapely.box(4000, 4000, 4256, 4256), 256, 1.0),
        (shapely.box(4000, 4000, 4258, 4258), 256, 0.99),
        (shapely.Point(4000, 4000).buffer(900), 256, 1.0),
    ],
)
def test_every_patch_holds_what_was_asked_for(shape, edge, least) -> None:
    places = places_of(shape, edge, least)
    assert len(places) > 0
    assert held(shape, places.at(*draws(200)), edge).min() >= least - 1e-5


def test_there_is_no_place_where_no_patch_holds_enough() -> None:
    # The best patch has all of both arms that it can: 2 · 256 · 3 - 9 of its pixels.
    most = (2 * 256 * 3 - 9) / plus(400, 3).area
    assert len(places_of(plus(400, 3), 256, most - 0.005)) > 0
    assert len(places_of(plus(400, 3), 256, most + 0.005)) == 0


@pytest.mark.parametrize(
    ("shape", "edge", "least", "low", "high"),
    [
        # All centres from which the whole box is seen; and those of patches within the circle's inscribed square
        (shapely.box(4000, 4000, 4100, 4100), 256, 1.0, 3972, 4128),
        (shapely.box(4000, 4000, 5000, 5000), 200, 1.0, 4100, 4900),
    ],
)
def test_places_are_uniform_over_all_that_do(shape, edge, least, low, high) -> None:
    centres = places_of(shape, edge, least).at(*draws(8000, 3))
    counts, _, _ = np.histogram2d(*centres.T, bins=8, range=[(low, high), (low, high)])
    assert counts.sum() == 8000
    assert chisquare(counts.ravel()).pvalue > 1e-3


def test_tight_places_are_not_all_one() -> None:
    # A patch of 170 in a circle of 130: only few centres of trial cells do, and none of their cells as a whole
    centres = places_of(shapely.Point(4000, 4000).buffer(130, quad_segs=64), 170, 1.0).at(*draws(300))
    assert len(np.unique(centres, axis=0)) > 290


def test_what_lies_beyond_the_slide_is_not_there() -> None:
    beyond = shapely.box(-2000, 3000, 1000, 5000)
    one = class_map(beyond)
    assert one.class_um2(0) == pytest.approx(1000 * 2000 * 0.25)
    centres = one.places("class", (400.0, 400.0), class_index=0, least=0.5).at(*draws(300))
    assert held(shapely.box(0, 3000, 1000, 5000), centres, 400).min() >= 0.5 - 1e-6


def test_structures_without_a_place_are_drawn_anew_alike() -> None:
    # Arrange: of three, the middle one is too large to be held by a quarter
    blocks = [shapely.box(100 + 3000 * n, 100, 400 + 3000 * n, 400) for n in (0, 2)]
    one = class_map(*blocks, plus(1500, 40), per="structure")
    # Act
    centres = one.places("class", (300.0, 300.0), class_index=0, least=0.9).at(*draws(2000))
    # Assert
    left = np.count_nonzero(centres[:, 0] < 3000)
    assert chisquare([left, 2000 - left]).pvalue > 1e-3


def test_components_of_one_box_are_told_apart_and_very_many_are_cheap() -> None:
    # Arrange: a ring with a speck in it, and 20 000 specks: places are looked for when they are drawn
    labels = np.zeros((900, 900), np.uint8)
    labels[::4, ::4] = 1
    labels[:41, :41] = 0
    labels[0:31, 0:31] = 1
    labels[2:29, 2:29] = 0
    labels[15, 15] = 1
    one = class_map(labels=labels, per="structure")
    # Act
    places = one.places("class", (310.0, 310.0), class_index=0, least=1.0)
    found = one._structures(0)
    # Assert
    assert found is not None
    areas = {round(found.get(number).area) for number in range(3)}
    assert areas == {round(found.areas[number]) for number in range(3)} == {100 * (31 * 31 - 27 * 27), 100}
    centres = places.at(*draws(50))
    assert held_by_labels(labels, centres, 310) >= 1
    assert len(places._found) < 60  # type: ignore[attr-defined]


def held_by_labels(labels: np.ndarray, centres: np.ndarray, edge: float) -> float:
    """Fewest pixels of a class that a patch holds as a whole."""
    rows, columns = np.nonzero(labels)
    low, high = (centres - edge / 2)[:, None], (centres + edge / 2)[:, None]
    corner = np.stack([columns, rows], axis=1) * 10.0
    return ((corner >= low - 1e-6) & (corner + 10 <= high + 1e-6)).all(axis=2).sum(axis=1).min()


@hypothesis_settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 15), st.integers(1, 15))
def test_cover_is_the_area_in_each_cell(seed, rows, columns) -> None:
    # Arrange: polygons with holes, in several parts
    rng = np.random.default_rng(seed)
    disks = shapely.buffer(shapely.points(rng.random((6, 2)) * 90), rng.uniform(2, 30, 6))
    shape = shapely.union_all(disks[:4]).difference(shapely.union_all(disks[4:]))
    if shape.is_empty:
        return
    x0, y0, x1, y1 = shape.bounds
    pixel = ((x1 - x0) / columns, (y1 - y0) / rows)
    # Act
    shares = cover(shape, Raster((x0, y0), pixel, (rows, columns)))
    # Assert
    x, y = np.meshgrid(x0 + np.arange(columns) * pixel[0], y0 + np.arange(rows) * pixel[1])
    cells = shapely.box(x, y, x + pixel[0], y + pixel[1])
    expected = shapely.area(shapely.intersection(cells, shape)) / (pixel[0] * pixel[1])
    assert shares == pytest.approx(expected, abs=1e-5)


@hypothesis_settings(deadline=None, max_examples=40)
@given(st.integers(0, 100_000))
def test_what_a_patch_holds_is_its_intersection(seed) -> None:
    # Arrange: outlines with holes and parts, and boxes that share corners and edges with them
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 12, (7, 2)).astype(float)
    blocks = shapely.box(*corners.T, *(corners + rng.integers(1, 7, (7, 2))).T)
    shape = shapely.union_all([*blocks[:4], shapely.Point(6, 6).buffer(4)]).difference(shapely.union_all(blocks[4:]))
    regions = ClassRegions.of(
        ROISet(tuple(ROI(str(n), "a", one) for n, one in enumerate(shapely.get_parts(shape)))), ("a",)
    )
    low = rng.integers(-2, 12, (30, 2)).astype(float)
    boxes = np.hstack([low, low + rng.integers(1, 9, (30, 2))])
    # Act, Assert
    structures = DrawnStructures(regions, 0)
    held_ = sum(structures.get(number).held(boxes) for number in range(len(structures.areas)))
    assert held_ == pytest.approx(shapely.area(shapely.intersection(shapely.box(*boxes.T), shape)), abs=1e-5)


def test_redrawn_numbers_are_uniform_and_their_own() -> None:
    which, jitter = redraw(*draws(20_000), 1)
    again, _ = redraw(*draws(20_000), 2)
    for numbers in (which, *jitter.T, again):
        assert chisquare(np.histogram(numbers, 20, (0, 1))[0]).pvalue > 1e-3
    together = np.corrcoef(np.stack([draws(20_000)[0], which, *jitter.T, again]))
    assert np.abs(together - np.eye(5)).max() < 0.03


def test_tissue_places_of_full_patches_are_spread() -> None:
    # Arrange: patches that must be all tissue
    tissue = np.zeros((90, 90), np.bool_)
    tissue[20:26, 20:26] = True
    facts = SlideFacts("slide", (SIDE, SIDE), (0.5, 0.5), ((1.0, 1.0),), "1-a")
    one = SlideMap(MapParts(facts, PackedMask(tissue), (0.0, 0.0, SIDE, SIDE)))
    # Act
    centres = one.places("tissue", (500.0, 500.0), least=1.0).at(*draws(2000))
    # Assert: a tenth of them may be left where they were put, at the middles of pixels
    on_middles = ((centres % 100) == 50).all(axis=1).mean()
    assert on_middles < 0.1
