"""Regions that a network draws: on one slide, in files, and what extraction makes of them."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import shapely

from slidekit import WSI, Dataset
from slidekit.errors import DatasetError, SlideReadError, SpecError
from slidekit.segment import generate_rois, roi_files
from slidekit.slide.roi import ROI, load_rois, write_roi_csv
from slidekit.slide.segmentation.config import SegmentConfig

SIZE = {"tile_px": 16, "tile_um": 64}


def slide_of(cohort, name: str = "s0", **options) -> WSI:
    return WSI(cohort.folder / "slides" / f"{name}.tiff", **{**SIZE, **options})


def kept(wsi: WSI) -> set[tuple[int, int]]:
    return {(int(i), int(j)) for i, j in wsi.grid.cells()[wsi.fates().taken]}


def test_edges_are_true_to_half_a_pixel_of_the_map(cohort, oracle) -> None:
    # Arrange
    with slide_of(cohort) as wsi:
        # Act
        rois = generate_rois(wsi, oracle, apply=False)
        # Assert: a pixel of the map is 8 µm, two of the slide
        (roi,) = rois
        assert (roi.name, roi.label) == ("tissue_1", None)
        assert roi.polygon.is_valid
        assert len(roi.polygon.interiors) == 1
        assert shapely.hausdorff_distance(roi.polygon.boundary, cohort.tissue["s0"].boundary) < 1
        assert len(wsi.rois) == 0


def test_tiles_inside_generated_regions_are_those_of_the_true_ones_but_at_the_border(cohort, oracle) -> None:
    # Arrange
    truth = cohort.tissue["s0"]
    with slide_of(cohort) as wsi:
        # Act
        generate_rois(wsi, oracle)
        generated = kept(wsi)
        centres = {cell: shapely.Point(16 * cell[0] + 8, 16 * cell[1] + 8) for cell in map(tuple, wsi.grid.cells())}
    # Assert
    true = {cell for cell, centre in centres.items() if truth.covers(centre)}
    near = {cell for cell, centre in centres.items() if truth.boundary.distance(centre) < 1}
    assert len(true) > 100
    assert generated - near == true - near
    assert len(true - near) > 100


def test_holes_and_specks_below_a_size_go(cohort, oracle) -> None:
    # Arrange: the hole has 0.045 mm², the tissue 0.56 mm²
    with slide_of(cohort) as wsi:
        # Act
        filled = generate_rois(wsi, oracle, min_hole_mm2=0.05, apply=False)
        none = generate_rois(wsi, oracle, min_area_mm2=0.6, apply=False)
    # Assert
    assert len(filled.rois[0].polygon.interiors) == 0
    assert len(none) == 0


@pytest.mark.parametrize("mode", ["multiclass", "multilabel"])
def test_classes_become_labels(cohort, mode) -> None:
    # Arrange: two classes side by side, one of them twice
    planes = np.zeros((45, 60, 2), np.float32)
    planes[5:40, 5:20, 0], planes[5:40, 20:40, 1], planes[10:20, 45:55, 0] = 0.9, 0.9, 0.9
    config = SegmentConfig(mode=mode, labels=("stroma", "tumor"), mpp=32)
    values = planes if mode == "multilabel" else np.concatenate([0.95 - planes.max(-1, keepdims=True), planes], axis=-1)
    model = SimpleNamespace(config=config, scores=lambda wsi: SimpleNamespace(values=values))
    with slide_of(cohort) as wsi:
        # Act
        rois = generate_rois(wsi, model, simplify_um=0)
    # Assert: largest first, and neighbours meet
    assert [(roi.name, roi.label) for roi in rois] == [
        ("stroma_1", "stroma"),
        ("stroma_2", "stroma"),
        ("tumor_1", "tumor"),
    ]
    assert [round(roi.polygon.area / 64) for roi in rois] == pytest.approx([525, 100, 700], rel=0.04)
    assert rois.rois[0].polygon.intersection(rois.rois[2].polygon).area < 64


@pytest.mark.parametrize(
    ("values", "options", "said"),
    [
        (np.zeros((5, 5, 2), np.float32), {}, "the classes tissue"),
        (np.full((5, 5, 1), np.nan, np.float32), {}, "not numbers"),
        (np.zeros((5, 5, 1), np.float32), {"threshold": 1.0}, "no probability"),
    ],
)
def test_scores_that_are_none_are_refused(cohort, values, options, said) -> None:
    model = SimpleNamespace(config=SegmentConfig(), scores=lambda wsi: SimpleNamespace(values=values))
    with slide_of(cohort) as wsi, pytest.raises(SpecError, match=said):
        generate_rois(wsi, model, **options)


class TestDataset:
    """Files of regions of many slides."""

    def test_extraction_takes_what_was_generated(self, cohort, oracle, tmp_path) -> None:
        # Arrange
        (tmp_path / "rois").mkdir()
        dataset = cohort.dataset(tmp_path / "rois", tfrecords=tmp_path / "tfrecords", **SIZE)
        assert not dataset.rois()
        # Act
        report = dataset.generate_rois(oracle)
        # Assert
        assert report.having("done") == ("s0", "s1", "s2")
        assert [path.name for path in dataset.rois()] == ["s0.csv", "s1.csv", "s2.csv"]
        table = dataset.get_tile_dataframe(roi_method="inside", num_workers=1)
        counts = table[table["reason"] == "kept"].groupby("slide").size()
        for name, truth in cohort.tissue.items():
            assert counts[name] == pytest.approx(truth.area / 256, rel=0.05)
        # QuPath's file says the same, and is no file of regions of a slide.
        geojson = load_rois(tmp_path / "rois" / "generated" / "s1.geojson")
        assert shapely.equals(geojson.union, load_rois(tmp_path / "rois" / "s1.csv").union)

    def test_a_pathologists_regions_are_left_alone(self, cohort, oracle, tmp_path) -> None:
        # Arrange: one slide has regions, one has them in another format
        rois = tmp_path / "rois"
        rois.mkdir()
        shutil.copy(cohort.folder / "rois" / "s0.csv", rois)
        (rois / "s1.geojson").write_text('{"type": "FeatureCollection", "features": []}')
        before = (rois / "s0.csv").read_bytes()
        # Act
        report = cohort.dataset(rois).generate_rois(oracle)
        # Assert
        assert report.status == {"s0": "skipped", "s1": "skipped", "s2": "done"}
        assert "s1.geojson" in report.reasons["s1"]
        assert (rois / "s0.csv").read_bytes() == before
        assert not (rois / "s1.csv").exists()
        # Act: asked for
        again = cohort.dataset(rois).generate_rois(oracle, overwrite=True)
        # Assert
        assert again.having("done") == ("s0", "s1", "s2")
        assert (rois / "s0.csv.backup").read_bytes() == before
        assert (rois / "s0.csv").read_bytes() != before
        # Act, Assert: what a person drew is not given up for nothing
        (rois / "s0.csv").write_bytes(before)
        oracle.scores = lambda wsi: SimpleNamespace(values=np.zeros((9, 9, 1), np.float32))
        assert cohort.dataset(rois).generate_rois(oracle, overwrite=True).status["s0"] == "empty"
        assert (rois / "s0.csv").read_bytes() == before

    def test_what_was_generated_is_not_generated_again(self, cohort, oracle, tmp_path) -> None:
        # Arrange
        rois = tmp_path / "rois"
        rois.mkdir()
        cohort.dataset(rois).generate_rois(oracle)
        oracle.asked.clear()
        # Somebody edits one, and throws one away.
        write_roi_csv(rois / "s0.csv", [ROI("mine", None, shapely.box(0, 0, 50, 50))])
        (rois / "s1.csv").unlink()
        # Act
        report = cohort.dataset(rois).generate_rois(oracle)
        # Assert
        assert report.status == {"s0": "skipped", "s1": "done", "s2": "finished before"}
        assert oracle.asked == ["s1"]
        # Act, Assert: other parameters and other models are other work
        assert cohort.dataset(rois).generate_rois(oracle, threshold=0.4).having("done") == ("s1", "s2")
        oracle.key = "another"
        assert cohort.dataset(rois).generate_rois(oracle, threshold=0.4).having("done") == ("s1", "s2")
        assert json.loads((rois / "generated" / "s2.json").read_text())["made_by"]["model"] == "another"

    def test_slides_that_fail_are_named_and_empty_ones_too(self, cohort, oracle, tmp_path) -> None:
        # Arrange
        scores = oracle.scores

        def troubled(wsi):
            if wsi.name == "s0":
                raise SlideReadError("cannot be decoded")
            return scores(wsi) if wsi.name == "s1" else SimpleNamespace(values=np.zeros((9, 9, 1), np.float32))

        dest = tmp_path / "elsewhere"
        cohort.dataset().generate_rois(oracle, dest=dest)
        oracle.scores, oracle.key = troubled, "troubled"
        # Act
        report = cohort.dataset().generate_rois(oracle, dest=dest)
        # Assert
        assert report.status == {"s0": "failed", "s1": "done", "s2": "empty"}
        assert report.failed == {"s0": "cannot be decoded"}
        assert not (dest / "s2.csv").exists()
        assert cohort.dataset().generate_rois(oracle, dest=dest).having("finished before") == ("s1", "s2")

    def test_mistakes_are_found_before_any_work(self, cohort, oracle) -> None:
        with pytest.raises(DatasetError, match="no folder for regions"):
            Dataset(slides=cohort.folder / "slides").generate_rois(oracle)
        with pytest.raises(SpecError, match="tresh is not an option"):
            cohort.dataset().generate_rois(oracle, tresh=1)
        assert oracle.asked == []

    @pytest.mark.parametrize("name", ["s0.geojson", "s0.xml", "s0.JSON", "generated/s0.geojson"])
    def test_what_a_person_draws_beside_generated_regions_is_seen(self, cohort, oracle, tmp_path, name) -> None:
        # Arrange: somebody looks at what was generated, and draws
        cohort.dataset(tmp_path).generate_rois(oracle)
        generated = (tmp_path / "s0.csv").read_bytes()
        (tmp_path / name).write_text('{"type": "FeatureCollection", "features": []}')
        oracle.key = "another"
        # Act
        report = cohort.dataset(tmp_path).generate_rois(oracle)
        # Assert
        assert report.status == {"s0": "skipped", "s1": "done", "s2": "done"}
        assert name in report.reasons["s0"]
        assert "the generated s0.csv until" in report.reasons["s0"]
        assert (tmp_path / "s0.csv").read_bytes() == generated
        # Act, Assert: asked for, it is kept
        assert cohort.dataset(tmp_path).generate_rois(oracle, overwrite=True).status["s0"] == "done"
        kept = tmp_path / (f"{name}.backup" if name.startswith("generated") else name)
        assert "FeatureCollection" in kept.read_text()
        assert load_rois(tmp_path / "generated" / "s0.geojson")

    @pytest.mark.parametrize("write", range(4))
    def test_whenever_it_is_killed_what_it_wrote_is_known_as_its_own(
        self, cohort, oracle, tmp_path, monkeypatch, write
    ) -> None:
        # Arrange: regions of one model; a kill at one of the writes of another's
        one = cohort.dataset(tmp_path).filter({"slide": ["s0"]})
        one.generate_rois(oracle)
        before = (tmp_path / "s0.csv").read_bytes()
        oracle.key = "another"
        writes = []

        def stop(*rest, **options):
            writes.append(rest)
            if len(writes) > write:
                raise KeyboardInterrupt
            return (real_text if isinstance(rest[-1], str) else real)(*rest, **options)

        real, real_text = roi_files.atomic_write, roi_files.atomic_write_text
        with monkeypatch.context() as patch:
            patch.setattr(roi_files, "atomic_write", stop)
            patch.setattr(roi_files, "atomic_write_text", stop)
            with pytest.raises(KeyboardInterrupt):
                one.generate_rois(oracle, threshold=0.3)
        # Act
        report = one.generate_rois(oracle, threshold=0.3)
        # Assert
        assert report.status == {"s0": "done"}
        assert (tmp_path / "s0.csv").read_bytes() != before
        assert one.generate_rois(oracle, threshold=0.3).status == {"s0": "finished before"}
        assert not list(tmp_path.rglob("*.backup"))

    def test_whatever_a_segmenter_raises_the_other_slides_go_on(self, cohort, oracle, tmp_path) -> None:
        # Arrange
        scores = oracle.scores
        oracle.scores = lambda wsi: {}["cuDNN"] if wsi.name == "s0" else scores(wsi)
        # Act
        report = cohort.dataset(tmp_path).generate_rois(oracle)
        # Assert
        assert report.status == {"s0": "failed", "s1": "done", "s2": "done"}
        assert report.failed["s0"].startswith("KeyError: 'cuDNN' (test_rois.py, line ")

    @pytest.mark.parametrize(
        "options",
        [
            {"min_area_mm2": -1},
            {"min_area_mm2": "x"},
            {"min_area_mm2": None},
            {"min_hole_mm2": True},
            {"simplify_um": float("nan")},
            {"threshold": "a"},
            {"threshold": 2},
        ],
    )
    def test_options_that_make_no_sense_are_found_before_any_slide(self, cohort, oracle, tmp_path, options) -> None:
        with pytest.raises(SpecError, match=next(iter(options))):
            cohort.dataset(tmp_path).generate_rois(oracle, **options)
        assert oracle.asked == []

    def test_what_is_no_model_and_no_folder_is_told(self, cohort, oracle, tmp_path) -> None:
        with pytest.raises(SpecError, match="NoneType is no segmentation network"):
            cohort.dataset(tmp_path).generate_rois(None)
        with pytest.raises(SpecError, match="mpp"):
            cohort.dataset(tmp_path).generate_rois(oracle, mpp="10x")
        (tmp_path / "file").touch()
        with pytest.raises(DatasetError, match="is a file"):
            cohort.dataset(tmp_path).generate_rois(oracle, dest=tmp_path / "file")
        assert oracle.asked == []
