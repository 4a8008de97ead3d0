"""Small slides with regions of interest, and a network that knows the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import shapely

from slidekit import Dataset
from slidekit.io.slide_tiff import make_pyramid, write_tiff
from slidekit.slide.roi import ROI, write_roi_csv
from slidekit.slide.segmentation.config import SegmentConfig

WIDTH, HEIGHT, MPP = 480, 360, 4.0


def blob(number: int) -> shapely.Polygon:
    """Tissue of slide `number`, with a hole: level-0 pixels."""
    disk = shapely.Point(200 + 40 * number, 170).buffer(110, quad_segs=32)
    return disk.difference(shapely.Point(180 + 40 * number, 150).buffer(30, quad_segs=32))


def paint(tissue: shapely.Polygon, seed: int) -> np.ndarray:
    """Dark tissue on glass."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    image = np.random.default_rng(seed).normal(242, 2, (HEIGHT, WIDTH, 3))
    inside = shapely.contains_xy(tissue, x, y)
    image[inside] = image[inside] * [0.75, 0.45, 0.65]
    return np.clip(image, 0, 255).astype(np.uint8)


@dataclass
class Cohort:
    """Slides, their folder of regions, and where the tissue is."""

    folder: Path
    tissue: dict[str, shapely.Polygon]

    def dataset(self, rois: Path | None = None, **options) -> Dataset:
        return Dataset(slides=self.folder / "slides", rois=rois or self.folder / "rois", **options)


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Three slides of 480 × 360 px, 4 µm/px; each with tissue and a tumor in it as regions."""
    folder = tmp_path_factory.mktemp("cohort")
    (folder / "slides").mkdir()
    (folder / "rois").mkdir()
    tissue = {}
    for number in range(3):
        name, shape = f"s{number}", blob(number)
        tissue[name] = shape
        levels = make_pyramid(paint(shape, number), (2,))
        write_tiff(folder / "slides" / f"{name}.tiff", levels, mpp_x=MPP, mpp_y=MPP, compression="deflate")
        x, y = 240 + 40 * number, 200
        tumor = ROI("tumor A", "tumor", shapely.box(x, y, x + 32, y + 24))
        write_roi_csv(folder / "rois" / f"{name}.csv", [ROI("tissue A", "tissue", shape), tumor])
    return Cohort(folder, tissue)


class Oracle:
    """A segmenter that knows where tissue is, at 8 µm/px, with edges as soft as a network's."""

    def __init__(self) -> None:
        self.config = SegmentConfig(mpp=8)
        self.asked: list[str] = []
        self.key = "oracle"

    def scores(self, wsi) -> SimpleNamespace:
        self.asked.append(wsi.name)
        columns, rows = (round(side * MPP / 8) for side in wsi.dimensions)
        y, x = (np.mgrid[:rows, :columns] + 0.5) * 8 / MPP
        # Signed distance to the outline of `blob`: below 0 on glass.
        centre = 200 + 40 * int(wsi.name[1:])
        signed = np.minimum(110 - np.hypot(x - centre, y - 170), np.hypot(x - centre + 20, y - 150) - 30)
        values = 1 / (1 + np.exp(-signed / 2))
        return SimpleNamespace(values=values[..., None].astype(np.float32))


@pytest.fixture
def oracle() -> Oracle:
    return Oracle()
