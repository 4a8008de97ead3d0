"""Masks that are saved and loaded: the same masks, or an error that says what is wrong with the files."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from slidekit import qc
from slidekit.errors import QCError
from slidekit.io.url import RemotePath
from slidekit.slide.qc.saving.outlines import outlines_json
from slidekit.slide.qc.saving.png import decode_mask, encode_mask
from slidekit.slide.roi import load_rois
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI
from tests.slide.qc.contract import QCContract, open_wsi


@pytest.fixture
def slide(tissue_slide: Path, tmp_path: Path) -> Path:
    """A slide in a folder of its own."""
    return Path(shutil.copy(tissue_slide, tmp_path / "tissue.tiff"))


@pytest.fixture
def saved(slide: Path) -> Path:
    """Its folder of masks: Otsu's, and one with a name that no file could have."""
    with open_wsi(slide) as wsi:
        wsi.qc("otsu", filter_threshold=0.3)
        wsi.apply_qc_mask(np.eye(76, 100, dtype=np.bool_), 0.7, name='a/b: "c"')
        wsi.qc(qc.Save())
    return slide.parent / "qc"


class TestSave(QCContract):
    method = qc.Save()

    @pytest.fixture(autouse=True)
    def has_a_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(TestSave, "method", qc.Save(tmp_path))

    # It has no mask of its own, so none of these says anything about it.
    test_works_on_a_slide_of_one_level = None
    test_works_where_only_the_user_knows_the_mpp = None
    test_goes_by_the_override_and_not_by_the_file = None
    test_gives_the_same_mask_each_time = None
    test_sees_the_raw_slide_and_leaves_it_as_it_is = None
    test_has_a_name_and_a_reason = None

    def test_its_parameters_are_json_and_rebuild_it(self) -> None:
        assert repr(qc.Save(**json.loads(json.dumps(self.method.parameters())))) == repr(self.method)

    def check_mask(self, mask: None, wsi: WSI) -> None:
        raise AssertionError("there was no mask to save")


class TestLoad(QCContract):
    method = qc.Load()

    # Masks are of one slide: on any other they are refused, which is tested below.
    test_works_on_a_slide_of_one_level = None
    test_works_where_only_the_user_knows_the_mpp = None
    test_goes_by_the_override_and_not_by_the_file = None
    test_gives_the_same_mask_each_time = None
    test_sees_the_raw_slide_and_leaves_it_as_it_is = None
    test_has_a_name_and_a_reason = None

    def test_its_parameters_are_json_and_rebuild_it(self) -> None:
        method = qc.Load("masks", filter_threshold=0.2)
        assert repr(qc.Load(**json.loads(json.dumps(method.parameters())))) == repr(method)


def test_what_is_loaded_is_what_was_saved(slide: Path, saved: Path) -> None:
    with open_wsi(slide) as wsi:
        wsi.qc("otsu", filter_threshold=0.3).apply_qc_mask(np.eye(76, 100, dtype=np.bool_), 0.7, name='a/b: "c"')
        before, kept = list(wsi.qc_masks), len(wsi)
        after = list(wsi.remove_qc().qc(qc.Load()).qc_masks)
        assert len(wsi) == kept
        overridden = wsi.remove_qc().qc(qc.Load(saved, filter_threshold=0.1)).qc_masks
    for old, new in zip(before, after, strict=True):
        assert np.array_equal(old.mask, new.mask)
        assert (old.name, old.reason, old.filter_threshold) == (new.name, new.reason, new.filter_threshold)
        assert dict(old.parameters) == dict(new.parameters)
    assert [mask.filter_threshold for mask in overridden] == [0.1, 0.1]


def test_files_are_png_of_one_bit_and_json_that_says_all(slide: Path, saved: Path) -> None:
    record = json.loads((saved / "tissue.qc.json").read_text(encoding="utf-8"))
    otsu, own = record["masks"]
    assert (record["version"], record["slide"], record["dimensions"]) == (1, "tissue", [1000, 760])
    assert (otsu["name"], otsu["reason"], otsu["filter_threshold"]) == ("otsu", "background", 0.3)
    assert (otsu["parameters"]["method"], otsu["mpp"], otsu["size"]) == ("Otsu", [0.5, 0.5], [1000, 760])
    assert own["mpp"] == [5.0, 5.0]
    image = Image.open(saved / own["file"])
    assert image.mode == "1"
    assert np.array_equal(np.asarray(image), np.eye(76, 100, dtype=np.bool_))  # white is discarded
    assert hashlib.sha256((saved / own["file"]).read_bytes()).hexdigest() == own["sha256"]
    assert sorted(path.name for path in saved.iterdir()) == sorted(
        ["tissue.qc.geojson", "tissue.qc.json", otsu["file"], own["file"]]
    )


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 70))
def test_png_holds_any_mask(seed: int, rows: int, columns: int) -> None:
    mask = np.random.default_rng(seed).random((rows, columns)) < 0.5
    assert np.array_equal(decode_mask(encode_mask(mask), (columns, rows)), mask)
    with pytest.raises(ValueError, match="pixels"):
        decode_mask(encode_mask(mask), (columns + 1, rows))


