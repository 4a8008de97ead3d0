"""The contract of methods that find cells, and plain functions as methods."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from slidekit.errors import SpecError
from slidekit.pixels.image import RGBImage

__all__ = [
    "DEFAULT_MPP",
    "LARGEST_CELL",
    "MARGIN_DIAMETERS",
    "METHOD_WORDS",
    "CellMethod",
    "FunctionMethod",
    "Labels",
    "OverviewSlide",
    "check_lengths",
    "check_scale",
]

Labels = npt.NDArray[np.signedinteger[Any]] | npt.NDArray[np.unsignedinteger[Any]]
"""(rows, columns): 0 is background, 1 … n are cells, each in one piece."""

METHOD_WORDS = ("classical", "cellpose")

DEFAULT_MPP = 0.5
_FINEST_MPP = 0.05
"""As of slides: what is finer cannot be true of a slide; the image of one would not end."""

LARGEST_CELL = 2.5
"""The largest cell that is looked for, in usual diameters."""

MARGIN_DIAMETERS = 6.0
"""Margin in usual diameters: more than two of the largest cells."""


class OverviewSlide(Protocol):
    """What a method may ask of a slide before its windows; `SlideImage` and `WSI` are such."""

    @property
    def name(self) -> str:
        """Name of the slide."""

    @property
    def dimensions(self) -> tuple[int, int]:
        """Width and height of level 0, pixels."""

    @property
    def mpp_x(self) -> float:
        """µm/px of level 0 along x."""

    @property
    def mpp_y(self) -> float:
        """µm/px of level 0 along y."""

    def overview(self, columns: int, rows: int) -> RGBImage:
        """Read the whole slide as an image of that size."""

    def overview_window(
        self, columns: float, rows: float, *, corner: tuple[int, int], size: tuple[int, int]
    ) -> RGBImage:
        """The rectangle of `overview` at `corner` (x, y), of `size` (width, height); white beyond the slide."""


@runtime_checkable
class CellMethod(Protocol):
    """A method that finds cells in the windows of a slide.

    It is called from several threads at once, and must be picklable. What it returns for a pixel may depend on
    the pixels within `margin_um` of it and on `prepare`'s facts, and on nothing else, so that windows agree.

    Attributes
    ----------
    name
        Its word in files and messages.
    mpp
        µm/px of the images that it wants.
    margin_um
        How far, in µm, other pixels may influence a pixel's label.
    """

    name: str
    mpp: float
    margin_um: float

    def prepare(self, slide: OverviewSlide) -> Any:
        """Look at the slide once, before its windows: stains, thresholds.

        Returns
        -------
        object
            Picklable; handed to every call.
        """

    def __call__(self, image: RGBImage, facts: Any) -> Labels:
        """Label the cells of an image.

        Parameters
        ----------
        image
            uint8 (rows, columns, 3) at `mpp`.
        facts
            What `prepare` returned for the slide.

        Returns
        -------
        ndarray of int (rows, columns)
            0 is background, 1 … n are cells.
        """

    def parameters(self) -> dict[str, Any]:
        """Everything that the labels depend on, besides the slide, as plain JSON values."""


class FunctionMethod:
    """A function of an image as a method.

    Parameters
    ----------
    function
        From an image, uint8 (rows, columns, 3), to labels, integers (rows, columns).
    mpp
        µm/px of the images that it wants.
    diam_um
        Usual diameter of a cell, µm.
    margin_um
        How far other pixels may influence a label; by default six diameters.

    Raises
    ------
    SpecError
        If a length is not positive, or a cell is smaller than a pixel.
    """

    def __init__(
        self,
        function: Callable[[RGBImage], Labels],
        mpp: float,
        diam_um: float = 8.0,
        *,
        margin_um: float | None = None,
    ) -> None:
        check_scale(diam_um, mpp, least_px=1)
        margin = MARGIN_DIAMETERS * diam_um if margin_um is None else margin_um
        check_lengths(margin_um=margin)
        self.name = getattr(function, "__name__", type(function).__name__)
        self.mpp = float(mpp)
        self.margin_um = float(margin)
        self._function = function

    def prepare(self, slide: OverviewSlide) -> None:
        """Nothing: the function sees images only."""

    def __call__(self, image: RGBImage, facts: object = None) -> Labels:
        """Call the function."""
        return self._function(image)

    def parameters(self) -> dict[str, Any]:
        """Module and name of the function; two of one name cannot be told apart."""
        module = getattr(self._function, "__module__", type(self._function).__module__)
        return {"function": f"{module}.{self.name}", "mpp": self.mpp, "margin_um": self.margin_um}


def check_lengths(**lengths: float) -> None:
    """Refuse what is not a positive, finite number.

    Raises
    ------
    SpecError
        Naming the parameter.
    """
    for name, value in lengths.items():
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not (0 < value < math.inf):
            raise SpecError(f"{name}={value!r} is not a positive number.", mend=f"Give a number above 0 for {name}.")


def check_scale(diam_um: float, mpp: float, *, least_px: int) -> None:
    """Refuse a resolution at which cells are not to be seen, or that no slide has.

    Parameters
    ----------
    diam_um
        Usual diameter of a cell, µm.
    mpp
        µm/px to work at.
    least_px
        Pixels that a diameter must have at least.

    Raises
    ------
    SpecError
        If they are no positive numbers, or do not go together.
    """
    check_lengths(diam_um=diam_um, mpp=mpp)
    if mpp < _FINEST_MPP:
        raise SpecError(
            f"mpp={mpp:g} µm/px is finer than any slide.", mend=f"Give {_FINEST_MPP} or more, such as {DEFAULT_MPP}."
        )
    if diam_um < least_px * mpp:
        raise SpecError(
            f"A cell of {diam_um:g} µm has {diam_um / mpp:.2g} pixels at mpp={mpp:g} µm/px, which is the resolution "
            "to look for cells at.",
            mend=f"Give a smaller mpp (at most {diam_um / least_px:g}), or a larger diam_um.",
        )
