"""Concentric tiles of several sizes: what their records hold, and that the first size is as if it were alone."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from slidekit.errors import NormalizerError, SlideReadError, SpecError
from slidekit.io.example import decode_example
from slidekit.io.tfrecord import TileRecord, iter_records
from slidekit.norm import StainNormalizer, autoselect
from slidekit.pixels.readers.base import SlideReader
from slidekit.pixels.source import Source
from slidekit.slide.extract import OutputFolders, extract_from_wsi
from slidekit.slide.finishing import add_further
from slidekit.slide.further import FurtherReader
from slidekit.slide.grid import make_grid
from slidekit.slide.plan import FurtherPlan
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI

DEFAULTS = {"tile_px": 64, "tile_um": 32, "resample": "exact", "grayspace_fraction": 1, "threads": 2}
SIZES = [32, 128, 75]


def extract(slide: Path, out: Path, *, tiles: Path | None = None, **options) -> SlideReport:
    spec = ExtractionSpec.create(**{**DEFAULTS, **options})
    with WSI.from_spec(slide, spec) as wsi:
        return extract_from_wsi(wsi.qc(spec.qc), spec, OutputFolders(out, tiles))


def records_of(folder: Path, name: str = "tissue") -> list[TileRecord]:
    return [TileRecord.decode(payload) for _, payload in iter_records(folder / f"{name}.tfrecords")]


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.fixture(scope="module")
def both(tissue_slide: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records of three sizes, in raster order, lossless."""
    folder = tmp_path_factory.mktemp("both")
    extract(tissue_slide, folder, tile_um=SIZES, img_format="png", shuffle=False)
    return folder


def test_the_first_size_is_as_if_it_were_alone(tissue_slide: Path, tmp_path: Path) -> None:
    # Arrange: QC and filters that drop some
    options = {"qc": "both", "grayspace_fraction": 0.3, "max_tiles": 60}

    # Act
    alone = extract(tissue_slide, tmp_path / "alone", **options)
    several = extract(tissue_slide, tmp_path / "several", tile_um=SIZES, **options)

    # Assert
    assert several.counts == alone.counts
    assert several.further == ("128um", "75um")
    expected, found = records_of(tmp_path / "alone"), records_of(tmp_path / "several")
    assert [(r.image_raw, r.loc_x, r.loc_y, r.grid_x, r.edge) for r in found] == [
        (r.image_raw, r.loc_x, r.loc_y, r.grid_x, r.edge) for r in expected
    ]
    assert 0 < len(found) == several.kept == 60
    table = "tissue.tiles.csv"
    assert (tmp_path / "several" / table).read_bytes() == (tmp_path / "alone" / table).read_bytes()


def test_features_are_those_of_slideflow_and_more(both: Path) -> None:
    features = [decode_example(payload) for _, payload in iter_records(both / "tissue.tfrecords")]

    assert {"image_raw", "slide", "loc_x", "loc_y", "image_raw_128um", "image_raw_75um"} <= features[0].keys()
    assert all(isinstance(one["image_raw_128um"], bytes) for one in features)
    # 128 µm around the first cell, whose centre is at 16 µm, begin outside.
    assert features[0]["edge_128um"] == 1
    assert "edge" not in features[0]


def test_pixels_are_those_of_a_run_with_that_size(both: Path, tissue_slide: Path, tmp_path: Path) -> None:
    """A grid of the large size with a quarter of its stride has a cell around every centre that is not at an edge."""
    # Arrange
    alone = tmp_path / "alone"
    extract(tissue_slide, alone, tile_um=128, stride_div=8, img_format="png")
    by_place = {(record.loc_x, record.loc_y): record for record in records_of(alone)}

    # Act / Assert: level 1 of the slide is what is asked for, so that pixels are equal
    compared = 0
    for record in records_of(both):
        (further,) = (image for image in record.further if image.name == "128um")
        if not further.edge:
            assert (pixels(further.image_raw) == pixels(by_place[record.loc_x, record.loc_y].image_raw)).all()
            compared += 1
    assert compared > 50


def test_what_lies_beyond_the_slide_is_white_and_flagged(both: Path) -> None:
    for record in records_of(both):
        image = next(image for image in record.further if image.name == "128um")
        # 128 µm in 64 px around (loc_x, loc_y), 1000 × 760 px of 0.5 µm.
        left, top = record.loc_x * 0.5 - 64, record.loc_y * 0.5 - 64
        assert image.edge == (left < 0 or top < 0 or left + 128 > 500 or top + 128 > 380)
        found = pixels(image.image_raw)
        columns = left + (np.arange(64) + 0.5) * 2
        outside = (columns < 0) | (columns > 500)
        assert (found[:, outside] == 255).all()
        assert outside.all() or (found[:, ~outside] != 255).any()


