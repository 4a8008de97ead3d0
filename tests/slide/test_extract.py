"""One slide from file to records: what is written, what is counted, and what is left after an error."""

from __future__ import annotations

import csv
import dataclasses
import errno
import io
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
import pytest
import simplejpeg
from PIL import Image

from slidekit.errors import NormalizerError, SlideReadError, SpecError
from slidekit.io.tfrecord import TileRecord, index_path, iter_records, read_index, read_record_at
from slidekit.slide.extract import OutputFolders, extract_from_wsi
from slidekit.slide.identity import file_digest
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI

DEFAULTS = {"tile_px": 64, "tile_um": 32, "resample": "exact", "grayspace_fraction": 1, "threads": 2}


def extract(slide: Path, out: Path | None, *, tiles: Path | None = None, rois=None, **options) -> SlideReport:
    spec = ExtractionSpec.create(**{**DEFAULTS, **options})
    with WSI.from_spec(slide, spec, rois=rois) as wsi:
        return extract_from_wsi(wsi.qc(spec.qc), spec, OutputFolders(out, tiles))


def records_of(folder: Path, slide: str = "tissue") -> list[TileRecord]:
    return [TileRecord.decode(payload) for _, payload in iter_records(folder / f"{slide}.tfrecords")]


def rows_of(folder: Path, slide: str = "tissue") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / f"{slide}.tiles.csv").read_text("utf-8"))))


