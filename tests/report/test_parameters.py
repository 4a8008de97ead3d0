from __future__ import annotations

import pytest

from slidekit.extraction.resume import read_spec, write_spec
from slidekit.report.parameters import parameter_groups
from slidekit.report.qc_words import threshold_text
from slidekit.slide import qc
from slidekit.slide.spec import ExtractionSpec


def words(**options):
    spec = ExtractionSpec.create(**{"tile_px": 256, "tile_um": 128, **options})
    return {parameter.label: parameter.value for group in parameter_groups(spec) for parameter in group.parameters}


@pytest.mark.parametrize(
    "options", [{}, {"normalizer": "macenko"}, {"coordinates": "a.csv"}, {"qc": "otsu"}, {"qc": "both"}]
)
def test_every_field_of_the_spec_is_told(options):
    spec = ExtractionSpec.create(tile_px=256, tile_um=128, **options)

    told = {field for group in parameter_groups(spec) for line in group.parameters for field in line.fields}

    assert told == set(ExtractionSpec.model_fields)


@pytest.mark.parametrize(
    ("options", "label", "value"),
    [
        ({}, "Edge", "256 px = 128 µm"),
        ({"tile_um": "20x"}, "Edge", "256 px at 20x"),
        ({"tile_um": "20x"}, "Resolution", "0.5 µm/px"),
        ({"tile_um": [128, 96.5, "5x"]}, "Concentric tiles", "256 px of 96.5 µm (0.377 µm/px), 5x (2 µm/px)"),
        ({"stride_div": 2}, "Stride", "tile edge / 2 (tiles overlap)"),
        ({"coordinates": "/Doe/hot.csv"}, "Places", "given in hot.csv: centres, level-0 px"),
        ({"roi_filter_method": 0.7}, "A tile is inside", "more than 70 % of its area"),
        ({"qc": ["otsu", "blur"]}, "Methods", "otsu, blur"),
        ({}, "Methods", "none"),
        ({"grayspace_fraction": 1}, "Dropped as gray", "off"),
        ({}, "Dropped as gray", "> 60 % of pixels with saturation < 0.05"),
        ({"img_format": "png"}, "Tile images", "PNG (lossless)"),
        ({"jpeg_subsampling": "444", "jpeg_quality": 80}, "Tile images", "JPEG, quality 80, 4:4:4"),
        ({"normalizer": "macenko"}, "Normalised to", "v3"),
        ({"normalizer": "macenko", "normalizer_source": "/home/Doe/t.png"}, "Normalised to", "t.png"),
        ({"dry_run": True}, "Written", "nothing: dry run"),
        ({"mpp": 0.5}, "µm/px", "0.5 for all slides"),
        ({}, "Slide is given up", "after 60 min without progress; memory: its share"),
        ({"time_limit": 5, "memory_limit": 2.5}, "Slide is given up", "after 5 min without progress; memory: 2.5 GB"),
        ({"max_tiles": 1000}, "Tiles per slide", "at most 1,000"),
    ],
)
def test_parameters_read_as_words(options, label, value):
    assert words(**options)[label] == value


class Saver:
    def parameters(self):
        return {"dest": "Doe John/masks/", "net": ["/home/Doe/a.onnx"], "at": "0.5 µm/px"}

    def __call__(self, wsi):
        raise NotImplementedError


def test_folders_among_the_settings_of_qc_are_not_told():
    assert words(qc=Saver())["Methods"] == "Saver (dest masks, net a.onnx, at 0.5 µm/px)"


class Method:
    def parameters(self):
        return {"sigma": 3.0, "mpp": None, "words": ["a"]}

    def __call__(self, wsi):
        raise NotImplementedError


def _mask(wsi):
    raise NotImplementedError


def test_qc_objects_are_told_with_their_parameters_and_functions_by_name():
    assert words(qc=[Method(), _mask])["Methods"] == "Method (sigma 3, words a), _mask"


def test_combined_methods_are_told_in_words():
    from slidekit.slide import qc

    said = words(qc=(qc.Otsu() | qc.Pen(inks=["blue"])) & ~qc.Fold())["Methods"]

    assert said == "(Otsu or Pen (inks blue)) and not Fold"


def test_settings_of_own_methods_stand_where_they_are_not_the_default():
    from slidekit.slide import qc

    assert words(qc=[qc.Pen(), qc.Fold(), qc.Pen(margin_um=20)])["Methods"] == "Pen, Fold, Pen (margin_um 20)"


def test_a_threshold_of_its_own_is_told_with_its_methods():
    from slidekit.slide import qc

    told = words(qc=["otsu", "pen", qc.Fold(filter_threshold=0.2), qc.Pen(filter_threshold=0.5), _mask])

    assert told["Tile dropped if"] == "more than 60 % of it is masked; pen, Fold: 20 %; Pen: 50 %"


@pytest.mark.parametrize(("qc", "there"), [(["blur"], True), (["both"], True), (["otsu", "pen"], False), ([], False)])
def test_the_blur_detector_is_told_of_where_it_ran(qc, there):
    assert ("Blur detector" in words(qc=qc)) is there


def test_thresholds_of_methods_are_told_of_records_as_well(tmp_path):
    spec = ExtractionSpec.create(tile_px=256, tile_um=128, qc=[qc.Otsu(), qc.Pen(), qc.Focus(filter_threshold=0.3)])
    write_spec(tmp_path, spec, {})

    assert threshold_text(read_spec(tmp_path)) == "more than 60 % of it is masked; Pen: 20 %; Focus: 30 %"
