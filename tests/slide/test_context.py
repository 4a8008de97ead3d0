"""The tissue of a slide, and stain normalisation by its statistics."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import shapely

from slidekit import norm
from slidekit.errors import NormalizerError, SpecError
from slidekit.io.tfrecord import TileRecord, iter_records
from slidekit.slide import context
from slidekit.slide.extract import OutputFolders, extract_from_wsi
from slidekit.slide.report_model import SlideReport
from slidekit.slide.roi import ROI, ROISet
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI

SIZE = {"tile_px": 64, "tile_um": 32}
LEFT = ROI("left", None, shapely.box(0, 0, 500, 760))
RING = ROI(
    "ring", None, shapely.Polygon(shapely.box(200, 200, 800, 560).exterior, [shapely.box(400, 300, 600, 460).exterior])
)
# Optical density of haematoxylin and eosin in R, G, B (Ruifrok and Johnston 2001).
STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])


def paint_he(width: int, height: int, seed: int = 0) -> np.ndarray:
    """Glass with an ellipse of H&E, denser on the right."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    inside = ((x - width / 2) / (0.42 * width)) ** 2 + ((y - height / 2) / (0.42 * height)) ** 2 < 1
    grains = cv2.resize(generator.gamma(2, 0.3, (height // 8, width // 8, 2)), (width, height))
    amounts = grains * (inside * (0.5 + x / width))[..., np.newaxis]
    intensity = 243 * np.exp(-amounts @ STAINS) + generator.normal(0, 1, (height, width, 1))
    return np.clip(np.round(intensity), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def he_slide(make_slide) -> Path:
    return make_slide(paint_he(1000, 760), name="he")


def extract(slide: Path, out: Path, *, rois: ROISet | None = None, **options) -> SlideReport:
    given = {**SIZE, "resample": "exact", "img_format": "png", "threads": 2, **options}
    spec = ExtractionSpec.create(**given)
    with WSI.from_spec(slide, spec, rois=rois) as wsi:
        return extract_from_wsi(wsi.qc(spec.qc), spec, OutputFolders(out))


def tiles_of(folder: Path) -> dict[tuple[int, int], np.ndarray]:
    (path,) = folder.glob("*.tfrecords")
    records = [TileRecord.decode(payload) for _, payload in iter_records(path)]
    return {(r.loc_x, r.loc_y): cv2.imdecode(np.frombuffer(r.image_raw, np.uint8), 1)[..., ::-1] for r in records}


class TestTissue:
    def test_without_qc_otsu_finds_it_and_drops_nothing(self, he_slide):
        with WSI(he_slide, **SIZE) as wsi:
            pixels = wsi.tissue_pixels(4.0)

            # 1000 × 760 px of 0.5 µm are 125 × 95 of 4 µm; the ellipse has π · 0.42² of them.
            assert len(pixels) == pytest.approx(np.pi * 0.42**2 * 125 * 95, rel=0.1)
            assert pixels.dtype == np.uint8
            assert wsi.qc_masks == []
            assert len(wsi) == 15 * 11

    def test_pixels_are_those_of_the_thumbnail_under_the_mask(self, he_slide):
        with WSI(he_slide, **SIZE, qc="otsu") as wsi:
            (mask,) = wsi.qc_masks
            thumb = wsi.thumb(mpp=4.0)

            pixels = wsi.tissue_pixels(4.0)

        rows, columns, _ = thumb.shape
        kept = ~cv2.resize(mask.mask.astype(np.uint8), (columns, rows), interpolation=cv2.INTER_NEAREST).astype(bool)
        assert len(pixels) == pytest.approx(kept.sum(), rel=0.02)
        # The two masks are brought to the thumbnail by other roundings at their edges.
        np.testing.assert_allclose(pixels.mean(axis=0), thumb[kept].mean(axis=0), atol=2)

    def test_it_is_never_read_finer_than_the_slide_is(self, he_slide):
        with WSI(he_slide, **SIZE) as wsi:
            assert len(wsi.tissue_pixels(0.001)) < 1000 * 760

    @pytest.mark.parametrize("roi_method", ["auto", "inside", "outside", "ignore"])
    @pytest.mark.parametrize("roi", [LEFT, RING])
    def test_regions_of_interest(self, he_slide, roi, roi_method):
        with WSI(he_slide, **SIZE, rois=ROISet((roi,)), roi_method=roi_method) as wsi:
            mask = context.tissue_mask(wsi)
        with WSI(he_slide, **SIZE) as wsi:
            everything = context.tissue_mask(wsi)

        rows, columns = mask.shape
        x, y = np.meshgrid((np.arange(columns) + 0.5) * 1000 / columns, (np.arange(rows) + 0.5) * 760 / rows)
        inside = shapely.contains_xy(roi.polygon, x, y)
        expected = everything & {"ignore": inside | True, "outside": ~inside}.get(roi_method, inside)
        # Pixels on an edge may fall to either side.
        assert np.count_nonzero(mask != expected) < 0.01 * mask.size

    def test_what_any_qc_method_masks_does_not_count(self, he_slide):
        def right_half(wsi):
            return np.tile(np.arange(100) >= 50, (76, 1))

        with WSI(he_slide, **SIZE, qc=right_half) as wsi:
            mask = context.tissue_mask(wsi)

        assert not mask[:, mask.shape[1] // 2 + 1 :].any()
        assert mask[:, : mask.shape[1] // 2].mean() == pytest.approx(np.pi * 0.42**2, rel=0.1)

    @pytest.mark.parametrize("most", [10, 500, 4000])
    def test_of_many_pixels_some_are_taken_evenly(self, he_slide, most, monkeypatch):
        monkeypatch.setattr(context, "_BAND_ROWS", 16)
        with WSI(he_slide, **SIZE) as wsi:
            every = wsi.tissue_pixels(2.0)
            monkeypatch.setattr(context, "_MOST_PIXELS", most)
            some = wsi.tissue_pixels(2.0)

        assert 0.5 * most < len(some) < 1.2 * most
        assert any(np.array_equal(some, every[::step]) for step in range(2, len(every)))


class TestExtraction:
    @pytest.mark.parametrize("method", ["macenko", "macenko_fast", "reinhard_fast", "vahadane"])
    def test_tiles_are_those_of_a_normaliser_in_the_context_of_the_slide(self, method, he_slide, tmp_path):
        extract(he_slide, tmp_path / "raw", grayspace_fraction=1)
        report = extract(he_slide, tmp_path / "out", grayspace_fraction=1, normalizer=method, normalizer_context=True)

        normalizer = norm.autoselect(method)
        with WSI(he_slide, **SIZE, grayspace_fraction=1) as wsi, normalizer.context(wsi):
            expected = {place: normalizer.transform(tile) for place, tile in tiles_of(tmp_path / "raw").items()}

        tiles = tiles_of(tmp_path / "out")
        assert report.warnings == ()
        assert tiles.keys() == expected.keys()
        assert all(np.array_equal(tiles[place], expected[place]) for place in tiles)

    def test_dense_tissue_stays_denser_than_it_would_by_its_own_statistics(self, he_slide, tmp_path):
        def contrast(folder):
            tiles = tiles_of(folder)
            darkness = {place: 255 - tile.mean() for place, tile in tiles.items() if 220 < place[1] < 540}
            right = [value for (x, _), value in darkness.items() if 650 < x < 850]
            left = [value for (x, _), value in darkness.items() if 150 < x < 350]
            return np.mean(right) - np.mean(left)

        for name, of_slide in (("own", False), ("slide", True)):
            extract(he_slide, tmp_path / name, normalizer="reinhard_fast", normalizer_context=of_slide)

        assert contrast(tmp_path / "slide") > contrast(tmp_path / "own") + 5

    @pytest.mark.parametrize("qc", [None, "otsu", "blur", "both"])
    @pytest.mark.parametrize("rois", [None, ROISet((LEFT,))])
    def test_with_and_without_qc_and_regions(self, qc, rois, he_slide, tmp_path):
        report = extract(he_slide, tmp_path, rois=rois, qc=qc, normalizer="macenko", normalizer_context=True)

        assert report.status == "done"
        assert report.warnings == ()

    def test_threads_change_no_byte(self, he_slide, tmp_path):
        for threads in (1, 4):
            options = {"normalizer": "macenko", "normalizer_context": True, "threads": threads}
            extract(he_slide, tmp_path / str(threads), **options)

        one, four = (next((tmp_path / threads).glob("*.tfrecords")).read_bytes() for threads in ("1", "4"))
        assert one == four

    def test_a_slide_without_statistics_falls_back_to_its_tiles_and_says_so(self, make_slide, tmp_path):
        blank = np.full((256, 256, 3), 242, np.uint8)
        slide = make_slide(blank, name="blank")

        report = extract(slide, tmp_path, grayspace_fraction=1, normalizer="macenko", normalizer_context=True)

        assert report.status == "done"
        assert report.unnormalized == report.kept > 0
        (warning,) = report.warnings
        assert "by its own statistics" in warning

    def test_a_method_without_statistics_is_an_error_before_any_work(self, he_slide, tmp_path):
        with pytest.raises(NormalizerError, match="augment takes no context"):
            extract(he_slide, tmp_path, normalizer="augment", normalizer_context=True)

        assert list(tmp_path.iterdir()) == []


class TestSpec:
    def test_context_without_a_normaliser_is_an_error(self):
        with pytest.raises(SpecError, match="normalizer_context is given without normalizer"):
            ExtractionSpec.create(**SIZE, normalizer_context=True)

    def test_it_is_part_of_the_hash(self):
        digests = {
            ExtractionSpec.create(**SIZE, normalizer="macenko", normalizer_context=value).digest()
            for value in (True, False)
        }
        assert len(digests) == 2