def decoded(record: TileRecord) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(record.image_raw, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def names_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")} if folder.exists() else set()


@pytest.fixture(scope="module")
def roi_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    corners = [(0, 0), (640, 0), (640, 760), (0, 760)]
    text = "roi_name,label,x_base,y_base\n" + "".join(f"Läsion,tümor,{x},{y}\n" for x, y in corners)
    path = tmp_path_factory.mktemp("rois") / "tissue.csv"
    path.write_text(text, "utf-8")
    return path


# --- what is written --------------------------------------------------------------------------------------------


def test_counts_table_index_and_records_agree(tissue_slide: Path, roi_file: Path, tmp_path: Path) -> None:
    # Act
    report = extract(tissue_slide, tmp_path, rois=roi_file, qc="both", grayspace_fraction=0.01, img_format="png")

    # Assert
    records, rows, index = records_of(tmp_path), rows_of(tmp_path), read_index(tmp_path / "tissue.index.npz")
    assert report.status == "done"
    assert {"outside_roi", "background", "kept"} < report.counts.keys()
    assert sum(report.counts.values()) == report.candidates == 165
    assert report.kept == report.num_tiles == len(records) == len(index)
    read = report.candidates - sum(report.counts[reason] for reason in ("outside_roi", "background"))
    read -= report.counts.get("out_of_focus", 0)
    assert len(rows) == read
    assert sum(row["reason"] == "kept" for row in rows) == report.kept
    assert sum(row["reason"] == "grayspace" for row in rows) == report.counts["grayspace"] > 0
    for reason in {row["reason"] for row in rows}:
        assert sum(row["reason"] == reason for row in rows) == report.counts[reason]
    assert names_in(tmp_path) == {"tissue.tfrecords", "tissue.index.npz", "tissue.tiles.csv"}
    assert report.records is not None
    assert report.records.records == len(records)
    assert report.records.size == (tmp_path / report.records.name).stat().st_size
    assert report.records.sha256 == file_digest(tmp_path / report.records.name)
    assert report.labels == {"tümor": report.kept}
    assert report.blur_burden is not None
    assert 0.1 < report.blur_burden < 0.6
    assert report.tissue_mm2 == pytest.approx(report.tissue_share * 0.19, rel=1e-4)


def test_the_table_is_in_raster_order_with_each_tiles_statistics(tissue_slide: Path, tmp_path: Path) -> None:
    extract(tissue_slide, tmp_path, grayspace_fraction=0.6)
    rows = rows_of(tmp_path)
    places = [(int(row["grid_y"]), int(row["grid_x"])) for row in rows]
    assert places == sorted(places)
    assert len(rows) == 165
    for row in rows:
        assert (int(row["loc_x"]), int(row["loc_y"])) == (int(row["grid_x"]) * 64 + 32, int(row["grid_y"]) * 64 + 32)
        dropped = float(row["gray_fraction"]) > 0.6
        assert row["reason"] == ("grayspace" if dropped else "kept")


def test_records_have_slideflows_features_and_ours(tissue_slide: Path, roi_file: Path, tmp_path: Path) -> None:
    extract(tissue_slide, tmp_path, rois=roi_file, roi_method="outside", roi_filter_method=0.2, shuffle=False)
    records = records_of(tmp_path)
    assert {record.slide for record in records} == {"tissue"}
    assert [(r.grid_y, r.grid_x) for r in records] == sorted((r.grid_y, r.grid_x) for r in records)
    for record in records:
        assert (record.loc_x, record.loc_y) == (record.grid_x * 64 + 32, record.grid_y * 64 + 32)
        assert record.grid_x >= 10
        assert record.roi_name is record.label is None


def test_roi_name_and_label_are_utf8(tissue_slide: Path, roi_file: Path, tmp_path: Path) -> None:
    extract(tissue_slide, tmp_path, rois=roi_file)
    raw = (tmp_path / "tissue.tfrecords").read_bytes()
    assert {(record.roi_name, record.label) for record in records_of(tmp_path)} == {("Läsion", "tümor")}
    assert "Läsion".encode() in raw
    assert {(row["roi_name"], row["label"]) for row in rows_of(tmp_path)} == {("Läsion", "tümor")}


def test_the_index_leads_to_each_record(tissue_slide: Path, tmp_path: Path) -> None:
    extract(tissue_slide, tmp_path)
    path = tmp_path / "tissue.tfrecords"
    index = read_index(index_path(path))
    assert index.extents[:, 1].sum() == path.stat().st_size
    for (offset, _), location in zip(index.extents, index.locations, strict=True):
        record = read_record_at(path, int(offset))
        assert (record.loc_x, record.loc_y) == tuple(location)


def test_a_record_is_the_tile_that_wsi_gives(tissue_slide: Path, tmp_path: Path) -> None:
    # 37.1 µm in 64 px at 0.5 µm/px: resampled, at fractions of pixels
    options = {"tile_um": 37.1, "img_format": "png"}
    extract(tissue_slide, tmp_path, **options)
    with WSI(tissue_slide, 64, 37.1, resample="exact") as wsi:
        for record in records_of(tmp_path):
            error = wsi[record.grid_x, record.grid_y].astype(float) - decoded(record)
            assert 10 * np.log10(255**2 / max(np.mean(error**2), 1e-9)) >= 50


def test_png_is_lossless(tissue_slide: Path, tissue: np.ndarray, tmp_path: Path) -> None:
    extract(tissue_slide, tmp_path, img_format="png")
    with WSI(tissue_slide, 64, 32, resample="exact") as wsi:
        for record in records_of(tmp_path)[:20]:
            assert record.image_raw.startswith(b"\x89PNG")
            assert np.array_equal(decoded(record), wsi[record.grid_x, record.grid_y])


@pytest.mark.parametrize(("subsampling", "factors"), [("444", (1, 1)), ("422", (2, 1)), ("420", (2, 2))])
@pytest.mark.parametrize("quality", [95, 60])
def test_quality_and_subsampling_are_in_the_stream(
    tissue_slide: Path, tmp_path: Path, quality: int, subsampling: str, factors: tuple[int, int]
) -> None:
    extract(tissue_slide, tmp_path, jpeg_quality=quality, jpeg_subsampling=subsampling, max_tiles=1)
    (record,) = records_of(tmp_path)
    with Image.open(io.BytesIO(record.image_raw)) as image:
        first = image.quantization[0][0]  # luminance, DC: 16 scaled by libjpeg's rule
        luminance = image.layer[0]
    scale = 200 - 2 * quality
    assert first == (16 * scale + 50) // 100
    assert luminance[1:3] == factors
    assert simplejpeg.decode_jpeg_header(record.image_raw)[:2] == (64, 64)


def test_loose_tiles_are_the_records(tissue_slide: Path, tmp_path: Path) -> None:
    report = extract(tissue_slide, tmp_path / "r", tiles=tmp_path / "t", max_tiles=9)
    loose = {path.name: path.read_bytes() for path in (tmp_path / "t" / "tissue").iterdir()}
    assert loose == {f"tissue-{r.loc_x}-{r.loc_y}.jpg": r.image_raw for r in records_of(tmp_path / "r")}
    assert report.loose_tiles == len(loose) == 9


def test_loose_tiles_alone(tissue_slide: Path, tmp_path: Path) -> None:
    report = extract(tissue_slide, None, tiles=tmp_path, img_format="png", max_tiles=2)
    assert report.records is None
    assert report.loose_tiles == 2
    assert {Path(name).suffix for name in names_in(tmp_path)} == {"", ".png", ".csv"}


def test_what_else_lies_in_the_folder_of_loose_tiles_stays(tissue_slide: Path, tmp_path: Path) -> None:
    mine = tmp_path / "tissue"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    report = extract(tissue_slide, None, tiles=tmp_path)
    again = extract(tissue_slide, None, tiles=tmp_path)

    assert report.loose_tiles == again.loose_tiles > 0
    assert (mine / "notes.txt").read_text() == "mine"
    assert len(list(mine.glob("*.jpg"))) == report.loose_tiles


def test_a_report_survives_json(tissue_slide: Path, roi_file: Path, tmp_path: Path) -> None:
    report = extract(tissue_slide, tmp_path, rois=roi_file, qc="both")
    assert SlideReport.model_validate_json(report.model_dump_json()) == report


def test_an_empty_slide_says_why(make_slide, tmp_path: Path) -> None:
    gray = np.full((200, 200, 3), 128, np.uint8)
    report = extract(make_slide(gray, name="gray"), tmp_path, grayspace_fraction=0.6)
    assert report.status == "empty"
    assert report.reason == "None of 9 candidates was kept: 9 grayspace."
    assert report.records is None
    assert names_in(tmp_path) == {"gray.tiles.csv"}


def test_a_slide_smaller_than_a_tile(tissue_slide: Path, tmp_path: Path) -> None:
    report = extract(tissue_slide, tmp_path, tile_um=1000)
    assert (report.status, report.reason) == ("empty", "The slide is smaller than one tile.")
    assert (report.candidates, report.counts) == (0, {})


# --- order, seed, threads ---------------------------------------------------------------------------------------


def test_the_same_bytes_whatever_the_threads(tissue_slide: Path, tmp_path: Path) -> None:
    names = ("tissue.tfrecords", "tissue.index.npz", "tissue.tiles.csv")
    seen = set()
    for threads in (1, 2, 3):
        extract(tissue_slide, tmp_path / str(threads), threads=threads, qc="both", normalizer="reinhard")
        seen.add(tuple(file_digest(tmp_path / str(threads) / name) for name in names))
    assert len(seen) == 1


def test_the_seed_changes_the_order_and_nothing_else(tissue_slide: Path, tmp_path: Path) -> None:
    for name, options in {"a": {"seed": 1}, "b": {"seed": 2}, "raster": {"shuffle": False}}.items():
        extract(tissue_slide, tmp_path / name, **options)
    a, b, raster = (records_of(tmp_path / name) for name in ("a", "b", "raster"))
    assert a != b
    assert a != raster
    place = lambda record: (record.grid_y, record.grid_x)  # noqa: E731
    assert sorted(a, key=place) == sorted(b, key=place) == raster
    assert (tmp_path / "a" / "tissue.tiles.csv").read_bytes() == (tmp_path / "b" / "tissue.tiles.csv").read_bytes()


@pytest.mark.parametrize("shuffle", [True, False])
def test_max_tiles(tissue_slide: Path, tmp_path: Path, shuffle: bool) -> None:
    report = extract(tissue_slide, tmp_path, max_tiles=10, shuffle=shuffle)
    places = [(record.grid_y, record.grid_x) for record in records_of(tmp_path)]
    assert report.counts == {"max_tiles": 155, "kept": 10}
    assert len(set(places)) == 10
    assert (places == sorted(places)) is not shuffle
    kept = {(int(row["grid_y"]), int(row["grid_x"])) for row in rows_of(tmp_path) if row["reason"] == "kept"}
    assert kept == set(places)
    assert max(row for row, _ in places) > 5  # by chance, not the first ones


@pytest.mark.parametrize("options", [{}, {"max_tiles": 7}, {"qc": "both", "grayspace_fraction": 0.3}])
def test_a_dry_run_counts_what_the_real_run_does_and_writes_nothing(
    tissue_slide: Path, tmp_path: Path, options: dict
) -> None:
    real = extract(tissue_slide, tmp_path / "real", **options)
    dry = extract(tissue_slide, tmp_path / "dry", tiles=tmp_path / "tiles", dry_run=True, **options)
    written = {"records": None, "seconds": 0, "loose_tiles": 0}
    assert dry.model_copy(update=written) == real.model_copy(update=written)
    assert dry.records is None
    assert not (tmp_path / "dry").exists()
    assert not (tmp_path / "tiles").exists()


def test_a_random_origin_is_seeded(tissue_slide: Path, tmp_path: Path) -> None:
    origins = {}
    for name, seed in {"a": 1, "b": 1, "c": 2}.items():
        extract(tissue_slide, tmp_path / name, randomize_origin=True, seed=seed, shuffle=False)
        first = records_of(tmp_path / name)[0]
        origins[name] = (first.loc_x - 32, first.loc_y - 32)
    assert origins["a"] == origins["b"] != origins["c"]
    assert all(0 <= value < 64 for origin in origins.values() for value in origin)
    assert file_digest(tmp_path / "a/tissue.tfrecords") == file_digest(tmp_path / "b/tissue.tfrecords")


# --- geometry ---------------------------------------------------------------------------------------------------


def test_edge_tiles_are_padded_white(tissue_slide: Path, tmp_path: Path) -> None:
    report = extract(tissue_slide, tmp_path, use_edge_tiles=True, img_format="png")
    tiles = {(r.grid_x, r.grid_y): decoded(r) for r in records_of(tmp_path)}
    assert report.candidates == len(tiles) == 16 * 12
    right, low = 1000 - 15 * 64, 760 - 11 * 64
    assert (tiles[15, 4][:, right:] == 255).all()
    assert (tiles[4, 11][low:] == 255).all()
    assert (tiles[15, 11][low:] == 255).all()
    assert not (tiles[15, 4][:, :right] == 255).all()
    inside = extract(tissue_slide, tmp_path / "inside", img_format="png")
    assert inside.candidates == 165
    for record in records_of(tmp_path / "inside"):
        assert np.array_equal(decoded(record), tiles[record.grid_x, record.grid_y])


@pytest.mark.parametrize("stride_div", [2, 3])
def test_overlapping_tiles_share_their_pixels(tissue_slide: Path, tmp_path: Path, stride_div: int) -> None:
    report = extract(tissue_slide, tmp_path, stride_div=stride_div, img_format="png")
    tiles = {(r.grid_x, r.grid_y): decoded(r).astype(int) for r in records_of(tmp_path)}
    stride = 64 / stride_div
    assert report.candidates == (int((1000 - 64) / stride) + 1) * (int((760 - 64) / stride) + 1)
    for i, j in [(0, 0), (stride_div, 2 * stride_div), (4 * stride_div, stride_div)]:
        # stride_div cells on, a tile is the next one of the grid without overlap
        with WSI(tissue_slide, 64, 32, resample="exact") as wsi:
            assert np.abs(tiles[i, j] - wsi[i // stride_div, j // stride_div]).max() <= 1
    if stride_div == 2:
        assert np.abs(tiles[0, 0][:, 32:] - tiles[1, 0][:, :32]).max() <= 1


def test_a_magnification_takes_a_level_as_stored_or_resamples(make_slide, tissue: np.ndarray, tmp_path: Path) -> None:
    # 10x is 1 µm/px. Level 1 has 4 × 0.2472 = 0.989, within 5 %; with 4 × 0.22 = 0.88 there is none.
    near = make_slide(tissue, (0.2472, 0.2472), name="near")
    far = make_slide(tissue, (0.22, 0.22), name="far")
    stored = extract(near, tmp_path, tile_um="10x", img_format="png")
    resampled = extract(far, tmp_path, tile_um="10x", img_format="png")
    whole = extract(near, tmp_path / "whole", tile_um="10x", enable_downsample=False)

    assert stored.resampling == "level 1 as stored"
    assert stored.tile_um_x == pytest.approx(64 * 4 * 0.2472, rel=1e-6)
    level = tissue.reshape(190, 4, 250, 4, 3).mean(axis=(1, 3))
    for record in records_of(tmp_path, "near"):
        x, y = record.grid_x * 64, record.grid_y * 64
        assert np.abs(decoded(record) - level[y : y + 64, x : x + 64]).max() <= 0.51
    assert resampled.resampling.startswith("reduced 1.136× from level 1")
    assert resampled.tile_um_x == pytest.approx(64)
    assert whole.level == 0


def test_enlarged_tiles_are_warned_about(tissue_slide: Path, tmp_path: Path) -> None:
    report = extract(tissue_slide, tmp_path, tile_um=16)
    assert len(report.warnings) == 1
    assert "enlarged 2×" in report.warnings[0]
    assert extract(tissue_slide, tmp_path / "b").warnings == ()


# --- tiles that cannot be read or normalised --------------------------------------------------------------------


@pytest.fixture
def torn_slide(make_slide, tissue: np.ndarray) -> Path:
    """An SVS of 4 × 3 native tiles of 256 px, the JPEG stream of the first of which is destroyed."""
    import tifffile

    path = make_slide(tissue, name="torn", factors=(), svs=True)
    with tifffile.TiffFile(path) as tiff:
        offset, size = tiff.pages[0].dataoffsets[0], tiff.pages[0].databytecounts[0]
    data = bytearray(path.read_bytes())
    data[offset + 2 : offset + size] = bytes(size - 2)
    path.write_bytes(data)
    return path


def test_unreadable_tiles_are_counted_and_cost_no_others(torn_slide: Path, tmp_path: Path) -> None:
    report = extract(torn_slide, tmp_path, max_unreadable=0.2, reader="native")
    assert report.status == "done"
    assert report.unreadable == report.counts["unreadable"] == 16
    assert report.kept == 165 - 16
    rows = [row for row in rows_of(tmp_path, "torn") if row["reason"] == "unreadable"]
    assert {(int(row["grid_x"]), int(row["grid_y"])) for row in rows} == {(i, j) for i in range(4) for j in range(4)}
    assert {(row["gray_fraction"], row["white_fraction"]) for row in rows} == {("", "")}
    assert len(records_of(tmp_path, "torn")) == 149


def test_too_many_unreadable_tiles_fail_the_slide_and_leave_nothing(torn_slide: Path, tmp_path: Path) -> None:
    with pytest.raises(SlideReadError, match=r"16 of 165 tiles .* 5%") as caught:
        extract(torn_slide, tmp_path, tiles=tmp_path / "tiles", reader="native")
    assert "max_unreadable" in (caught.value.mend or "")
    assert {name for name in names_in(tmp_path) if name != "tiles"} == set()


def test_the_share_of_unreadable_tiles_may_equal_the_limit(torn_slide: Path, tmp_path: Path) -> None:
    assert extract(torn_slide, tmp_path, max_unreadable=16 / 165, reader="native").status == "done"


def test_degenerate_tiles_are_kept_as_they_are_and_counted(make_slide, tissue: np.ndarray, tmp_path: Path) -> None:
    image = tissue[:384, 200:584].copy()
    image[:, :128] = 255
    report = extract(make_slide(image, name="half"), tmp_path, normalizer="macenko", img_format="png")
    rows = {(int(row["grid_x"]), int(row["grid_y"])): row for row in rows_of(tmp_path, "half")}
    assert report.kept == 36
    assert report.unnormalized == sum(row["normalized"] == "0" for row in rows.values()) >= 12
    with WSI(report.path, 64, 32, resample="exact") as wsi:
        for record in records_of(tmp_path, "half"):
            raw = wsi[record.grid_x, record.grid_y]
            as_it_was = np.array_equal(decoded(record), raw)
            assert as_it_was is (rows[record.grid_x, record.grid_y]["normalized"] == "0")
            if record.grid_x < 2:
                assert as_it_was


def test_statistics_are_of_the_tile_before_normalisation(tissue_slide: Path, tmp_path: Path) -> None:
    def shares(folder: Path) -> list[str]:
        return [row["gray_fraction"] for row in rows_of(folder)]

    extract(tissue_slide, tmp_path / "raw")
    extract(tissue_slide, tmp_path / "norm", normalizer="reinhard")
    assert shares(tmp_path / "raw") == shares(tmp_path / "norm")


def test_a_normaliser_that_fails_is_a_reason(tissue_slide, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        def normalize(self, image: np.ndarray):
            raise NormalizerError("no")

    monkeypatch.setattr("slidekit.slide.normalizing.make_normalizer", lambda spec: Failing())
    report = extract(tissue_slide, tmp_path, normalizer="reinhard")
    assert report.counts == {"normalizer": 165}
    assert report.status == "empty"


# --- errors -----------------------------------------------------------------------------------------------------


def fill_disk(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Make one of the calls that write fail as it does on a full disk."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(place, full)


@pytest.mark.parametrize(
    "place",
    [
        "slidekit.slide.spool.RecordSpool.add",
        "slidekit.slide.spool.RecordSpool.write_tfrecord",
        "slidekit.slide.spool.RecordSpool.write_tiles",
        "slidekit.slide.spool.write_index",
        "slidekit.io.atomic.publish",
        "slidekit.slide.publishing.write_tile_table",
        "pathlib.Path.write_bytes",
    ],
)
def test_a_full_disk_leaves_nothing_behind(tissue_slide, tmp_path, monkeypatch, place: str) -> None:
    # Arrange
    records, tiles = tmp_path / "records", tmp_path / "tiles"
    fill_disk(monkeypatch, place)

    # Act
    with pytest.raises(OSError, match="No space left"):
        extract(tissue_slide, records, tiles=tiles)

    # Assert
    assert names_in(records) == set()
    assert names_in(tiles) == set()


def test_a_spool_that_cannot_be_flushed_is_removed_too(tissue_slide, tmp_path, monkeypatch) -> None:
    class Full(io.BytesIO):
        def write(self, data) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            super().close()
            raise OSError(errno.ENOSPC, "No space left on device")

    opened = Path.open

    def open_full(path: Path, *args, **keywords) -> BinaryIO:
        file = opened(path, *args, **keywords)
        if ".spool" not in path.name:
            return file
        file.close()
        return Full()

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(OSError, match="No space left"):
        extract(tissue_slide, tmp_path)
    assert names_in(tmp_path) == set()


def test_what_was_there_before_an_error_stays(tissue_slide, tmp_path, monkeypatch) -> None:
    extract(tissue_slide, tmp_path, seed=1)
    before = {name: (tmp_path / name).read_bytes() for name in names_in(tmp_path)}
    fill_disk(monkeypatch, "slidekit.slide.spool.RecordSpool.add")
    with pytest.raises(OSError, match="No space left"):
        extract(tissue_slide, tmp_path, seed=2)
    assert {name: (tmp_path / name).read_bytes() for name in names_in(tmp_path)} == before


def test_the_rest_of_a_run_that_was_killed_is_in_nobodys_way(tissue_slide: Path, tmp_path: Path) -> None:
    (tmp_path / "tissue.part").mkdir()
    (tmp_path / "tissue.part" / "half.jpg").write_bytes(b"half")
    (tmp_path / "tissue.spool.part").write_bytes(b"half")
    report = extract(tissue_slide, None, tiles=tmp_path, max_tiles=3)
    assert report.loose_tiles == 3
    assert len(names_in(tmp_path)) == 3 + 2


# --- WSI.extract_tiles ------------------------------------------------------------------------------------------


def test_an_open_slide_extracts_itself(tissue_slide: Path, tmp_path: Path) -> None:
    with WSI(tissue_slide, 64, 32, resample="exact", grayspace_fraction=1) as wsi:
        report = wsi.extract_tiles(tmp_path / "a", tmp_path / "t", img_format="png", qc="otsu", qc_filter_threshold=0)
        assert wsi.qc_masks[0].filter_threshold == 0
        assert report.kept == len(wsi) == len(records_of(tmp_path / "a")) == report.loose_tiles
    assert all(record.image_raw.startswith(b"\x89PNG") for record in records_of(tmp_path / "a"))


@pytest.mark.parametrize(
    "options",
    [
        {"tile_um": 64},
        {"stride_div": 2},
        {"mpp": 0.25},
        {"roi_method": "ignore"},
        {"roi_filter_method": 0.5},
        {"enable_downsample": False},
        {"qc_filter_threshold": 0.1},
        {"nonsense": 1},
    ],
)
def test_what_an_open_slide_cannot_change_is_refused(tissue_slide: Path, tmp_path: Path, options: dict) -> None:
    with WSI(tissue_slide, 64, 32) as wsi, pytest.raises(SpecError, match=next(iter(options))):
        wsi.extract_tiles(tmp_path, **options)
    assert names_in(tmp_path) == set()


def test_the_seed_of_a_random_origin_cannot_change(tissue_slide: Path, tmp_path: Path) -> None:
    with WSI(tissue_slide, 64, 32, randomize_origin=True, seed=1) as wsi:
        with pytest.raises(SpecError, match="seed"):
            wsi.extract_tiles(tmp_path, seed=2)
        assert wsi.extract_tiles(tmp_path).kept > 0
    with WSI(tissue_slide, 64, 32, seed=1) as wsi:
        assert wsi.extract_tiles(tmp_path, seed=2).candidates == 165


def test_progress_is_told_after_each_strip(tissue_slide: Path) -> None:
    spec = ExtractionSpec.create(**DEFAULTS)
    told: list[tuple[int, int, int]] = []
    with WSI.from_spec(tissue_slide, spec) as wsi:
        extract_from_wsi(wsi, spec, OutputFolders(), on_progress=lambda *event: told.append(event))
    assert told[-1] == (165, 165, 165)
    assert [event[0] for event in told] == sorted(event[0] for event in told)
    assert dataclasses.asdict(OutputFolders()) == {"tfrecords": None, "tiles": None, "previews": None}


def test_pictures_for_the_report(tissue_slide: Path, tmp_path: Path) -> None:
    spec = ExtractionSpec.create(**DEFAULTS, qc="otsu")
    with WSI.from_spec(tissue_slide, spec) as wsi:
        report = extract_from_wsi(wsi.qc(spec.qc), spec, OutputFolders(previews=tmp_path))
    assert names_in(tmp_path) == {"tissue.jpg", "tissue.samples.jpg"}
    with Image.open(tmp_path / "tissue.jpg") as picture:
        assert picture.size == (1200, 912)
        assert report.preview_um == pytest.approx(500 / 1200)
