"""Candidate tiles of many slides in one table."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from slidekit.errors import SlidekitError
from slidekit.slide.spec import ExtractionSpec

if TYPE_CHECKING:
    import pandas as pd

    from slidekit.collection.selection import Selection

__all__ = ["tile_table"]

logger = logging.getLogger(__name__)


def tile_table(selection: Selection, spec: ExtractionSpec) -> pd.DataFrame:
    """Put the tables of all slides of a selection together; TFRecords are not looked at.

    Parameters
    ----------
    selection
        Which slides.
    spec
        Size of tile, ROI rule and QC.

    Returns
    -------
    DataFrame
        Index ``{slide}-{loc_x}-{loc_y}``; the columns of `WSI.get_tile_dataframe`, and ``slide``. Slides that
        cannot be used are in ``attrs["failed"]``, name to reason, and in the log.
    """
    import pandas as pd

    from slidekit.slide.wsi import WSI

    mpp, rois = selection.mpp(), selection.roi_files()
    frames: list[pd.DataFrame] = []
    failed: dict[str, str] = {}
    for name, path in selection.paths().items():
        try:
            with WSI.from_spec(path, spec, rois=rois.get(name), annotated_mpp=mpp.get(name)) as slide:
                slide.qc(spec.qc)
                frames.append(slide.get_tile_dataframe().assign(slide=name))
        except SlidekitError as error:
            logger.warning("%s is not in the table: %s", name, error)
            failed[name] = str(error)
    # Empty frames have columns without types, which would spoil the types of the others.
    filled = [frame for frame in frames if len(frame)] or frames[:1]
    table = pd.concat(filled) if filled else pd.DataFrame(columns=["loc_x", "loc_y", "slide"])
    table.attrs["failed"] = failed
    return table
