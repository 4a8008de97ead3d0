"""Algebra of methods: masks against NumPy's on the parts, names, reasons and what is rebuilt."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit import qc
from slidekit.errors import QCError
from slidekit.slide.fate import Fate
from slidekit.slide.spec import ExtractionSpec
from tests.slide.qc.contract import QCContract, open_wsi


def says(mask: np.ndarray | None, name: str = "own"):
    def own(wsi):
        return mask

    own.__name__ = name
    return own


class Left(qc.QCMethod):
    """A method of a user's."""

    name = "left"
    reason = "left"

    def __init__(self, share: float = 0.5) -> None:
        self.share = share

    def __call__(self, wsi):
        mask = np.zeros((38, 50), np.bool_)
        mask[:, : round(50 * self.share)] = True
        return mask


SLIDE = SimpleNamespace(name="slide", dimensions=(100, 60), mpp_x=0.5, mpp_y=0.5, path=Path("slide.tiff"))


class TestCombination(QCContract):
    """All three at once, because their parts keep the contract themselves."""

    method = (qc.Otsu() | qc.Pen()) & ~qc.Gaussian()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(60, 100), (30, 50), (12, 20)]))
def test_masks_are_combined_at_the_finer_resolution(seed: int, shape: tuple[int, int]) -> None:
    # Arrange
    draw = np.random.default_rng(seed)
    fine, coarse = draw.random((60, 100)) < 0.5, draw.random(shape) < 0.5
    factor = 60 // shape[0]
    enlarged = np.kron(coarse, np.ones((factor, factor), np.bool_))
    a, b = qc.Not(says(~fine)), says(coarse)

    # Act / Assert: Not makes a method of a function, so that operators apply
    assert np.array_equal((a | b)(SLIDE), fine | enlarged)
    assert np.array_equal((b | a)(SLIDE), fine | enlarged)
    assert np.array_equal((a & b)(SLIDE), fine & enlarged)
    assert np.array_equal((b & a)(SLIDE), fine & enlarged)
    assert np.array_equal((~a)(SLIDE), ~fine)
    assert np.array_equal((~(a & b) & a)(SLIDE), fine & ~enlarged)


@pytest.mark.parametrize(
    ("method", "name", "reason"),
    [
        (qc.Otsu() | Left(), "otsu_or_left", "otsu_or_left"),
        (qc.Otsu() | qc.Otsu(1), "otsu_or_otsu", Fate.BACKGROUND),
        (qc.GaussianV2() & qc.Gaussian(), "blur_and_blur", Fate.OUT_OF_FOCUS),
        (~qc.Otsu(), "not_otsu", "not_otsu"),
        (qc.Otsu() | Left() | qc.Gaussian(), "otsu_or_left_or_blur", "otsu_or_left_or_blur"),
        ((qc.Otsu() | Left()) & qc.Gaussian(), "(otsu_or_left)_and_blur", "(otsu_or_left)_and_blur"),
        (~(qc.Otsu() | Left()), "not_(otsu_or_left)", "not_(otsu_or_left)"),
        (says(None, "pencil") | qc.Otsu(), "pencil_or_otsu", "pencil_or_otsu"),
    ],
)
def test_names_say_what_was_combined(method: qc.QCMethod, name: str, reason: str) -> None:
    assert (method.name, method.reason) == (name, str(reason))


def test_twice_not_is_the_method_itself() -> None:
    otsu = qc.Otsu()
    assert ~~otsu is otsu


def test_nothing_discarded_by_a_part_is_nothing() -> None:
    some = np.eye(60, 100, dtype=np.bool_)
    nothing = says(None)
    assert np.array_equal((nothing | qc.Not(says(~some)))(SLIDE), some)
    assert (nothing & qc.Not(says(some)))(SLIDE) is None
    assert qc.Or((nothing, nothing))(SLIDE) is None
    everything = qc.Not(nothing)(SLIDE)
    assert everything.all()
    assert everything.shape == (60, 100)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (3, "3 is not a QC method"),
        (np.zeros((3, 3)), r"ndarray of float64, shape \(3, 3\) is not"),
        ([qc.Pen()], "list is not"),
        (qc.Pen, r"Give qc.Pen\(\)"),
        ("pencil", "'pencil' is not a QC method"),
        (qc.Save(), "Save discards nothing"),
        ({"method": "Save"}, "Save discards nothing"),
        ({"method": "Otsu", "level": 1}, "Otsu cannot be made from its parameters"),
    ],
)
def test_parts_may_be_methods_functions_and_words_but_nothing_else(part: object, said: str) -> None:
    for combine in (lambda: qc.Or((qc.Otsu(), part)), lambda: qc.And((part,)), lambda: qc.Not(part)):
        with pytest.raises(QCError, match=said) as caught:
            combine()
        assert "{" not in str(caught.value)
    with pytest.raises(TypeError):
        qc.Otsu() | 3


