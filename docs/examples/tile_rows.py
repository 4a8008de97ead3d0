"""Rows of patches as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

GAP_PX = 2


def draw_rows(rows: Mapping[str, NDArray[np.uint8]], picture: Path) -> None:
    """Draw patches, uint8 (n, h, w, 3), a row each by its title; all of one size."""
    around = ((0, GAP_PX), (0, GAP_PX), (0, 0))
    strips = [np.hstack([np.pad(patch, around, constant_values=255) for patch in patches]) for patches in rows.values()]
    height, width = strips[0].shape[:2]
    figure = Figure(figsize=(8, 0.3 + len(rows) * (0.25 + 8 * height / width)), layout="constrained")
    for axes, title, strip in zip(figure.subplots(len(rows), squeeze=False)[:, 0], rows, strips, strict=True):
        axes.imshow(strip, interpolation="nearest")
        axes.set_title(title, loc="left", fontsize=9)
        axes.axis("off")
    figure.savefig(picture, dpi=120)