def test_geojson_has_the_outlines_for_qupath(slide: Path, saved: Path) -> None:
    features = json.loads((saved / "tissue.qc.geojson").read_text(encoding="utf-8"))["features"]
    otsu = features[0]["properties"]
    assert otsu == {"objectType": "annotation", "name": "otsu", "classification": {"name": "otsu"}, "isLocked": True}
    rois = [roi for roi in load_rois(saved / "tissue.qc.geojson", slide_size=(1000, 760)) if roi.label == "otsu"]
    with open_wsi(slide) as wsi:
        share = wsi.qc("otsu").qc_masks[0].share
    area = sum(roi.polygon.area for roi in rois) / (1000 * 760)
    assert area == pytest.approx(share, abs=0.02)


def test_outlines_begin_where_qupath_s_do() -> None:
    mask = np.zeros((40, 50), np.bool_)
    mask[10:20, 10:30] = True
    text = outlines_json([qc.QCMask(mask, "pen", "pen")], (5000, 4000), (0.25, 0.25), (300, 700))
    (ring,) = json.loads(text)["features"][0]["geometry"]["coordinates"][0]
    assert {tuple(point) for point in ring} == {(700, 300), (2700, 300), (2700, 1300), (700, 1300)}


def test_masks_that_discard_nothing_have_no_outline() -> None:
    text = outlines_json([qc.QCMask(np.zeros((4, 5), np.bool_), "pen", "pen")], (50, 40), (1.0, 1.0))
    assert json.loads(text)["features"] == []


def test_nothing_to_save_is_an_error_that_says_where_save_belongs(slide: Path) -> None:
    with open_wsi(slide) as wsi, pytest.raises(QCError, match="behind the methods"):
        wsi.qc([qc.Save(), "otsu"])
    assert not (slide.parent / "qc").exists()


def test_where_nothing_can_be_written_the_error_names_the_mend(slide: Path) -> None:
    (slide.parent / "qc").write_text("a file in the way", encoding="utf-8")
    with open_wsi(slide) as wsi, pytest.raises(QCError, match=r"qc\.Save\(folder\)"):
        wsi.qc(["otsu", qc.Save()])


def test_a_remote_slide_needs_a_folder() -> None:
    slide = SimpleNamespace(path=RemotePath("memory://bucket/slide.svs"), name="slide", qc_masks=[1])
    for method in (qc.Save(), qc.Load()):
        with pytest.raises(QCError, match="remote"):
            method(slide)
    assert qc.Load().content(slide.path) == ""


def test_saving_again_replaces_and_leaves_no_half_file(slide: Path, saved: Path) -> None:
    with open_wsi(slide) as wsi:
        wsi.qc(["blur", qc.Save()])
        names = [mask.name for mask in wsi.remove_qc().qc(qc.Load()).qc_masks]
    assert names == ["blur"]
    assert not list(saved.glob("*.part"))


class TestDamage:
    def refused(self, slide: Path, said: str, source: Path | None = None) -> QCError:
        with open_wsi(slide) as wsi, pytest.raises(QCError, match=said) as caught:
            wsi.qc(qc.Load(source))
        assert caught.value.mend
        assert caught.value.path is not None
        return caught.value

    def edit(self, folder: Path, change) -> None:
        path = folder / "tissue.qc.json"
        record = json.loads(path.read_text(encoding="utf-8"))
        change(record)
        path.write_text(json.dumps(record), encoding="utf-8")

    def test_no_masks(self, slide: Path) -> None:
        error = self.refused(slide, "no saved masks")
        assert error.path == slide.parent / "qc"

    def test_masks_of_another_slide(self, slide: Path, saved: Path, make_slide, tissue: np.ndarray) -> None:
        other = make_slide(tissue[::-1].copy(), name="tissue")
        self.refused(other, "another slide", saved)

    @pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b'{"version": 2}'])
    def test_a_damaged_record(self, slide: Path, saved: Path, content: bytes) -> None:
        (saved / "tissue.qc.json").write_bytes(content)
        self.refused(slide, "not a record of masks")

    @pytest.mark.parametrize("file", ["../x.png", "/etc/x.png", "a\\b.png", "x.txt", ""])
    def test_a_record_that_leads_out_of_its_folder(self, slide: Path, saved: Path, file: str) -> None:
        self.edit(saved, lambda record: record["masks"][0].update(file=file))
        self.refused(slide, "masks.0.file")

    @pytest.mark.parametrize(
        ("field", "value"), [("filter_threshold", 2), ("size", [0, 4]), ("sha256", "12"), ("name", ""), ("more", 1)]
    )
    def test_values_that_make_no_sense(self, slide: Path, saved: Path, field: str, value) -> None:
        self.edit(saved, lambda record: record["masks"][0].update({field: value}))
        self.refused(slide, f"masks.0.{field}")

    @pytest.mark.parametrize("damage", ["gone", "cut", "other"])
    def test_a_damaged_png(self, slide: Path, saved: Path, damage: str) -> None:
        (png,) = saved.glob("*.otsu.*.png")
        if damage == "gone":
            png.unlink()
        else:
            png.write_bytes(png.read_bytes()[:100] if damage == "cut" else encode_mask(np.ones((76, 100), np.bool_)))
        self.refused(slide, "'otsu' cannot be read")

    @pytest.mark.parametrize("content", [b"no png", encode_mask(np.ones((3, 4), np.bool_))[:60]])
    def test_a_png_that_is_none_although_its_hash_is_right(self, slide: Path, saved: Path, content: bytes) -> None:
        (png,) = saved.glob("*.otsu.*.png")
        png.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        self.edit(saved, lambda record: record["masks"][0].update(sha256=digest, size=[4, 3]))
        self.refused(slide, "'otsu' cannot be read")


