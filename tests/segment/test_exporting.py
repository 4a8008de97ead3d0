"""Images and masks of a dataset, on disk."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import shapely

from slidekit.errors import DatasetError, SpecError
from slidekit.segment.data import SegmentData
from slidekit.segment.exporting import export_thumbs_and_masks
from slidekit.segment.mask_config import MaskConfig
from slidekit.segment.painting import paint_mask
from slidekit.slide.roi import ROI, write_roi_csv
from slidekit.slide.segmentation.config import SegmentConfig


def centres(rows: int, columns: int, step: float) -> tuple[np.ndarray, np.ndarray]:
    y, x = (np.mgrid[:rows, :columns] + 0.5) * step
    return x, y


def test_masks_are_the_regions_at_the_centres_of_pixels(cohort, tmp_path) -> None:
    # Act: 4 µm/px to 10
    report = export_thumbs_and_masks(cohort.dataset(), 10, tmp_path, labels="tissue")
    # Assert
    assert report.having("done") == ("s0", "s1", "s2")
    config = MaskConfig.load(tmp_path)
    assert (config.mpp, config.mode, config.labels) == (10, "binary", ("tissue",))
    for name, tissue in cohort.tissue.items():
        image, mask = cv2.imread(str(tmp_path / f"{name}.png")), cv2.imread(str(tmp_path / f"{name}.mask.png"), -1)
        assert image.shape == (144, 192, 3)
        assert config.slides[name].pixel_um == (10, 10)
        assert np.array_equal(mask.astype(bool), shapely.contains_xy(tissue, *centres(144, 192, 2.5)))
        # Tissue is dark, and red above green: the channels are in their order.
        blue, green, red = image[mask > 0].mean(axis=0)
        assert green < blue < red < 200
        assert image[mask == 0].mean() > 235


def test_pixels_are_what_they_are_where_the_slide_is_no_whole_number_of_them(cohort, tmp_path) -> None:
    # Act: 1 920 × 1 440 µm are 274.3 × 205.7 px of 7 µm
    export_thumbs_and_masks(cohort.dataset(), 7, tmp_path)
    # Assert
    one = MaskConfig.load(tmp_path).slides["s1"]
    assert (one.columns, one.rows) == (274, 206)
    assert one.pixel_um == pytest.approx((1920 / 274, 1440 / 206))


def test_multiclass_and_multilabel_take_all_labels(cohort, tmp_path) -> None:
    # Act
    for mode in ("multiclass", "multilabel"):
        export_thumbs_and_masks(cohort.dataset(), 8, tmp_path / mode, mode=mode)
    # Assert: the tumor lies on the tissue
    numbers = cv2.imread(str(tmp_path / "multiclass" / "s0.mask.png"), -1)
    planes = np.load(tmp_path / "multilabel" / "s0.mask.npz")["mask"]
    assert MaskConfig.load(tmp_path / "multiclass").labels == ("tissue", "tumor")
    x, y = centres(180, 240, 2)
    tumor = shapely.contains_xy(shapely.box(240, 200, 272, 224), x, y)
    tissue = shapely.contains_xy(cohort.tissue["s0"], x, y)
    assert np.array_equal(numbers, np.where(tumor, 2, tissue))
    assert np.array_equal(planes.astype(bool), [tissue, tumor])


def test_artifacts_are_taken_out() -> None:
    # Arrange
    rois = [ROI("a", "x", shapely.box(0, 0, 10, 10)), ROI("b", "pen", shapely.box(5, 0, 10, 10))]
    # Act
    masks = [
        paint_mask(rois, (10, 10), (10, 10), mode=mode, labels=("x",), artifact_labels=("pen",))
        for mode in ("binary", "multiclass", "multilabel")
    ]
    # Assert
    for mask in masks:
        assert np.array_equal(np.squeeze(mask), np.repeat([[1] * 5 + [0] * 5], 10, axis=0))


def test_a_label_that_no_region_has_is_named_with_those_that_there_are(cohort, tmp_path) -> None:
    with pytest.raises(DatasetError, match=r"label 'Tumor'.*'tissue' \(3\), 'tumor' \(3\)"):
        export_thumbs_and_masks(cohort.dataset(), 10, tmp_path, labels=["Tumor"])
    assert not list(tmp_path.iterdir())


def test_an_export_goes_on_and_notices_what_changed(cohort, tmp_path) -> None:
    # Arrange: regions of our own, of two of the slides; one of the files is damaged
    rois, dest = tmp_path / "rois", tmp_path / "out"
    shutil.copytree(cohort.folder / "rois", rois)
    (rois / "s2.csv").unlink()
    (rois / "s1.csv").write_text("nonsense\n1\n")
    events = []
    # Act
    first = export_thumbs_and_masks(cohort.dataset(rois), 10, dest, on_slide=events.append)
    shutil.copy(cohort.folder / "rois" / "s1.csv", rois / "s1.csv")
    made = (dest / "s0.png").stat().st_mtime_ns
    second = export_thumbs_and_masks(cohort.dataset(rois), 10, dest)
    # Assert
    assert first.status == {"s0": "done", "s1": "failed", "s2": "skipped"}
    assert "s1.csv" in first.failed["s1"]
    assert [(event.name, event.done, event.total) for event in events] == [("s0", 1, 3), ("s1", 2, 3), ("s2", 3, 3)]
    assert second.status == {"s0": "finished before", "s1": "done", "s2": "skipped"}
    assert (dest / "s0.png").stat().st_mtime_ns == made
    assert sorted(MaskConfig.load(dest).slides) == ["s0", "s1"]
    # Act, Assert: without regions all is background
    third = export_thumbs_and_masks(cohort.dataset(rois), 10, dest, skip_missing_roi=False)
    assert third.status["s2"] == "done"
    assert not cv2.imread(str(dest / "s2.mask.png"), -1).any()


def test_a_folder_of_other_parameters_is_not_mixed(cohort, tmp_path) -> None:
    # Arrange
    dataset = cohort.dataset()
    export_thumbs_and_masks(dataset, 10, tmp_path)
    # Act, Assert
    with pytest.raises(DatasetError, match="other parameters: mpp=10, not 20\\."):
        export_thumbs_and_masks(dataset, 20, tmp_path)
    dataset.export_thumbs_and_masks(20, tmp_path, overwrite=True)
    assert json.loads((tmp_path / "mask_config.json").read_text())["slides"]["s0"]["columns"] == 96


def test_nothing_to_export_is_an_error(cohort, tmp_path) -> None:
    (tmp_path / "rois").mkdir()
    with pytest.raises(DatasetError, match="s0: it has no regions"):
        export_thumbs_and_masks(cohort.dataset(tmp_path / "rois"), 10, tmp_path / "out")
    with pytest.raises(SpecError, match="mpp=0"):
        export_thumbs_and_masks(cohort.dataset(), 0, tmp_path / "out")


class KilledError(BaseException):
    """A kill, as far as a test can have one."""


def test_masks_of_two_configs_are_never_mixed_whenever_the_export_is_killed(cohort, tmp_path) -> None:
    # Arrange: masks of two labels, then of the same in the other order, killed after the first slide
    options = {"mode": "multiclass", "num_workers": 1}
    export_thumbs_and_masks(cohort.dataset(), 10, tmp_path, labels=["tissue", "tumor"], **options)

    def kill(settled) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        export_thumbs_and_masks(
            cohort.dataset(), 10, tmp_path, labels=["tumor", "tissue"], overwrite=True, on_slide=kill, **options
        )
    # Act, Assert: what is there is of the new config, and nothing else of it is used
    with pytest.raises(DatasetError, match="other parameters"):
        export_thumbs_and_masks(cohort.dataset(), 10, tmp_path, labels=["tissue", "tumor"], **options)
    assert SegmentData.open(tmp_path).slides == ("s0",)
    # Act, Assert: killed before anything of it was noted
    MaskConfig.load(tmp_path).model_copy(update={"slides": {}, "unfinished": ("s0", "s1", "s2")}).save(tmp_path)
    with pytest.raises(DatasetError, match="no image"):
        SegmentData.open(tmp_path)
    report = export_thumbs_and_masks(cohort.dataset(), 10, tmp_path, labels=["tumor", "tissue"], **options)
    assert report.having("done") == ("s0", "s1", "s2")
    assert MaskConfig.load(tmp_path).unfinished == ()


def test_pictures_of_no_export_are_not_overwritten(cohort, tmp_path) -> None:
    # Arrange
    (tmp_path / "s1.png").write_bytes(b"mine")
    # Act, Assert
    with pytest.raises(DatasetError, match=r"no export wrote: s1\.png"):
        export_thumbs_and_masks(cohort.dataset(), 10, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["s1.png"]
    # Act, Assert: nor beside an export
    export_thumbs_and_masks(cohort.dataset().filter({"slide": ["s0"]}), 10, tmp_path)
    with pytest.raises(DatasetError, match=r"s1\.png"):
        export_thumbs_and_masks(cohort.dataset(), 10, tmp_path)
    assert (tmp_path / "s1.png").read_bytes() == b"mine"
    assert export_thumbs_and_masks(cohort.dataset(), 10, tmp_path, overwrite=True).status["s1"] == "done"


def test_a_slide_without_regions_any_more_may_come_back(cohort, tmp_path) -> None:
    # Arrange
    rois, dest = tmp_path / "rois", tmp_path / "out"
    shutil.copytree(cohort.folder / "rois", rois)
    export_thumbs_and_masks(cohort.dataset(rois), 10, dest)
    (rois / "s1.csv").rename(rois / "aside")
    assert export_thumbs_and_masks(cohort.dataset(rois), 10, dest).status["s1"] == "skipped"
    (rois / "aside").rename(rois / "s1.csv")
    # Act, Assert: its old files are the export's own
    assert export_thumbs_and_masks(cohort.dataset(rois), 10, dest).status["s1"] == "done"


@pytest.mark.parametrize("file", ["s0.png", "s0.mask.png"])
def test_damaged_files_are_made_anew(cohort, tmp_path, file) -> None:
    # Arrange
    one = cohort.dataset().filter({"slide": ["s0"]})
    export_thumbs_and_masks(one, 10, tmp_path)
    whole = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(b"torn")
    # Act
    report = export_thumbs_and_masks(one, 10, tmp_path)
    # Assert
    assert report.status == {"s0": "done"}
    assert (tmp_path / file).read_bytes() == whole


def test_two_slides_of_one_file_are_refused(cohort, tmp_path) -> None:
    # Arrange: a Dataset takes such a file for no slide, if it is not named
    whole = cohort.dataset()
    dataset = SimpleNamespace(
        paths=lambda: {"s0": whole.paths()["s0"], "s0.mask": whole.paths()["s1"]},
        roi_files=dict,
        mpp=dict,
        patients=dict,
    )
    # Act, Assert
    with pytest.raises(DatasetError, match=r"'s0' and the image of 's0\.mask' would be one file"):
        export_thumbs_and_masks(dataset, 10, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_whatever_one_slide_raises_the_others_go_on(cohort, tmp_path, monkeypatch) -> None:
    # Arrange
    def fail(rois, *rest, **options):
        if any(roi.polygon.equals(cohort.tissue["s1"]) for roi in rois):
            raise ValueError("odd")
        return paint_mask(rois, *rest, **options)

    monkeypatch.setattr("slidekit.segment.export_slide.paint_mask", fail)
    # Act
    report = export_thumbs_and_masks(cohort.dataset(), 10, tmp_path)
    # Assert: its type, and where it arose
    assert report.having("done") == ("s0", "s2")
    assert report.failed["s1"].startswith("ValueError: odd (test_exporting.py, line ")


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"mpp": "10x"}, SpecError, "mpp='10x'"),
        ({"mpp_override": "0.5"}, SpecError, "mpp_override='0.5'"),
        ({"num_workers": -1}, SpecError, "num_workers=-1"),
        ({"labels": []}, SpecError, "labels holds nothing"),
        ({"artifact_labels": "pen"}, DatasetError, "the label 'pen'"),
    ],
)
def test_what_makes_no_sense_is_told_before_any_work(cohort, tmp_path, options, kind, said) -> None:
    with pytest.raises(kind, match=said):
        export_thumbs_and_masks(cohort.dataset(), **{"mpp": 10, "dest": tmp_path / "out", **options})
    assert not (tmp_path / "out").exists()


def test_a_file_is_no_folder(cohort, tmp_path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="is a file"):
        export_thumbs_and_masks(cohort.dataset(), 10, tmp_path / "file")


def test_one_artifact_label_may_be_text(cohort, tmp_path) -> None:
    export_thumbs_and_masks(cohort.dataset(), 10, tmp_path, artifact_labels="tumor")
    assert MaskConfig.load(tmp_path).artifact_labels == ("tumor",)


def test_a_missing_label_may_be_allowed(cohort, tmp_path, caplog) -> None:
    export_thumbs_and_masks(
        cohort.dataset(), 10, tmp_path, mode="multilabel", labels=["tissue", "fat"], allow_missing_labels=True
    )
    assert MaskConfig.load(tmp_path).labels == ("tissue", "fat")
    assert "label 'fat'" in caplog.text
    assert np.load(tmp_path / "s0.mask.npz")["mask"].any(axis=(1, 2)).tolist() == [True, False]


@pytest.mark.parametrize("mode", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize(("left", "pixels"), [(4.1, 0), (4.45, 1)])
def test_a_region_below_a_pixel_counts_where_it_holds_the_centre(mode, left, pixels) -> None:
    rois = [ROI("a", "x", shapely.box(left, 4.45, left + 0.1, 4.55))]
    assert np.sum(paint_mask(rois, (10, 10), (10, 10), mode=mode, labels=("x",))) == pixels


class TestTruth:
    """What counts as a person's word on what is on a slide."""

    @pytest.mark.parametrize("skip_missing_roi", [True, False])
    def test_regions_that_a_network_drew_are_none_unless_asked_for(
        self, cohort, oracle, tmp_path, caplog, skip_missing_roi
    ) -> None:
        # Arrange: one slide outlined by a person, two by a network, and one of these edited
        rois = tmp_path / "rois"
        rois.mkdir()
        shutil.copy(cohort.folder / "rois" / "s0.csv", rois)
        cohort.dataset(rois).generate_rois(oracle)
        with (rois / "s2.csv").open("a") as file:
            file.writelines(["mine,,0,0\n", "mine,,9,0\n", "mine,,0,9\n"])
        # Act
        report = export_thumbs_and_masks(cohort.dataset(rois), 10, tmp_path / "out", skip_missing_roi=skip_missing_roi)
        # Assert
        assert report.status == {"s0": "done", "s1": "skipped", "s2": "done"}
        assert "generated by a network (s1.csv); include_generated=True" in report.reasons["s1"]
        assert "1 slide left out (s1)" in caplog.text
        assert sorted(MaskConfig.load(tmp_path / "out").slides) == ["s0", "s2"]
        # Act, Assert: asked for, and not any more
        asked = export_thumbs_and_masks(cohort.dataset(rois), 10, tmp_path / "out", include_generated=True)
        assert asked.status["s1"] == "done"
        assert cohort.dataset(rois).export_thumbs_and_masks(10, tmp_path / "out").status["s1"] == "skipped"
        assert sorted(MaskConfig.load(tmp_path / "out").slides) == ["s0", "s2"]
        # Act, Assert: without the note of what was generated somebody stands for it
        (rois / "generated" / "s1.json").unlink()
        assert export_thumbs_and_masks(cohort.dataset(rois), 10, tmp_path / "out").status["s1"] == "done"

    def test_labels_of_generated_regions_are_none_of_the_truth(self, cohort, oracle, tmp_path) -> None:
        # Arrange
        oracle.config = SegmentConfig(mpp=8, labels="fat")
        shutil.copy(cohort.folder / "rois" / "s0.csv", tmp_path)
        cohort.dataset(tmp_path).generate_rois(oracle)
        # Act, Assert
        with pytest.raises(DatasetError, match=r"label 'fat'.*'tissue' \(1\), 'tumor' \(1\)"):
            export_thumbs_and_masks(cohort.dataset(tmp_path), 10, tmp_path / "out", labels="fat")

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("s1.csv", "roi_name,label,x_base,y_base\n"),
            ("s1.geojson", '{"type": "FeatureCollection", "features": []}'),
        ],
    )
    def test_a_file_without_regions_says_that_there_is_nothing(self, cohort, tmp_path, name, text) -> None:
        # Arrange: s2 has no file
        shutil.copy(cohort.folder / "rois" / "s0.csv", tmp_path)
        (tmp_path / name).write_text(text)
        # Act
        report = export_thumbs_and_masks(cohort.dataset(tmp_path), 10, tmp_path / "out")
        # Assert
        assert report.status == {"s0": "done", "s1": "done", "s2": "skipped"}
        assert "all of it is background" in report.reasons["s1"]
        assert not cv2.imread(str(tmp_path / "out" / "s1.mask.png"), -1).any()
        assert SegmentData.open(tmp_path / "out").slides == ("s0", "s1")

    @pytest.mark.parametrize("skip_missing_roi", [True, False])
    def test_a_file_of_which_no_region_can_be_used_says_nothing(self, cohort, tmp_path, skip_missing_roi) -> None:
        # Arrange: of another slide, larger than this one
        shutil.copy(cohort.folder / "rois" / "s0.csv", tmp_path)
        write_roi_csv(tmp_path / "s1.csv", [ROI("far", None, shapely.box(9000, 9000, 9900, 9900))])
        # Act
        report = export_thumbs_and_masks(
            cohort.dataset(tmp_path), 10, tmp_path / "out", skip_missing_roi=skip_missing_roi
        )
        # Assert
        assert report.status["s1"] == "skipped"
        assert "no region in its file can be used: s1.csv" in report.reasons["s1"]

    def test_whose_a_slide_is_may_be_found_out_later(self, cohort, tmp_path) -> None:
        # Arrange
        dataset = cohort.dataset()
        export_thumbs_and_masks(dataset, 10, tmp_path)
        known = SimpleNamespace(
            paths=dataset.paths, roi_files=dataset.roi_files, mpp=dict, patients=lambda: {"s0": "p", "s1": "p"}
        )
        # Act
        report = export_thumbs_and_masks(known, 10, tmp_path)
        # Assert
        assert report.having("finished before") == ("s0", "s1", "s2")
        patients = {name: one.patient for name, one in MaskConfig.load(tmp_path).slides.items()}
        assert patients == {"s0": "p", "s1": "p", "s2": "s2"}
