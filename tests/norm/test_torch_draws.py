"""What the normalisation of torch tensors refuses, and its draws for stain augmentation."""

from __future__ import annotations

import numpy as np
import pytest

from slidekit import norm
from slidekit.errors import NormalizerError
from slidekit.norm.backend.methods import METHODS
from slidekit.norm.presets import AUGMENT_STDEV

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from slidekit.norm import torch as native  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((1, 3, 4, 4), np.uint8), "not ndarray"),
        (torch.zeros((1, 3, 4, 4)), "not torch.float32"),
        (torch.zeros((3, 4, 4), dtype=torch.uint8), r"not \(3, 4, 4\)"),
        (torch.zeros((1, 4, 4, 3), dtype=torch.uint8), r"not \(1, 4, 4, 3\)"),
        (torch.zeros((1, 3, 0, 4), dtype=torch.uint8), r"not \(1, 3, 0, 4\)"),
    ],
)
def test_what_is_not_a_batch_is_refused(images, message):
    with pytest.raises(NormalizerError, match=message):
        native.normalize("macenko", norm.autoselect("macenko").get_fit(), images)
    with pytest.raises(NormalizerError, match=message):
        native.measure("macenko", images)


def test_unknown_methods_and_wrong_keys_are_refused():
    images = torch.zeros((1, 3, 4, 4), dtype=torch.uint8)
    fit = norm.autoselect("macenko").get_fit()

    with pytest.raises(NormalizerError, match="no implementation in torch"):
        native.normalize("vahadane", fit, images)
    with pytest.raises(NormalizerError, match="fit of reinhard consists of"):
        native.normalize("reinhard", fit, images)
    with pytest.raises(NormalizerError, match="context of macenko consists of concentrations"):
        native.normalize("macenko", fit, images, context={"means": [1, 2, 3]})
    with pytest.raises(NormalizerError, match="standard deviations of nothing"):
        native.perturb(fit, {}, 0)


@pytest.mark.parametrize("method", METHODS)
def test_perturb_draws_around_the_fit_by_its_seed(method):
    fit, stdev = norm.autoselect(method).get_fit(), AUGMENT_STDEV[method]["v2"]

    drawn = native.perturb(fit, stdev, 5, count=4000)

    again, other = native.perturb(fit, stdev, 5, count=4000), native.perturb(fit, stdev, 6, count=4000)
    for name, value in fit.items():
        assert drawn[name].shape == (4000, *value.shape)
        assert torch.equal(drawn[name], again[name])
        assert not torch.equal(drawn[name], other[name])
        distances = (drawn[name].numpy() - value) / np.array(stdev[name])
        np.testing.assert_allclose(distances.mean(0), 0, atol=0.1)
        np.testing.assert_allclose(distances.std(0), 1, atol=0.1)


def test_perturb_keeps_positive_what_has_to_be():
    fit = {"target_means": [1.0, 1.0, 1.0], "target_stds": [1.0, 1.0, 1.0]}

    drawn = native.perturb(fit, {"target_means": [9.0] * 3, "target_stds": [9.0] * 3}, 0, count=100)

    assert drawn["target_stds"].min() == pytest.approx(0.01)
    assert drawn["target_means"].min() < 0
