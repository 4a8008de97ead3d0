"""Draw the pictures of README.md from what ``qupath_roi.groovy`` really writes.

Run ``python qupath/make_pictures.py``: it runs the script under Groovy on the stand-ins of the tests, reads
the CSV files and draws them over synthetic tissue. Needs matplotlib, scipy and shapely, and the Debian
packages groovy and libjts-java.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from shapely.geometry import MultiPolygon, Point, Polygon

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "qupath" / "standins"))
import harness  # noqa: E402  (the stand-ins are no package)

Rings = dict[str, tuple[str, list[tuple[float, float]]]]

SLIDE = (12_000, 8_000)
BOUNDS = (7_000, 9_000)
COLOURS = {"Tumor": "#c80000", "Stroma": "#0a7d2c", "Necrosis": "#b35900", "": "#303030"}


def blob(x: float, y: float, radius: float, seed: int) -> Polygon:
    """Draw an outline as a hand draws it; pixels of level 0."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    wobble = 1 + sum(rng.uniform(0.02, 0.12) * np.cos(k * angle + rng.uniform(0, 6)) for k in (2, 3, 5))
    points = np.column_stack([x + radius * wobble * np.cos(angle), y + 0.8 * radius * wobble * np.sin(angle)])
    return Polygon(points.round(2))


def drawings() -> list[dict[str, Any]]:
    """Return what the pathologist has drawn."""
    tumor = blob(3900, 3700, 2300, 1).difference(blob(3300, 3300, 520, 2)).difference(blob(4900, 4300, 380, 3))
    stroma = MultiPolygon([blob(8700, 2300, 1150, 4).difference(blob(8800, 2350, 420, 5)), blob(9500, 5200, 800, 6)])
    return [
        harness.drawn("Geometry", tumor, "Tumor", "invasive front"),
        harness.drawn("Polygon", blob(3000, 4600, 430, 7), "Necrosis", None),
        harness.drawn("Geometry", stroma, "Stroma", None),
        harness.drawn("Ellipse", Polygon(Point(6700, 6500).buffer(600, quad_segs=12)), None, "to discuss"),
        harness.drawn("Points", [[6000, 1500], [6200, 1600]], "Tumor"),
        harness.drawn("Line", [[1000, 7300], [3000, 7400]], None, "1 mm"),
    ]


def write_rois(folder: Path) -> list[Rings]:
    """Run the script on a slide without and one with bounds, and read the two files."""
    images = [
        harness.image("gastric-01.svs", drawings(), size=list(SLIDE)),
        harness.image("gastric-02.mrxs", drawings(), size=list(SLIDE), bounds=list(BOUNDS)),
    ]
    scenario = folder / "scenario.json"
    content = {"project": True, "folder": str(folder), "open": None, "images": images}
    scenario.write_text(json.dumps(content), encoding="utf-8")
    harness.run_jobs([harness.Job("modern", scenario)], folder)
    return [harness.read_rings(folder / "ROI" / f"gastric-0{number}.csv") for number in (1, 2)]


def tissue() -> NDArray[np.uint8]:
    """Paint something like H&E, one pixel for 10 pixels of level 0; (800, 1200, 3) uint8."""
    rng = np.random.default_rng(8)
    width, height = SLIDE[0] // 10, SLIDE[1] // 10
    smooth = gaussian_filter(rng.normal(size=(height, width)), 70)
    y, x = np.mgrid[0:height, 0:width]
    dome = 1 - ((x - width / 2) / (width / 2)) ** 4 - ((y - height / 2) / (height / 2)) ** 4
    inside = np.clip(4 * (dome + 0.35 * smooth / smooth.std() - 0.15), 0, 1)[..., None]
    fibres = gaussian_filter(rng.normal(size=(height, width)), (1.2, 5))
    nuclei = gaussian_filter(rng.normal(size=(height, width)), 1.3)
    dense = gaussian_filter(rng.normal(size=(height, width)), 45)
    eosin = np.array([233, 178, 205]) - 5 * (fibres / fibres.std())[..., None]
    blue = np.clip(nuclei / nuclei.std() + 0.9 * dense / dense.std() - 0.9, 0, 1)[..., None]
    stained = eosin * (1 - blue) + np.array([104, 66, 148]) * blue
    picture: NDArray[np.uint8] = np.clip(stained * inside + 244 * (1 - inside), 0, 255).astype(np.uint8)
    return picture


