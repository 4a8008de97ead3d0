"""The table of a slide's candidate tiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from slidekit.slide.grid import CellGrid
from slidekit.slide.places import PlaceGrid
from slidekit.slide.roi import ROI
from slidekit.slide.selection import CellFates

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["tile_table"]


def tile_table(slide: str, grid: CellGrid, rois: Sequence[ROI], fates: CellFates) -> pd.DataFrame:
    """Put the cells of a grid into a table; see `WSI.get_tile_dataframe` for its columns."""
    import pandas as pd

    cells, locations = grid.cells(), grid.locations()
    has_roi = fates.roi_index >= 0

    def of_roi(values: list[str | None]) -> list[str | None]:
        return [values[k] if found else None for k, found in zip(fates.roi_index, has_roi, strict=True)]

    names = [roi.name for roi in rois]
    described = [_describe(roi) for roi in rois]
    labels = of_roi([roi.label for roi in rois])
    places: dict[str, npt.NDArray[np.int64]]
    if isinstance(grid, PlaceGrid):
        labels = [given if given is not None else label for given, label in zip(grid.labels, labels, strict=True)]
        places = {"row": grid.rows}
    else:
        places = {"grid_x": cells[:, 0], "grid_y": cells[:, 1]}
    return pd.DataFrame(
        {
            "loc_x": locations[:, 0],
            "loc_y": locations[:, 1],
            **places,
            "roi_name": pd.Series(of_roi(list(names)), dtype=object),
            "roi_desc": pd.Series(of_roi(list(described)), dtype=object),
            "label": pd.Series(labels, dtype=object),
            "mpp_x": np.full(len(cells), grid.mpp_x),
            "mpp_y": np.full(len(cells), grid.mpp_y),
            "reason": pd.Series(fates.reasons, dtype=object),
        }
    ).set_index(pd.Index([f"{slide}-{x}-{y}" for x, y in locations], name="tile"))


def _describe(roi: ROI) -> str:
    holes = len(roi.polygon.interiors)
    return roi.name if holes == 0 else f"{roi.name} ({holes} hole{'s' if holes > 1 else ''})"
