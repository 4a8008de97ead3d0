"""Predictions of tiles as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from slidekit import WSI


def draw_heat_map(wsi: WSI, values: Mapping[tuple[int, int], float], picture: Path) -> None:
    """Draw values (0 to 1) of tiles, by their centres in level-0 pixels, over the slide."""
    table = wsi.get_tile_dataframe()
    heat = np.full((table["grid_y"].max() + 1, table["grid_x"].max() + 1), np.nan)
    for row in table.itertuples():
        heat[row.grid_y, row.grid_x] = values.get((row.loc_x, row.loc_y), np.nan)
    tile_um = float(wsi.spec.tile_um)
    width_um, height_um = wsi.dimensions[0] * wsi.mpp, wsi.dimensions[1] * wsi.mpp
    figure = Figure(figsize=(7, 7 * height_um / width_um), layout="constrained")
    axes = figure.add_subplot(xlabel="µm", ylabel="µm", title=f"{wsi.name}: probability of tumor")
    axes.imshow(wsi.preview(700, rois=False, tiles=False), extent=(0, width_um, height_um, 0))
    extent = (0, heat.shape[1] * tile_um, heat.shape[0] * tile_um, 0)
    shown = axes.imshow(heat, extent=extent, alpha=0.5, cmap="coolwarm", vmin=0, vmax=1)
    axes.set(xlim=(0, width_um), ylim=(height_um, 0))
    figure.colorbar(shown)
    figure.savefig(picture, dpi=100)