def draw_rings(axes: Axes, rings: Rings, *, names: bool) -> None:
    """Draw every ring of a file, holes broken, with its name and label at its top."""
    for name, (label, ring) in rings.items():
        line = np.array([*ring, ring[0]])
        style = "--" if "_hole" in name else "-"
        axes.plot(line[:, 0], line[:, 1], style, color=COLOURS[label], linewidth=2)
        if names:
            write_text(axes, line, f"{name} · {label or 'no label'}", COLOURS[label], "white")


def draw_annotations(axes: Axes) -> None:
    """Draw what was drawn in QuPath: areas with their names and classes, the line and the points."""
    for annotation in drawings():
        colour = COLOURS[annotation["label"] or ""]
        rings = [np.array(ring) for part in annotation["parts"] for ring in part]
        style = "o" if annotation["kind"] == "Points" else "-"
        closed = annotation["kind"] not in ("Points", "Line")
        for ring in rings:
            line = np.vstack([ring, ring[:1]]) if closed else ring
            axes.plot(line[:, 0], line[:, 1], style, color=colour, linewidth=2)
        if closed:
            words = "\n".join(word for word in (annotation["name"], annotation["label"]) if word)
            write_text(axes, rings[0], words, "white", colour)


def write_text(axes: Axes, line: NDArray[np.float64], words: str, colour: str, ground: str) -> None:
    """Write words in a box above the highest point of a line."""
    x, y = line[line[:, 1].argmin()].tolist()
    box = {"facecolor": ground, "edgecolor": "none", "alpha": 0.9, "pad": 1.5}
    axes.text(x, y, words, color=colour, fontsize=9, ha="center", va="bottom", bbox=box)


def figure_of(width: float, height: float) -> tuple[Figure, Axes]:
    """Make a figure of so many inches that is all picture, 100 dots an inch."""
    figure = Figure(figsize=(width, height), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    return figure, axes


def save(figure: Figure, path: Path) -> None:
    """Save with 96 colours: a picture of a README stays below 200 kB."""
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.png"
        figure.savefig(whole)
        with Image.open(whole) as picture:
            small = picture.convert("RGB").quantize(96, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
            small.save(path, optimize=True)


def draw_slide(path: Path, background: NDArray[np.uint8], rings: Rings | None) -> None:
    """Draw the annotations (rings None) or the file's rings over the slide."""
    figure, axes = figure_of(7.8, 5.2)
    axes.imshow(background, extent=(0, SLIDE[0], SLIDE[1], 0))
    if rings is None:
        draw_annotations(axes)
    else:
        draw_rings(axes, rings, names=True)
    axes.set(xlim=(0, SLIDE[0]), ylim=(SLIDE[1], 0))
    save(figure, path)


def draw_bounds(path: Path, background: NDArray[np.uint8], rings: Rings) -> None:
    """Draw a MIRAX slide as OpenSlide sees it: a scanned part in an empty slide, and the ROIs on it."""
    whole = (26_000, 20_000)
    figure, axes = figure_of(7.8, 6)
    axes.set_facecolor("white")
    axes.imshow(background, extent=(BOUNDS[0], BOUNDS[0] + SLIDE[0], BOUNDS[1] + SLIDE[1], BOUNDS[1]))
    draw_rings(axes, rings, names=False)
    arrow = {"arrowstyle": "->", "linewidth": 2, "color": "#333333"}
    axes.annotate("", xy=BOUNDS, xytext=(0, 0), arrowprops=arrow)
    axes.text(1500, 600, "(0, 0): corner of the slide,\nslidekit counts from here", fontsize=10, va="top")
    where = "openslide.bounds-x, -y:\nQuPath counts from here"
    axes.text(BOUNDS[0], BOUNDS[1] - 300, where, fontsize=10, va="bottom")
    axes.plot([0, whole[0], whole[0], 0, 0], [0, 0, whole[1], whole[1], 0], color="#333333", linewidth=3)
    axes.set(xlim=(0, whole[0]), ylim=(whole[1], 0))
    save(figure, path)


def main() -> None:
    """Make all pictures."""
    missing = harness.missing_tools()
    if missing:
        raise SystemExit(missing)
    background = tissue()
    with tempfile.TemporaryDirectory() as folder:
        plain, shifted = write_rois(Path(folder))
    images = HERE / "images"
    images.mkdir(exist_ok=True)
    draw_slide(images / "drawn.png", background, None)
    draw_slide(images / "written.png", background, plain)
    draw_bounds(images / "bounds.png", background, shifted)


if __name__ == "__main__":
    main()
