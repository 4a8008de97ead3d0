"""Cells that Slideflow has saved: ``{slide}-masks.zip``."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile, is_zipfile

import numpy as np
import numpy.typing as npt

from slidekit.cells.given import both_mpp
from slidekit.cells.labels import take_owned
from slidekit.cells.outlines import trace_outlines
from slidekit.cells.segmentation import Segmentation
from slidekit.cells.store import zarr_library
from slidekit.cells.windows import WindowGrid
from slidekit.errors import CellError

__all__ = ["load_slideflow"]

_SUFFIX = "-masks"
_MEND = "Give its {slide}-masks.zip."
_ROUNDED, _ROUNDED_PX = 0.01, 64
"""By how much of the slide, or how many level-0 pixels, masks may reach beyond it."""

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
        If the file is missing, no such zip, or of a slide of another size.
    MissingExtraError
        If zarr is not installed.
    """
    path = Path(path).expanduser()
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
            covered = np.asarray(group["wsi_dim"][:], np.float64)
            _check_place(path, offset, covered, dimensions)
            pixel = covered / (columns, rows)
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
    mpp = float(pixel[0]) * both_mpp(slide_mpp)[0]
    return Segmentation.from_outlines(
        name, outlines, dimensions=dimensions, slide_mpp=slide_mpp, mpp=mpp, source="slideflow"
    )


def _check_place(
    path: Path, offset: npt.NDArray[np.float64], covered: npt.NDArray[np.float64], dimensions: tuple[int, int]
) -> None:
    """Masks must lie on the slide, give or take what Slideflow rounds its size by."""
    if offset.shape != (2,) or covered.shape != (2,) or not (covered > 0).all():
        raise ValueError("wsi_dim and wsi_offset are no pairs of numbers")
    slack = np.maximum(_ROUNDED_PX, _ROUNDED * np.array(dimensions))
    if (offset < -slack).any() or (offset + covered > np.array(dimensions) + slack).any():
        width, height = dimensions
        raise CellError(
            f"holds masks from {_pair(offset)} to {_pair(offset + covered)}, and the slide has {width} × {height} px.",
            mend="Give the slide that the cells were found on, with the width and height of its level 0.",
            path=path,
        )


def _pair(place: npt.NDArray[np.float64]) -> str:
    return f"({place[0]:.0f}, {place[1]:.0f})"
