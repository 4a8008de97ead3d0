"""`scripts/slide_image_loading` on slides of a kind, one of them broken, one without a mask."""

from __future__ import annotations

import csv
import os
import runpy
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from slidekit.io.slide_tiff import make_pyramid, write_svs
from tests.pixels.pictures import tissue

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loading")
    for name in ("slides", "masks"):
        (folder / name).mkdir()
    image = np.full((640, 960, 3), 240, np.uint8)
    image[100:400, 200:700] = tissue(500, 300) // 2
    for name in ("one", "two"):
        write_svs(folder / "slides" / f"{name}.svs", make_pyramid(image, (4,)), mpp=0.5)
    (folder / "slides" / "bad.svs").write_bytes(b"no slide")
    mask = np.zeros((64, 96), np.uint8)
    mask[20:30, 30:60] = 3
    cv2.imwrite(str(folder / "masks" / "one_mask.png"), mask)
    command = [sys.executable, ROOT / "scripts" / "slide_image_loading.py", folder / "slides", "-o", folder / "out"]
    options = ["--masks", folder / "masks", "--rounds", "2", "--tile-px", "32", "--margin", "3"]
    environment = os.environ | {"COLUMNS": "80", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(
        [*map(str, command), *map(str, options)], capture_output=True, text=True, env=environment, check=False
    )
    return done, folder


def test_slides_that_fail_are_named_and_the_others_measured(run):
    done, folder = run

    assert done.returncode == 1, done.stderr
    assert "slides that no reader could load (1): bad" in done.stdout
    assert "two (all): there is no mask of its name" in done.stdout
    with (folder / "out" / "timings.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    readers = {row["reader"] for row in rows}
    assert readers >= {"native", "vips", "openslide"}
    stages = {"open", "read lowest level", "save PNG", "tile and save", "tile in memory"}
    found = [(row["slide"], row["reader"], row["stage"], row["round"]) for row in rows]
    assert sorted(found) == sorted(
        (slide, reader, stage, number)
        for slide in ("one", "two")
        for reader in readers
        for stage in stages
        for number in "01"
    )
    assert all(float(row["seconds"]) > 0 for row in rows)
    assert (folder / "out" / "medians.png").stat().st_size > 5000
    assert max(map(len, done.stdout.splitlines()[:6])) <= 80


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--tile-px", "0"), "--tile-px 0 is less than 1"),
        (("--occupancy", "2"), "--occupancy 2.0 is no share"),
        (("--rounds", "0"), "--rounds 0 is less than 1"),
        (("--masks", "nowhere"), "--masks nowhere is not a folder"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_read(monkeypatch, capsys, options, said):
    script = runpy.run_path(str(ROOT / "scripts" / "slide_image_loading.py"))
    monkeypatch.setattr(sys, "argv", ["slide_image_loading", "slides", *options])

    with pytest.raises(SystemExit) as error:
        script["main"]()

    assert error.value.code == 2
    assert said in capsys.readouterr().err


def test_all_readers_cut_the_same_tiles_where_the_mask_says(run):
    _, folder = run
    tables = {}
    for home in (folder / "out" / "tiles" / "level1_32px").iterdir():
        with (home / "dataset.csv").open(newline="") as file:
            tables[home.name] = [row for row in csv.DictReader(file) if row["slide_id"] == "one"]

    assert len(tables) >= 3
    first = tables["native"]
    assert first
    assert all(table == first for table in tables.values())
    # The mask's box is (300, 200) to (600, 300) of level 0; the margin of 3 px of level 1 is 12 of these.
    places = np.array([(int(row["tile_x"]), int(row["tile_y"])) for row in first])
    assert places.min(axis=0).tolist() == [300 - 12 - 4 * 7, 200 - 12]
    with tifffile.TiffFile(folder / "slides" / "one.svs") as tiff:
        level = tiff.pages[1].asarray()
    x, y = places[1] // 4
    shown = cv2.imread(
        str(folder / "out" / "tiles" / "level1_32px" / "native" / first[1]["image"]), cv2.IMREAD_COLOR_RGB
    )
    inside = slice(max(47 - y, 0), 78 - y), slice(max(72 - x, 0), 153 - x)
    assert np.abs(level[y : y + 32, x : x + 32][*inside].astype(int) - shown[*inside]).max() <= 2
