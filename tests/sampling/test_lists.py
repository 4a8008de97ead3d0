from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from shapely import Polygon

from slidekit.errors import SlideError, SpecError
from slidekit.io.slide_tiff import make_pyramid, write_svs
from slidekit.sampling import PatchSampler, SampledSlide
from slidekit.slide.roi import ROI, ROISet
from slidekit.slide.wsi import WSI
from tests.sampling.small_slides import write_slides

RING = ROISet((ROI("ring", "tumour", Polygon([(30, 20), (290, 30), (300, 250), (20, 240)])),))


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    """Two slides with tissue in the middle, the second with a region of interest."""
    folder = tmp_path_factory.mktemp("lists")
    found = []
    for number, mpp in enumerate((0.5, 0.2528)):
        image = np.full((330, 410, 3), 245, np.uint8)
        cv2.ellipse(image, (200, 160), (150, 100), 10, 0, 360, (190, 90, 150), -1)
        path = write_svs(folder / f"s{number}.svs", make_pyramid(image, factors=[2]), mpp=mpp)
        found.append(SampledSlide(path, f"s{number}", rois=RING if number else None))
    return found


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "masks"


OPTIONS = [
    {"tile_um": 12.5},
    {"tile_um": 16, "stride_div": 2},
    {"tile_um": "20x"},
    {"tile_mpp": 0.7, "use_edge_tiles": True},
    {"tile_um": 16, "qc": "otsu"},
    {"tile_um": 16, "roi_method": "outside", "roi_filter_method": 0.3},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: ",".join(options))
def test_a_grid_is_the_cells_that_an_extraction_would_keep(slides, cache, options):
    # Arrange
    usable = slides[1:] if options.get("roi_method") == "outside" else slides
    sampler = PatchSampler(usable, 24, mode="grid", shuffle=False, cache=cache, **options)

    # Act
    plan = sampler.plan(np.arange(len(sampler)))

    # Assert
    for number, slide in enumerate(usable):
        with WSI(slide.path, 24, rois=slide.rois, **options) as wsi:
            table = wsi.get_tile_dataframe(kept_only=True)
            stride = 2 if "stride_div" in options else 1
            assert sampler.grids[slide.name].shape == wsi.shape
        rows = plan.slides == number
        locations = np.floor(plan.centres[rows] + 1e-9).astype(int)
        np.testing.assert_array_equal(locations, table[["loc_x", "loc_y"]].to_numpy())
        cells = sampler.cells(plan.steps[rows])
        np.testing.assert_array_equal(cells, table[["grid_x", "grid_y"]].to_numpy())
        steps = np.diff(plan.centres[rows][:2, 0])
        grid = sampler.grids[slide.name]
        assert steps[0] == pytest.approx(np.diff(cells[:2, 0])[0] * grid.tile_width / stride)


def test_cells_that_reach_over_the_edge_say_so(slides, cache):
    inside, edges = (
        PatchSampler(slides[0], 24, 16, mode="grid", use_edge_tiles=edges, cache=cache) for edges in (False, True)
    )

    assert inside.plan(np.arange(len(inside))).inside.min() == 1
    padded = edges.plan(np.arange(len(edges)))
    assert np.count_nonzero(padded.inside < 1) == len(edges) - len(inside) > 0


