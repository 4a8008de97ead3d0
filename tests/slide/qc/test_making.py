"""Masks from what methods return: several at once, the slide's own attributes, and what goes wrong on the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from slidekit import qc
from slidekit.errors import QCError
from slidekit.slide.wsi import WSI

ALL = np.ones((76, 100), np.bool_)
NONE = np.zeros((38, 50), np.bool_)


@pytest.fixture
def wsi(tissue_slide: Path):
    with WSI(tissue_slide, 64, 32) as opened:
        yield opened


def test_a_method_may_return_finished_masks(wsi: WSI) -> None:
    def both(slide):
        return [qc.QCMask(NONE, "first", "first", 0.1), qc.QCMask(ALL, "second", "reason", 0.9, {"of": "mine"})]

    masks = wsi.qc([both, "otsu"], filter_threshold=0.3).qc_masks

    assert [(one.name, one.reason, one.filter_threshold) for one in masks] == [
        ("first", "first", 0.1),
        ("second", "reason", 0.9),
        ("otsu", "background", 0.3),
    ]
    assert masks[1].parameters == {"of": "mine"}
    assert masks[2].parameters == {"method": "Otsu", "min_saturation": 0.03, "slide_level": None}
    assert "reason" in set(wsi.fates().reasons)


def test_one_finished_mask_or_none_of_them(wsi: WSI) -> None:
    assert [one.name for one in qc.make_masks(lambda _: qc.QCMask(ALL, "mine", "mine"), wsi, 0.6)] == ["mine"]
    assert qc.make_masks(lambda _: [], wsi, 0.6) == []


def test_several_as_one_are_what_any_discards(wsi: WSI) -> None:
    half = np.zeros((76, 100), np.bool_)
    half[:, :50] = True
    one = qc.make_mask(lambda _: [qc.QCMask(half, "a", "a"), qc.QCMask(NONE, "b", "b")], wsi, 0.5)
    assert one is not None
    assert np.array_equal(one.mask, half)
    assert one.filter_threshold == 0.5


@pytest.mark.parametrize(
    "mask",
    [qc.QCMask(ALL.T, "turned", "turned"), qc.QCMask(ALL, "x", "kept"), qc.QCMask(ALL.astype(np.uint8), "x", "x")],
)
def test_finished_masks_are_checked_as_well(wsi: WSI, mask: qc.QCMask) -> None:
    with pytest.raises(QCError):
        wsi.qc(lambda _: [mask])
    assert wsi.qc_masks == []


def test_masks_are_there_for_the_methods_after_them_and_gone_when_one_fails(wsi: WSI) -> None:
    seen = []

    def looks(slide):
        seen.append([mask.name for mask in slide.qc_masks])

    def fails(slide):
        raise RuntimeError("broken")

    wsi.qc(["otsu", looks])
    with pytest.raises(RuntimeError, match="broken"):
        wsi.qc(["blur", looks, fails])
    assert seen == [["otsu"], ["otsu", "blur"]]
    assert [mask.name for mask in wsi.qc_masks] == ["otsu"]


def test_a_mask_of_one_s_own_is_applied(wsi: WSI) -> None:
    left = np.zeros((76, 100), np.bool_)
    left[:, :50] = True

    wsi.apply_qc_mask(left, 0.5, name="left")

    kept = wsi.get_tile_dataframe(kept_only=True)
    assert (kept["loc_x"] >= 500 - 32).all()
    assert set(wsi.fates().reasons) == {"kept", "left"}
    again = wsi.apply_qc_mask(qc.QCMask(left, "known", "known", 0.7)).qc_masks[1]
    assert (again.name, again.filter_threshold) == ("known", 0.7)
    with pytest.raises(QCError, match="not the same shape"):
        wsi.apply_qc_mask(left.T)
    assert len(wsi.qc_masks) == 2


def test_qc_mask_is_what_any_discards_at_the_smallest_resolution(wsi: WSI) -> None:
    assert wsi.qc_mask is None
    fine = np.zeros((152, 200), np.bool_)
    fine[:, 100:] = True
    coarse = np.zeros((38, 50), np.bool_)
    coarse[:19] = True
    joined = wsi.apply_qc_mask(fine).apply_qc_mask(coarse).qc_mask
    assert joined is not None
    assert np.array_equal(joined, coarse | fine[::4, ::4])


def test_mask_pixels_have_a_size() -> None:
    assert qc.QCMask(np.zeros((50, 100), np.bool_), "a", "a").mpp((1000.0, 250.0)) == (10.0, 5.0)


@pytest.mark.parametrize("word", ["focus", "pen", "fold"])
def test_words_of_rules_are_methods_of_that_name(word: str) -> None:
    assert [method.name for method in qc.resolve_methods(word)] == [word]


def test_every_public_name_can_be_had() -> None:
    assert qc.__all__ == sorted(qc.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    for name in qc.__all__:
        assert getattr(qc, name) is not None
    assert set(qc.__all__) <= set(dir(qc))
    with pytest.raises(AttributeError):
        _ = qc.Nothing


class Stripe(qc.QCMethod):
    """Discards the left 30 % of each of the tiles, which are 64 × 64 px of a slide of 1000 × 760."""

    name = "stripe"
    reason = "stripe"

    def __call__(self, wsi):
        mask = np.zeros((760, 1000), np.bool_)
        for x in range(0, 1000, 64):
            mask[:, x : x + 20] = True  # 31 %
        return mask


class Strict(Stripe):
    filter_threshold = 0.25


@pytest.mark.parametrize(
    ("own", "run", "dropped"),
    [(None, 0.6, False), (None, 0.25, True), (0.25, 0.6, True), (0.6, 0.25, False)],
)
def test_the_method_s_own_threshold_goes_before_the_run_s(
    wsi: WSI, own: float | None, run: float, dropped: bool
) -> None:
    method = Stripe()
    method.filter_threshold = own

    (mask,) = wsi.qc(method, filter_threshold=run).qc_masks

    assert mask.filter_threshold == (run if own is None else own)
    assert set(wsi.fates().reasons) == {"stripe" if dropped else "kept"}


def test_a_threshold_of_its_own_is_among_the_parameters_and_none_is_not() -> None:
    assert Stripe().parameters() == {}
    assert Strict().parameters() == {"filter_threshold": 0.25}
    assert qc.Focus(filter_threshold=0.3).parameters()["filter_threshold"] == 0.3
    assert "filter_threshold" not in qc.Focus().parameters()
    for rule in (qc.Pen, qc.Fold):
        assert rule().parameters()["filter_threshold"] == 0.2
        assert rule(filter_threshold=None).parameters()["filter_threshold"] is None


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan"), "half"])
def test_a_threshold_that_is_no_share(threshold: object) -> None:
    for rule in (qc.Pen, qc.Fold, qc.Focus, lambda filter_threshold: qc.Not("otsu", filter_threshold)):
        with pytest.raises(QCError, match="is not a share"):
            rule(filter_threshold=threshold)


def test_ink_on_a_fifth_of_a_tile_is_enough(wsi: WSI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qc.Pen, "__call__", Stripe.__call__)
    masks = wsi.qc(["pen", qc.Pen(filter_threshold=None)], filter_threshold=0.6).qc_masks
    assert [mask.filter_threshold for mask in masks] == [0.2, 0.6]
    assert set(wsi.fates().reasons) == {"pen"}
