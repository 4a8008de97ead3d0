"""The slides of the demo project: pyramids on disk, with regions of interest and an annotations table."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from slidekit.demo.artifacts import out_of_focus, pen_mark
from slidekit.demo.layout import lay_out
from slidekit.demo.scene import FragmentPlan, Scene
from slidekit.demo.tissue import PALETTES, draw_tissue
from slidekit.errors import SpecError
from slidekit.io.atomic import atomic_write_text
from slidekit.io.slide_tiff import make_pyramid, write_svs

__all__ = ["DemoData", "DemoSlide", "draw_demo_slides"]

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class DemoSlide:
    """A slide that was drawn.

    Attributes
    ----------
    name
        The slide's name, the stem of its file.
    path
        The SVS file.
    mpp
        µm/px of level 0.
    shows
        What there is to see, in one line.
    """

    name: str
    path: Path
    mpp: float
    shows: str


@dataclass(frozen=True)
class DemoData:
    """What `draw_demo_slides` put on disk.

    Attributes
    ----------
    slides
        The slides, in the order of their names.
    slides_dir, rois_dir
        Folders of the slides and of the ROI CSV files.
    annotations
        CSV with the columns patient, slide, category and site.
    """

    slides: tuple[DemoSlide, ...]
    slides_dir: Path
    rois_dir: Path
    annotations: Path


@dataclass(frozen=True)
class _Recipe:
    """How to make one slide; sizes in µm, (x, y)."""

    name: str
    shows: str
    row: tuple[str, str, str]
    mpp: float
    power: float
    size_um: tuple[float, float]
    plans: tuple[FragmentPlan, ...]
    palette: str
    seed: int
    rois: bool = False
    spoiled: bool = False


_BIOPSY = (FragmentPlan((0.30, 0.44), (0.24, 0.36), 2.7), FragmentPlan((0.78, 0.57), (0.165, 0.35), 5.0))
_BIOPSY_UM = (1980.0, 1560.0)

_RECIPES = (
    _Recipe(
        "demo-1-regions",
        "tumor and stroma outlined: an ROI file with two labels",
        ("patient-1", "adenocarcinoma", "north"),
        0.2528,
        40,
        _BIOPSY_UM,
        _BIOPSY,
        "violet",
        1,
        rois=True,
    ),
    _Recipe(
        "demo-2-blur-and-pen",
        "a part out of focus and a felt-pen stroke: what quality control is for",
        ("patient-2", "adenocarcinoma", "north"),
        0.5,
        20,
        (2900.0, 2300.0),
        (FragmentPlan((0.33, 0.46), (0.25, 0.36), 0.6), FragmentPlan((0.79, 0.40), (0.15, 0.28), 1.8)),
        "violet",
        2,
        spoiled=True,
    ),
    _Recipe(
        "demo-3-rescan",
        "the tissue of demo-1 in another laboratory's stain, at another scanner's µm/px",
        ("patient-1", "adenocarcinoma", "south"),
        0.4990,
        20,
        _BIOPSY_UM,
        _BIOPSY,
        "rose",
        1,
    ),
    _Recipe(
        "demo-4-benign",
        "connective tissue without tumor",
        ("patient-3", "benign", "south"),
        0.3611,
        27,
        (1750.0, 1350.0),
        (FragmentPlan((0.50, 0.48), (0.40, 0.36)),),
        "rose",
        3,
    ),
    _Recipe(
        "demo-5-almost-empty",
        "a speck on clean glass: next to nothing to extract",
        ("patient-4", "benign", "south"),
        0.25,
        40,
        (1150.0, 900.0),
        (FragmentPlan((0.63, 0.38), (0.04, 0.035)),),
        "violet",
        4,
    ),
)


def draw_demo_slides(
    folder: str | Path,
    *,
    seed: int = 0,
    size: float = 1.0,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> DemoData:
    """Draw the slides of the demo, their regions of interest and their annotations.

    Files that are there already are kept as they are, so that a second run costs nothing and nobody's file is
    overwritten; another seed wants another folder.

    Parameters
    ----------
    folder
        Where ``slides/``, ``rois/`` and ``annotations.csv`` go; made if missing.
    seed
        The same seed gives the same pixels.
    size
        Share of the slides' full width and height, for a quick look; 1 gives 4000 to 8000 px.
    on_progress
        Called with the name of the slide that begins, the number of slides done and their total; at the end
        once more with an empty name.

    Returns
    -------
    DemoData

    Raises
    ------
    SpecError
        If `size` is not in (0, 1].
    """
    if not 0 < size <= 1:
        raise SpecError(f"size={size!r} is not a share.", mend="Give more than 0 and at most 1.")
    root = Path(folder)
    data = DemoData((), root / "slides", root / "rois", root / "annotations.csv")
    for needed in (data.slides_dir, data.rois_dir):
        needed.mkdir(parents=True, exist_ok=True)
    slides = []
    for number, recipe in enumerate(_RECIPES):
        if on_progress is not None:
            on_progress(recipe.name, number, len(_RECIPES))
        path = data.slides_dir / f"{recipe.name}.svs"
        _make(recipe, path, data.rois_dir / f"{recipe.name}.csv", seed, size)
        slides.append(DemoSlide(recipe.name, path, recipe.mpp, recipe.shows))
    rows = [(recipe.row[0], recipe.name, *recipe.row[1:]) for recipe in _RECIPES]
    _write_table(data.annotations, [("patient", "slide", "category", "site"), *rows])
    if on_progress is not None:
        on_progress("", len(_RECIPES), len(_RECIPES))
    return DemoData(tuple(slides), data.slides_dir, data.rois_dir, data.annotations)


def _make(recipe: _Recipe, path: Path, roi_path: Path, seed: int, size: float) -> None:
    """Draw and write one slide and its ROI file, whichever is missing."""
    wants_rois = recipe.rois and not roi_path.exists()
    if path.exists() and not wants_rois:
        return
    width_um, height_um = (edge * size for edge in recipe.size_um)
    scene = lay_out(width_um, height_um, recipe.plans, seed=1000 * seed + recipe.seed)
    if wants_rois:
        _write_table(roi_path, _roi_rows(scene, recipe.mpp))
    if not path.exists():
        image = draw_tissue(scene, recipe.mpp, PALETTES[recipe.palette])
        if recipe.spoiled:
            _spoil(image, scene, recipe.mpp)
        levels = make_pyramid(image)
        write_svs(path, levels, mpp=recipe.mpp, objective_power=recipe.power, thumbnail=levels[-1])


def _roi_rows(scene: Scene, mpp: float) -> list[tuple[object, ...]]:
    """Header and one row a vertex, in level-0 pixels."""
    rows: list[tuple[object, ...]] = [("roi_name", "label", "x_base", "y_base")]
    for label, outlines in (("tumor", scene.tumors), ("stroma", scene.stromas)):
        for number, outline in enumerate(outlines, start=1):
            vertices = np.rint(outline / mpp).astype(int).tolist()
            rows += [(f"{label}_{number}", label, x, y) for x, y in vertices]
    return rows


def _spoil(image: Image, scene: Scene, mpp: float) -> None:
    """Put a third of the first fragment out of focus, and cross out the last one's border with a pen."""
    fragment, other = scene.fragments[0], scene.fragments[-1]
    low, high = fragment.min(0), fragment.max(0)
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    center = low + (high - low) * [0.3, 0.72]
    part = center + np.stack([np.cos(angle), np.sin(angle)], axis=1) * (high - low) * [0.36, 0.33]
    out_of_focus(image, part / mpp, 9.0 / mpp)
    low, high = other.min(0), other.max(0)
    way = np.linspace(0, 1, 40)
    x = low[0] + (high[0] - low[0]) * (-0.35 + 1.5 * way)
    y = high[1] + (high[1] - low[1]) * (0.05 - 0.12 * np.sin(2.6 * np.pi * way) * way - 0.42 * way)
    pen_mark(image, np.stack([x, y], axis=1) / mpp, 0.05 * scene.width_um / mpp, (0.12, 0.42, 0.50))


def _write_table(path: Path, rows: list[tuple[object, ...]]) -> None:
    """Write CSV, unless there is a file."""
    if path.exists():
        return
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    atomic_write_text(path, text.getvalue())