@pytest.mark.parametrize("options", [{"downsample": 2.5}, {"level": 1}])
def test_a_grid_may_be_counted_in_pixels(slides, cache, options):
    sampler = PatchSampler(slides[0], 20, mode="grid", shuffle=False, cache=cache, **options)
    edge = 20 * options.get("downsample", 2)

    plan = sampler.plan(np.arange(len(sampler)))

    np.testing.assert_allclose(plan.centres, (sampler.cells(plan.steps) + 0.5) * edge)
    assert len(sampler) == (410 // int(edge)) * (330 // int(edge))


def test_a_slide_that_says_no_resolution_has_a_grid_that_is_counted_in_pixels(tmp_path, cache):
    path = write_svs(tmp_path / "a.svs", [np.full((90, 100, 3), 200, np.uint8)], mpp=None)

    sampler = PatchSampler(path, 10, downsample=1, mode="grid", cache=cache)

    assert len(sampler) == 90
    assert "µm/px" in PatchSampler(path, 10, 10, mode="grid", cache=cache).left_out()["a"]


def test_each_epoch_has_each_cell_once_in_an_order_of_its_own(slides, cache):
    sampler = PatchSampler(slides, 24, 16, mode="grid", cache=cache)
    count = len(sampler)
    orders = [sampler.plan(np.arange(count) + epoch * count) for epoch in (0, 1)]

    first, second = ([(*row, slide) for *row, slide in np.column_stack([p.centres, p.slides]).tolist()] for p in orders)

    assert sorted(first) == sorted(second)
    assert len(set(first)) == count
    assert first != second != sorted(second)
    assert first == [tuple(row) for row in np.column_stack([orders[0].centres, orders[0].slides]).tolist()]


def test_mixed_epochs_in_one_plan_are_the_same_as_apart(slides, cache):
    sampler = PatchSampler(slides, 24, 16, mode="grid", cache=cache)
    steps = np.array([5 * len(sampler) + 1, 0, 5 * len(sampler), len(sampler) + 2, 1])

    together = sampler.plan(steps)

    for row, step in enumerate(steps):
        alone = sampler.plan([step])
        assert (alone.centres[0] == together.centres[row]).all()
        assert alone.seeds[0] == together.seeds[row]
    assert (sampler.cells(steps) == np.concatenate([sampler.cells([step]) for step in steps])).all()


def test_slides_that_fail_are_left_out_and_said(slides, cache, tmp_path):
    broken = tmp_path / "broken.svs"
    broken.write_bytes(b"no slide")
    sampler = PatchSampler(
        [*slides, broken, tmp_path / "missing.svs"], 24, 16, mode="grid", cache=cache, roi_method="inside"
    )

    assert set(sampler.plan(np.arange(len(sampler))).slides.tolist()) == {
        [slide.name for slide in sampler.slides].index("s1")
    }
    assert set(sampler.left_out()) == {"s0", "broken", "missing"}
    assert "regions of interest" in sampler.left_out()["s0"]


def test_a_list_has_no_second_attempt(slides, cache):
    sampler = PatchSampler(slides[0], 24, 16, mode="grid", cache=cache)

    with pytest.raises(SpecError, match="no second attempt"):
        sampler.plan([0, 1], [0, 1])


def test_a_mask_that_is_asked_for_drops_cells_with_less_tissue(tmp_path, cache):
    slide = write_slides(tmp_path)[0]
    sampler = PatchSampler(slide, 20, downsample=1, mode="grid", min_tissue=0.5, mask="histofetch", cache=cache)

    plan = sampler.plan(np.arange(len(sampler)))

    # The block of tissue is (100, 80) to (300, 240), in cells of 20 pixels.
    assert len(sampler) == 10 * 8
    assert plan.tissue.tolist() == [1.0] * 80


def test_points_come_where_they_are_given(slides, cache):
    points = [("s1", 100.25, 60), ("s0", 10, 200), (str(slides[1].path), 205, 165)]
    sampler = PatchSampler(slides, 24, 16, mode="points", points=points, shuffle=False, cache=cache)

    plan = sampler.plan([0, 1, 2])

    assert plan.slides.tolist() == [0, 1, 1]
    assert plan.centres.tolist() == [[10, 200], [100.25, 60], [205, 165]]
    assert plan.inside[0] == pytest.approx((10 + 16) / 32)
    assert sampler.cells([0]).tolist() == [[-1, -1]]
    assert not sampler.grids


def test_points_of_slides_that_there_are_not_are_refused_at_once(slides, cache):
    with pytest.raises(SpecError, match="no slide 'other'"):
        PatchSampler(slides, 24, 16, mode="points", points=[("other", 1, 2)], cache=cache)


def test_points_beyond_the_slide_are_left_out_and_said(slides, cache):
    points = [("s0", 100, 60), ("s1", -500, 60), ("s1", 30, 40), ("s1", 30, 347)]
    sampler = PatchSampler(slides, 24, 16, mode="points", points=points, shuffle=False, cache=cache)

    assert sampler.plan(range(len(sampler))).centres.tolist() == [[100, 60], [30, 40], [30, 347]]
    assert sampler.left_out()["s1"].startswith("1 of 3 points")


def test_an_empty_list_says_why(tmp_path, cache):
    sampler = PatchSampler(tmp_path / "missing.svs", 24, 16, mode="grid", cache=cache)

    assert len(sampler) == 0
    with pytest.raises(SlideError, match="no place to take a patch from"):
        sampler.plan([0])


def test_other_modes_have_no_list(slides, cache):
    sampler = PatchSampler(slides, 24, 16, cache=cache)

    with pytest.raises(SpecError, match="no list of places"):
        sampler.cells([0])


def test_mpp_of_the_annotations_counts(slides, cache):
    doubled = replace(slides[0], mpp=1.0)

    sampler = PatchSampler(doubled, 24, 16, mode="grid", shuffle=False, cache=cache)

    assert sampler.grids["s0"].tile_width == 16
    assert Path(doubled.path).exists()
