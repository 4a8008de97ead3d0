"""Cells drawn over a slide: outlines and centroids, as a picture.

``python cells.py`` draws a field of nuclei that are known, and says how many were found. ``python cells.py SLIDE
--region X Y WIDTH`` takes a square of a slide, in level-0 pixels; ``--mpp`` says the µm/px of an image without any.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from slidekit.cells import Segmentation, segment_slide
from slidekit.demo.nuclei import NucleiField, paint_nuclei
from slidekit.io.slide_tiff import write_svs
from slidekit.slide.image import SlideImage

OUTLINE, CENTROID = (255, 225, 0), (0, 255, 120)
SIDE = 560
COLOURS = 160


def draw_cells(
    pixels: npt.NDArray[np.uint8], cells: Segmentation, corner: tuple[float, float], scale: float
) -> npt.NDArray[np.uint8]:
    """Outlines and centroids over pixels whose corner (x, y) is in level-0 pixels, `scale` of them to a pixel."""
    picture = pixels.copy()
    # Fractions of a pixel by OpenCV's fixed point, whose pixel centres are whole numbers.
    for outline in cells.outlines:
        points = ((np.asarray(outline) - corner) / scale - 0.5) * 16
        cv2.polylines(picture, [np.rint(points).astype(np.int32)], True, OUTLINE, 1, cv2.LINE_AA, 4)
    for center in cells.centroids():
        x, y = np.rint(((center - corner) / scale - 0.5) * 16).astype(int)
        cv2.circle(picture, (int(x), int(y)), 20, CENTROID, -1, cv2.LINE_AA, 4)
    return picture


def draw_region(
    slide: Path, region: tuple[int, int, int] | None, diam_um: float, slide_mpp: float | None = None
) -> Image.Image:
    """A square of a slide, (x, y, width) in level-0 pixels, with its cells."""
    cells = segment_slide(slide, diam_um=diam_um, slide_mpp=slide_mpp)
    with SlideImage(slide, mpp=slide_mpp) as opened:
        x, y, width = region or (0, 0, min(opened.dimensions))
        scale = width / SIDE
        columns, rows = (round(side / scale) for side in opened.dimensions)
        corner = round(x / scale), round(y / scale)
        pixels = opened.overview_window(columns, rows, corner=corner, size=(SIDE, SIDE))
    print(f"{slide.name}: {len(cells)} cells")
    return Image.fromarray(draw_cells(pixels, cells, (corner[0] * scale, corner[1] * scale), scale))


def known_field(folder: Path) -> tuple[Path, NucleiField]:
    """A slide of nuclei that are known, 200 µm wide."""
    field = paint_nuclei((200, 200), 0.25, seed=7)
    return write_svs(folder / "nuclei.svs", [field.image], mpp=field.mpp, quality=92), field


def save(picture: Image.Image, path: Path) -> None:
    """PNG of few colours: small enough for a page."""
    picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


def main() -> None:
    """Draw what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("slide", type=Path, nargs="?")
    parser.add_argument("--region", type=int, nargs=3, metavar=("X", "Y", "WIDTH"))
    parser.add_argument("--mpp", type=float)
    parser.add_argument("--diam-um", type=float, default=8.0)
    parser.add_argument("--dest", type=Path, default=Path("cells.png"))
    given = parser.parse_args()
    if given.slide is not None:
        save(draw_region(given.slide, given.region, given.diam_um, slide_mpp=given.mpp), given.dest)
        return
    with tempfile.TemporaryDirectory() as folder:
        slide, field = known_field(Path(folder))
        print(f"{len(field.centers)} nuclei were drawn.")
        save(draw_region(slide, None, given.diam_um), given.dest)


if __name__ == "__main__":
    main()
