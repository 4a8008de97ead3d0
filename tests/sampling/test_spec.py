from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from slidekit.augment.patches import PatchAugment
from slidekit.errors import SlidekitError, SpecError
from slidekit.norm import StainNormalizer
from slidekit.sampling.spec import SamplingSpec
from slidekit.sampling.spec_values import describe


def create(**options):
    return SamplingSpec.create(**{"tile_px": 256, "tile_um": 128, **options})


def method(slide):
    return np.zeros((4, 4), np.bool_)


CHANGES = {
    "tile_px": 128,
    "tile_um": (128, 256),
    "field_px": 128,
    "scale_weights": (2,),
    "views": ((256, 4.0),),
    "stack": (64, 128),
    "seed": 1,
    "mode": "epoch",
    "mask": "otsu",
    "min_tissue": 0.5,
    "background": 0.1,
    "classes": ("tumour",),
    "class_weights": None,
    "min_class": 0.6,
    "per": "structure",
    "region": "foreground",
    "margin_um": 10.0,
    "edges": "shift",
    "weights": "area",
    "stride_div": 2.0,
    "use_edge_tiles": True,
    "roi_method": "inside",
    "roi_filter_method": 0.5,
    "roi_origin": (1.0, 2.0),
    "qc": ("otsu",),
    "filter_threshold": 0.5,
    "shuffle": False,
    "points": None,
    "augment": True,
    "label_images": True,
    "normalizer": "macenko",
    "reader": "vips",
    "resample": "exact",
    "mpp": 0.5,
    "tile_mpp": None,
    "downsample": None,
    "level": None,
    "cache": None,
}


_GRID = ("stride_div", "use_edge_tiles", "roi_method", "roi_filter_method", "qc", "filter_threshold", "shuffle")
NEEDED = {
    **{name: {"mode": "grid"} for name in _GRID},
    **{name: {"classes": "tumour"} for name in ("per", "min_class")},
}
"""Options without which others have no effect, and are refused."""


def test_every_field_is_known_here_and_described():
    assert set(SamplingSpec.model_fields) == set(CHANGES)
    assert all(field.description for field in SamplingSpec.model_fields.values())


@pytest.mark.parametrize("name", [name for name, value in CHANGES.items() if value is not None])
def test_whatever_decides_about_patches_changes_the_digest(name):
    needed = NEEDED.get(name, {})
    changed = create(**needed, **{name: CHANGES[name]})

    assert changed.digest() != create(**needed).digest()
    assert pickle.loads(pickle.dumps(changed)).digest() == changed.digest()


def test_where_masks_are_kept_does_not():
    assert create(cache="/elsewhere").digest() == create().digest()
    assert create(cache="/elsewhere").cache == Path("/elsewhere")


