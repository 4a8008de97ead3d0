"""Slides to train on, drawn in seconds: patients with tumour and stroma outlined, two stains, three resolutions."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slidekit.demo.layout import lay_out
from slidekit.demo.scene import FragmentPlan, Scene
from slidekit.demo.tissue import PALETTES, draw_tissue
from slidekit.io.slide_tiff import make_pyramid, write_svs

SIZE_UM = (1200.0, 960.0)
RESOLUTIONS = (0.5, 0.4, 0.6)


@dataclass(frozen=True)
class Cohort:
    """Where things lie."""

    slides: Path
    rois: Path
    annotations: Path
    new_slide: Path
    new_rois: Path


def draw_cohort(folder: Path, *, patients: int = 6, seed: int = 0) -> Cohort:
    """Draw two slides for each patient, and one of a patient who is none of them."""
    cohort = Cohort(
        folder / "slides", folder / "rois", folder / "annotations.csv", folder / "new" / "new.svs", folder / "new.csv"
    )
    for needed in (cohort.slides, cohort.rois, cohort.new_slide.parent):
        needed.mkdir(parents=True, exist_ok=True)
    rows = [("patient", "slide", "site")]
    for number in range(2 * patients):
        name = f"slide-{number + 1:02}"
        palette = ("violet", "rose")[number // 2 % 2]
        rows.append((f"patient-{number // 2 + 1}", name, {"violet": "north", "rose": "south"}[palette]))
        draw_slide(cohort.slides / f"{name}.svs", cohort.rois / f"{name}.csv", number, palette, 100 * seed + number)
    draw_slide(cohort.new_slide, cohort.new_rois, 1, "rose", 100 * seed + 99)
    with cohort.annotations.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return cohort


def draw_slide(path: Path, rois: Path, number: int, palette: str, seed: int) -> None:
    """Draw a slide with one piece of tissue, and write its outlines."""
    if path.exists():
        return
    mpp = RESOLUTIONS[number % len(RESOLUTIONS)]
    plan = FragmentPlan((0.5, 0.5), (0.40, 0.40), tumor_angle=2.4 * number)
    scene = lay_out(*SIZE_UM, [plan], seed=seed)
    with rois.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(outlines(scene, mpp))
    levels = make_pyramid(draw_tissue(scene, mpp, PALETTES[palette]))
    write_svs(path, levels, mpp=mpp, objective_power=20)


def outlines(scene: Scene, mpp: float) -> list[tuple[object, ...]]:
    """Rows of a ROI file: one a vertex, in pixels of level 0."""
    rows: list[tuple[object, ...]] = [("roi_name", "label", "x_base", "y_base")]
    for label, rings in (("tumor", scene.tumors), ("stroma", scene.stromas)):
        for place, ring in enumerate(rings):
            rows += [(f"{label}_{place}", label, x, y) for x, y in np.rint(ring / mpp).astype(int).tolist()]
    return rows
