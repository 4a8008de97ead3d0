"""A network as a QC method, with overlap: its map of scores and its mask as a picture.

Run it as ``python docs/examples/learned_qc.py docs/images/learned-qc.png``. The "network" is a function that anybody
can check: a logistic curve over the strength of edges in a patch. A Keras model, a torch module or a path takes its
place without another change.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from slidekit import WSI, qc
from slidekit.demo.slides import draw_demo_slides


def blurred(patches: np.ndarray) -> np.ndarray:
    """Scores (n, 2) of patches (n, h, w, 3), 0-1: sharp, and out of focus or empty."""
    gray = patches.mean(axis=3)
    edges = np.abs(np.diff(gray, axis=1)).mean(axis=(1, 2)) + np.abs(np.diff(gray, axis=2)).mean(axis=(1, 2))
    score = 1 / (1 + np.exp((edges - 0.03) / 0.005))
    return np.stack([1 - score, score], axis=1)


def draw(slide: Path, picture: Path) -> None:
    """Draw the slide, the scores, and what is dropped."""
    method = qc.StridedDL(blurred, pred_idx=1, tile_px=64, tile_um=64, overlap=32, name="blurred")
    with WSI(slide, tile_px=256, tile_um=128) as wsi:
        scores = method(wsi, threshold=False)
        wsi.qc(method)
        width, height = wsi.size_um
        figure = Figure(figsize=(10.5, 3.0 * height / width + 0.5), layout="constrained")
        axes = figure.subplots(1, 3)
        axes[0].imshow(wsi.thumb(400), extent=(0, width, height, 0))
        shown = axes[1].imshow(scores, extent=(0, width, height, 0), cmap="magma", vmin=0, vmax=1)
        axes[2].imshow(wsi.preview(400), extent=(0, width, height, 0))
        figure.colorbar(shown, ax=axes[1], shrink=0.8)
    for one, title in zip(axes, ("slide", "score of class 1", "dropped where > 0.5, kept tiles green"), strict=True):
        one.set_title(title, fontsize=9)
        one.set_axis_off()
    figure.savefig(picture, dpi=80, pil_kwargs={"optimize": True})


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        slides = draw_demo_slides(Path(folder), size=0.6).slides_dir
        draw(slides / "demo-2-blur-and-pen.svs", Path(sys.argv[1]))
