from __future__ import annotations

import numpy as np
import pytest

from slidekit import norm
from slidekit.norm.presets import AUGMENT_STDEV, DEFAULT_AUGMENT_PRESET, PRESETS

# Slideflow 3.0.2's values, typed again: a slip in one of the two lists fails here.
MACENKO = {
    ("macenko", "v1"): (
        [0.63111544, 0.24816133, 0.6962834, 0.8226449, 0.34188122, 0.5115382],
        [1.4423684, 0.9685806],
    ),
    ("macenko", "v2"): ([0.5626, 0.2159, 0.7201, 0.8012, 0.4062, 0.5581], [1.9705, 1.0308]),
    ("macenko", "v3"): (
        [0.5062568, 0.2218694, 0.75322306, 0.8652155, 0.40691733, 0.42241502],
        [1.7656903, 1.2797493],
    ),
    ("macenko_fast", "v1"): (
        [0.6148019, 0.21480364, 0.7010872, 0.82317936, 0.36124164, 0.5255809],
        [1.8029537, 0.9606744],
    ),
    ("macenko_fast", "v2"): ([0.5626, 0.2159, 0.7201, 0.8012, 0.4062, 0.5581], [1.9705, 1.0308]),
    ("macenko_fast", "v3"): (
        [0.52000326, 0.2623537, 0.73508584, 0.83495414, 0.4249617, 0.4630997],
        [2.0259454, 1.4088874],
    ),
}
REINHARD = {
    ("reinhard", "v1"): ([72.272896, 22.99831, -13.860236], [15.594496, 9.642087, 9.290526]),
    ("reinhard", "v2"): ([72.909996, 20.8268, -4.9465137], [18.560713, 14.889295, 5.6756697]),
    ("reinhard", "v3"): ([65.22132, 28.934267, -14.142519], [15.800227, 9.263783, 6.0213304]),
    ("reinhard_fast", "v1"): ([63.71194, 20.716246, -12.290746], [14.52781, 8.344005, 8.300264]),
    ("reinhard_fast", "v2"): ([69.20197, 19.82498, -4.690998], [17.71583, 14.156416, 5.4176064]),
    ("reinhard_fast", "v3"): ([58.12343, 26.483482, -12.701005], [14.675022, 7.5744166, 5.226378]),
}
VAHADANE = {
    "v1": [[0.54176575, 0.75441414, 0.37060648], [0.17089975, 0.8640189, 0.4735658]],
    "v2": [[0.4435433, 0.7502863, 0.4902447], [0.27688965, 0.8088818, 0.5186929]],
}
# Unit values: presets are multiples of them.
STDEV = {
    ("macenko", "stain_matrix_target"): [0.00893346, 0.01153686, 0.00659814, 0.00722771, 0.00726339, 0.01352414],
    ("macenko", "target_concentrations"): [0.06665898, 0.06770515],
    ("macenko_fast", "stain_matrix_target"): [0.00794701, 0.01137106, 0.00559027, 0.00642623, 0.00609103, 0.01144302],
    ("macenko_fast", "target_concentrations"): [0.06623945, 0.08137263],
    ("reinhard", "target_means"): [1.1882676, 1.3114343, 1.1200949],
    ("reinhard", "target_stds"): [0.5123385, 0.37919158, 0.26019168],
    ("reinhard_fast", "target_means"): [1.2963034, 1.0061347, 0.90867484],
    ("reinhard_fast", "target_stds"): [0.47548684, 0.3956356, 0.23499836],
}
MASKED = {"reinhard_mask": "reinhard", "reinhard_fast_mask": "reinhard_fast"}


@pytest.mark.parametrize("key", MACENKO)
def test_macenko_presets_by_value(key):
    method, preset = key
    matrix, peaks = MACENKO[key]

    fit = norm.autoselect(method, preset).get_fit()

    assert fit["stain_matrix_target"].tolist() == np.reshape(matrix, (3, 2)).tolist()
    assert fit["target_concentrations"].tolist() == peaks


@pytest.mark.parametrize("key", REINHARD)
def test_reinhard_presets_by_value(key):
    method, preset = key
    means, stds = REINHARD[key]

    assert norm.autoselect(method, preset).get_fit(as_list=True) == {
        "target_means": means,
        "target_stds": stds,
    }


@pytest.mark.parametrize("preset", VAHADANE)
def test_vahadane_presets_by_value(preset):
    assert norm.autoselect("vahadane", preset).get_fit(as_list=True) == {
        "stain_matrix_target": VAHADANE[preset],
        "target_concentrations": [0, 0],
    }


def test_every_method_that_is_fitted_has_presets():
    assert set(PRESETS) == set(norm.METHODS) - {"augment", "cyclegan"}
    assert {method: tuple(presets) for method, presets in PRESETS.items()} == {
        method: ("v1", "v2") if method == "vahadane" else ("v1", "v2", "v3") for method in PRESETS
    }


@pytest.mark.parametrize("method", PRESETS)
def test_last_preset_is_the_default(method):
    last = "v2" if method == "vahadane" else "v3"

    assert norm.autoselect(method).get_fit(as_list=True) == norm.autoselect(method, last).get_fit(as_list=True)


@pytest.mark.parametrize("method", MASKED)
def test_masked_methods_have_the_numbers_of_the_unmasked(method):
    assert PRESETS[method] == PRESETS[MASKED[method]]
    assert AUGMENT_STDEV[method] == AUGMENT_STDEV[MASKED[method]]


@pytest.mark.parametrize("key", STDEV)
def test_augmentation_by_value(key):
    method, name = key
    shape = np.shape(PRESETS[method]["v3"][name])

    for preset, factor in (("v1", 5), ("v2", 3)):
        stdev = AUGMENT_STDEV[method][preset][name]
        np.testing.assert_allclose(stdev, factor * np.reshape(STDEV[key], shape), rtol=1e-12)


def test_augmentation_has_the_keys_of_the_fits():
    for method, presets in AUGMENT_STDEV.items():
        assert set(presets) == {"v1", "v2"}
        assert all(set(values) == set(PRESETS[method]["v3"]) for values in presets.values())
    assert DEFAULT_AUGMENT_PRESET == "v2"
