"""A slide of ordinary size, from its pixels to tiles of its nuclei."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from slidekit import Dataset
from slidekit.cells import Segmentation
from slidekit.demo.nuclei import NucleiField, paint_nuclei
from slidekit.io.slide_tiff import TileSource, write_svs
from slidekit.io.tfrecord import TileRecord, iter_records

WIDTH, HEIGHT, GLASS, PERIOD_UM, MPP = 13_000, 12_000, 1000, 400, 0.25
PERIOD = round(PERIOD_UM / MPP)

SEGMENT = """
import json, sys
from slidekit.cells import segment_slide
cells = segment_slide(sys.argv[1], dest=sys.argv[2], workers=2)
# Not getrusage: that begins with the peak of the process that started this one.
peak = int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1024
print(json.dumps({"cells": len(cells), "peak_mb": peak, "problems": cells.problems}))
"""


def write_slide(path: Path) -> NucleiField:
    """The same field of nuclei again and again, mirrored so that it has no seams, with glass around."""
    drawn = paint_nuclei((PERIOD_UM, PERIOD_UM), MPP, seed=5, per_mm2=3500)

    def level(factor: int) -> TileSource:
        texture, edge, glass = drawn.image[::factor, ::factor], PERIOD // factor, GLASS // factor
        size = WIDTH // factor, HEIGHT // factor

        def places(first: int, count: int, length: int) -> tuple[np.ndarray, np.ndarray]:
            here = np.arange(first, first + count)
            folded = (here - glass) % (2 * edge)
            return np.minimum(folded, 2 * edge - 1 - folded), (here >= glass) & (here < length - glass)

        def read(x: int, y: int, width: int, height: int) -> np.ndarray:
            (columns, across), (rows, down) = places(x, width, size[0]), places(y, height, size[1])
            inside = down[:, None, None] & across[None, :, None]
            return np.where(inside, texture[rows[:, None], columns[None]], np.uint8(243))

        return TileSource(*size, read)

    write_svs(path, [level(factor) for factor in (1, 4, 16)], mpp=MPP, objective_power=40, quality=85)
    return drawn


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_156_megapixels_in_a_gigabyte_and_every_cell_that_is_listed_is_accounted_for(tmp_path: Path) -> None:
    # Arrange
    (tmp_path / "slides").mkdir()
    path = tmp_path / "slides" / "large.svs"
    drawn = write_slide(path)
    tissue_um2 = (WIDTH - 2 * GLASS) * (HEIGHT - 2 * GLASS) * MPP**2
    truth = len(drawn.centers) * tissue_um2 / PERIOD_UM**2

    # Act
    done = subprocess.run(
        [sys.executable, "-c", SEGMENT, str(path), str(tmp_path / "masks")],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    dataset = Dataset(slides=tmp_path / "slides", tfrecords=tmp_path / "records", tile_px=16, tile_um=12)
    (report,) = dataset.extract_cells(tmp_path / "masks", qc="otsu", report=False, img_format="png").values()

    # Assert: all cells were found, in bounded memory
    result = json.loads(done.stdout)
    assert result["peak_mb"] <= 1000, result
    assert result["problems"] == []
    assert result["cells"] == pytest.approx(truth, rel=0.06)
    # … and each of them is a record, once, or counted under its reason
    cells = Segmentation.open(tmp_path / "masks" / "large.cells.zarr")
    records = [TileRecord.decode(payload) for _, payload in iter_records(dataset.tfrecords()[0])]
    ids = Counter(record.cell_id for record in records)
    assert report.status == "done", report.reason
    assert len(cells) == result["cells"] == report.candidates == sum(report.counts.values())
    assert len(records) == report.kept > 0.9 * len(cells)
    assert max(ids.values()) == 1
    places = np.floor(cells.centroids()).astype(int)
    assert all((record.loc_x, record.loc_y) == tuple(places[record.cell_id - 1]) for record in records)
