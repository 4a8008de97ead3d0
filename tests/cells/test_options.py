"""Parameters without sense, and slides that do not say how large their pixels are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slidekit.cells import import_cells, segment_slide
from slidekit.errors import MissingMPPError, QCError, SpecError
from slidekit.io.slide_tiff import write_tiff
from tests.cells.drawn_slides import ArraySlide, ByColour


def nothing(image: np.ndarray) -> np.ndarray:
    return np.zeros(image.shape[:2], np.int32)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"diam_um": -1}, "diam_um=-1"),
        ({"diam_um": None}, "diam_um=None"),
        ({"diam_um": "8"}, "diam_um='8'"),
        ({"diam_um": float("nan")}, "diam_um=nan"),
        ({"mpp": "x"}, "mpp='x'"),
        ({"mpp": 0}, "mpp=0"),
        ({"mpp": 100}, "0.08 pixels at mpp=100"),
        ({"mpp": 0.001}, "finer than any slide"),
        ({"window_px": 0}, "window_px=0"),
        ({"window_px": 15}, "window_px=15"),
        ({"window_size": "1024"}, "window_px='1024'"),
        ({"workers": -1}, "workers=-1"),
        ({"workers": 1.5}, "workers=1.5"),
        ({"diam_mean": "a"}, "diam_mean='a'"),
        ({"diam_mean": 16, "mpp": 0.5}, "say the same"),
        ({"model": "cellpose", "method": "cellpose"}, "method and model"),
        ({"method": "unknown"}, "method='unknown'"),
        ({"overlap": 3}, "overlap: classical as a method has no such option"),
        ({"sensitivity": "high"}, "sensitivity='high'"),
        ({"min_area_um2": "5"}, "min_area_um2='5'"),
        ({"method": nothing, "mpp": 0.5, "overlap": 3}, "overlap: a function as a method"),
        ({"method": nothing, "mpp": "x"}, "mpp='x'"),
        ({"method": nothing, "mpp": 0.5, "diam_um": "x"}, "diam_um='x'"),
        ({"method": nothing, "mpp": 0.5, "margin_um": -2}, "margin_um=-2"),
        ({"method": ByColour(mpp=-0.5)}, "by colour.mpp=-0.5"),
        ({"method": ByColour(margin_um=float("nan"))}, "by colour.margin_um=nan"),
    ],
)
def test_parameters_without_sense_are_named_with_a_mend(options: dict[str, Any], says: str, tmp_path: Path) -> None:
    slide = ArraySlide(np.full((60, 80, 3), 230, np.uint8))

    with pytest.raises(SpecError, match=says) as caught:
        segment_slide(slide, **options, dest=tmp_path / "x")

    assert caught.value.mend
    assert not (tmp_path / "x" / "drawn.cells.zarr").exists()


def test_numbers_of_numpy_are_numbers(drawn: tuple[ArraySlide, np.ndarray]) -> None:
    found = segment_slide(drawn[0], ByColour(), window_px=np.int64(64), workers=np.int32(2), diam_um=np.float32(8))

    assert len(found) == len(np.unique(drawn[1])) - 1


@pytest.mark.parametrize(
    "mask", [np.zeros((3, 3), int), np.zeros(9, bool), np.zeros((0, 3), bool), np.zeros((3, 3, 3), bool)]
)
def test_an_array_that_is_no_mask_is_refused(drawn: tuple[ArraySlide, np.ndarray], mask: np.ndarray) -> None:
    with pytest.raises(QCError, match=r"mask= is an array of .* no mask of slide drawn") as caught:
        segment_slide(drawn[0], ByColour(), mask=mask)

    assert "True = discard" in str(caught.value)


def test_a_slide_without_a_scale_says_what_to_give(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "bare.tiff", [np.full((64, 96, 3), 200, np.uint8)], mpp_x=None, mpp_y=None)
    (tmp_path / "cells.csv").write_text("x,y\n10,20\n")

    for ask in (
        lambda **scale: segment_slide(path, nothing, mpp=0.5, **scale),
        lambda **scale: import_cells(tmp_path / "cells.csv", path, **scale),
    ):
        with pytest.raises(MissingMPPError, match=r"slide_mpp=0\.25"):
            ask()
        assert ask(slide_mpp=0.25).facts.slide_mpp == (0.25, 0.25)
    assert segment_slide(path, nothing, mpp=0.5, slide_mpp=0.25).shape == (32, 48)
