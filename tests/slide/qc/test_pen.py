"""Pen marks, drawn as ink that takes its share of the light; tissue, which is none."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from slidekit import qc
from slidekit.demo.artifacts import pen_mark
from slidekit.demo.slides import draw_demo_slides
from slidekit.errors import QCError
from tests.slide.qc.contract import QCContract, open_wsi

INKS = {
    "blue": (0.08, 0.16, 0.55),
    "green": (0.10, 0.45, 0.25),
    "teal": (0.12, 0.42, 0.50),
    "red": (0.75, 0.12, 0.14),
    "black": (0.07, 0.07, 0.08),
}


def stained(height: int = 300, width: int = 400, *, dab: bool = False, seed: int = 0) -> np.ndarray:
    """Glass and tissue by Beer and Lambert's law, stain vectors of A. C. Ruifrok and D. A. Johnston (2001)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    tissue = ((x - width / 2) / (0.4 * width)) ** 2 + ((y - height / 2) / (0.4 * height)) ** 2 < 1
    blob = cv2.GaussianBlur(rng.random((height, width)), (0, 0), 6)
    nuclei = np.clip((blob - blob.mean()) / blob.std(), 0, 3) * 0.15
    first = nuclei[..., None] * [0.650, 0.704, 0.286]
    other = np.array([0.268, 0.570, 0.776]) if dab else np.array([0.072, 0.990, 0.105])
    density = (first + (0.25 + 0.1 * (blob > blob.mean()))[..., None] * other) * tissue[..., None]
    return np.clip(245 * 10**-density + rng.normal(0, 1, (height, width, 3)), 0, 255).astype(np.uint8)


def view(image: np.ndarray, mpp: float = 8.0) -> SimpleNamespace:
    height, width = image.shape[:2]
    return SimpleNamespace(
        name="view",
        dimensions=(width, height),
        mpp_x=mpp,
        mpp_y=mpp,
        overview=lambda columns, rows: cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA),
    )


class TestPen(QCContract):
    method = qc.Pen()


@pytest.mark.parametrize("ink", INKS)
@pytest.mark.parametrize("dab", [False, True], ids=["H&E", "IHC"])
def test_ink_is_found_and_tissue_is_not(ink: str, dab: bool) -> None:
    # Arrange: a stroke of 80 µm over the glass, ending in tissue
    clean = stained(dab=dab)
    marked = clean.copy()
    stroke = np.array([[20.0, 20.0], [200.0, 15.0], [380.0, 60.0], [300.0, 110.0]])
    pen_mark(marked, stroke, 10, INKS[ink])
    changed = np.abs(marked.astype(int) - clean).max(axis=2) > 40

    # Act
    mask = qc.Pen()(view(marked))

    # Assert
    assert not qc.Pen()(view(clean)).any()
    assert mask[changed].mean() > 0.9
    around = cv2.dilate(changed.astype(np.uint8), np.ones((9, 9))).astype(bool)
    assert not mask[~around].any()


def test_only_the_inks_asked_for_are_looked_for() -> None:
    marked = stained()
    pen_mark(marked, np.array([[20.0, 20.0], [380.0, 20.0]]), 10, INKS["red"])
    assert qc.Pen(inks=["red"])(view(marked)).any()
    assert not qc.Pen(inks=["blue", "green", "black"])(view(marked)).any()


def test_marks_smaller_than_asked_for_are_left_out() -> None:
    marked = stained()
    cv2.rectangle(marked, (10, 10), (21, 21), (20, 40, 140), -1)  # 12 × 12 px of 8 µm: 0.009 mm²
    assert not qc.Pen()(view(marked)).any()
    assert qc.Pen(min_area_mm2=0.009)(view(marked)).any()


def test_the_mask_grows_by_the_margin() -> None:
    marked = stained()
    cv2.rectangle(marked, (10, 10), (40, 30), (20, 40, 140), -1)
    bare, grown = qc.Pen(margin_um=0)(view(marked)), qc.Pen(margin_um=16)(view(marked))
    assert bare[10:31, 10:41].all()
    assert bare.sum() == 21 * 31
    assert grown[8:33, 12:39].all()
    assert not grown[:7].any()


@pytest.mark.long
def test_pen_of_the_demo_slide_is_found(tmp_path: Path) -> None:
    draw_demo_slides(tmp_path, size=0.2)
    (slide,) = (tmp_path / "slides").glob("*blur-and-pen*")
    others = [path for path in (tmp_path / "slides").glob("*.svs") if path != slide]

    with open_wsi(slide) as wsi:
        found = qc.Pen()(wsi)
        image = wsi.overview(*found.shape[::-1]).astype(int)
    teal = (image[..., 1] - image[..., 0] > 30) & (image[..., 2] - image[..., 0] > 30)

    assert teal.sum() > 50
    assert found[teal].mean() > 0.95
    assert found[~cv2.dilate(teal.astype(np.uint8), np.ones((11, 11))).astype(bool)].mean() < 0.02
    for path in others:
        with open_wsi(path) as wsi:
            assert not qc.Pen()(wsi).any()


@pytest.mark.parametrize("picture", ["white", "black", "glow"])
def test_where_there_is_no_bright_field_nothing_is_pen(picture: str) -> None:
    image = np.full((60, 80, 3), 255 if picture == "white" else 0, np.uint8)
    if picture == "glow":
        image[20:40, 20:60, 2] = 200
    assert not qc.Pen()(view(image)).any()
    assert not qc.Fold()(view(image)).any()


@pytest.mark.parametrize(
    "options",
    [
        *({"mpp": 0}, {"min_density": -1}, {"min_area_mm2": -1}, {"margin_um": float("nan")}, {"inks": ()}),
        *({"inks": "red"}, {"inks": ["purple"]}, {"mpp": float("nan")}),
    ],
)
def test_parameters_that_make_no_sense(options: dict) -> None:
    with pytest.raises(QCError):
        qc.Pen(**options)


@pytest.mark.realdata
@pytest.mark.skipif("SLIDEKIT_TEST_DATA" not in os.environ, reason="SLIDEKIT_TEST_DATA is not set")
@pytest.mark.parametrize("name", ["gastric-HE-40x.svs", "CMU-1-Small-Region.svs", "OS-1-detail.ome.tif"])
def test_no_pen_on_real_slides_without(name: str) -> None:
    with open_wsi(Path(os.environ["SLIDEKIT_TEST_DATA"]) / "slides" / name) as wsi:
        assert not qc.Pen()(wsi).any()


@pytest.mark.realdata
@pytest.mark.skipif("SLIDEKIT_TEST_DATA" not in os.environ, reason="SLIDEKIT_TEST_DATA is not set")
def test_no_pen_on_40_crops() -> None:
    for path in sorted((Path(os.environ["SLIDEKIT_TEST_DATA"]) / "crops").glob("*.jpg")):
        small = np.ascontiguousarray(cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_8)[..., ::-1])
        assert not qc.Pen()(view(small)).any(), path.name


def test_red_ink_over_tissue_is_found_and_dab_is_not() -> None:
    # Densities of red, green and blue: stained tissue, red ink that lies on it, dense DAB (Ruifrok and Johnston 2001).
    tissue, ink, dab = np.array([0.2, 0.45, 0.22]), np.array([0.07, 1.1, 0.92]), 1.4 * np.array([0.27, 0.57, 0.78])
    density = np.tile(tissue, (60, 60, 1))
    density[20:40, 20:40] += ink
    density[:15, :15] = dab

    core, _ = qc.Pen()._ink("red", density.astype(np.float32))

    assert core[20:40, 20:40].all()
    assert np.count_nonzero(core) == 400
