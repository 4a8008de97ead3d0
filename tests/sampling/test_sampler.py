from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from shapely import Polygon, box

from slidekit import sampling
from slidekit.errors import DatasetError, SlideError, SlidekitError, SpecError
from slidekit.io.slide_tiff import write_svs
from slidekit.sampling import PatchSampler, Plan, SampledSlide
from slidekit.slide.roi import ROI, ROISet
from tests.sampling.small_slides import HEIGHT, WIDTH, tissue_masks, write_slides

SURE = 1e-3
"""Chi-square tests have fixed seeds: what holds once holds always."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("sampler")


@pytest.fixture(scope="module")
def slides(folder) -> list[SampledSlide]:
    """Three slides with a block of tissue, half of it, and a ring; classes 1, 2 and 5 in the first two."""
    labels = []
    for classes in ((1, 2), (2, 5), ()):
        image = np.zeros((HEIGHT // 10, WIDTH // 10), np.uint8)
        for place, value in enumerate(classes):
            image[10:20, 12 + 12 * place : 18 + 12 * place] = value
        labels.append(image)
    return write_slides(folder, label_masks=labels)


@pytest.fixture(scope="module")
def make(slides, folder):
    def make(*, of=slides, tile_px=16, **options):
        size = {} if {"tile_mpp", "downsample", "level", "tile_um"} & set(options) else {"tile_um": 10}
        return PatchSampler(of, tile_px, **size, **options, cache=folder / "masks")

    return make


@pytest.fixture(scope="module")
def samplers(make):
    return {
        "random": make(seed=1),
        "rich": make(seed=2, tile_um=[10, 20], background=0.2, min_tissue=0.3, edges="shift", weights="area"),
        "classes": make(seed=3, classes=(1, 2, 5)),
        "epoch": make(mode="epoch"),
        "grid": make(mode="grid"),
    }


def assert_equal(one: Plan, other: Plan) -> None:
    for field in fields(Plan):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name), err_msg=field.name)


# --- determinism -------------------------------------------------------------------------------------------------


@given(st.sampled_from(["random", "rich", "classes", "epoch"]), st.data())
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_plan_is_that_of_its_parts_in_any_order(samplers, kind, data):
    # Arrange
    sampler = samplers[kind]
    steps = np.array(data.draw(st.lists(st.integers(0, 400), min_size=1, max_size=12, unique=True)))
    attempts = np.array(data.draw(st.lists(st.integers(0, 12), min_size=len(steps), max_size=len(steps))))
    order = np.array(data.draw(st.permutations(range(len(steps)))))

    # Act
    whole = sampler.plan(steps, attempts)
    fresh = pickle.loads(pickle.dumps(sampler)).plan(steps[order], attempts[order])

    # Assert
    assert_equal(whole.take(order), fresh)
    for row in range(len(steps)):
        assert_equal(whole.take(slice(row, row + 1)), sampler.plan(steps[row], attempts[row]))


def test_the_grid_of_a_pickled_sampler_is_the_same(samplers):
    steps = np.arange(20)

    assert_equal(samplers["grid"].plan(steps), pickle.loads(pickle.dumps(samplers["grid"])).plan(steps))


def test_another_seed_gives_other_patches(make):
    one, other = make(seed=1).plan(range(50)), make(seed=2).plan(range(50))

    assert not set(map(tuple, one.centres)) & set(map(tuple, other.centres))
    assert not set(one.seeds) & set(other.seeds)


def test_the_slides_may_be_given_in_any_order(slides, make):
    assert_equal(make().plan(range(20)), make(of=slides[::-1]).plan(range(20)))


# --- where ---------------------------------------------------------------------------------------------------------


def test_patches_are_uniform_over_the_tissue(make, slides):
    plan = make(seed=5).plan(range(6000))

    for number, mask in enumerate(tissue_masks()):
        x, y = plan.centres[plan.slides == number].T
        counts, _, _ = np.histogram2d(y, x, bins=(16, 20), range=((0, HEIGHT), (0, WIDTH)))
        share = mask.reshape(16, 2, 20, 2).mean(axis=(1, 3))
        assert not counts[share == 0].any()
        expected = share / share.sum() * counts.sum()
        assert chisquare(counts[share > 0], expected[share > 0]).pvalue > SURE


def test_places_are_continuous(make):
    plan = make().plan(range(200))

    assert len(set((plan.centres % 1).ravel().tolist())) == 400


def test_each_patch_holds_the_tissue_that_was_asked_for(make):
    # The ring is 40 to 100 level-0 pixels thick: patches of 60 pixels rarely hold 90 %.
    plan = make(tile_um=30, min_tissue=0.9).plan(range(300))

    assert plan.tissue.min() >= 0.9 - 1e-6
    assert set(plan.slides.tolist()) == {0, 1, 2}


def test_background_comes_from_anywhere_as_often_as_was_asked_for(make):
    plan = make(background=0.25, min_tissue=0.5).plan(range(4000))

    assert chisquare([plan.background.sum(), (~plan.background).sum()], [1000, 3000]).pvalue > SURE
    counts, _, _ = np.histogram2d(*plan.centres[plan.background].T, bins=(4, 4), range=((0, WIDTH), (0, HEIGHT)))
    assert chisquare(counts.ravel()).pvalue > SURE
    assert plan.tissue[~plan.background].min() >= 0.5
    assert plan.tissue[plan.background].min() == 0


@pytest.mark.parametrize("edges", ["pad", "shift"])
def test_patches_beyond_the_slide_are_flagged_or_moved(make, edges):
    plan = make(tile_um=60, background=1.0, edges=edges).plan(range(300))

    half = 60
    outside = np.any((plan.centres < half) | (plan.centres > np.array([WIDTH, HEIGHT]) - half), axis=1)
    assert outside.any() == (edges == "pad")
    assert ((plan.inside < 1) == outside).all()


def test_patches_larger_than_the_slide_are_put_in_its_middle(make):
    plan = make(tile_um=200, edges="shift").plan(range(5))

    assert plan.centres.tolist() == [[200, HEIGHT / 2]] * 5
    assert plan.inside == pytest.approx(HEIGHT / 400)


def test_scales_come_by_their_weights(make):
    plan = make(tile_um=[5, 10, 20], scale_weights=(1, 2, 1)).plan(range(4000))

    assert chisquare(np.bincount(plan.scales), [1000, 2000, 1000]).pvalue > SURE


# --- how often -----------------------------------------------------------------------------------------------------


def test_slides_come_alike_by_default(make):
    assert chisquare(np.bincount(make().plan(range(3000)).slides)).pvalue > SURE


def test_slides_come_by_their_tissue(make):
    counts = np.bincount(make(weights="area").plan(range(3000)).slides)

    areas = np.array([mask.sum() for mask in tissue_masks()])
    assert chisquare(counts, areas / areas.sum() * 3000).pvalue > SURE


def test_areas_compare_where_some_slides_do_not_say_their_resolution(make, slides, folder):
    unknown = write_svs(folder / "unknown.svs", [np.full((HEIGHT, WIDTH, 3), 180, np.uint8)], mpp=None)
    pair = [slides[0], replace(slides[0], path=unknown, name="s9")]

    counts = np.bincount(make(of=pair, downsample=2, weights="area").plan(range(1000)).slides)

    assert chisquare(counts).pvalue > SURE


def test_slides_come_by_weights_of_ones_own(make):
    counts = np.bincount(make(weights={"s0": 1, "s1": 0, "s2": 3}).plan(range(2000)).slides)

    assert counts[1] == 0
    assert chisquare(counts[[0, 2]], [500, 1500]).pvalue > SURE


def test_slides_come_by_quotas(make, slides):
    grouped = [replace(slide, groups={"site": site}) for slide, site in zip(slides, "ABB", strict=True)]

    counts = np.bincount(make(of=grouped, weights="site").plan(range(4000)).slides)

    assert chisquare(counts, [2000, 1000, 1000]).pvalue > SURE


@pytest.mark.parametrize("weights", [None, (1, 1, 2)])
def test_classes_come_alike_or_by_their_weights_and_patches_hold_them(make, weights):
    # Histo-cloud gives the first and the last of three classes half the weight of the middle one.
    plan = make(classes=(1, 2, 5), class_weights=weights, tile_um=20).plan(range(2000))

    expected = np.array(weights or (1, 1, 1)) / sum(weights or (1, 1, 1)) * 2000
    assert chisquare(np.bincount(plan.classes), expected).pvalue > SURE
    # Class 1 is on s0 alone, class 2 on both, class 5 on s1 alone.
    assert set(plan.slides[plan.classes == 0].tolist()) == {0}
    assert chisquare(np.bincount(plan.slides[plan.classes == 1])).pvalue > SURE
    assert set(plan.slides[plan.classes == 2].tolist()) == {1}


def test_patches_of_a_class_hold_its_regions_as_much_as_was_asked_for(make, slides):
    # Arrange
    large, small = Polygon([(150, 100), (350, 90), (330, 300)]), Polygon([(40, 40), (60, 40), (50, 70)])
    regions = ROISet((ROI("a", "tumour", large), ROI("b", "tumour", small), ROI("c", "other", box(0, 0, 9, 9))))
    sampler = make(of=[replace(slides[0], rois=regions)], classes="tumour", min_class=0.7, tile_um=30, per="structure")

    # Act
    plan = sampler.plan(range(200))

    # Assert: 70 % of the patch, or of the region that is smaller than it.
    patches = [box(x - 30, y - 30, x + 30, y + 30) for x, y in plan.centres]
    held = [[patch.intersection(one).area for one in (large, small)] for patch in patches]
    shares = np.array(held) / [60 * 60, small.area]
    assert (shares.max(axis=1) > 0.7 - 0.01).all()
    assert chisquare([np.count_nonzero(shares[:, which] > 0.69) for which in (0, 1)]).pvalue > SURE


def test_background_is_of_no_class(make):
    plan = make(classes=(1, 2), background=0.5).plan(range(500))

    assert (plan.classes[plan.background] == -1).all()
    assert (plan.classes[~plan.background] >= 0).all()


def test_classes_that_no_slide_has_are_an_error(make):
    with pytest.raises(SlideError, match="No slide has anything of class '9'"):
        make(classes=(1, 9)).plan(range(20))


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ("site", SpecError, "no slide has a column 'site'"),
        ({"s0": 1, "other": 1}, SpecError, "there is no slide other"),
        ({"s0": 1}, SpecError, "slides have none: s1, s2"),
        ({"s0": 0, "s1": 0, "s2": 0}, SpecError, "all are 0"),
    ],
)
def test_weights_that_do_not_fit_the_slides_are_refused_at_once(make, weights, error, message):
    with pytest.raises(error, match=message):
        make(weights=weights)


# --- what fails ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def broken(slides, folder):
    """A slide that does not open, one without tissue, and a good one."""
    path = folder / "broken.svs"
    path.write_bytes(b"no slide")
    empty = write_slides(folder / "empty", [np.zeros((32, 40), np.bool_)])[0]
    return [SampledSlide(path, "broken"), replace(empty, name="empty"), slides[0]]


def test_what_is_drawn_anew_keeps_its_scale_class_and_background(make):
    # Else what lies on slides that fail would come less often than was asked for.
    sampler = make(tile_um=[5, 10], classes=(1, 2, 5), background=0.3)

    first, third = sampler.plan(range(200)), sampler.plan(range(200), np.full(200, 2))

    for name in ("scales", "classes", "background"):
        np.testing.assert_array_equal(getattr(first, name), getattr(third, name))
    assert (first.centres != third.centres).any(axis=1).mean() > 0.9
    assert not set(first.seeds) & set(third.seeds)


def test_slides_that_fail_are_drawn_anew_and_counted(make, broken):
    plan, passed = make(of=broken).plan_counted(range(600))

    assert set(plan.slides.tolist()) == {2}
    assert set(passed) == {"broken", "empty"}
    assert sum(sum(reasons.values()) for reasons in passed.values()) == plan.attempts.sum() > 500
    assert "no tissue" in " ".join(passed["empty"])


def test_steps_that_did_not_fail_are_what_they_are_without_the_failure(make, broken, slides):
    # A slide that fails takes no part in what others give.
    whole = [replace(slides[1], name="broken"), replace(slides[2], name="empty"), broken[2]]

    plan, other = make(of=broken).plan(range(200)), make(of=whole).plan(range(200))

    same = plan.attempts == 0
    assert 0 < np.count_nonzero(same) < 200
    assert_equal(plan.take(np.flatnonzero(same)), other.take(np.flatnonzero(same)))


@pytest.mark.parametrize("weights", ["slide", "area"])
def test_slides_that_fail_are_named(make, broken, weights):
    sampler = make(of=broken, weights=weights)

    assert set(sampler.left_out()) == {"broken", "empty"}
    assert set(sampler.plan(range(50)).slides.tolist()) == {2}


def test_quotas_are_exact_among_what_can_be_had(make, broken, slides):
    sites = {"broken": "A", "s0": "A", "s1": "B", "s2": "B", "empty": "B"}
    grouped = [replace(slide, groups={"site": sites[slide.name]}) for slide in [*broken, slides[1], slides[2]]]

    plan, passed = make(of=grouped, weights="site").plan_counted(range(2000))

    # By name: broken, empty, s0, s1, s2. The broken slide's share goes to its own site.
    assert chisquare(np.bincount(plan.slides, minlength=5)[2:], [1000, 500, 500]).pvalue > SURE
    assert not passed


@pytest.mark.parametrize("weights", ["slide", "area"])
def test_when_nothing_can_be_had_the_reasons_are_told(make, broken, weights):
    with pytest.raises(SlideError, match=r"No slide can be used \(broken: .*empty: "):
        make(of=broken[:2], weights=weights).plan(range(5))


def test_one_good_slide_among_many_that_fail_is_enough(make, slides, folder):
    # Of 41 slides one is good: 64 draws of any would fail for every fifth step.
    missing = [SampledSlide(folder / f"missing{number}.svs", f"m{number}") for number in range(40)]

    plan = make(of=[*missing, slides[0]]).plan(range(200))

    assert set(plan.slides.tolist()) == {40}
    assert 16 <= plan.attempts.max() <= 20
    assert_equal(plan.take(slice(0, 5)), make(of=[*missing, slides[0]]).plan(range(5)))


def test_attempts_end(make):
    make().plan([3], [63])
    with pytest.raises(SlidekitError, match="step 3 in 64 attempts"):
        make().plan([3], [64])


def test_a_level_that_a_slide_lacks_is_drawn_anew(make):
    sampler = make(level=[0, 7], scale_weights=(1, 0))
    assert sampler.plan(range(10)).attempts.max() == 0

    with pytest.raises(SlidekitError, match="no level 7"):
        make(level=7).plan([0])


# --- what it costs -------------------------------------------------------------------------------------------------


def test_the_first_batch_makes_only_the_masks_that_it_needs(tmp_path):
    slides = write_slides(tmp_path, [tissue_masks()[0]] * 12)
    sampler = PatchSampler(slides, 16, 10, cache=tmp_path / "masks")
    needed = sampler.missing(range(4))

    plan = sampler.plan(range(4))

    assert sorted(set(plan.slides.tolist())) == needed
    assert len(list((tmp_path / "masks").glob("*.png"))) == len(needed) < 12
    assert sampler.missing(range(4)) == []


@pytest.mark.parametrize("options", [{"weights": "area"}, {"mode": "epoch"}])
def test_what_depends_on_all_slides_needs_all_masks(tmp_path, options):
    sampler = PatchSampler(write_slides(tmp_path), 16, 10, cache=tmp_path / "masks", **options)

    assert sampler.missing([0]) == [0, 1, 2]


# --- other samplers, and resuming ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size", [{"tile_um": 10}, {"tile_mpp": 1}, {"downsample": 2}, {"level": 0}, {"tile_um": "10x"}]
)
def test_another_number_of_pixels_shows_the_same_fields(make, size):
    sampler = make(tile_px=64, views=[(32, 2)], **size)

    small = sampler.resized(16).resized(8)

    assert [view.tile_px for view in small.spec.scales[0]] == [8, 4]
    assert_equal(small.plan(range(20)), sampler.plan(range(20)))
    for scale, other in zip(sampler.spec.scales[0], small.spec.scales[0], strict=True):
        facts = sampler.maps.get(0).facts
        assert scale.extent(facts) == other.extent(facts)


def test_a_stack_keeps_its_proportions(make):
    stack = make(tile_px=32, stack=(8, 16, 32)).resized(64)

    assert [view.tile_px for view in stack.spec.scales[0]] == [16, 32, 64]


def test_a_state_is_one_number_that_only_its_own_sampler_takes(make, slides):
    sampler = make(seed=4)
    state = sampler.state(1234)

    assert set(state) == {"step", "seed", "digest"}
    assert make(seed=4).check_state(state) == 1234
    for other in (make(seed=5), make(seed=4, min_tissue=0.5), make(seed=4, of=slides[:2])):
        with pytest.raises(SpecError, match="other slides or parameters"):
            other.check_state(state)
    with pytest.raises(SpecError, match="seed is 4, this one's 5"):
        make(seed=5).check_state(state)


@pytest.mark.parametrize("state", [{}, {"step": -1, "digest": "a"}, {"step": "7", "digest": "a"}, {"step": 1}])
def test_what_is_no_state_is_refused(make, state):
    with pytest.raises(SpecError, match="not the state of a sampler"):
        make().check_state(state)


def test_a_moved_folder_or_cache_is_the_same_run(make, slides):
    moved = [replace(slide, path=Path("/elsewhere") / slide.path.name) for slide in slides]

    assert make(of=moved).digest == make().digest


@pytest.mark.parametrize(
    ("steps", "attempts", "message"),
    [
        ([0.5], None, "steps are not whole numbers"),
        ([-1], None, "steps must be from 0 on"),
        ([[0]], None, "in one dimension"),
        ([0], [0, 1], "1 steps and 2 attempts"),
        ([0], [-1], "attempts must be from 0 on"),
    ],
)
def test_steps_that_are_none_are_refused(make, steps, attempts, message):
    with pytest.raises(SpecError, match=message):
        make().plan(steps, attempts)


def test_no_steps_are_an_empty_plan(samplers):
    for sampler in samplers.values():
        assert len(sampler.plan([])) == 0


def test_a_stream_without_end_has_no_length(make, samplers):
    with pytest.raises(SpecError, match="has no end"):
        len(make())
    assert make()
    assert len(samplers["epoch"]) > 100


def test_slides_of_one_name_are_refused(slides):
    with pytest.raises(DatasetError, match="both called"):
        PatchSampler([slides[0], replace(slides[1], name="s0")], 16, 10)


# --- one patch, and several ----------------------------------------------------------------------------------------


def test_a_step_is_a_patch_and_steps_are_a_batch(make, slides):
    sampler = make(label_images=True, classes=(1, 2, 5))

    patch, batch = sampler[3], sampler[2:5]

    plan = sampler.plan([3])
    assert (patch.step, patch.slide) == (3, slides[plan.slides[0]].name)
    assert patch.image.shape == (16, 16, 3)
    assert patch.labels.max() == plan.classes[0] + 1 == patch.class_index + 1
    np.testing.assert_array_equal(patch.image, batch.images[1])
    assert batch.steps.tolist() == [2, 3, 4]
    # What is read lies on whole stored pixels, which are 0.5 µm.
    assert np.abs(np.array(patch.loc) - plan.centres[0]).max() <= 1


def test_several_views_are_several_images(make):
    patch = make(views=[(8, 4)])[0]

    assert [image.shape for image in patch.image] == [(16, 16, 3), (8, 8, 3)]


@pytest.mark.parametrize("steps", [slice(3, None), slice(4, 4), slice(0, 6, 2), slice(-3, 2)])
def test_slices_that_are_not_steps_in_a_row_are_refused(make, steps):
    with pytest.raises(SpecError, match="not steps that follow one another"):
        make()[steps]


def test_threads_may_plan_at_the_same_time(make):
    sampler = make(mode="epoch", seed=9)
    parts = [np.arange(200) + len(sampler) * epoch for epoch in range(6)]

    with ThreadPoolExecutor(6) as pool:
        plans = list(pool.map(sampler.plan, parts))

    for part, plan in zip(parts, plans, strict=True):
        assert_equal(plan, sampler.plan(part))


def test_background_never_comes_from_a_slide_without_tissue(make, broken):
    plan, passed = make(of=broken, background=1.0).plan_counted(range(100))

    assert set(plan.slides.tolist()) == {2}
    assert passed["empty"]


def test_regions_of_a_class_are_sampled_where_the_mask_finds_no_tissue(make, slides, folder):
    blank = np.zeros((HEIGHT // 10, WIDTH // 10), np.bool_)
    bare = write_slides(folder / "bare", [blank, blank], label_masks=[~blank + np.uint8(0), blank.astype(np.uint8)])

    sampler = make(of=bare, classes=1)

    assert set(sampler.plan(range(20)).slides.tolist()) == {0}
    assert set(sampler.left_out()) == {"s1"}


def test_a_list_turned_random_has_a_mask_again(make):
    assert make(mode="grid").replace(mode="random").spec.mask == "histofetch"
    assert make(mode="grid").replace(seed=3).spec.mask is None


def test_sizes_there_and_back_are_the_same(make):
    sampler = make(stack=(4, 64), seed=5)
    other = pickle.loads(pickle.dumps(sampler.resized(3))).resized(50)

    assert [view.tile_px for view in other.spec.scales[0]] == [12, 200]
    assert other.resized(16).spec == sampler.spec
    assert other.resized(16).digest == sampler.digest


def test_a_list_can_be_gone_through(make):
    sampler = make(mode="grid", of=make().slides[:1], tile_um=60)

    assert [patch.step for patch in sampler] == list(range(len(sampler)))
    with pytest.raises(IndexError, match=f"there are {len(sampler)}"):
        sampler[len(sampler)]
    assert sampler.batches(2, start=len(sampler), workers=0).position == len(sampler)


def test_what_has_no_end_goes_on(make):
    assert [patch.step for patch, _ in zip(make(), range(20), strict=False)] == list(range(20))


@pytest.mark.parametrize("step", [1.7, "3", None])
def test_a_step_is_a_whole_number(make, step):
    with pytest.raises(SpecError, match="is not a step"):
        make()[step]


@pytest.mark.parametrize("steps", [[2**63], [-1], [2**70], [0.5]])
def test_numbers_that_are_no_steps_are_refused(make, steps):
    for ask in (make().plan, make(mode="grid").cells):
        with pytest.raises(SpecError, match="step"):
            ask(steps)


@pytest.mark.parametrize("slides", [5, None, [5]])
def test_what_is_no_slide_is_refused(slides):
    with pytest.raises(DatasetError, match="is not a slide"):
        PatchSampler(slides, 16, 10)


def test_the_order_of_weights_is_of_no_matter(make):
    weights = {"s0": 1, "s1": 2, "s2": 3}
    again = dict(reversed(weights.items()))
    assert make(weights=weights).digest == make(weights=again).digest


def test_all_that_the_room_offers_is_there():
    assert all(hasattr(sampling, name) for name in sampling.__all__)
    assert sorted(sampling._HOMES) == sorted(sampling.__all__)
