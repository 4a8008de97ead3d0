from __future__ import annotations

import csv
import json
import shutil

import cv2
import numpy as np
import pytest
from skimage.filters import threshold_otsu

from slidekit.errors import SlideOpenError, SlideReadError, SpecError
from slidekit.io.slide_tiff import write_tiff
from slidekit.pixels.readers import open_slide
from slidekit.pixels.readers.native import NativeTiffReader
from slidekit.pixels.tiling import assemble, crop_back, tile_array
from slidekit.slide.foreground import ArrayMask, SlideMask, find_foreground
from slidekit.slide.level_files import merge_tables, remove_level_tiles, save_level_tiles
from slidekit.slide.level_slide import LevelTiles, LevelTiling
from slidekit.slide.level_tiles import find_region, read_level_tiles
from tests.pixels.pictures import positions, spoil_tile

# Level-0 box of the foreground: far wider than high, so that x and y cannot be taken for each other.
BLOCK = (400, 80, 1200, 240)
TILING = LevelTiling(level=1, tile_px=48, margin=4)


def draw(width=1600, height=800, box=BLOCK, dark=60, light=240):
    """Levels of 1, 4 and 16; dark pixels in a box, and in each colour where it is."""
    levels = []
    for number, factor in enumerate((1, 4, 16)):
        image = np.full((height // factor, width // factor, 3), light, np.uint8)
        image -= positions(width // factor, height // factor, number) // 64
        x0, y0, x1, y1 = (side // factor for side in box)
        image[y0:y1, x0:x1] -= np.uint8(light - dark)
        levels.append(image)
    return levels


def write(path, levels, **options):
    options = {"mpp_x": 0.25, "mpp_y": 0.25, "compression": "deflate", "tile_size": 64, **options}
    return write_tiff(path, levels, **options)


@pytest.fixture(scope="module")
def levels():
    return draw()


@pytest.fixture(scope="module")
def slide(tmp_path_factory, levels):
    return write(tmp_path_factory.mktemp("slides") / "one.tiff", levels)


@pytest.fixture(scope="module")
def mask(tmp_path_factory):
    """Of the same pyramid as the slide: a box within the slide's dark one, labels 0 and 2."""
    made = [np.zeros((800 // factor, 1600 // factor, 3), np.uint8) for factor in (1, 4, 16)]
    for image, factor in zip(made, (1, 4, 16), strict=True):
        image[96 // factor : 192 // factor, 480 // factor : 800 // factor] = 2
    return write(tmp_path_factory.mktemp("masks") / "one_mask.tiff", made)


def test_tiles_are_those_of_the_padded_region_and_assemble_to_it(slide, levels):
    with LevelTiles(slide, TILING) as tiles:
        region = tiles.region
        found = list(tiles)

    # A box of 25 × 5 lowest-level px from (25, 5), with 4 around it.
    assert (region.x, region.y, region.width, region.height) == (84, 4, 232, 72)
    part = levels[1][4:76, 84:316]
    expected, locations = tile_array(part, 48)
    assert [tile.location for tile in found] == [tuple(place) for place in locations.tolist()]
    for tile, image in zip(found, expected, strict=True):
        assert tile.image is None or np.array_equal(tile.image, image)
    kept = [tile for tile in found if tile.image is not None]
    whole, offset = assemble(np.stack([tile.image for tile in kept]), [tile.location for tile in kept])
    back = crop_back(whole, offset, (232, 72))
    inside = [slice(BLOCK[1] // 4 - 4, BLOCK[3] // 4 - 4), slice(BLOCK[0] // 4 - 84, BLOCK[2] // 4 - 84)]
    np.testing.assert_array_equal(back[*inside], part[*inside])


def test_places_on_the_slide_are_level_0_with_x_first(slide, levels):
    with LevelTiles(slide, TILING) as tiles:
        kept = [tile for tile in tiles if tile.image is not None]
        region = tiles.region

    assert len(kept) > 4
    for tile in kept:
        x, y = (int(value) // 4 for value in tile.corner)
        assert tile.corner == (4 * x, 4 * y)
        left, top = max(x, region.x), max(y, region.y)
        right, bottom = min(x + 48, region.x + region.width), min(y + 48, region.y + region.height)
        np.testing.assert_array_equal(
            tile.image[top - y : bottom - y, left - x : right - x], levels[1][top:bottom, left:right]
        )


def test_downsamples_that_are_not_whole_are_not_cut_off(tmp_path):
    whole = draw(1600, 640)[0]
    odd = cv2.resize(whole, (401, 160), interpolation=cv2.INTER_AREA)
    path = write(tmp_path / "odd.tiff", [whole, odd])

    with open_slide(path) as reader:
        assert reader.levels[1].downsample_x == pytest.approx(1600 / 401)
        region = find_region(reader, (0, 0, 1600, 640), level=1, tile_px=100)

    np.testing.assert_allclose(region.corners[4], np.array([351, -20]) * [1600 / 401, 4], rtol=1e-12)


def test_occupancy_is_the_share_of_the_mask_and_the_limit_is_strict(slide):
    with open_slide(slide) as reader:
        area = np.zeros((800, 1600), np.bool_)
        area[:64, :64] = True
        area[:64, 64:112] = True
        area[:64, 128:160] = True
        area[:64, 192:208] = True
        region = find_region(reader, (0, 0, 256, 64), level=0, tile_px=64, margin=0)

        tiles = {limit: list(read_level_tiles(reader, ArrayMask(area, (1, 1)), region, min_occupancy=limit))
                 for limit in (0, 0.25, 0.49, 0.5, 0.51, 0.75)}  # fmt: skip

    assert [tile.occupancy for tile in tiles[0]] == [1, 0.75, 0.5, 0.25]
    counts = {limit: sum(tile.image is not None for tile in found) for limit, found in tiles.items()}
    assert counts == {0: 4, 0.25: 3, 0.49: 3, 0.5: 2, 0.51: 2, 0.75: 1}


def test_a_mask_beside_the_slide_is_used_at_its_own_resolution(slide, mask, tmp_path):
    small = tmp_path / "small.png"
    picture = np.zeros((50, 100), np.uint8)
    picture[6:12, 30:50] = 2
    cv2.imwrite(str(small), picture)

    found = {}
    for name, file in (("pyramid", mask), ("picture", small)):
        with LevelTiles(slide, TILING, mask=file) as tiles:
            found[name] = [(tile.corner, tile.occupancy) for tile in tiles]
            assert tiles.foreground is None
            box = (tiles.region.x, tiles.region.y, tiles.region.width, tiles.region.height)
            assert box == (104, 8, 112, 56)

    assert found["pyramid"] == found["picture"]
    assert {round(occupancy * 48 * 48) for _, occupancy in found["pyramid"]} - {0}


def test_a_mask_of_another_pyramid_is_the_nearest_pixel(mask):
    with open_slide(mask) as reader:
        direct = reader.read(0, 0, 0, 1600, 800)[..., 0] > 0
        source = SlideMask(reader, (3200, 1600))
        level = reader.levels[0]

        shown = source.read(level, 900, 150, 200, 300)
        outside = source.read(level, -50, -50, 20, 20)
        box = source.bounds()

    ys, xs = ((np.arange(start, stop) + 0.5) // 2 for start, stop in ((150, 450), (900, 1100)))
    np.testing.assert_array_equal(shown, direct[np.ix_(ys.astype(int), xs.astype(int))])
    assert box == (960, 192, 1600, 384)
    assert not outside.any()


def test_each_slide_has_a_threshold_of_its_own(tmp_path):
    dark = write(tmp_path / "dark.tiff", draw(dark=20, light=120))
    light = write(tmp_path / "light.tiff", draw(dark=150, light=250))

    found = {}
    for path in (dark, light, dark):
        with open_slide(path) as reader:
            found.setdefault(path, []).append(find_foreground(reader))
            low = reader.read(2, 0, 0, 100, 50).mean(axis=2).round().astype(np.uint8)
            ours = low <= found[path][-1].threshold
            np.testing.assert_array_equal(ours, low <= threshold_otsu(low))
            np.testing.assert_array_equal(found[path][-1].mask.mask, ours)

    assert found[dark][0].threshold == found[dark][1].threshold < 120 < found[light][0].threshold


def test_glass_alone_has_no_region_and_no_tiles(tmp_path):
    empty = write(tmp_path / "empty.tiff", [np.full((400, 400, 3), 240, np.uint8)])

    with LevelTiles(empty, LevelTiling(level=0)) as tiles:
        assert tiles.region is None
        assert list(tiles) == []
    saved = save_level_tiles(empty, tmp_path / "out", LevelTiling(level=0))
    assert (saved.kept, saved.discarded, saved.discarded_share) == (0, 0, 0)


def test_a_slide_of_a_single_tile(tmp_path):
    one = write(tmp_path / "one.tiff", [draw(160, 80, (20, 10, 120, 60))[0]])

    saved = save_level_tiles(one, tmp_path / "out", LevelTiling(level=0, tile_px=200))

    assert (saved.kept, saved.discarded, saved.failed) == (1, 0, 0)
    table, _ = merge_tables(tmp_path / "out")
    assert len(table.read_text().splitlines()) == 2


def test_a_row_is_in_memory_at_a_time_and_rows_without_tissue_are_not_read(tmp_path, monkeypatch):
    height = 1600
    image = draw(800, height, (96, 64, 192, 128))[0]
    image[1400:1500, 700:750] = 20
    tall = write(tmp_path / "tall.tiff", [image])
    asked = []
    read = NativeTiffReader.read

    def spy(self, level, x, y, width, height, shrink=1):
        asked.append((y, width, height))
        return read(self, level, x, y, width, height, shrink)

    with LevelTiles(tall, LevelTiling(level=0, tile_px=32, margin=0)) as tiles:
        monkeypatch.setattr(NativeTiffReader, "read", spy)
        kept = sum(tile.image is not None for tile in tiles)

    assert kept
    assert max(rows for _, _, rows in asked) <= 32
    assert max(columns for _, columns, _ in asked) <= 160
    assert not [y for y, _, _ in asked if 200 < y < 1300]


def test_files_and_table(slide, mask, tmp_path, levels):
    saved = save_level_tiles(slide, tmp_path, LevelTiling(level=1, tile_px=20, margin=4), mask=mask)

    with (tmp_path / "one" / "dataset.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:7] == ["slide_id", "tile_id", "image", "mask", "tile_x", "tile_y", "tile_right"]
    assert (len(rows), saved.status) == (saved.kept, "done")
    for row in rows:
        image = cv2.imread(str(tmp_path / row["image"]), cv2.IMREAD_COLOR_RGB)
        x, y = int(row["tile_x"]), int(row["tile_y"])
        assert (int(row["tile_right"]) - x, int(row["tile_bottom"]) - y) == (80, 80)
        assert f"{x:05d}x_{y:05d}y" in row["image"]
        shown = cv2.imread(str(tmp_path / row["mask"]), cv2.IMREAD_GRAYSCALE)
        assert float(row["occupancy"]) == pytest.approx(np.mean(shown > 0), rel=1e-4)
        left, top = max(x // 4, 104), max(y // 4, 8)
        assert np.array_equal(image[top - y // 4, left - x // 4], levels[1][top, left])
    assert 0 < saved.discarded_share < 1
    assert saved.discarded_share == saved.discarded / (saved.kept + saved.discarded)


def test_what_is_finished_is_left_alone_and_what_broke_off_is_made_again(slide, tmp_path, monkeypatch):
    class KilledError(Exception):
        pass

    def killed(*_):
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr("slidekit.slide.level_files.atomic_write_text", killed)
        patch.setattr("slidekit.slide.level_files.shutil.rmtree", lambda *_, **__: None)
        with pytest.raises(KilledError):
            save_level_tiles(slide, tmp_path, TILING)
    assert [path.name for path in tmp_path.iterdir()] == ["one.part"]

    first = save_level_tiles(slide, tmp_path, TILING)
    stamp = (tmp_path / "one" / "tiles.json").stat().st_mtime_ns
    second = save_level_tiles(slide, tmp_path, TILING)

    assert (first.status, second.status) == ("done", "skipped")
    assert (first.kept, first.discarded) == (second.kept, second.discarded)
    assert (tmp_path / "one" / "tiles.json").stat().st_mtime_ns == stamp
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_other_tiles_are_replaced_only_when_asked_and_foreign_folders_never(slide, tmp_path):
    save_level_tiles(slide, tmp_path, TILING)
    other = LevelTiling(level=1, tile_px=64, margin=4)
    (tmp_path / "foreign" / "one").mkdir(parents=True)
    (tmp_path / "foreign" / "one" / "thesis.txt").write_text("mine")

    with pytest.raises(SpecError, match="not made in this way"):
        save_level_tiles(slide, tmp_path, other)
    with pytest.raises(SpecError, match="not made in this way"):
        save_level_tiles(slide, tmp_path / "foreign", other, overwrite=True)
    replaced = save_level_tiles(slide, tmp_path, other, overwrite=True)

    assert json.loads((tmp_path / "one" / "tiles.json").read_text())["made"]["tile_px"] == 64
    assert len(list((tmp_path / "one" / "images").iterdir())) == replaced.kept
    assert sorted(path.name for path in tmp_path.iterdir()) == ["foreign", "one"]


def test_files_of_the_users_are_never_removed(slide, tmp_path):
    save_level_tiles(slide, tmp_path, TILING)
    mine = tmp_path / "one" / "images" / "x.txt"
    mine.write_text("mine")

    with pytest.raises(SpecError, match=r"files that are not of the tiles: images/x\.txt"):
        save_level_tiles(slide, tmp_path, LevelTiling(level=1, tile_px=64), overwrite=True)
    with pytest.raises(SpecError, match="never removed"):
        remove_level_tiles(tmp_path, slide)

    assert mine.read_text() == "mine"
    mine.unlink()
    remove_level_tiles(tmp_path, slide)
    assert not list(tmp_path.iterdir())


def test_a_damaged_tile_costs_itself_and_is_named(slide, tmp_path):
    broken = spoil_tile(shutil.copy(slide, tmp_path / "broken.tiff"), 1, 3)

    saved = save_level_tiles(broken, tmp_path / "out", TILING)
    table, failed = merge_tables(tmp_path / "out")

    assert saved.failed > 0
    assert saved.kept > 0
    with failed.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == saved.failed
    assert all(row["reason"] and row["slide_id"] == "broken" for row in rows)
    assert len(table.read_text().splitlines()) == saved.kept + 1


def test_slides_that_cannot_be_used_say_so(slide, tmp_path):
    bad = tmp_path / "bad.svs"
    bad.write_bytes(b"no slide")
    broken = shutil.copy(slide, tmp_path / "broken.tiff")
    for tile in range(14):
        spoil_tile(broken, 1, tile)

    with pytest.raises(SlideOpenError):
        save_level_tiles(bad, tmp_path / "out", TILING)
    with pytest.raises(SlideOpenError):
        save_level_tiles(tmp_path / "none.svs", tmp_path / "out", TILING)
    with pytest.raises(SpecError, match="no level 3"):
        save_level_tiles(slide, tmp_path / "out", LevelTiling(level=3))
    with pytest.raises(SlideReadError, match="None of its"):
        save_level_tiles(broken, tmp_path / "out", TILING)
    assert not list((tmp_path / "out").iterdir())


def test_tables_are_merged_by_name_and_hold_finished_slides_only(slide, tmp_path):
    for name in ("b", "a", "c"):
        save_level_tiles(shutil.copy(slide, tmp_path / f"{name}.tiff"), tmp_path / "out", TILING)
    (tmp_path / "out" / "c").rename(tmp_path / "out" / "c.part")

    table, _ = merge_tables(tmp_path / "out")

    with table.open(newline="") as file:
        names = [row["slide_id"] for row in csv.DictReader(file)]
    assert names == sorted(names)
    assert set(names) == {"a", "b"}
