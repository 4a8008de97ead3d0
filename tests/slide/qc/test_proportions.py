"""Masks of slides whose pixels are longer than they are wide, and names, thresholds and values that are none."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from slidekit.errors import QCError
from slidekit.slide import qc
from slidekit.slide.qc.densities import overview_size
from slidekit.slide.qc.making import check_mask, make_masks, number_names
from slidekit.slide.qc.mask import QCMask


def stub(dimensions, mpp):
    return SimpleNamespace(name="slide", dimensions=dimensions, mpp_x=mpp[0], mpp_y=mpp[1], target_mpp=0.5)


@pytest.mark.parametrize("mpp", [(0.25, 0.2503), (0.25, 0.5), (0.5, 0.25), (6.0, 10.0)])
@pytest.mark.parametrize("dimensions", [(100_000, 80_000), (40_000, 120_000)])
def test_masks_in_pixels_and_in_microns_are_of_the_slide(mpp, dimensions) -> None:
    wsi = stub(dimensions, mpp)
    sizes = [overview_size(wsi, at) for at in (8.0, 2.0)]
    sizes += [qc.GaussianV2()._size(wsi), (round(dimensions[0] / 100), round(dimensions[1] / 100))]

    for columns, rows in sizes:
        # Zeros of that shape without the memory for them.
        mask = np.broadcast_to(np.False_, (rows, columns))
        assert check_mask(mask, wsi, "m").shape == (rows, columns)


@pytest.mark.parametrize("shape", [(1000, 800), (800, 1100), (600, 1000)])
def test_masks_of_another_shape_are_refused(shape) -> None:
    with pytest.raises(QCError, match="not the same shape"):
        check_mask(np.zeros(shape, np.bool_), stub((100_000, 80_000), (0.25, 0.2503)), "m")


def test_one_name_twice_is_numbered() -> None:
    mask = np.zeros((8, 10), np.bool_)
    made = number_names([QCMask(mask, "otsu", "background")] * 3, {"otsu_2"})

    assert [one.name for one in made] == ["otsu", "otsu_3", "otsu_4"]
    assert {one.reason for one in made} == {"background"}


@pytest.mark.parametrize("threshold", [60, -0.1, float("nan"), "0.6", None])
def test_a_threshold_that_is_no_share_is_refused(threshold) -> None:
    with pytest.raises(QCError, match="not a share"):
        QCMask(np.zeros((8, 10), np.bool_), "m", "m", threshold)


@pytest.mark.parametrize("name", ["", "  ", "\udcff", "a\nb", 3])
def test_names_that_files_cannot_hold_are_refused(name) -> None:
    made = QCMask(np.zeros((8, 10), np.bool_), name, "m")
    with pytest.raises(QCError, match="has the name"):
        make_masks(lambda wsi: made, stub((1000, 800), (0.5, 0.5)), 0.6)


class _Nameless(qc.QCMethod):
    def __call__(self, wsi):
        return None


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda: qc.Pen("a"), "mpp='a'"),
        (lambda: qc.Pen(margin_um=None), "margin_um=None"),
        (lambda: qc.Pen(inks=5), "list of inks"),
        (lambda: qc.Pen(inks=[["blue"]]), "list of inks"),
        (lambda: qc.Fold(min_rank=[]), "min_rank"),
        (lambda: qc.Focus("a"), "threshold='a'"),
        (lambda: qc.Otsu() | "blurr", "is not a QC method"),
        (lambda: qc.Otsu() | qc.Pen, r"Give qc.Pen\(\), not qc.Pen"),
        (lambda: qc.Or(()), "no QC method to combine"),
        (lambda: qc.resolve_methods(qc.Pen), r"Give qc.Pen\(\), not qc.Pen"),
        (lambda: qc.resolve_methods(5), "is not a QC method"),
        (lambda: make_masks(_Nameless(), stub((10, 10), (1, 1)), 0.6), "has no name"),
    ],
)
def test_wrong_values_are_qc_errors(call, what) -> None:
    with pytest.raises(QCError, match=what):
        call()
