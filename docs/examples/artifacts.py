"""The pictures of docs/artifacts.md: pen marks and a fold, drawn by how ink and tissue take light, and what is found.

``python docs/examples/artifacts.py docs/images``: into slides of the demo project, or ``… pictures a-slide.svs``: into
a slide of yours.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from slidekit import WSI
from slidekit.demo.artifacts import pen_mark
from slidekit.demo.slides import draw_demo_slides
from slidekit.io.slide_tiff import make_pyramid, write_svs

Image = NDArray[np.uint8]

MPP = 4.0
INKS = [(0.08, 0.16, 0.55), (0.10, 0.45, 0.25), (0.75, 0.12, 0.14), (0.07, 0.07, 0.08)]


def draw_pens(image: Image) -> Image:
    """Blue, green, red and black ink: each takes its share of the light."""
    marked = image.copy()
    height, width = image.shape[:2]
    for number, ink in enumerate(INKS):
        x = width * np.array([0.03, 0.1, 0.16, 0.14]) + width * 0.25 * number
        y = height * np.array([0.1, 0.06, 0.2, 0.42])
        pen_mark(marked, np.stack([x, y], axis=1), 0.016 * width, ink)
    return marked


def draw_fold(image: Image) -> Image:
    """Tissue over tissue in a band: light passes both layers, so that their densities add up."""
    density = -np.log10((image.astype(float) + 0.5) / 245.5)
    height, width = image.shape[:2]
    band = np.zeros((height, width), np.uint8)
    way = np.array([[0.12, 0.42], [0.2, 0.47], [0.3, 0.49]]) * [width, height]
    cv2.polylines(band, [way.astype(np.int32)], False, 1, round(0.02 * width))
    second = np.roll(density, (round(0.03 * height), 0), (0, 1)) * band[..., None]
    return np.clip(245.5 * 10 ** -(density + second) - 0.5, 0, 255).astype(np.uint8)


def picture(slide: Path, path: Path, width: int = 520) -> None:
    """The slide beside what is found, drawn by the preview."""
    with WSI(slide, tile_px=256, tile_um=256) as wsi:
        plain = wsi.preview(width, rois=False, tiles=False)
        wsi.qc(["otsu", "pen", "fold"])
        for mask in wsi.qc_masks:
            print(f"{path.name}: {mask.name} {mask.share:.1%} of the slide")
        found = wsi.preview(width, rois=False, tiles=False)
    both = np.hstack([plain, found])
    cv2.imwrite(str(path), both[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])


def main(folder: Path, slide: Path | None) -> None:
    """Draw both pictures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        demo = draw_demo_slides(Path(scratch) / "demo", size=0.6)
        with WSI(slide or demo.slides[0].path, tile_px=256, tile_um=256) as wsi:
            image = wsi.thumb(mpp=MPP)
        spoiled = draw_fold(draw_pens(image))
        write_svs(Path(scratch) / "spoiled.svs", make_pyramid(spoiled, (4,)), mpp=MPP, quality=92)
        picture(Path(scratch) / "spoiled.svs", folder / "artifacts-pen-and-fold.jpg")
        picture(demo.slides[1].path, folder / "artifacts-demo.jpg")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
