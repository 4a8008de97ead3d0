"""Maps of slides: what they are made of, what is kept, and what happens to slides that fail."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from PIL import Image

from slidekit.errors import SlideError, SpecError
from slidekit.io.slide_tiff import write_tiff
from slidekit.sampling.masks import HistoFetch
from slidekit.sampling.often.weights import SlideWeights
from slidekit.sampling.places import Maps
from slidekit.sampling.slides import SampledSlide
from slidekit.sampling.spec import SamplingSpec
from slidekit.slide.roi import ROI, ROISet

SQUARE = (150, 60, 120)
BOX = (100, 60, 300, 180)


def write_slide(
    path: Path, box: tuple[int, int, int, int] | None = BOX, *, tissue=SQUARE, glass=240, mpp: float | None = 0.5
) -> Path:
    """A slide of 400 × 240 px with a square of tissue."""
    image = np.full((240, 400, 3), glass, np.uint8)
    if box is not None:
        image[box[1] : box[3], box[0] : box[2]] = tissue
    return write_tiff(path, [image], mpp_x=mpp, mpp_y=mpp, compression="deflate", tile_size=64)


@pytest.fixture
def maps_of(tmp_path: Path) -> Callable[..., Maps]:
    def make(*slides: SampledSlide, memory: int = 1 << 20, **options: Any) -> Maps:
        size = {} if {"downsample", "level"} & set(options) else {"tile_um": 8.0}
        return Maps(slides, SamplingSpec.create(tile_px=16, cache=tmp_path / "masks", **size, **options), memory=memory)

    return make


@pytest.fixture
def slide(tmp_path: Path) -> SampledSlide:
    return SampledSlide(write_slide(tmp_path / "one.tiff"), "one")


def save(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def region(label: str, *box: float, name: str = "roi") -> ROISet:
    return ROISet((ROI(name, label, shapely.box(*box)),))


# --- kinds of masks --------------------------------------------------------------------------------------------


def test_histofetch_is_the_mask_unless_another_is_asked_for(slide: SampledSlide, maps_of) -> None:
    one = maps_of(slide).get(0)
    assert one.facts.dimensions == (400, 240)
    assert one.facts.mpp == (0.5, 0.5)
    expected = np.zeros((240, 400), np.bool_)
    expected[60:180, 100:300] = True
    assert np.count_nonzero(one.tissue ^ expected) < 0.1 * expected.sum()


@pytest.mark.parametrize("mask", ["otsu", ["histofetch", "otsu"], HistoFetch(channel="green"), "both"])
def test_words_and_methods_of_qc_are_masks(slide: SampledSlide, maps_of, mask) -> None:
    tissue = maps_of(slide, mask=mask).get(0).tissue
    assert tissue.dtype == np.bool_
    if mask != "both":  # the square is flat: all of it is out of focus
        assert tissue[120, 200]
    assert not tissue[5, 5]


def test_no_mask_is_the_whole_slide(slide: SampledSlide, maps_of) -> None:
    one = maps_of(slide, mask=None).get(0)
    assert one.tissue is None
    assert one.tissue_um2 == 400 * 240 * 0.25


@pytest.mark.parametrize("shape", [(24, 40), (240, 400), (12, 20), (480, 800)])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_mask_of_the_users_may_have_any_resolution(slide: SampledSlide, maps_of, tmp_path, shape, suffix) -> None:
    # Arrange: its left half is tissue; in a PNG with a palette, numbers count and not colours
    pixels = np.zeros(shape, np.uint8)
    pixels[:, : shape[1] // 2] = 3
    image = Image.fromarray(pixels)
    if suffix == ".png":
        image = image.convert("P")
        image.putpalette([0] * 768)
    image.save(tmp_path / f"mask{suffix}")
    # Act
    one = maps_of(SampledSlide(slide.path, "one", mask=tmp_path / f"mask{suffix}")).get(0)
    # Assert
    assert one.tissue_share(np.array([[0.0, 0, 200, 240], [200, 0, 400, 240]])).tolist() == [1, 0]


def test_a_mask_of_another_shape_is_refused(slide: SampledSlide, maps_of, tmp_path: Path) -> None:
    mask = save(tmp_path / "mask.png", np.ones((50, 50), np.uint8))
    with pytest.raises(SlideError, match="not the same shape"):
        maps_of(SampledSlide(slide.path, "one", mask=mask)).get(0)


def test_regions_of_interest_bound_tissue(slide: SampledSlide, maps_of) -> None:
    with_roi = SampledSlide(slide.path, "one", rois=region("t", 0, 0, 200, 240))
    alone, both = (maps_of(with_roi, mask=mask).get(0) for mask in ("roi", ["histofetch", "roi"]))
    left = np.array([[0.0, 0, 200, 240], [200, 0, 400, 240]])
    assert alone.tissue_share(left).tolist() == [1, 0]
    assert both.tissue_share(left)[1] == 0
    assert 0 < both.tissue_share(left)[0] < 0.4
    failed = maps_of(slide, mask="roi").prepare()
    assert "no tissue by regions of interest" in failed[0].message


def test_very_fine_masks_are_kept_coarser(slide: SampledSlide, maps_of) -> None:
    # Arrange: discards the left third, at 20 pixels to a level-0 pixel
    fine = np.zeros((4800, 8000), np.bool_)
    fine[:, :2666] = True
    # Act
    one = maps_of(slide, mask=lambda wsi: fine).get(0)
    # Assert
    assert one.tissue.shape == (2400, 4000)
    assert one.tissue_um2 == pytest.approx((1 - 2666 / 8000) * 400 * 240 * 0.25, rel=1e-3)


def test_a_word_that_is_none_is_refused(slide: SampledSlide) -> None:
    class Spec:
        mask, classes = "histofish", None

    with pytest.raises(SpecError, match="histofish"):
        Maps([slide], Spec())  # type: ignore[arg-type]


def test_classes_by_label_and_by_number(slide: SampledSlide, maps_of, tmp_path: Path) -> None:
    # Arrange: two classes on the halves of the slide, once drawn and once as numbers
    rois = ROISet((*region("b", 0, 0, 200, 240), *region("a", 200, 0, 400, 240, name="other")))
    numbers = np.full((24, 40), 9, np.uint8)
    numbers[:, 20:] = 4
    drawn = SampledSlide(slide.path, "one", rois=rois)
    masked = SampledSlide(slide.path, "one", label_mask=save(tmp_path / "labels.png", numbers))
    for one, classes in ((drawn, ("a", "b")), (masked, (4, 9))):
        # Act
        found = maps_of(one, classes=classes, mask=None).get(0)
        # Assert
        assert found.labels[5, 5] == 2
        assert found.labels[5, -5] == 1
        assert found.class_um2(0) == pytest.approx(200 * 240 * 0.25, rel=0.01)
    assert maps_of(slide, classes=(4,), mask=None).get(0).class_um2(0) == 0


# --- regions ---------------------------------------------------------------------------------------------------


def test_the_foreground_is_the_box_of_the_tissue(slide: SampledSlide, maps_of) -> None:
    assert maps_of(slide, region="foreground").get(0).box() == pytest.approx(BOX, abs=16)
    assert maps_of(slide, region="foreground", mask=None).get(0).box() == BOX
    wide = maps_of(slide, region="foreground", mask=None, margin_um=40.0).get(0)
    assert wide.box() == (20, 0, 380, 240)
    assert maps_of(slide).get(0).box() == (0, 0, 400, 240)


def test_each_slide_has_its_own_threshold(tmp_path: Path, maps_of) -> None:
    # Arrange: what is tissue on the second slide is brighter than glass on the first (hi-ml reuses the first's)
    dark = SampledSlide(write_slide(tmp_path / "a.tiff", glass=120, tissue=30), "a")
    bright = SampledSlide(write_slide(tmp_path / "b.tiff", (10, 20, 60, 70), glass=250, tissue=180), "b")
    for order in ((dark, bright), (bright, dark)):
        maps = maps_of(*order, region="foreground", mask=None)
        # Act, Assert
        assert {maps.slides[n].name: maps.get(n).box() for n in (0, 1)} == {"a": BOX, "b": (10, 20, 60, 70)}


def test_an_empty_region_is_the_whole_slide_and_is_said(tmp_path: Path, maps_of) -> None:
    empty = SampledSlide(write_slide(tmp_path / "e.tiff", None), "e")
    for mask in ("histofetch", None):
        one = maps_of(empty, region="foreground", mask=mask).get(0)
        assert one.box() == (0, 0, 400, 240)
        assert "the whole slide" in one.notes[0]


def test_boxes_of_masks_and_of_their_sections(slide: SampledSlide, maps_of, tmp_path: Path) -> None:
    numbers = np.zeros((24, 40), np.uint8)
    numbers[2:5, 3:9], numbers[10:20, 30:35] = 1, 7
    one = SampledSlide(slide.path, "one", mask=save(tmp_path / "mask.png", numbers))
    assert maps_of(one, region="mask").get(0).box() == (30, 20, 350, 200)
    sections = {maps_of(one, region="section", seed=seed).get(0).box() for seed in range(8)}
    assert sections == {(30, 20, 90, 50), (300, 100, 350, 200)}
    with pytest.raises(SlideError, match="has no mask"):
        maps_of(slide, region="mask").get(0)


# --- failures, memory, processes -------------------------------------------------------------------------------


def test_slides_that_fail_are_told_and_stop_no_other(slide: SampledSlide, tmp_path: Path, maps_of) -> None:
    # Arrange
    (tmp_path / "text.svs").write_text("no slide")
    empty = SampledSlide(write_slide(tmp_path / "e.tiff", None), "empty")
    plain = SampledSlide(write_slide(tmp_path / "p.tiff", mpp=None), "no mpp")
    slides = [SampledSlide(tmp_path / f"{name}", name) for name in ("gone.svs", "text.svs")]
    maps = maps_of(*slides, empty, plain, slide)
    # Act
    failed = maps.prepare(workers=2)
    # Assert
    assert sorted(failed) == [0, 1, 2, 3]
    assert "cannot be read" in failed[0].message
    assert "no tissue by histofetch" in failed[2].message
    assert maps.get(4).tissue.any()
    assert maps.missing() == []
    # The same again without work; the empty slide has a map, and places of background.
    slides[1].path.unlink()
    with pytest.raises(SlideError, match=r"text\.svs"):
        maps.get(1)
    assert len(maps.get(2).places("background", (16.0, 16.0))) == 1


def test_patches_by_pixels_need_no_mpp(tmp_path: Path, maps_of) -> None:
    plain = SampledSlide(write_slide(tmp_path / "p.tiff", mpp=None), "p")
    one = maps_of(plain, downsample=2).get(0)
    assert np.isnan(one.facts.mpp).all()
    assert one.tissue_um2 > 0
    with pytest.raises(SlideError, match="µm/px"):
        maps_of(plain, downsample=2, mask="blur").get(0)


def test_a_users_function_that_fails_is_the_slides_reason(slide: SampledSlide, maps_of) -> None:
    def broken(wsi) -> None:
        raise KeyError("stain")

    failed = maps_of(slide, mask=broken).prepare()
    assert "broken failed on slide one (KeyError" in failed[0].message


def test_memory_is_bounded_and_pickles_are_small(tmp_path: Path, maps_of) -> None:
    slides = [SampledSlide(write_slide(tmp_path / f"{n}.tiff"), str(n)) for n in range(4)]
    maps = maps_of(*slides, memory=40_000)
    assert maps.missing() == [0, 1, 2, 3]
    first = maps.get(0)
    for index in range(4):
        maps.get(index).places("tissue", (16.0, 16.0), least=0.5)
    again = maps.get(0)
    # It went, and came back from disk.
    assert again is not first
    assert np.array_equal(again.tissue, first.tissue)
    assert maps.get(0) is again
    assert len(pickle.dumps(maps)) < 10_000
    assert pickle.loads(pickle.dumps(maps)).missing() == []


@pytest.mark.long
def test_many_masks_are_made_in_child_processes(tmp_path: Path, maps_of, monkeypatch: pytest.MonkeyPatch) -> None:
    # Arrange
    monkeypatch.setattr("slidekit.sampling.masks.workers._WORTH_CHILDREN", 2)
    opened = []
    monkeypatch.setattr("slidekit.sampling.masks.workers.see_slide", lambda *given: opened.append(given))
    slides = [SampledSlide(write_slide(tmp_path / f"{n}.tiff"), str(n)) for n in range(3)]
    (tmp_path / "bad.svs").write_text("no slide")
    maps = maps_of(*slides, SampledSlide(tmp_path / "bad.svs", "bad"))
    # Act
    failed = maps.prepare(workers=2)
    # Assert
    assert list(failed) == [3]
    assert not opened
    assert all(maps.get(index).tissue.any() for index in range(3))
    assert len(list((tmp_path / "masks").iterdir())) == 3


def _of_main(wsi: Any, value: bool) -> np.ndarray:
    return np.full((24, 40), value)


@pytest.mark.long
def test_what_a_child_process_cannot_import_is_made_here(tmp_path: Path, maps_of, monkeypatch) -> None:
    # Arrange: as of a script's own `__main__`, in which children have nothing
    import sys

    monkeypatch.setattr("slidekit.sampling.masks.workers._WORTH_CHILDREN", 2)
    monkeypatch.setattr(_of_main, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], "_of_main", _of_main, raising=False)
    slides = [SampledSlide(write_slide(tmp_path / f"{n}.tiff"), str(n)) for n in range(3)]
    # Act
    maps = maps_of(*slides, mask=functools.partial(_of_main, value=False))
    # Assert
    assert maps.prepare(workers=2) == {}
    assert maps.get(2).tissue.all()


def test_jobs_hold_only_what_masks_need(slide: SampledSlide, maps_of) -> None:
    learned = SampledSlide(slide.path, "one", label=lambda: 0, groups={"site": "a"}, rois=region("a", 0, 0, 9, 9))
    job = maps_of(learned, mask="otsu")._job(0)
    assert pickle.loads(pickle.dumps(job)).slide == slide


def test_that_nothing_has_a_class_says_why(slide: SampledSlide, maps_of, tmp_path: Path) -> None:
    maps = maps_of(SampledSlide(slide.path, "one", rois=tmp_path / "nope.csv"), classes=("a",), mask=None)
    with pytest.raises(SlideError, match=r"class 'a' \(one: .*\)"):
        SlideWeights(maps, maps.spec).cumulative(0)


def test_a_slide_that_was_refused_fails(slide: SampledSlide, maps_of) -> None:
    maps = maps_of(slide)
    maps.refuse(0, SlideError("it kills who reads it.", mend="Leave it out."))
    with pytest.raises(SlideError, match="kills"):
        maps.get(0)


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "tiles_bytes"), [("gastric-HE-40x.svs", 6.0e6)])
def test_masks_are_small(real_data: Path, maps_of, tmp_path: Path, name: str, tiles_bytes: float) -> None:
    maps_of(SampledSlide(real_data / "slides" / name, "real")).get(0)
    [file] = (tmp_path / "masks").iterdir()
    assert file.stat().st_size <= tiles_bytes / 500