class TestSlideflow:
    @pytest.mark.parametrize("folder", [True, False])
    def test_its_file_is_one_mask(self, slide: Path, folder: bool) -> None:
        mask = np.zeros((76, 100), np.bool_)
        mask[:, :50] = True
        np.savez(slide.parent / "tissue_qc.npz", mask=mask)
        with open_wsi(slide) as wsi:
            (loaded,) = wsi.qc(qc.Load(slide.parent if folder else None)).qc_masks
        assert np.array_equal(loaded.mask, mask)
        assert (loaded.name, loaded.filter_threshold) == ("slideflow", 0.6)

    @pytest.mark.parametrize(
        "arrays",
        [{"other": np.ones((76, 100), np.bool_)}, {"mask": np.ones((76, 100))}, {"mask": np.array([{}], object)}, None],
    )
    def test_what_is_no_mask_is_said(self, slide: Path, arrays) -> None:
        path = slide.parent / "tissue_qc.npz"
        if arrays is None:
            path.write_bytes(b"PK\x03\x04 cut off")
        else:
            np.savez(path, **arrays)
        with open_wsi(slide) as wsi, pytest.raises(QCError, match="mask") as caught:
            wsi.qc(qc.Load())
        assert caught.value.path == path


class TestExtraction:
    def test_save_changes_no_hash(self) -> None:
        plain = ExtractionSpec.create(tile_px=64, tile_um=64, qc=["otsu"])
        saving = ExtractionSpec.create(tile_px=64, tile_um=64, qc=["otsu", qc.Save("elsewhere")])
        assert saving.digest() == plain.digest()
        assert ExtractionSpec.create(tile_px=64, tile_um=64, qc=[qc.Load()]).digest() != plain.digest()

    def test_a_slide_s_hash_covers_the_masks_that_are_loaded(self, slide: Path, saved: Path) -> None:
        from slidekit.slide.job import SlideJob, job_hash

        job = SlideJob("tissue", slide)
        spec = ExtractionSpec.create(tile_px=64, tile_um=64, qc=[qc.Load() & qc.Otsu()])
        first = job_hash(job, spec)
        assert job_hash(job, spec) == first
        with open_wsi(slide) as wsi:
            wsi.qc(["blur", qc.Save()])
        assert job_hash(job, spec) != first
        shutil.rmtree(saved)
        assert job_hash(job, spec) != first

    def test_a_method_that_is_made_of_loaded_masks(self, slide: Path, saved: Path) -> None:
        with open_wsi(slide) as wsi:
            (made,) = wsi.qc(~qc.Load()).qc_masks
            both = list(wsi.remove_qc().qc(qc.Load()).qc_masks)
        rows, columns = made.mask.shape
        assert np.array_equal(made.mask, ~qc.join_masks(both, columns, rows))


def _outlined(mask: np.ndarray) -> tuple[shapely.Geometry, int]:
    text = outlines_json([qc.QCMask(mask, "m", "m")], (40_000, 32_000), (0.25, 0.25))
    (feature,) = json.loads(text)["features"]
    return shapely.geometry.shape(feature["geometry"]), feature["properties"].get("specks_left_out", 0)


def test_lines_thinner_than_a_pixel_of_the_outlines_are_drawn() -> None:
    # Ten pixels of the mask are one of the outlines.
    mask = np.zeros((12_000, 15_000), np.bool_)
    mask[6_000:6_002, 2_000:12_000] = True
    mask[5_000:7_000, 2_000:4_000] = True

    area, left_out = _outlined(mask)

    assert left_out == 0
    scale = 40_000 / 15_000
    line = shapely.LineString([(2_100 * scale, 6_001 * scale), (11_900 * scale, 6_001 * scale)])
    assert area.buffer(40).covers(line)


def test_specks_are_counted_and_alone_they_are_drawn() -> None:
    mask = np.zeros((800, 1_000), np.bool_)
    mask[100, 100] = mask[300, 300] = True
    assert _outlined(mask)[0].area > 0

    mask[500:600, 500:600] = True
    area, left_out = _outlined(mask)

    assert left_out == 2
    assert area.area == pytest.approx((100 * 40) ** 2, rel=0.02)
