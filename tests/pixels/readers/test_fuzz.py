"""Whatever is wrong with a file: an error of slidekit's, never another, never the end of the interpreter."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import tifffile
from PIL import Image

from slidekit.io.slide_tiff import make_pyramid, write_svs, write_tiff
from tests.pixels.pictures import tissue
from tests.pixels.readers.jpeg2000_files import write_jpeg2000
from tests.pixels.readers.ndpi_files import NdpiPage, write_ndpi

COUNT = 8
SECONDS = 60
# Of addresses, not of memory that is touched: OpenSlide makes room for as many bytes as a damaged count says, up to
# 4 GiB in classic TIFF, and GLib ends the process where it gets none.
MEMORY = 16 << 30


def slides():
    picture = tissue(700, 500)
    levels = make_pyramid(picture, (4,))

    def ome(path):
        with tifffile.TiffWriter(path, ome=True) as tiff:
            options = {"photometric": "rgb", "tile": (128, 128), "compression": "lzw", "predictor": True}
            tiff.write(
                levels[0], subifds=1, metadata={"axes": "YXS", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}, **options
            )
            tiff.write(levels[1], subfiletype=1, **options)

    return {
        "a.svs": lambda path: write_svs(path, levels, mpp=0.5, objective_power=20, thumbnail=levels[1]),
        "jpeg.tiff": lambda path: write_tiff(path, levels, mpp_x=0.5, mpp_y=0.5, tile_size=128, photometric="rgb"),
        "deflate.tiff": lambda path: write_tiff(
            path, levels, mpp_x=0.5, mpp_y=0.5, tile_size=128, compression="deflate"
        ),
        "jpeg2000.svs": lambda path: write_jpeg2000(path, levels, 33005, level=35),
        "a.ndpi": lambda path: write_ndpi(
            path, [NdpiPage(picture[:480, :640], 20, 128), NdpiPage(levels[1], 5), NdpiPage(levels[1], -1, 0)]
        ),
        "a.ome.tif": ome,
        "strips.tif": lambda path: tifffile.imwrite(path, picture, photometric="rgb", rowsperstrip=50),
        "a.png": lambda path: Image.fromarray(picture).save(path),
        "a.jpg": lambda path: Image.fromarray(picture).save(path),
    }


def fuzz(slide: Path, folder: Path, *, count: int = COUNT, seed: int = 1) -> dict[str, int]:
    script = Path(__file__).with_name("fuzz.py")
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, script, slide, folder, str(seed), str(count)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env={**os.environ, "PYTHONPATH": str(root)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout)
    assert result["escaped"] == []
    return result["counts"]


@pytest.mark.parametrize("name", slides())
def test_damaged_copies(tmp_path, name):
    path = tmp_path / name
    slides()[name](path)

    counts = fuzz(path, tmp_path)

    # The damage is such that some copies are refused, and some are opened.
    assert counts["not opened"] > 0
    assert counts["opened"] > 0


@pytest.mark.realdata
def test_damaged_copies_of_a_real_slide(tmp_path, real_data):
    fuzz(real_data / "slides" / "OS-1-detail.ome.tif", tmp_path, count=6)


@pytest.mark.long
@pytest.mark.parametrize("name", slides())
def test_many_damaged_copies(tmp_path, name):
    path = tmp_path / name
    slides()[name](path)
    for seed in range(2, 12):
        fuzz(path, tmp_path, count=40, seed=seed)
