"""`WSI`: opening, facts, tiles, mapping, pictures, QC, closing."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import shapely

from slidekit.errors import (
    MissingMPPError,
    MissingROIError,
    QCError,
    ROIError,
    SlideOpenError,
    SlideReadError,
    SpecError,
)
from slidekit.slide.preview import KEPT, OUT_OF_FOCUS, ROI_OUTLINE
from slidekit.slide.roi import ROI, ROISet
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI


def open_wsi(path: Path, **options) -> WSI:
    return WSI(path, 64, 32, **{"resample": "exact", **options})


def open_files(path: Path) -> int:
    """How often this process has a file open."""
    gc.collect()
    links = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            links.append(link.readlink())
        except FileNotFoundError:
            continue  # the listing's own
    return links.count(path)


needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="no /proc: open files cannot be seen")  # noqa: PTH112


# --- facts ------------------------------------------------------------------------------------------------------


def test_facts(tissue_slide: Path) -> None:
    with open_wsi(tissue_slide) as wsi:
        assert wsi.name == "tissue"
        assert wsi.path == tissue_slide
        assert wsi.dimensions == (1000, 760)
        assert [(level.width, level.downsample_x) for level in wsi.levels] == [(1000, 1), (250, 4)]
        assert (wsi.mpp, wsi.mpp_x, wsi.mpp_y) == pytest.approx((0.5, 0.5, 0.5), rel=1e-6)
        assert wsi.mpp_source
        assert wsi.target_mpp == pytest.approx(0.5)
        assert wsi.shape == (15, 11)
        assert len(wsi) == 165
        assert wsi.vendor == "generic-tiff"
        assert wsi.properties["openslide.vendor"] == "generic-tiff"
        assert wsi.area() == pytest.approx(0.5 * 0.38, rel=1e-5)
        assert "tissue" in repr(wsi)
        assert "64px_32um" in repr(wsi)


def test_tile_mpp_is_another_way_to_say_tile_um(tissue_slide: Path) -> None:
    with WSI(tissue_slide, 64, tile_mpp=0.5) as wsi, open_wsi(tissue_slide) as same:
        assert wsi.spec.label == "64px_32um"
        assert wsi.shape == same.shape
    with pytest.raises(SpecError, match="say the same thing"):
        WSI(tissue_slide, 64, 32, tile_mpp=0.5)
    with pytest.raises(SpecError, match=r"tile_um= .* or tile_mpp="):
        WSI(tissue_slide, 64)


def test_an_override_holds_everywhere(tissue_slide: Path) -> None:
    with open_wsi(tissue_slide, mpp=0.25) as wsi:
        assert (wsi.mpp_x, wsi.mpp_y, wsi.mpp_source) == (0.25, 0.25, "mpp=")
        assert wsi.plan.mpp.doubt
        assert wsi.shape == (7, 5)
        assert wsi.area() == pytest.approx(0.25 * 0.19)
        assert wsi.thumb(mpp=1.0).shape == (190, 250, 3)
        assert wsi.preview_um() == pytest.approx(250 / 1200)


def test_annotations_go_before_the_spec(tissue_slide: Path) -> None:
    spec = ExtractionSpec.create(tile_px=64, tile_um=32, mpp=0.25, qc="otsu")
    with WSI.from_spec(tissue_slide, spec, annotated_mpp=0.4) as wsi:
        assert (wsi.mpp, wsi.mpp_source) == (0.4, "annotations")
        assert wsi.qc_masks == []


# --- tiles ------------------------------------------------------------------------------------------------------


def test_tiles_of_the_slides_own_resolution_are_its_pixels(tissue_slide: Path, tissue: np.ndarray) -> None:
    with open_wsi(tissue_slide) as wsi:
        for i, j in [(0, 0), (7, 5), (14, 10)]:
            expected = tissue[j * 64 : (j + 1) * 64, i * 64 : (i + 1) * 64]
            assert np.abs(wsi[i, j].astype(int) - expected).max() <= 1


@pytest.mark.parametrize("cell", [(15, 0), (0, 11), (-1, 0)])
def test_a_cell_that_does_not_exist(tissue_slide: Path, cell: tuple[int, int]) -> None:
    with open_wsi(tissue_slide) as wsi, pytest.raises(IndexError):
        wsi[cell]


def test_qc_does_not_hide_a_cell_that_is_asked_for(tissue_slide: Path) -> None:
    with open_wsi(tissue_slide, qc="otsu") as wsi:
        assert wsi.fates().reasons[0] == "background"
        assert wsi[0, 0].shape == (64, 64, 3)


def test_iteration_gives_the_tiles_that_are_left_in_raster_order(tissue_slide: Path) -> None:
    with open_wsi(tissue_slide, qc="otsu") as wsi:
        left = [wsi[i, j] for i, j in wsi.grid.cells()[wsi.fates().taken]]
        tiles = list(wsi)
        assert 0 < len(tiles) == len(wsi) < len(wsi.grid)
        assert all(np.array_equal(one, other) for one, other in zip(left, tiles, strict=True))


@pytest.mark.parametrize("workers", [1, 2, 3, None])
def test_map_gives_location_and_result_in_raster_order(tissue_slide: Path, workers: int | None) -> None:
    with open_wsi(tissue_slide, qc="otsu") as wsi:
        results = list(wsi.map(lambda image: float(image.mean()), workers=workers))
        cells = wsi.grid.cells()[wsi.fates().taken]
        assert [place for place, _ in results] == [wsi.grid.location(i, j) for i, j in cells]
        assert [mean for _, mean in results] == [float(wsi[i, j].mean()) for i, j in cells]


def test_map_works_ahead_by_a_few_strips_only(tissue_slide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Arrange: a strip is a row of 15 tiles here
    done = threading.Semaphore(0)
    begun = []

    def count(image: np.ndarray) -> int:
        begun.append(1)
        done.release()
        return 0

    with open_wsi(tissue_slide) as wsi:
        results = wsi.map(count, workers=2)

        # Act: take one, and wait for as much as ever runs ahead
        next(results)
        while done.acquire(timeout=0.3):
            pass

        # Assert
        assert len(begun) <= 15 * 4 < len(wsi)
        assert len(list(results)) == len(wsi) - 1


def test_an_error_of_the_function_reaches_the_caller(tissue_slide: Path) -> None:
    with open_wsi(tissue_slide) as wsi, pytest.raises(ZeroDivisionError):
        list(wsi.map(lambda image: 1 // 0, workers=2))


# --- pictures ---------------------------------------------------------------------------------------------------


def test_thumb_sizes(tissue_slide: Path) -> None:
    with open_wsi(tissue_slide) as wsi:
        assert wsi.thumb().shape == (778, 1024, 3)
        assert wsi.thumb(500).shape == (380, 500, 3)
        assert wsi.thumb(mpp=5.0).shape == (76, 100, 3)
        assert wsi.thumb(1).shape == (1, 1, 3)


def test_a_thumb_shows_true_proportions(make_slide, tissue: np.ndarray) -> None:
    with open_wsi(make_slide(tissue, (0.5, 0.25))) as wsi:
        assert wsi.thumb(500).shape == (190, 500, 3)
        assert wsi.thumb(mpp=1.0).shape == (190, 500, 3)
        assert wsi.preview().shape == (456, 1200, 3)


def test_a_thumb_is_the_slide_made_small(tissue_slide: Path, tissue: np.ndarray) -> None:
    with open_wsi(tissue_slide) as wsi:
        small = wsi.thumb(100)
    means = tissue.reshape(76, 10, 100, 10, 3).mean(axis=(1, 3))
    assert np.abs(small.astype(float) - means).mean() < 3


def test_a_thumb_may_be_drawn_on(tissue_slide: Path) -> None:
    with open_wsi(tissue_slide) as wsi:
        before = wsi.thumb(100).copy()
        wsi.thumb(100)[:] = 0
        assert np.array_equal(wsi.thumb(100), before)


def has_colour(picture: np.ndarray, rgb: tuple[int, int, int], at: tuple[float, float], reach: int = 3) -> bool:
    x, y = (round(value) for value in at)
    part = picture[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1].astype(int)
    return bool((np.abs(part - rgb).sum(axis=-1) < 60).any())


def test_preview_outlines_kept_tiles_and_pales_all_else(tissue_slide: Path) -> None:
    with open_wsi(tissue_slide, qc="otsu") as wsi:
        picture, plain = wsi.preview(1000).astype(int), wsi.preview(1000, tiles=False).astype(int)
        taken, boxes = wsi.fates().taken, wsi.grid.boxes().astype(int)
    drawn = np.abs(picture - plain).sum(axis=-1) > 20
    near_a_kept_edge, kept = np.zeros((764, 1004), np.bool_), np.zeros((764, 1004), np.bool_)
    for x0, y0, x1, y1 in boxes[taken]:
        # A line of one pixel lies between two: both are darkened.
        assert drawn[max(0, y0 - 1) : y0 + 1, x0 + 5 : x1 - 5].any(axis=0).mean() > 0.95
        assert drawn[y0 + 5 : y1 - 5, max(0, x1 - 1) : x1 + 1].any(axis=1).mean() > 0.95
        near_a_kept_edge[max(0, y0 - 2) : y1 + 2, max(0, x0 - 2) : x1 + 2] = True
        near_a_kept_edge[y0 + 2 : y1 - 2, x0 + 2 : x1 - 2] = False
        kept[y0:y1, x0:x1] = True
    inside, outside = kept[:760, :1000], ~kept[:760, :1000] & ~near_a_kept_edge[:760, :1000]
    assert not (drawn & inside & ~near_a_kept_edge[:760, :1000]).any()
    assert (picture[outside] > plain[outside]).all()
    darkest = picture[drawn].sum(axis=-1).argmin()
    assert picture[drawn][darkest].argmax() == np.argmax(KEPT.rgb)


def test_preview_outlines_regions_with_their_holes(tissue_slide: Path) -> None:
    outline = shapely.Polygon([(100, 80), (900, 80), (900, 700), (100, 700)], [[(300, 300), (500, 300), (500, 500)]])
    with open_wsi(tissue_slide, rois=ROISet((ROI("a", None, outline),))) as wsi:
        picture, without = wsi.preview(500, tiles=False), wsi.preview(500, tiles=False, rois=False)
    for place in [(50, 200), (450, 200), (200, 40), (200, 350), (200, 150), (250, 200)]:
        assert has_colour(picture, ROI_OUTLINE.rgb, place)
        assert not has_colour(without, ROI_OUTLINE.rgb, place)


def test_preview_tints_what_qc_discards(tissue_slide: Path) -> None:
    with open_wsi(tissue_slide) as wsi:
        plain = wsi.preview(500, tiles=False).astype(int)
        both = wsi.qc("both").preview(500, tiles=False).astype(int)
    glass, sharp, blurred = (10, 10), (190, 250), (190, 400)
    assert np.array_equal(both[sharp], plain[sharp])
    assert both[glass].mean() < plain[glass].mean() - 20
    assert np.ptp(both[glass]) < 15  # gray: focus says nothing about glass
    luminance = plain[blurred] @ (0.299, 0.587, 0.114)
    tinted = luminance * 0.5 + np.array(OUT_OF_FOCUS.rgb) * 0.5
    assert np.abs(both[blurred] - tinted).max() <= 2


# --- quality control --------------------------------------------------------------------------------------------


def test_masks_add_up_and_can_be_forgotten(tissue_slide: Path) -> None:
    with open_wsi(tissue_slide) as wsi:
        total = len(wsi)
        after_otsu = len(wsi.qc("otsu"))
        after_blur = len(wsi.qc("blur"))
        assert total > after_otsu > after_blur > 0
        assert [mask.name for mask in wsi.qc_masks] == ["otsu", "blur"]
        assert len(wsi.remove_qc()) == total
        assert wsi.area() == pytest.approx(0.19, rel=1e-5)


def test_qc_takes_slideflows_parameters(tissue_slide: Path) -> None:
    with open_wsi(tissue_slide) as wsi:
        wsi.qc("blur", blur_mpp=4.0, blur_radius=2, blur_threshold=0.5, filter_threshold=0.9)
        mask = wsi.qc_masks[0]
    assert mask.mask.shape == (95, 125)
    assert mask.mask.all()
    assert mask.filter_threshold == 0.9


def test_area_is_what_no_mask_discards(tissue_slide: Path) -> None:
    left, top = np.zeros((2, 4), np.bool_), np.zeros((4, 4), np.bool_)
    left[:, :2] = True
    top[:1] = True
    with open_wsi(tissue_slide) as wsi:
        wsi.qc([lambda slide: left, lambda slide: top])
        assert wsi.area() == pytest.approx(0.19 * 0.5 * 0.75, rel=1e-5)


# --- regions of interest ----------------------------------------------------------------------------------------

CSV = "roi_name,label,x_base,y_base\n" + "".join(
    f"a,tumor,{x},{y}\n" for x, y in [(0, 0), (200, 0), (200, 200), (0, 200)]
)


@pytest.mark.parametrize("kind", ["file", "folder", "set"])
def test_regions_come_from_a_file_a_folder_or_a_set(tissue_slide: Path, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "tissue.csv"
    file.write_text(CSV)
    rois = {
        "file": file,
        "folder": str(tmp_path),
        "set": ROISet((ROI("a", "tumor", shapely.box(0, 0, 200, 200)),)),
    }[kind]
    with open_wsi(tissue_slide, rois=rois) as wsi:
        assert [(roi.name, roi.label) for roi in wsi.rois] == [("a", "tumor")]
        assert len(wsi) == 9
        assert wsi.roi_of(2, 2) is wsi.rois[0]
        assert wsi.roi_of(3, 0) is None


def test_a_folder_without_a_file_for_the_slide_has_no_regions(tissue_slide: Path, tmp_path: Path) -> None:
    with open_wsi(tissue_slide, rois=tmp_path) as wsi:
        assert wsi.rois == ()
        assert len(wsi) == 165


def test_ignore_does_not_read_the_file(tissue_slide: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_bytes(b"\x00\x01")
    with open_wsi(tissue_slide, rois=tmp_path / "bad.csv", roi_method="ignore") as wsi:
        assert len(wsi) == 165


# --- errors and closing -----------------------------------------------------------------------------------------


def bad_mask(wsi):
    return 3


@needs_proc
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"roi_method": "inside"}, MissingROIError),
        ({"roi_method": "outside"}, MissingROIError),
        ({"rois": "missing.csv"}, ROIError),
        ({"qc": bad_mask}, QCError),
        ({"origin": (-5, 0)}, SpecError),
    ],
)
def test_an_error_while_opening_lets_go_of_the_file(tissue_slide: Path, options: dict, error: type) -> None:
    with pytest.raises(error) as caught:
        open_wsi(tissue_slide, **options)
    assert caught.value.mend
    assert open_files(tissue_slide) == 0


@needs_proc
def test_a_slide_without_mpp_is_closed_again(make_slide, tissue: np.ndarray) -> None:
    path = make_slide(tissue, None)
    with pytest.raises(MissingMPPError, match="mpp="):
        open_wsi(path)
    assert open_files(path) == 0


def test_tiles_smaller_than_a_pixel_are_refused(tissue_slide: Path) -> None:
    with pytest.raises(SpecError, match="tile_um is the edge of the tile"):
        WSI(tissue_slide, 64, 0.4)


def test_a_missing_slide(tmp_path: Path) -> None:
    with pytest.raises(SlideOpenError, match="no such file"):
        open_wsi(tmp_path / "none.svs")


@needs_proc
def test_close_lets_go_of_the_file(tissue_slide: Path) -> None:
    wsi = open_wsi(tissue_slide)
    assert open_files(tissue_slide) == 1
    wsi.close()
    wsi.close()
    assert open_files(tissue_slide) == 0
    with pytest.raises(SlideReadError, match="closed"):
        wsi[0, 0]
