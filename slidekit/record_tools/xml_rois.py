"""Regions of interest as XML, written again as the CSV that slidekit and Slideflow read."""

from __future__ import annotations

from pathlib import Path

from slidekit.errors import ROIError
from slidekit.slide.roi import load_rois, write_roi_csv

__all__ = ["convert_xml"]


def convert_xml(path: Path) -> Path | None:
    """Write the regions of an XML file into a CSV beside it.

    Parameters
    ----------
    path
        ImageScope's or ASAP's XML; it stays.

    Returns
    -------
    Path or None
        The CSV; None if there is one already, which stays as it is.

    Raises
    ------
    ROIError
        If the file cannot be used, or a CSV cannot say what it says: regions of one label inside each other of which
        none is a hole.
    """
    dest = path.with_suffix(".csv")
    if dest.exists():
        return None
    regions = load_rois(path)
    if not len(regions):
        raise ROIError("The file holds no regions.", mend="Draw some, or remove the file.", path=path)
    write_roi_csv(dest, regions.rois)
    return dest
