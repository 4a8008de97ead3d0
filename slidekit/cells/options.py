"""Options of a segmentation under their own names, whether Slideflow's or slidekit's were given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from slidekit.cells.methods.base import check_lengths
from slidekit.cells.values import whole_number
from slidekit.cells.windows import LEAST_WINDOW
from slidekit.errors import SpecError

__all__ = ["SegmentOptions", "take_options"]


class SegmentOptions(NamedTuple):
    """What `segment_slide` was given.

    Attributes
    ----------
    method
        As for `slidekit.cells.methods.resolve_method`.
    mpp
        µm/px to work at; None for the method's own.
    window_px
        Longest edge of a window's core, pixels.
    slide_mpp
        µm/px of level 0, over what the file says.
    overwrite
        Whether cells that are there may be replaced.
    rest
        What is the method's.
    """

    method: Any
    mpp: float | None
    window_px: int
    slide_mpp: float | None
    overwrite: bool
    rest: dict[str, Any]


def take_options(
    method: Any, diam_um: float, options: Mapping[str, Any], *, mpp: float | None = None, window_px: int = 1024
) -> SegmentOptions:
    """Take Slideflow's names, and what is no option of the method, out of the options.

    Parameters
    ----------
    method, diam_um, mpp, window_px
        As for `slidekit.cells.segment_slide`.
    options
        The others.

    Raises
    ------
    SpecError
        If two say the same, or one is no number.
    """
    rest = dict(options)
    if "model" in rest:
        if method != "classical":
            raise SpecError("method and model are given.", mend="Give one of the two.")
        method = rest.pop("model")
    if (diam_mean := rest.pop("diam_mean", None)) is not None:
        check_lengths(diam_mean=diam_mean, diam_um=diam_um)
        if mpp is not None:
            raise SpecError("mpp and diam_mean are given, and say the same.", mend="Give one of the two.")
        mpp = diam_um / diam_mean
    window = whole_number("window_px", rest.pop("window_size", window_px), LEAST_WINDOW)
    return SegmentOptions(method, mpp, window, rest.pop("slide_mpp", None), bool(rest.pop("overwrite", False)), rest)
