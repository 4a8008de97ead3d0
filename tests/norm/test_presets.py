from __future__ import annotations

import numpy as np
import pytest

from slidekit import norm
from slidekit.norm.presets import PRESETS

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


def test_every_method_has_every_preset():
    assert set(PRESETS) == set(norm.METHODS)
    assert {tuple(presets) for presets in PRESETS.values()} == {("v1", "v2", "v3")}


@pytest.mark.parametrize("method", norm.METHODS)
def test_v3_is_the_default(method):
    assert norm.autoselect(method).get_fit(as_list=True) == norm.autoselect(method, "v3").get_fit(as_list=True)
