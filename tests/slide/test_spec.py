"""The spec: what it takes, what it says about mistakes, and what its hash covers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from slidekit.errors import QCError, SpecError
from slidekit.slide import qc
from slidekit.slide.spec import ExtractionSpec

OK = {"tile_px": 256, "tile_um": 128}


def make(**options) -> ExtractionSpec:
    return ExtractionSpec.create(**{**OK, **options})


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"tile_px": 1}, "tile_px=1 must be at least 2."),
        ({"tile_px": "abc"}, "tile_px='abc' is not a whole number."),
        ({"tile_px": 256.5}, "tile_px=256.5 is not a whole number."),
        ({"tile_um": -3}, "tile_um=-3 is not a tile size."),
        ({"tile_um": "large"}, "tile_um='large' is not a tile size."),
        ({"tile_mpp": 0.5}, "tile_um and tile_mpp say the same thing"),
        ({"stride_div": math.nan}, "stride_div=nan must be a finite number."),
        ({"mpp": 50}, "mpp=50 must be at most 20.0."),
        ({"mpp_override": 50}, "mpp=50 must be at most 20.0."),
        ({"qc_blur_radius": math.inf}, "qc_blur_radius=inf must be a finite number."),
        ({"qc_blur_radius": 0}, "qc_blur_radius=0 must be more than 0.0."),
        ({"roi_method": "in"}, "roi_method='in' must be 'auto', 'inside', 'outside' or 'ignore'."),
        ({"roi_filter_method": 1}, "roi_filter_method=1 must be center, or a share"),
        ({"roi_filter_method": "middle"}, "roi_filter_method='middle' must be center, or a share"),
        ({"roi_origin": (1,)}, "roi_origin=(1,) must be two numbers, x and y."),
        ({"img_format": "tiff"}, "img_format='tiff' must be 'jpg' or 'png'."),
        ({"jpeg_quality": 101}, "jpeg_quality=101 must be at most 100."),
        ({"reader": "java"}, "reader='java' must be 'auto', 'native', 'vips', 'openslide' or 'cucim'."),
        ({"dry_run": "perhaps"}, "dry_run='perhaps' must be true or false."),
        ({"time_limit": 0}, "time_limit=0 must be more than 0."),
        ({"memory_limit": -1}, "memory_limit=-1 must be more than 0."),
        ({"nonsense": 1}, "nonsense is not an option of an extraction."),
        ({"normalizer_source": "v1"}, "normalizer_source is given without normalizer"),
        ({"overwrite": True, "dry_run": True}, "overwrite and dry_run exclude each other"),
    ],
)
def test_mistakes_are_named_in_words(options: dict, sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        make(**options)
    text = str(caught.value)
    assert sentence in text
    assert caught.value.mend
    for jargon in ("Input should", "pydantic", "validation error", "type="):
        assert jargon not in text


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        make(seed=-1, stride_div="a", max_tiles=0)
    for part in ("seed=-1 must be at least 0.", "stride_div='a' is not a number.", "max_tiles=0 must be at least 1."):
        assert part in caught.value.message


@pytest.mark.parametrize("tile_mpp", [-1, 0, math.nan, math.inf, "fine", [1, "fine"]])
def test_a_wrong_tile_mpp_is_named_as_the_user_gave_it(tile_mpp) -> None:
    with pytest.raises(SpecError, match="tile_mpp="):
        ExtractionSpec.create(tile_px=256, tile_mpp=tile_mpp)


def test_a_missing_size_is_named() -> None:
    with pytest.raises(SpecError, match=r"tile_px is missing\. tile_um is missing\."):
        ExtractionSpec.create()


@pytest.mark.parametrize("method", ["deepfocus", 5, ["otsu", "nope"], [["otsu"]]])
def test_unknown_qc_lists_the_words(method) -> None:
    with pytest.raises(QCError, match="otsu, blur, gaussian, both"):
        make(qc=method)


def test_a_spec_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        make().tile_px = 3


def test_tile_mpp_is_another_way_to_say_tile_um() -> None:
    spec = ExtractionSpec.create(tile_px=256, tile_mpp=0.5)
    assert spec.tile_um == 128
    assert spec.target_mpp == 0.5
    assert spec.label == "256px_128um"
    assert spec == make()


def test_a_magnification_keeps_its_name() -> None:
    spec = ExtractionSpec.create(tile_px=299, tile_um="10X")
    assert (spec.tile_um, spec.target_mpp, spec.label) == ("10x", 1.0, "299px_10x")


def test_slideflow_spellings() -> None:
    spec = make(mpp_override=0.3, num_threads=2)
    assert (spec.mpp, spec.threads) == (0.3, 2)
    accepted = {
        "skip_extracted": False,
        "use_edge_tiles": True,
        "randomize_origin": True,
        "max_tiles": 3,
        "stride_div": 2,
        "qc": "both",
        "enable_downsample": False,
        "save_tiles": True,
        "save_tfrecords": False,
        "shuffle": False,
        "img_format": "png",
    }
    assert make(**accepted).qc == ("blur", "otsu")


# --- the hash ---------------------------------------------------------------------------------------------------


def my_method(wsi):
    return None


CHANGED = {
    "tile_px": 299,
    "tile_um": 129,
    "more_um": 512,
    "stride_div": 2,
    "randomize_origin": True,
    "use_edge_tiles": True,
    "coordinates": "a.csv",
    "mpp": 0.3,
    "enable_downsample": False,
    "resample": "exact",
    "reader": "openslide",
    "roi_method": "inside",
    "roi_filter_method": 0.5,
    "roi_origin": (1, 2),
    "artifact_labels": "necrosis",
    "qc": "otsu",
    "qc_filter_threshold": 0.5,
    "qc_blur_radius": 2,
    "qc_blur_threshold": 0.1,
    "qc_blur_mpp": 4,
    "grayspace_fraction": 0.5,
    "grayspace_threshold": 0.1,
    "whitespace_fraction": 0.5,
    "whitespace_threshold": 200,
    "normalizer": "macenko",
    "img_format": "png",
    "jpeg_quality": 90,
    "jpeg_subsampling": "444",
    "save_tfrecords": False,
    "save_tiles": True,
    "shuffle": False,
    "seed": 1,
    "max_tiles": 10,
    "max_unreadable": 0.5,
}
RUN_ONLY = {
    "workers": 3,
    "threads": 2,
    "time_limit": 5,
    "memory_limit": 4.5,
    "buffer": "/fast",
    "buffer_gb": 20,
    "skip_extracted": False,
    "verify": True,
    "overwrite": True,
    "dry_run": True,
    "report": False,
}


def test_every_field_is_either_hashed_or_about_the_run() -> None:
    # tile_mpp becomes tile_um, two need normalizer, two coordinates: they have tests of their own.
    apart = {"tile_mpp", "normalizer_source", "normalizer_context", "coordinates_unit", "coordinates_anchor"}
    assert CHANGED.keys() | RUN_ONLY.keys() | apart == ExtractionSpec.model_fields.keys()
    assert RUN_ONLY.keys() == ExtractionSpec.RUN_ONLY


@pytest.mark.parametrize("field", CHANGED)
def test_the_hash_changes_with_what_changes_bytes(field: str) -> None:
    assert make(**{field: CHANGED[field]}).digest() != make().digest()


@pytest.mark.parametrize("field", RUN_ONLY)
def test_the_hash_ignores_how_a_run_is_organised(field: str) -> None:
    # buffer_gb needs a buffer.
    assert make(**{"buffer": "/fast", field: RUN_ONLY[field]}).digest() == make().digest()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"tile_um": 128}, {"tile_um": "128"}),
        ({"tile_um": 128}, {"tile_um": 128.0}),
        ({"tile_um": "20x"}, {"tile_um": " 20.0 X"}),
        ({"qc": "blur"}, {"qc": "gaussian"}),
        ({"qc": "blur"}, {"qc": ["GAUSSIAN", "blur"]}),
        ({"qc": "both"}, {"qc": ["blur", "otsu"]}),
        ({"qc": None}, {"qc": []}),
        ({"stride_div": 2}, {"stride_div": 2.0}),
        ({"roi_filter_method": 0.5}, {"roi_filter_method": "0.5"}),
        ({"roi_origin": [1, 2]}, {"roi_origin": (1.0, 2.0)}),
        ({"mpp": 0.5}, {"mpp_override": 0.5}),
    ],
)
def test_the_hash_ignores_spelling(one: dict, other: dict) -> None:
    assert make(**one).digest() == make(**other).digest()


def test_the_hash_covers_the_parameters_of_qc_methods() -> None:
    digests = {
        make(qc=method).digest()
        for method in (qc.Otsu(), qc.Otsu(1), qc.Gaussian(), qc.Gaussian(mpp=4), qc.GaussianV2(), my_method)
    }
    assert len(digests) == 6
    assert make(qc=qc.Otsu(1)).digest() == make(qc=[qc.Otsu(1)]).digest()


def test_the_hash_covers_the_content_of_the_normalizer_source(tmp_path: Path) -> None:
    # Arrange
    source, other = tmp_path / "a.png", tmp_path / "b.png"
    source.write_bytes(b"one")
    other.write_bytes(b"one")

    # Act
    before = make(normalizer="macenko", normalizer_source=source).digest()
    elsewhere = make(normalizer="macenko", normalizer_source=str(other)).digest()
    source.write_bytes(b"two")
    after = make(normalizer="macenko", normalizer_source=source).digest()

    # Assert
    assert before == elsewhere
    assert before != after
    assert make(normalizer="macenko", normalizer_source="v1").digest() != make(normalizer="macenko").digest()


def test_the_canonical_form_is_json_and_builds_the_same_spec() -> None:
    spec = make(qc=["both"], roi_filter_method=0.7, normalizer="reinhard")
    again = ExtractionSpec.create(**json.loads(json.dumps(spec.canonical())))
    assert again.digest() == spec.digest()
    json.dumps(make(qc=[qc.Otsu(), qc.GaussianV2(mpp=2), my_method]).canonical())


def test_coordinates_are_the_name_of_their_file_and_change_the_hash() -> None:
    digests = {
        make(**options).digest()
        for options in (
            {},
            {"coordinates": "a.csv"},
            {"coordinates": "b.csv"},
            {"coordinates": "a.csv", "coordinates_unit": "um"},
            {"coordinates": "a.csv", "coordinates_anchor": "corner"},
        )
    }
    assert len(digests) == 5
    assert make(coordinates=Path("/patients/Doe/a.csv")) == make(coordinates="a.csv")
    assert make(coordinates="C:\\Doe\\a.csv").coordinates == "a.csv"
    # Tiles of a grid that were extracted before there were coordinates were made with the same parameters.
    assert not [name for name in make().canonical() if name.startswith("coordinates")]


@pytest.mark.parametrize(
    "options",
    [
        {"coordinates": "a.csv", "stride_div": 2},
        {"coordinates": "a.csv", "randomize_origin": True},
        {"coordinates_unit": "um"},
        {"coordinates_anchor": "corner"},
        {"coordinates": "a.csv", "coordinates_unit": "mm"},
        {"coordinates": "/folder/"},
        {"coordinates": ""},
    ],
)
def test_coordinates_that_make_no_sense(options) -> None:
    with pytest.raises(SpecError, match="coordinates"):
        make(**options)


@pytest.mark.parametrize("threshold", [5, float("nan"), "0.3", True, -0.1])
def test_a_threshold_that_is_no_share_is_refused_before_any_work(threshold: object) -> None:
    method = qc.Otsu()
    method.filter_threshold = threshold
    with pytest.raises((SpecError, QCError), match="of QC method Otsu is not a share"):
        make(qc=[method])
