"""A picture of stain normalisation: a row a method, a column a slide."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from slidekit import WSI
from slidekit.norm import METHODS, autoselect
from slidekit.norm.methods import NEEDS_SOURCE

__all__ = ["draw_stain_figure"]

TILE = 256
WIDTH_INCHES, ROW_INCHES, DPI = 8.0, 1.35, 100


def draw_stain_figure(slides: Sequence[Path]) -> Image.Image:
    """One tissue tile of each slide as it was scanned, and as each method leaves it, fitted to its default preset.

    Parameters
    ----------
    slides
        One a column.
    """
    from matplotlib.figure import Figure

    tiles = [tissue_tile(path) for path in slides]
    rows = {"as scanned": tiles}
    # A generator would have to come from somewhere.
    for method in sorted(set(METHODS) - NEEDS_SOURCE):
        normalizer = autoselect(method)
        rows[method] = [normalizer.transform(tile) for tile in tiles]
    figure = Figure((WIDTH_INCHES, ROW_INCHES * len(rows) + 0.3), layout="constrained")
    grid = figure.subplots(len(rows), len(tiles))
    for axes, (name, images) in zip(grid, rows.items(), strict=True):
        for place, image in zip(axes, images, strict=True):
            place.imshow(image)
            place.set(xticks=[], yticks=[])
        axes[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=10)
    for place, path in zip(grid[0], slides, strict=True):
        place.set_title(path.stem, fontsize=9)
    file = BytesIO()
    figure.savefig(file, dpi=DPI)
    return Image.open(file).convert("RGB")


def tissue_tile(path: Path) -> npt.NDArray[np.uint8]:
    """The tile of 128 µm with the most contrast among some that have two stains; a pen has none."""
    with WSI(path, TILE, 128, qc="otsu") as wsi:
        cells = wsi.grid.cells()[wsi.fates().taken]
        some = [wsi[int(i), int(j)] for i, j in cells[:: max(1, len(cells) // 30)]]
    normalizer = autoselect("macenko")
    stained = [tile for tile in some if normalizer.normalize(tile).changed and (tile.mean(axis=2) > 225).mean() < 0.2]
    return max(stained, key=lambda tile: float(tile.mean(axis=2).std()))
