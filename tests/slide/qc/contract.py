"""What every QC method has to do: inherit `QCContract`, name the method, and it is tested for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from slidekit.errors import SlidekitError
from slidekit.slide.qc.base import QCMethod
from slidekit.slide.wsi import WSI

SIZE = (420, 300)


def glow(image: np.ndarray) -> np.ndarray:
    """What fluorescence looks like: the tissue glows blue on black."""
    dark = np.zeros_like(image)
    dark[..., 2] = 255 - image[..., 1]
    dark[dark < 20] = 0
    return dark


def pictures(tissue: np.ndarray) -> dict[str, np.ndarray]:
    width, height = SIZE
    return {
        "tissue": tissue,
        "white": np.full((height, width, 3), 255, np.uint8),
        "black": np.zeros((height, width, 3), np.uint8),
        "fluorescence": glow(tissue),
        "one pixel high": tissue[300:301],
    }


def open_wsi(path: Path, **options: Any) -> WSI:
    return WSI(path, 32, 16, **options)


class QCContract:
    """Inherit it as ``class TestMyMethod(QCContract)``, name the method, and it is tested for what all must do."""

    method: ClassVar[QCMethod]

    @pytest.fixture(params=["tissue", "white", "black", "fluorescence", "one pixel high"])
    def any_slide(self, request: pytest.FixtureRequest, make_slide, tissue: np.ndarray) -> Path:
        return make_slide(pictures(tissue)[request.param], factors=(2,))

    def test_makes_a_mask_of_the_whole_slide_or_says_why_not(self, any_slide: Path) -> None:
        with open_wsi(any_slide) as wsi:
            try:
                mask = self.method(wsi)
            except SlidekitError as error:
                assert error.mend  # noqa: PT017 - the other way to keep the contract
                return
            self.check_mask(mask, wsi)

    def check_mask(self, mask: np.ndarray, wsi: WSI) -> None:
        assert mask.dtype == np.bool_
        assert mask.ndim == 2
        width, height = wsi.dimensions
        rows, columns = mask.shape
        assert abs(columns - width * rows / height) <= 1 + width / height
        wsi.qc(self.method)  # its own check of what covers a slide

    def test_works_on_a_slide_of_one_level(self, make_slide, tissue: np.ndarray) -> None:
        with open_wsi(make_slide(tissue, factors=())) as wsi:
            assert len(wsi.levels) == 1
            self.check_mask(self.method(wsi), wsi)

    def test_works_where_only_the_user_knows_the_mpp(self, make_slide, tissue: np.ndarray, tissue_slide: Path) -> None:
        with open_wsi(make_slide(tissue, None), mpp=0.5) as wsi, open_wsi(tissue_slide) as stated:
            assert np.array_equal(self.method(wsi), self.method(stated))

    def test_goes_by_the_override_and_not_by_the_file(self, make_slide, tissue: np.ndarray, tissue_slide: Path) -> None:
        with open_wsi(make_slide(tissue, (0.25, 0.25)), mpp=0.5) as wsi, open_wsi(tissue_slide) as stated:
            assert np.array_equal(self.method(wsi), self.method(stated))

    def test_gives_the_same_mask_each_time(self, tissue_slide: Path) -> None:
        with open_wsi(tissue_slide) as first, open_wsi(tissue_slide) as second:
            mask = self.method(first)
            assert np.array_equal(mask, self.method(first))
            assert np.array_equal(mask, self.method(second))

    def test_sees_the_raw_slide_and_leaves_it_as_it_is(self, tissue_slide: Path) -> None:
        with open_wsi(tissue_slide) as wsi, open_wsi(tissue_slide) as fresh:
            wsi.qc(lambda slide: np.ones((76, 100), np.bool_))
            mask = self.method(wsi)
            assert np.array_equal(mask, self.method(fresh))
            assert np.array_equal(wsi.thumb(250), fresh.thumb(250))
            assert np.array_equal(wsi[3, 3], fresh[3, 3])

    def test_its_parameters_are_json_and_rebuild_it(self, tissue_slide: Path) -> None:
        parameters = json.loads(json.dumps(self.method.parameters()))
        again = type(self.method)(**parameters)
        assert repr(again) == repr(self.method)
        with open_wsi(tissue_slide) as wsi:
            assert np.array_equal(again(wsi), self.method(wsi))

    def test_has_a_name_and_a_reason(self, tissue_slide: Path) -> None:
        assert self.method.name
        assert self.method.reason
        with open_wsi(tissue_slide) as wsi:
            wsi.qc(self.method)
            assert (wsi.qc_masks[0].name, wsi.qc_masks[0].reason) == (self.method.name, self.method.reason)