def test_given_coordinates_have_concentric_tiles(both: Path, tissue_slide: Path, tmp_path: Path) -> None:
    # Arrange: the centres of two cells of the grid
    table = pd.DataFrame({"slide": "tissue", "x": [7.5 * 64, 8.5 * 64], "y": [5.5 * 64, 5.5 * 64]})
    with WSI(tissue_slide, **{**DEFAULTS, "tile_um": SIZES}, coordinates=table, img_format="png") as wsi:
        # Act
        wsi.extract_tiles(tmp_path)

    # Assert
    of_grid = {(record.loc_x, record.loc_y): record for record in records_of(both)}
    found = records_of(tmp_path)
    assert len(found) == 2
    for record in found:
        same = of_grid[record.loc_x, record.loc_y]
        for one, other in zip(record.further, same.further, strict=True):
            difference = pixels(one.image_raw).astype(int) - pixels(other.image_raw)
            assert np.abs(difference).max() <= 1


def test_each_size_is_normalised(both: Path, tissue_slide: Path, tmp_path: Path) -> None:
    # Act
    extract(tissue_slide, tmp_path, tile_um=SIZES, img_format="png", shuffle=False, normalizer="reinhard_fast")

    # Assert
    method = autoselect("reinhard_fast")
    for plain, done in zip(records_of(both)[60:64], records_of(tmp_path)[60:64], strict=True):
        for before, after in zip(plain.further, done.further, strict=True):
            assert (pixels(after.image_raw) == method.transform(pixels(before.image_raw))).all()
            assert after.image_raw != before.image_raw


def test_random_colours_are_drawn_once_for_all_sizes(both: Path, tissue_slide: Path, tmp_path: Path) -> None:
    """By the pixels of the first size, so that this is what it is without the others."""
    options = {"normalizer": "augment", "seed": 3, "img_format": "png", "shuffle": False}
    normalizer = autoselect("augment").set_augment(seed=3)

    extract(tissue_slide, tmp_path, tile_um=SIZES, **options)

    for before, after in zip(records_of(both)[60:66], records_of(tmp_path)[60:66], strict=True):
        first = pixels(before.image_raw)
        assert (pixels(after.image_raw) == normalizer.normalize(first).image).all()
        for size in ("128um", "75um"):
            expected = normalizer.normalize(pixels(before.image(size)), like=first).image
            assert (pixels(after.image(size)) == expected).all()


def test_loose_tiles_of_all_sizes_stand_beside_each_other(tissue_slide: Path, tmp_path: Path) -> None:
    report = extract(tissue_slide, tmp_path / "r", tiles=tmp_path / "t", tile_um=[32, 128], max_tiles=3)

    record = records_of(tmp_path / "r")[0]
    files = {path.name: path.read_bytes() for path in (tmp_path / "t" / "tissue").iterdir()}
    stem = f"tissue-{record.loc_x}-{record.loc_y}"
    assert len(files) == 2 * report.loose_tiles == 6
    assert files[f"{stem}.jpg"] == record.image_raw
    assert files[f"{stem}_128um.jpg"] == record.further[0].image_raw