@pytest.mark.parametrize("meant", [lambda a, b: a and b, lambda a, b: a or b, lambda a, b: not a])
def test_python_s_own_words_do_not_combine(meant) -> None:
    with pytest.raises(QCError, match=r"a \| b.* a & b.* ~a"):
        meant(qc.Otsu(), qc.Pen())


def test_words_stand_for_methods() -> None:
    assert repr(qc.Otsu() | "pen") == repr(qc.Otsu() | qc.Pen())
    assert repr("FOLD" & qc.Otsu()) == repr(qc.Fold() & qc.Otsu())
    assert repr(qc.Not("otsu")) == repr(~qc.Otsu())
    assert repr(qc.Or(["both", "pen"])) == repr((qc.GaussianV2() | qc.Otsu()) | qc.Pen())


def test_a_combination_has_the_run_s_threshold_unless_it_is_given_one(tissue_slide: Path) -> None:
    both = qc.Otsu() | qc.Pen(filter_threshold=0.1)
    given = qc.Or((qc.Otsu(), qc.Pen()), filter_threshold=0.3)
    inverse = qc.Not(qc.Pen(), filter_threshold=0.4)

    with open_wsi(tissue_slide) as wsi:
        thresholds = [mask.filter_threshold for mask in wsi.qc([both, given, inverse], filter_threshold=0.7).qc_masks]

    assert thresholds == [0.7, 0.3, 0.4]
    assert "filter_threshold" not in both.parameters()
    assert repr(qc.Or(**given.parameters())) == repr(given)
    assert repr(qc.Not(**inverse.parameters())) == repr(inverse)


def test_parameters_rebuild_nested_combinations_of_ones_own_classes() -> None:
    method = ~(qc.Otsu(1, min_saturation=0.1) | Left(0.25)) & qc.GaussianV2(2.0)
    again = qc.And(**json.loads(json.dumps(method.parameters())))
    assert repr(again) == repr(method)
    assert again.methods[0].of.methods[1].share == 0.25


def test_thresholds_of_classes_and_of_instances_are_rebuilt() -> None:
    class Strict(Left):
        filter_threshold = 0.25

    otsu = qc.Otsu()
    otsu.filter_threshold = 0.4
    method = Strict(0.1) | otsu
    again = qc.Or(**json.loads(json.dumps(method.parameters())))

    assert (again.methods[0].share, again.methods[0].filter_threshold) == (0.1, 0.25)
    assert again.methods[1].filter_threshold == 0.4
    assert method.parameters()["methods"][0]["filter_threshold"] == 0.25


def test_a_function_cannot_be_rebuilt_and_the_error_says_so() -> None:
    method = qc.Otsu() | says(None)
    with pytest.raises(QCError, match="functions of your own"):
        qc.Or(**method.parameters())


def test_a_combination_is_part_of_the_spec_s_hash() -> None:
    def digest(*methods) -> str:
        return ExtractionSpec.create(tile_px=64, tile_um=64, qc=methods).digest()

    assert digest(qc.Otsu() | Left()) == digest(qc.Otsu() | Left())
    kinds = [(qc.Otsu() | Left(),), (qc.Otsu() & Left(),), (qc.Otsu() | Left(0.1),), (~qc.Otsu(),), (qc.Otsu(),)]
    assert len({digest(*kind) for kind in kinds}) == len(kinds)


def test_a_combination_goes_to_child_processes() -> None:
    method = qc.Otsu() & ~qc.Gaussian(2.0)
    assert repr(pickle.loads(pickle.dumps(method))) == repr(method)


def test_tiles_are_counted_under_the_combination(tissue_slide: Path) -> None:
    with open_wsi(tissue_slide, qc=[qc.Otsu() | Left(0.5)]) as wsi:
        reasons = set(wsi.fates().reasons)
        share = wsi.qc_masks[0].parameters
    assert reasons == {"kept", "otsu_or_left"}
    assert share["method"] == "Or"
