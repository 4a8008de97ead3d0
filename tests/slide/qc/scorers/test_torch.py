"""Torch modules and programs as scorers: the same numbers as a computation in float64."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from slidekit.errors import QCError
from slidekit.slide.qc.scorers.resolve import resolve_scorer
from slidekit.slide.qc.strided import StridedDL
from slidekit.slide.wsi import WSI
from tests.slide.qc.scorers import small_networks as small

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")


def module(*, dense: bool = False):
    convolution = torch.nn.Conv2d(3, 2, 3)
    convolution.weight.data = torch.from_numpy(np.ascontiguousarray(small.KERNEL.transpose(3, 2, 0, 1)))
    convolution.bias.data = torch.from_numpy(small.BIAS.copy())
    rest = [] if dense else [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
    return torch.nn.Sequential(convolution, torch.nn.ReLU(), *rest)


def test_a_module_gives_the_scores_of_its_weights() -> None:
    scorer = resolve_scorer(module())

    np.testing.assert_allclose(scorer(small.batch()), small.scores(small.batch()), atol=1e-6)


def test_scores_of_pixels_have_their_classes_last() -> None:
    found = resolve_scorer(module(dense=True))(small.batch())

    np.testing.assert_allclose(found, small.pixel_scores(small.batch()), atol=1e-6)


def test_a_module_in_training_is_used_as_in_use_and_left_as_it_was() -> None:
    # Arrange: the second normalisation is frozen, as in fine-tuning
    net = torch.nn.Sequential(torch.nn.BatchNorm2d(3), torch.nn.BatchNorm2d(3), torch.nn.Dropout(0.9), module())
    net[1].eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}

    # Act
    found = resolve_scorer(net)(small.batch())

    # Assert
    np.testing.assert_allclose(found, small.scores(small.batch()), atol=1e-4)
    assert [part.training for part in net[:3]] == [True, False, True]
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_module_of_half_precision_gets_images_of_its_own_type() -> None:
    found = resolve_scorer(module().bfloat16())(small.batch())

    assert found.dtype == np.float32
    np.testing.assert_allclose(found, small.scores(small.batch()), atol=0.02)


@pytest.mark.parametrize("name", ["small.pt2", "small.pt"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_programs_give_the_scores_of_their_weights(tmp_path: Path, name: str) -> None:
    # Arrange: exported for batches of 2 only
    example = torch.zeros(2, 3, small.SIZE, small.SIZE)
    path = tmp_path / name
    if name.endswith("2"):
        torch.export.save(torch.export.export(module().eval(), (example,)), path)
    else:
        torch.jit.save(torch.jit.trace(module(), example), path)

    # Act
    scorer = pickle.loads(pickle.dumps(resolve_scorer(path)))

    # Assert
    np.testing.assert_allclose(scorer(small.batch(5)), small.scores(small.batch(5)), atol=1e-6)
    assert scorer.window == ((small.SIZE, small.SIZE) if name.endswith("2") else None)


def test_pickled_modules_are_refused(tmp_path: Path) -> None:
    torch.save(module(), tmp_path / "small.pt")

    with pytest.raises(QCError, match=r"torch\.save wrote this file.*torch\.export\.save"):
        resolve_scorer(tmp_path / "small.pt")(small.batch())


def test_its_key_follows_the_weights() -> None:
    net = module()
    before = resolve_scorer(net).key

    net[0].bias.data += 1

    assert resolve_scorer(net).key != before
    assert resolve_scorer(module()).key == before


def test_a_method_of_a_module_works_on_slides_and_stays_in_this_process(tissue_slide: Path) -> None:
    method = StridedDL(module(), 1, small.SIZE, 12)

    with WSI(tissue_slide, 32, 16) as wsi:
        assert method(wsi, threshold=False).shape == (32, 42)
    with pytest.raises(TypeError, match="path of its file"):
        pickle.dumps(method)


class Scaled(torch.nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, images):
        return images.mean((2, 3)) * self.factor


def test_its_key_follows_attributes_and_code(monkeypatch) -> None:
    before = resolve_scorer(Scaled(1.0)).key

    assert resolve_scorer(Scaled(1.0).eval()).key == before
    assert resolve_scorer(Scaled(-1.0)).key != before
    monkeypatch.setattr(Scaled, "forward", lambda self, images: -images.mean((2, 3)))
    assert resolve_scorer(Scaled(1.0)).key != before


def test_what_state_dict_gives_may_be_no_tensor() -> None:
    # As of quantised modules.
    class Packed(torch.nn.Module):
        def get_extra_state(self):
            return self.held

        def set_extra_state(self, state) -> None:
            self.held = state

    one, other = Packed(), Packed()
    one.set_extra_state(((torch.zeros(2), None), torch.qint8))
    other.set_extra_state(((torch.ones(2), None), torch.qint8))

    assert resolve_scorer(one).key != resolve_scorer(other).key


def test_mistakes_in_a_module_are_told() -> None:
    class Wrong(torch.nn.Module):
        def forward(self, images):
            return images.nothing

    with pytest.raises(QCError, match="AttributeError"):
        resolve_scorer(Wrong())(small.batch())