def test_a_tile_goes_when_a_further_size_cannot_be_had(tissue_slide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Arrange: the second tile of a row cannot be read at 128 µm, the third not be normalised
    spec = ExtractionSpec.create(**{**DEFAULTS, "tile_um": [32, 128]})

    class Failing(StainNormalizer):
        def __init__(self) -> None:
            self.left = 1

        def normalize(self, image, *, like=None):
            self.left -= 1
            if self.left < 0:
                raise NormalizerError("broken")
            return image, False

    with WSI.from_spec(tissue_slide, spec) as wsi:
        from slidekit.slide.fate import Fate
        from slidekit.slide.summary import TileOutcome

        rows = [TileOutcome(i, 5, Fate.KEPT, None, b"image", False) for i in (6, 7, 8)]
        rows.append(TileOutcome(9, 5, Fate.GRAYSPACE, None, None, False))
        read = FurtherReader.read

        def failing(self, cells):
            assert cells == [(6, 5), (7, 5), (8, 5)]  # what is dropped already is not read
            for cell, image in zip(cells, read(self, cells), strict=True):
                yield SlideReadError("damaged") if cell == (7, 5) else image

        monkeypatch.setattr(FurtherReader, "read", failing)

        # Act
        tiles = [np.zeros((64, 64, 3), np.uint8)] * 4
        found = add_further(rows, tiles, wsi.further, spec, Failing())

    # Assert
    assert [outcome.fate for outcome in found] == [Fate.KEPT, Fate.UNREADABLE, Fate.NORMALIZER, Fate.GRAYSPACE]
    assert [len(outcome.further) for outcome in found] == [1, 0, 0, 0]
    assert [outcome.encoded for outcome in found] == [b"image", None, None, None]
    assert [outcome.lost_at for outcome in found] == [(), ("128um",), ("128um",), ()]


@pytest.fixture(scope="module")
def torn_slide(make_slide, tissue: np.ndarray) -> Path:
    """An SVS of one level, the JPEG stream of whose first native tile, 256 px, is destroyed."""
    import tifffile

    path = make_slide(tissue, name="torn", factors=(), svs=True)
    with tifffile.TiffFile(path) as tiff:
        offset, size = tiff.pages[0].dataoffsets[0], tiff.pages[0].databytecounts[0]
    data = bytearray(path.read_bytes())
    data[offset + 2 : offset + size] = bytes(size - 2)
    path.write_bytes(data)
    return path


def test_a_broken_place_is_counted_once_and_names_the_size_that_needs_it(torn_slide: Path, tmp_path: Path) -> None:
    # Act
    alone = extract(torn_slide, tmp_path / "alone", max_unreadable=1, reader="native")
    several = extract(torn_slide, tmp_path / "several", tile_um=SIZES, max_unreadable=1, reader="native")

    # Assert: 4 × 4 tiles are broken. 128 µm around cell i begin at pixel 64 i + 32 - 128: for 6 × 6 of them before 256.
    assert (alone.unreadable, alone.warnings) == (16, ())
    assert several.unreadable == several.counts["unreadable"] == 36
    assert several.kept + 36 == alone.kept + 16 == 165
    # 75 µm begin at 64 i + 32 - 75: for 5 × 5 of them.
    assert several.warnings == (
        "Tiles left out because 128um around them cannot be read: 11.",
        "Tiles left out because 128um and 75um around them cannot be read: 9.",
    )
    rows = list(csv.DictReader((tmp_path / "several" / "torn.tiles.csv").read_text(encoding="utf-8").splitlines()))
    lost = [row for row in rows if row["reason"] == "unreadable"]
    # The statistics are of the first size, where that could be read.
    assert sum(row["gray_fraction"] == "" for row in lost) == 16
    assert all(len(record.further) == 2 for record in records_of(tmp_path / "several", "torn"))


def test_a_slide_that_fails_by_its_surroundings_says_so(torn_slide: Path, tmp_path: Path) -> None:
    options = {"max_unreadable": 0.1, "reader": "native"}
    assert extract(torn_slide, tmp_path / "alone", **options).status == "done"

    with pytest.raises(SlideReadError, match=r"36 of 165 .*\(20 of them only at 128um\)") as caught:
        extract(torn_slide, tmp_path / "several", tile_um=[32, 128], **options)

    assert "leave 128um out of tile_um" in (caught.value.mend or "")


@pytest.mark.parametrize("options", [
    {"tile_um": 32}, {"tile_um": [32, 64]}, {"tile_um": [128, 32]}, {"tile_mpp": 0.5}, {"more_um": [75]},
    {"tile_px": 32},
])  # fmt: skip
def test_an_open_slide_keeps_its_sizes(tissue_slide: Path, tmp_path: Path, options) -> None:
    with WSI(tissue_slide, 64, [32, 128], max_tiles=1) as wsi:
        with pytest.raises(SpecError, match=r"64px_32um\+128um; .* was asked for.* cannot change") as caught:
            wsi.extract_tiles(tmp_path, **options)

        assert "another WSI" in (caught.value.mend or "")
        assert list(tmp_path.iterdir()) == []
        # The same in other words is no change.
        assert wsi.extract_tiles(tmp_path, tile_mpp=(0.5, 2)).further == ("128um",)


@pytest.mark.parametrize(("mpp", "expected"), [
    # 64 px of 32 µm are 0.5 µm/px, of 25.6 µm 0.4, and of 16 µm 0.25.
    ((0.5, 0.5), ["25.6um are enlarged 1.25×.", "16um are enlarged 2×."]),
    ((0.25, 0.5), ["25.6um are enlarged 1.25× along y.", "16um are enlarged 2× along y."]),
    ((0.8, 0.4), ["25.6um are enlarged 2× along x.", "16um are enlarged 3.2× along x and 1.6× along y.",
                  "Tiles are enlarged 1.6× along x: the slide has 0.8 × 0.4 µm/px, 0.5 were asked for."]),
    ((0.2, 0.25), []),
])  # fmt: skip
def test_what_is_enlarged_is_said_axis_by_axis(make_slide, tissue, tmp_path: Path, mpp, expected: list[str]) -> None:
    path = make_slide(tissue[:300, :300], mpp, name="anisotropic", factors=())

    warnings = extract(path, tmp_path, tile_um=[32, 25.6, 16], max_tiles=1).warnings

    assert [warning.removeprefix("Concentric tiles of ") for warning in warnings] == expected


def test_where_a_strip_is_damaged_its_tiles_are_read_alone(tissue_slide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with WSI(tissue_slide, 64, [32, 128]) as wsi:
        (reader,) = wsi.further
        cells = [(5, 5), (6, 5), (7, 5)]
        expected = list(reader.read(cells))
        original = reader._reader.read

        def damaged(level, x, y, width, height, shrink=1):
            if x + width > 130:
                raise SlideReadError("damaged")
            return original(level, x, y, width, height, shrink)

        monkeypatch.setattr(reader._reader, "read", damaged)

        found = list(reader.read(cells))

    # 64 px of level 1 around x = 5.5 · 16 end at 120, those of the next cells at 136 and 152.
    assert (found[0] == expected[0]).all()
    assert [isinstance(one, SlideReadError) for one in found] == [False, True, True]


@settings(deadline=None, max_examples=60)
@given(
    tile_um=st.floats(4, 4000),
    stride_div=st.sampled_from([0.5, 1, 1.5, 2, 4, 3]),
    mpp=st.tuples(st.floats(0.1, 1), st.floats(0.1, 1)),
    row=st.lists(st.integers(0, 60), unique=True, max_size=30).map(sorted),
)
def test_rows_are_read_in_parts_that_stay_in_place(tile_um, stride_div, mpp, row) -> None:
    # Arrange
    size = (32 / mpp[0], 32 / mpp[1])
    grid = make_grid((60_000, 60_000), mpp, tile_px=64, tile_size=size, stride_div=stride_div)
    edges = (tile_um / mpp[0], tile_um / mpp[1])
    source = Source(0, 1, 1.0, 1.0, edges[0] / 64, edges[1] / 64).averaged()
    reader = FurtherReader(SlideReader, grid, FurtherPlan("x", *edges, source, ""))
    cells = [(i, 7) for i in row]

    # Act
    runs = list(reader._runs(cells))

    # Assert: every cell once, in order; the last of each run lies where its own corner is
    assert [cell for run in runs for cell in run] == cells
    for run in runs:
        assert [i for i, _ in run] == list(range(run[0][0], run[0][0] + len(run)))
        moved = (reader.corner(*run[-1])[0] - reader.corner(*run[0])[0]) * 64 / edges[0]
        assert abs(moved - (len(run) - 1) * reader._pitch) <= 0.0101
    for i, j in cells:
        x, y = reader.corner(i, j)
        left, top = grid.corner(i, j)
        assert (x + edges[0] / 2, y + edges[1] / 2) == pytest.approx((left + size[0] / 2, top + size[1] / 2))


@pytest.mark.parametrize(("sizes", "what"), [
    ([], "no size"), ([32, 32.0], "twice"), ([32, 1e6], "tile_um is the edge"), (["10x", "fine"], "fine"),
    ("32,128", "a list: tile_um"), ([[32, 128]], "one plain list"), ({32, 128}, "one plain list"), ([32, True], "True"),
])  # fmt: skip
def test_wrong_sizes_are_named(sizes, what) -> None:
    with pytest.raises(SpecError, match=what):
        ExtractionSpec.create(tile_px=64, tile_um=sizes)


def test_a_spec_with_one_size_has_the_hash_that_it_always_had() -> None:
    one = ExtractionSpec.create(tile_px=64, tile_um=32)

    assert "more_um" not in one.canonical()
    assert ExtractionSpec.create(tile_px=64, tile_um=[32]).digest() == one.digest()
    assert ExtractionSpec.create(tile_px=64, tile_um=[32, 128]).digest() != one.digest()
    assert ExtractionSpec.create(tile_px=64, tile_mpp=[0.5, 2]).sizes == (32.0, 128.0)
    assert ExtractionSpec.create(tile_px=64, tile_um=["20x", "5x"]).label == "64px_20x+5x"