def test_the_same_said_otherwise_has_the_same_digest():
    assert create(tile_um="128", mask="OTSU").digest() == create(tile_um=128.0, mask="otsu").digest()
    assert create(weights="site").digest() == create(weights=["site"]).digest()
    assert create(augment=True).digest() == create(augment=PatchAugment()).digest()
    assert create(normalizer="macenko").digest() == create(normalizer=StainNormalizer("macenko")).digest()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile_um": None}, "the size of the patches is missing"),
        ({"level": 0}, "tile_um and level each state the size"),
        ({"tile_um": None, "level": 0.5}, "level=0.5 is not a whole number"),
        ({"tile_um": None, "level": -1}, "-1 is not a number from 0 on"),
        ({"tile_um": None, "downsample": 0}, "downsample=0 is not a size"),
        ({"tile_um": None, "tile_mpp": "10x"}, "'10x' is not a number"),
        ({"tile_um": "large"}, "tile_um='large' is not a tile size"),
        ({"tile_um": []}, "it is empty"),
        ({"tile_um": [128, 128]}, "a size comes twice"),
        ({"tile_um": [128, 256], "scale_weights": [1]}, "scale_weights are 1 for 2"),
        ({"tile_um": [128, 256], "scale_weights": [0, 0]}, "not all 0"),
        ({"wieghts": "area"}, "wieghts is not an option of a sampler. Did you mean weights?"),
        ({"mask": "tissue"}, "use histofetch, roi, otsu"),
        ({"classes": ["a", "a"]}, "give each class once"),
        ({"classes": list(range(300))}, "more than 254"),
        ({"classes": "a", "class_weights": [1, 2]}, "class_weights are 2 for 1"),
        ({"weights": {"a": 1, "b": {"c": 1}}}, "not both"),
        ({"classes": ["a", 2]}, "not both"),
        ({"mask": ()}, "give None for the whole slide"),
        ({"tile_um": 1e9}, "larger than any slide"),
        ({"mode": "points", "points": [("a", 1)]}, "give (slide, x, y)"),
        ({"qc": "otsu"}, "qc has no effect in mode='random': it is for \"grid\""),
        ({"shuffle": False}, 'it is for "grid" and "points"'),
        ({"per": "structure"}, "per has no effect without classes"),
        ({"mode": "epoch", "edges": "shift"}, "takes patches without overlap: it is for"),
        ({"mode": "epoch", "classes": "a"}, "classes has no effect in mode='epoch' without label_images"),
        ({"mode": "grid", "region": "foreground"}, "region has no effect"),
        ({"mode": "grid", "mask": "otsu"}, "without min_tissue"),
        ({"weights": {"a": -1}}, "-1 is not a number from 0 on"),
        ({"weights": 3}, "give slide, area, names of columns"),
        ({"views": [(64, 2)], "stack": (64,)}, "give one of them"),
        ({"mode": "points"}, "belong together"),
        ({"points": [("a", 1, 2)]}, "belong together"),
        ({"mode": "epoch", "background": 0.5}, "background is for mode="),
        ({"mode": "grid", "tile_um": [128, 256]}, "a list of sizes is for mode="),
        ({"mode": "grid", "weights": "area"}, "weights is for mode="),
        ({"min_tissue": 0.5, "mask": None}, "min_tissue=0.5 without a mask"),
        ({"min_tissue": 0.5, "mode": "grid"}, "give mask= as well"),
        ({"min_tissue": 0.5, "mode": "points", "points": [("a", 1, 2)]}, "taken as they are"),
        ({"min_tissue": 2}, "min_tissue=2 must be at most 1"),
        ({"augment": "flip"}, "give True, or a PatchAugment"),
        ({"normalizer": "reinhart"}, "reinhart"),
    ],
)
def test_mistakes_are_told_in_words(options, message):
    with pytest.raises(SlidekitError) as caught:
        create(**options)

    assert message in str(caught.value)


def test_a_list_makes_no_mask_unless_one_is_asked_for():
    assert create(mode="grid").mask is None
    assert create(mode="grid", mask="otsu", min_tissue=0.1).mask == "otsu"
    assert create().mask == "histofetch"


def test_a_copy_with_changes_is_validated():
    spec = create(seed=4, cache="/masks")

    changed = spec.replace(tile_um=64)

    assert (changed.seed, changed.tile_um, changed.cache) == (4, 64.0, Path("/masks"))
    with pytest.raises(SpecError):
        spec.replace(background=2)


def test_a_size_is_replaced_by_one_of_another_kind():
    changed = create().replace(tile_um=None, downsample=2)

    assert changed.scales[0][0].unit == "downsample"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"site": {"A": 1, "B": 2}}, {"site": {"A": 2, "B": 1}}),
        ({"site": {"A": 1}, "patient": {"P": 1}}, {"patient": {"P": 1}, "site": {"A": 1}}),
    ],
)
def test_the_order_of_columns_and_their_shares_count(first, second):
    assert describe(first) != describe(second)


def test_a_method_of_ones_own_is_described_by_its_code():
    assert describe(method) == describe(method) != describe(lambda slide: method(slide)[::-1])


def test_what_another_mode_has_no_use_for_goes():
    at_random = create(background=0.1, weights="area", edges="shift", classes=("a", "b"), min_class=0.3, mask="otsu")

    for mode in ("epoch", "grid"):
        changed = at_random.replace(mode=mode)
        assert changed == create(mode=mode, **({"mask": "otsu"} if mode == "epoch" else {}))
    assert at_random.replace(mode="grid", min_tissue=0.2).mask == at_random.mask
    with pytest.raises(SpecError, match="edges"):
        at_random.replace(mode="epoch", edges="shift")


def test_classes_stay_where_they_name_label_images():
    changed = create(classes=("a", "b"), label_images=True).replace(mode="grid")

    assert changed.classes == ("a", "b")
