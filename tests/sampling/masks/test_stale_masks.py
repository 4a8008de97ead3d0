"""Masks that are made anew because something changed, and those that could not be made or kept."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from slidekit.errors import QCError, SpecError
from slidekit.sampling.masks import HistoFetch, default_cache
from slidekit.sampling.masks.boxes import section_of
from slidekit.sampling.masks.cache import MaskCache
from slidekit.sampling.masks.methods import resolve_mask
from slidekit.sampling.places import Maps
from slidekit.sampling.slides import SampledSlide
from slidekit.sampling.spec import SamplingSpec
from slidekit.slide.qc.base import QCMethod
from slidekit.slide.roi import ROI, ROISet
from slidekit.slide.roi.class_regions import fill_regions
from slidekit.slide.roi.fill import Raster


@pytest.fixture
def slide(tissue_slide: Path) -> SampledSlide:
    return SampledSlide(tissue_slide, "one")


def maps_of(slide: SampledSlide, cache: Path, **options) -> Maps:
    return Maps([slide], SamplingSpec.create(tile_px=16, tile_um=8.0, cache=cache, **options))


def method(value: int) -> QCMethod:
    class Dark(QCMethod):
        name = reason = "dark"

        def __call__(self, wsi) -> np.ndarray:
            return np.full((30, 40), value, np.bool_)

    Dark.__call__.__code__ = Dark.__call__.__code__.replace(
        co_consts=tuple(value if one == 0 else one for one in Dark.__call__.__code__.co_consts)
    )
    return Dark()


def test_a_mask_that_was_edited_in_its_middle_is_read_anew(slide: SampledSlide, tmp_path: Path) -> None:
    # Arrange: larger than two samples of a MiB, of the same size before and after
    mask = np.zeros((1520, 2000), np.uint8)
    tifffile.imwrite(tmp_path / "mask.tif", mask, tile=(64, 64))
    masked = SampledSlide(slide.path, "one", mask=tmp_path / "mask.tif")
    assert maps_of(masked, tmp_path / "masks").get(0).tissue_um2 == 0
    mask[740:760, 900:1100] = 1
    tifffile.imwrite(tmp_path / "mask.tif", mask, tile=(64, 64))
    # Act, Assert
    again = maps_of(masked, tmp_path / "masks")
    assert again.missing() == [0]
    assert again.get(0).tissue_um2 > 0


def test_an_edited_method_is_another(slide: SampledSlide, tmp_path: Path) -> None:
    before, after = (maps_of(slide, tmp_path / "masks", mask=method(value)) for value in (1, 0))
    assert before.get(0).tissue_um2 == 0
    assert after.missing() == [0]
    assert after.get(0).tissue_um2 > 0


def test_methods_of_slidekit_are_known_by_their_parameters_alone() -> None:
    [described] = resolve_mask("histofetch").describe()
    assert "code" not in described
    assert described["background"] == "light"


def test_numbers_of_numpy_and_odd_names_make_no_trouble(slide: SampledSlide, tmp_path: Path) -> None:
    odd = SampledSlide(slide.path, "caf\udce9" + "𝔞" * 80, mpp=np.float32(0.5))  # type: ignore[arg-type]
    maps = maps_of(odd, tmp_path / "masks", mask="otsu")
    assert maps.prepare() == {}
    assert len(list((tmp_path / "masks").iterdir())) == 1
    assert 0 <= section_of(odd.name, 1) < 1


def test_a_method_that_leaves_is_an_error(slide: SampledSlide, tmp_path: Path) -> None:
    failed = maps_of(slide, tmp_path, mask=lambda wsi: sys.exit(3)).prepare()
    assert "SystemExit" in failed[0].message


def test_a_cache_that_is_a_file_is_empty(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    assert MaskCache(tmp_path / "file").read("one", "1-a", {}) is None
    assert not caplog.records


def test_without_a_home_the_cache_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> Path:
        raise RuntimeError("no home")

    for name in ("SLIDEKIT_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    with pytest.raises(SpecError, match="SLIDEKIT_CACHE"):
        default_cache()


class _View:
    """A slide of one image."""

    name, levels = "one", ()

    def __init__(self, image: np.ndarray) -> None:
        self.image = image
        self.dimensions = (image.shape[1], image.shape[0])

    def overview(self, columns: int, rows: int) -> np.ndarray:
        return self.image


def test_tissue_of_fluorescence_is_bright() -> None:
    image = np.full((300, 400, 3), 12, np.uint8)
    image[100:200, 100:200, 2] = 150
    find = functools.partial(HistoFetch, channel="blue", radius=2.0)
    background = find(background="dark")(_View(image))
    assert not background[150, 150]
    assert background[20, 20]
    assert find()(_View(image))[150, 150]
    with pytest.raises(QCError, match="light or dark"):
        HistoFetch(background="black")  # type: ignore[arg-type]


def test_nearly_black_filler_is_no_tissue() -> None:
    image = np.full((300, 400, 3), 240, np.uint8)
    image[100:200, 100:200] = (170, 110, 160)
    image[:, 300:] = 2
    background = HistoFetch(radius=2.0)(_View(image))
    assert not background[150, 150]
    assert background[:, 310:].all()


def test_every_region_has_a_pixel() -> None:
    import shapely

    disks = [shapely.Point(137 * n + 1, 90).buffer(3) for n in range(20)]
    rois = ROISet(tuple(ROI(str(n), None, disk) for n, disk in enumerate(disks)))
    mask = fill_regions(rois, Raster((0.0, 0.0), (50.0, 50.0), (4, 60)))
    columns = np.unique([int((137 * n + 1) / 50) for n in range(20)])
    assert np.array_equal(np.flatnonzero(mask[1]), columns)
