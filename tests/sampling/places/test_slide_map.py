"""Places of a map: uniform over what is eligible, and what they promise of patches."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from slidekit.errors import SlideError
from slidekit.sampling.masks.facts import SlideFacts
from slidekit.sampling.masks.packed import PackedMask
from slidekit.sampling.places.slide_map import MapParts, SlideMap
from slidekit.slide.roi import ROI, ROISet
from slidekit.slide.roi.class_regions import ClassRegions


def facts(width: int = 3000, height: int = 2000) -> SlideFacts:
    return SlideFacts("slide", (width, height), (0.5, 0.25), ((1.0, 1.0),), "1-a")


def map_of(tissue: np.ndarray | None, size=(3000, 2000), box=None, **parts) -> SlideMap:
    packed = None if tissue is None else PackedMask(tissue)
    return SlideMap(MapParts(facts(*size), packed, box or (0.0, 0.0, *map(float, size)), **parts))


def draws(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.random(count), rng.random((count, 2))


def around(centres: np.ndarray, size) -> np.ndarray:
    half = np.array(size) / 2
    return np.hstack([centres - half, centres + half])


def random_mask(seed: int, rows: int, columns: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.random((-(-rows // 4), -(-columns // 4))) < rng.random()
    return np.kron(coarse, np.ones((4, 4)))[:rows, :columns] > 0


@hypothesis_settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 10_000), st.integers(3, 40), st.integers(3, 40), st.floats(10, 4000), st.sampled_from([0.01, 0.5, 1])
)
def test_patches_hold_as_much_tissue_as_was_asked_for(seed, rows, columns, edge, least) -> None:
    # Arrange
    mask = random_mask(seed, rows, columns)
    if not mask.any():
        return
    one, size = map_of(mask), (edge, edge * 0.7)
    # Act
    places = one.places("tissue", size, least=least)
    # Assert: by a map of the same tissue, 1 px a level-0 pixel², in whole pixels around the patch
    if len(places):
        centres = places.at(*draws(50, seed))
        assert one.tissue_share(around(centres, size)).min() >= least - 1e-5
        column, row = (centres / [3000 / columns, 2000 / rows]).astype(int).T
        assert mask[row, column].all()


def test_there_is_no_place_where_no_patch_holds_enough() -> None:
    mask = np.zeros((20, 30), np.bool_)
    mask[5, 5] = True
    assert len(map_of(mask).places("tissue", (500.0, 500.0), least=0.9)) == 0
    assert len(map_of(mask).places("tissue", (500.0, 500.0), least=0.03)) == 1


@hypothesis_settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
def test_share_of_a_box_is_the_mean_of_the_enlarged_mask(seed) -> None:
    # Arrange: a level-0 pixel is 1/10 of a mask pixel
    mask = random_mask(seed, 12, 17)
    one = map_of(mask, (170, 120))
    rng = np.random.default_rng(seed)
    corners = rng.integers(-30, 200, (8, 2, 2)).astype(float)
    boxes = np.hstack([corners.min(axis=1), corners.max(axis=1) + 1])
    level0 = np.pad(np.kron(mask, np.ones((10, 10))), 300)
    # Act
    shares = one.tissue_share(boxes)
    # Assert: outside the slide there is no tissue
    expected = [level0[y0 + 300 : y1 + 300, x0 + 300 : x1 + 300].mean() for x0, y0, x1, y1 in boxes.astype(int)]
    assert shares.dtype == np.float32
    assert shares == pytest.approx(np.array(expected), abs=1e-6)


def test_places_are_uniform_over_tissue_and_inside_a_pixel() -> None:
    # Arrange
    mask = random_mask(7, 16, 24)
    one = map_of(mask)
    # Act
    centres = one.places("tissue", (100.0, 100.0)).at(*draws(40_000, 5))
    # Assert
    pixels = centres / [125, 125]
    column, row = pixels.astype(int).T
    counts = np.zeros(mask.shape, int)
    np.add.at(counts, (row, column), 1)
    assert counts[~mask].sum() == 0
    assert chisquare(counts[mask]).pvalue > 0.001
    for axis in (0, 1):
        assert chisquare(np.histogram(pixels[:, axis] % 1, 20, (0, 1))[0]).pvalue > 0.001


def test_background_is_anywhere_and_tissue_too_without_a_mask() -> None:
    mask = np.zeros((20, 30), np.bool_)
    for one, kind in ((map_of(mask), "background"), (map_of(None), "tissue")):
        centres = one.places(kind, (100.0, 100.0)).at(*draws(20_000))
        counts, _, _ = np.histogram2d(*centres.T, bins=10, range=[(0, 3000), (0, 2000)])
        assert counts.sum() == 20_000
        assert chisquare(counts.ravel()).pvalue > 0.001
    assert np.isnan(map_of(None).tissue_share(np.array([[0.0, 0, 10, 10]]))).all()
    assert map_of(None).tissue is None


def test_a_slide_without_tissue_says_so() -> None:
    with pytest.raises(SlideError, match="no tissue by histofetch"):
        map_of(np.zeros((20, 30), np.bool_), words="histofetch").places("tissue", (10.0, 10.0))


def test_centres_stay_in_the_box() -> None:
    box = (310.0, 330.0, 1444.0, 1666.0)
    one = map_of(np.ones((20, 30), np.bool_), box=box)
    for kind, least in (("tissue", 0.0), ("tissue", 0.9), ("background", 0.0)):
        centres = one.places(kind, (100.0, 100.0), least=least).at(*draws(2000))
        assert (centres >= box[:2]).all()
        assert (centres <= box[2:]).all()
    assert one.tissue_um2 == pytest.approx((1444 - 310) * (1666 - 330) * 0.5 * 0.25)


def test_area_of_tissue() -> None:
    mask = random_mask(3, 20, 30)
    assert map_of(mask).tissue_um2 == pytest.approx(mask.mean() * 3000 * 2000 * 0.125)


# --- classes ---------------------------------------------------------------------------------------------------


def rois(*labelled: tuple[str, shapely.Polygon]) -> ROISet:
    return ROISet(tuple(ROI(f"roi{number}", label, shape) for number, (label, shape) in enumerate(labelled)))


def disk(x: float, y: float, radius: float) -> shapely.Polygon:
    return shapely.Point(x, y).buffer(radius)


def class_map(regions: ROISet, per: str = "area", names=("a", "b")) -> SlideMap:
    return map_of(None, classes=ClassRegions.of(regions, names), per=per)


@hypothesis_settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000), st.floats(40, 900), st.sampled_from([0.3, 0.6, 1.0]))
def test_patches_hold_enough_of_one_structure(seed, edge, least) -> None:
    # Arrange: disks that lie apart, some smaller than the patch and some larger
    rng = np.random.default_rng(seed)
    shapes = [disk(500 + 1000 * (n % 3), 500 + 1000 * (n // 3), rng.uniform(20, 450)) for n in range(6)]
    one = class_map(rois(*[("ab"[n % 2], shape) for n, shape in enumerate(shapes)]))
    size = (edge, edge * 0.8)
    # Act
    places = one.places("class", size, class_index=0, least=least)
    # Assert
    if len(places):
        patches = shapely.box(*around(places.at(*draws(40, seed)), size).T)
        best = np.max(
            [
                shapely.area(shapely.intersection(patches, shape)) / min(shape.area, edge * edge * 0.8)
                for shape in shapes[::2]
            ],
            axis=0,
        )
        # The structure's own image is of 64 × 64 cells.
        assert best.min() >= least - 0.01


def test_a_small_structure_is_anywhere_in_the_patch() -> None:
    one = class_map(rois(("a", disk(1500, 1000, 20))))
    centres = one.places("class", (400.0, 400.0), class_index=0, least=1.0).at(*draws(5000))
    counts = np.histogram(centres[:, 0], 10, (1500 - 180, 1500 + 180))[0]
    assert counts.sum() > 4950
    assert counts.min() > 0.8 * counts.max()


@pytest.mark.parametrize(("per", "expected"), [("area", [0.8, 0.2]), ("structure", [0.5, 0.5])])
def test_structures_are_chosen_by_area_or_alike(per, expected) -> None:
    one = class_map(rois(("a", disk(500, 500, 100)), ("a", disk(2000, 1500, 50))), per)
    centres = one.places("class", (300.0, 300.0), class_index=0, least=0.5).at(*draws(4000))
    left = np.count_nonzero(centres[:, 0] < 1200)
    assert chisquare([left, 4000 - left], np.array(expected) * 4000).pvalue > 0.001


def test_what_a_smaller_region_hides_does_not_count() -> None:
    # Arrange: of "a" only a ring is seen
    one = class_map(rois(("a", disk(1000, 1000, 300)), ("b", disk(1000, 1000, 250))))
    # Act
    centres = one.places("class", (100.0, 100.0), class_index=0, least=0.4).at(*draws(500))
    # Assert
    ring = disk(1000, 1000, 300).difference(disk(1000, 1000, 250))
    held = shapely.area(shapely.intersection(shapely.box(*around(centres, (100, 100)).T), ring)) / 1e4
    assert held.min() >= 0.39
    assert one.class_um2(0) == pytest.approx(ring.area * 0.125, rel=0.02)


def test_a_slide_without_the_class_has_no_place() -> None:
    one = class_map(rois(("a", disk(1000, 1000, 300)), ("other", disk(100, 100, 50))))
    assert len(one.places("class", (100.0, 100.0), class_index=1, least=0.5)) == 0
    assert one.class_um2(1) == 0
    assert set(np.unique(one.labels)) == {0, 1}


def test_components_of_a_label_map_are_structures() -> None:
    # Arrange: two blobs of class 1 that touch at a corner only, and one apart
    labels = np.zeros((20, 30), np.uint8)
    labels[2:4, 2:4] = labels[4:6, 4:6] = labels[15, 25] = 2
    labels[10:12, 10:12] = 1
    one = map_of(None, classes=labels, per="structure")
    # Act
    centres = one.places("class", (1000.0, 1000.0), class_index=1, least=1.0).at(*draws(4000))
    # Assert
    boxes = around(centres, (1000.0, 1000.0))
    first = ((boxes[:, :2] <= 200) & (boxes[:, 2:] >= 600)).all(axis=1)
    second = ((boxes[:, :2] <= (2500, 1500)) & (boxes[:, 2:] >= (2600, 1600))).all(axis=1)
    assert (first | second).all()
    assert chisquare([first.sum(), second.sum()]).pvalue > 0.001
    assert one.class_um2(1) == pytest.approx(9 * 100 * 100 * 0.125)
