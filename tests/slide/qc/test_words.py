"""QC methods by word, and what is said about callables that return something else than a mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from slidekit.errors import QCError
from slidekit.slide.qc import QC_WORDS, Gaussian, GaussianV2, Otsu, QCMask, make_mask, resolve_methods
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI


@pytest.fixture
def wsi(tissue_slide: Path):
    with WSI(tissue_slide, 64, 32) as opened:
        yield opened


@pytest.mark.parametrize(
    ("word", "classes"),
    [
        ("otsu", [Otsu]),
        ("blur", [GaussianV2]),
        ("gaussian", [GaussianV2]),
        ("both", [GaussianV2, Otsu]),
        ("OTSU", [Otsu]),
        (["otsu", "blur"], [Otsu, GaussianV2]),
        ([], []),
        (None, []),
    ],
)
def test_words_stand_for_methods(word, classes) -> None:
    assert [type(method) for method in resolve_methods(word)] == classes


def test_words_and_callables_mix_in_their_order() -> None:
    def own(wsi):
        return None

    mine = Gaussian()
    assert resolve_methods([own, "otsu", mine])[::2] == [own, mine]
    assert resolve_methods(own) == [own]


def test_blur_takes_its_parameters_from_the_spec() -> None:
    (blur,) = resolve_methods("blur", blur_radius=2, blur_threshold=0.1, blur_mpp=4)
    assert blur.parameters() == {"mpp": 4, "overlap": None, "sigma": 2.0, "threshold": 0.1, "tile_px": 512}


@pytest.mark.parametrize("word", ["deepfocus", "", "otsu,blur"])
def test_other_words_are_errors_that_list_the_words(word: str, wsi: WSI) -> None:
    with pytest.raises(QCError) as caught:
        wsi.qc(word)
    assert all(known in str(caught.value) for known in QC_WORDS)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros((76, 100), np.bool_), r"ndarray of bool, shape \(76, 100\) is not .*apply_qc_mask"),
        ([np.zeros((76, 100), np.bool_)], r"ndarray of bool, shape \(76, 100\) is not .*apply_qc_mask"),
        (QCMask(np.zeros((76, 100), np.bool_), "own", "own"), "QCMask is not .*apply_qc_mask"),
        ({"method": "Otsu", "slide_level": 1}, "qc=dict is not"),
        ([{"method": "Otsu"}], "qc=dict is not"),
        (3, "qc=3 is not"),
        (Otsu, r"Give qc.Otsu\(\), not qc.Otsu"),
    ],
)
def test_what_is_no_method_is_named_in_a_few_words(given, said: str, wsi: WSI) -> None:
    with pytest.raises(QCError, match=said) as caught:
        wsi.qc(given)
    assert len(str(caught.value)) < 200
    with pytest.raises(QCError, match=said):
        ExtractionSpec.create(tile_px=64, tile_um=32, qc=given)


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (np.zeros((76, 100), np.uint8), "uint8"),
        (np.zeros((76, 100)), "float64"),
        (np.zeros((76, 100, 3), np.bool_), r"\(76, 100, 3\)"),
        (np.zeros((0, 0), np.bool_), r"\(0, 0\)"),
        (np.zeros((100, 76), np.bool_), "76 × 100 pixels .* 1000 × 760: not the same shape"),
        (True, "bool"),
        ("mask", "str"),
        ([[True], [True, False]], "list"),
    ],
)
def test_a_result_that_is_no_mask_is_described(wsi: WSI, result, said: str) -> None:
    def own(slide):
        return result

    with pytest.raises(QCError, match=said) as caught:
        wsi.qc(own)
    assert "own" in caught.value.message
    assert "tissue" in caught.value.message
    assert "must" in (caught.value.mend or "")


def test_a_failing_list_adds_no_mask(wsi: WSI) -> None:
    before = len(wsi)
    with pytest.raises(QCError):
        wsi.qc(["otsu", lambda slide: 3])
    assert wsi.qc_masks == []
    assert len(wsi) == before


def test_none_discards_nothing(wsi: WSI) -> None:
    assert make_mask(lambda slide: None, wsi, 0.6) is None
    assert len(wsi.qc(lambda slide: None)) == len(wsi.grid)


@pytest.mark.parametrize("shape", [(76, 100), (760, 1000), (19, 25), (77, 100), (76, 101), (1, 1), (191, 250)])
def test_any_resolution_will_do(wsi: WSI, shape: tuple[int, int]) -> None:
    assert len(wsi.qc(lambda slide: np.ones(shape, np.bool_))) == 0


def test_a_function_is_a_reason_under_its_own_name(wsi: WSI) -> None:
    def pen_marks(slide):
        return np.ones((76, 100), np.bool_)

    assert set(wsi.qc(pen_marks).fates().reasons) == {"pen_marks"}


@pytest.mark.parametrize("name", ["kept", "unreadable", "outside_roi"])
def test_a_name_that_would_be_counted_as_something_else_is_refused(wsi: WSI, name: str) -> None:
    def own(slide):
        return np.ones((76, 100), np.bool_)

    own.__name__ = name
    with pytest.raises(QCError, match="another name"):
        wsi.qc(own)


def test_a_method_that_works_in_place_cannot_change_the_slide_for_others(wsi: WSI) -> None:
    def paints(slide):
        slide.overview(250, 190)[:] = 0

    with pytest.raises(ValueError, match="read-only"):
        wsi.qc(paints)
