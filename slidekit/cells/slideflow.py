"""Cells that Slideflow has saved: ``{slide}-masks.zip``."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile, is_zipfile

import numpy as np
import numpy.typing as npt

from slidekit.cells.labels import take_owned
from slidekit.cells.outlines import trace_outlines
from slidekit.cells.segmentation import Segmentation
from slidekit.cells.store import zarr_library
from slidekit.cells.windows import WindowGrid
from slidekit.errors import CellError

__all__ = ["load_slideflow"]

_SUFFIX = "-masks"
_MEND = "Give its {slide}-masks.zip."
_WINDOW_PX, _MARGIN_PX = 2048, 256
"""Masks are read in windows; cells of more pixels than the margin are cut."""


def load_slideflow(
    path: str | Path, *, dimensions: tuple[int, int], slide_mpp: float | tuple[float, float], slide: str | None = None
) -> Segmentation:
    """Read what Slideflow's ``Segmentation.save`` wrote: a zip of zarr (version 2).

    Its array ``masks`` covers ``wsi_dim`` (width, height) level-0 pixels from ``wsi_offset`` (x, y) on. Cells are taken
    as outlines of its labels; flows and centroids are passed over, because the latter are rounded.

    Parameters
    ----------
    path
        The zip.
    dimensions
        Width and height of the slide's level 0, pixels.
    slide_mpp
        µm/px of level 0, or along x and y.
    slide
        Name of the slide; by default that of the file without ``-masks``.

    Returns
    -------
    Segmentation
        Without masks; `Segmentation.region` paints the outlines.

    Raises
    ------
    CellError
        If the file is missing, or no such zip.
    MissingExtraError
        If zarr is not installed.
    """
    path = Path(path)
    zarr = zarr_library()
    outlines: list[npt.NDArray[np.float64]] = []
    if not is_zipfile(path):
        # zarr fails on it in ways of its own.
        raise CellError("is no zip of cells that Slideflow saved.", mend=_MEND, path=path)
    try:
        with zarr.storage.ZipStore(path, mode="r") as store:
            group = zarr.open_group(store, mode="r", zarr_format=2)
            masks = group["masks"]
            rows, columns = masks.shape
            offset = np.asarray(group["wsi_offset"][:], np.float64)
            pixel = np.asarray(group["wsi_dim"][:], np.float64) / (columns, rows)
            for window in WindowGrid(columns, rows, _WINDOW_PX, _MARGIN_PX):
                outer = window.outer
                labels = np.asarray(masks[outer.top : outer.bottom, outer.left : outer.right])
                owned = take_owned(labels, window, 0, check=False)
                vertices, counts = trace_outlines(owned.labels)
                placed = (vertices / 2 + (outer.left, outer.top)) * pixel + offset
                outlines += np.split(placed, np.cumsum(counts)[:-1]) if len(counts) else []
    except (OSError, KeyError, TypeError, ValueError, BadZipFile) as error:
        what = f"is no zip of cells that Slideflow saved ({type(error).__name__}: {error})."
        raise CellError(what, mend=_MEND, path=path) from error
    name = path.stem.removesuffix(_SUFFIX) if slide is None else slide
    return Segmentation.from_outlines(
        name, outlines, dimensions=dimensions, slide_mpp=slide_mpp, mpp=_mpp(pixel, slide_mpp), source="slideflow"
    )


def _mpp(pixel: npt.NDArray[np.float64], slide_mpp: float | tuple[float, float]) -> float:
    return float(pixel[0]) * (slide_mpp[0] if isinstance(slide_mpp, tuple) else slide_mpp)
