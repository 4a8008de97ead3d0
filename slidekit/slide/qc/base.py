"""The contract of QC methods, and what they may ask of a slide."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from slidekit.pixels.image import RGBImage
from slidekit.pixels.readers.base import Level

__all__ = ["BoolMask", "QCMethod", "SlideView"]

BoolMask = npt.NDArray[np.bool_]
"""(rows, columns) over the whole slide; True = discard."""


class SlideView(Protocol):
    """What a QC method sees of a slide; `WSI` is one."""

    @property
    def name(self) -> str:
        """Name of the slide."""

    @property
    def dimensions(self) -> tuple[int, int]:
        """Width and height of level 0, pixels."""

    @property
    def levels(self) -> tuple[Level, ...]:
        """Pyramid levels, largest first."""

    @property
    def mpp_x(self) -> float:
        """µm/px of level 0 along x."""

    @property
    def mpp_y(self) -> float:
        """µm/px of level 0 along y."""

    @property
    def target_mpp(self) -> float:
        """µm/px of the tiles that will be cut."""

    def overview(self, columns: int, rows: int) -> RGBImage:
        """Read the whole slide as an image of that size; kept for the next method that asks for the same."""

    def overview_bands(
        self, columns: int, rows: int, *, band_rows: int, overlap: int
    ) -> Iterator[tuple[int, RGBImage]]:
        """As `overview`, in bands of rows; each with its first row, and `overlap` rows of its neighbours."""

    def overview_window(self, columns: int, rows: int, *, corner: tuple[int, int], size: tuple[int, int]) -> RGBImage:
        """The rectangle of `overview` at `corner` (x, y), of `size` (width, height); white beyond the slide."""


class QCMethod(ABC):
    """A QC method with a name and parameters.

    Attributes
    ----------
    name
        Its word in reports.
    reason
        What a tile that it drops is counted as; the name, unless it is background or focus.
    """

    name: ClassVar[str]
    reason: ClassVar[str]

    @abstractmethod
    def __call__(self, wsi: SlideView) -> BoolMask:
        """Compute the mask of a slide.

        Returns
        -------
        ndarray of bool (rows, columns)
            True = discard; covers the whole slide.
        """

    def parameters(self) -> dict[str, Any]:
        """Everything that the mask depends on, as plain JSON values."""
        return {key.lstrip("_"): value for key, value in sorted(vars(self).items())}

    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.parameters().items())
        return f"{type(self).__name__}({arguments})"
