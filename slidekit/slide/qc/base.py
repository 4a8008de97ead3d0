"""The contract of QC methods, and what they may ask of a slide."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from slidekit.errors import QCError
from slidekit.pixels.image import RGBImage
from slidekit.pixels.readers.base import Level

if TYPE_CHECKING:
    from slidekit.slide.qc.mask import QCMask

__all__ = ["BoolMask", "QCMethod", "SlideView", "to_number"]

BoolMask = npt.NDArray[np.bool_]
"""(rows, columns) over the whole slide; True = discard."""


class SlideView(Protocol):
    """What a QC method sees of a slide; `WSI` is one."""

    @property
    def path(self) -> Path:
        """File of the slide."""

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

    def overview_window(
        self, columns: float, rows: float, *, corner: tuple[int, int], size: tuple[int, int]
    ) -> RGBImage:
        """The rectangle of `overview` at `corner` (x, y), of `size` (width, height); white beyond the slide.

        `columns` and `rows` may be no whole numbers, so that pixels can be a level's own.
        """


class QCMethod(ABC):
    """A QC method with a name and parameters; ``a | b``, ``a & b`` and ``~a`` are methods as well.

    Attributes
    ----------
    name
        Its word in reports.
    reason
        What a tile that it drops is counted as; the name, unless it is background or focus.
    changes_tiles
        False for a method that never masks anything, such as one that only writes files: runs with and without it
        make the same tiles, and resume one another.
    filter_threshold
        A tile is dropped if more than this share of it is masked, 0–1; None takes the run's `qc_filter_threshold`. Set
        it on the class, on an instance, or by the parameter of methods that have one. Masks are held against it one
        by one.
    """

    name: ClassVar[str]
    reason: ClassVar[str]
    changes_tiles: ClassVar[bool] = True
    filter_threshold: float | None = None

    @abstractmethod
    def __call__(self, wsi: SlideView) -> BoolMask | QCMask | Sequence[QCMask] | None:
        """Compute the mask of a slide.

        Returns
        -------
        ndarray of bool (rows, columns)
            True = discard; covers the whole slide. Or None, to discard nothing; or finished masks, each under a
            name and with a threshold of its own.
        """

    def parameters(self) -> dict[str, Any]:
        """Everything that the mask depends on, as plain JSON values; and `filter_threshold`, where there is one."""
        own = {} if self.filter_threshold is None else {"filter_threshold": self.filter_threshold}
        return own | {key.lstrip("_"): value for key, value in sorted(vars(self).items())}

    def content(self, slide: Path) -> str:
        """What the masks of a slide depend on besides its pixels and `parameters`; empty for nothing.

        Parameters
        ----------
        slide
            File of the slide.

        Returns
        -------
        str
            Such as the hash of a file that is read: a slide whose text is another is extracted again.
        """
        return ""

    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.parameters().items())
        return f"{type(self).__name__}({arguments})"

    # --- algebra: imported where it is used, because combinations are methods themselves -----------------------------

    def __bool__(self) -> bool:
        """A method is neither true nor false: ``a and b`` would be b alone.

        Raises
        ------
        QCError
            Always.
        """
        raise QCError(
            "QC methods are not combined by and, or, not: one of them would be lost.",
            mend="Use a | b for what either discards, a & b for what both do, ~a for what a keeps.",
        )

    def __or__(self, other: str | Callable[..., Any]) -> QCMethod:
        """What this method or the other discards."""
        return _combined("Or", self, other)

    def __ror__(self, other: str | Callable[..., Any]) -> QCMethod:
        """What the other or this method discards."""
        return _combined("Or", other, self)

    def __and__(self, other: str | Callable[..., Any]) -> QCMethod:
        """What both methods discard."""
        return _combined("And", self, other)

    def __rand__(self, other: str | Callable[..., Any]) -> QCMethod:
        """What both methods discard."""
        return _combined("And", other, self)

    def __invert__(self) -> QCMethod:
        """What this method keeps."""
        from slidekit.slide.qc.combine import Not

        return self.of if isinstance(self, Not) and isinstance(self.of, QCMethod) else Not(self)


def to_number(word: str, **values: Any) -> list[float]:
    """Parameters of a method as finite numbers.

    Parameters
    ----------
    word
        Name of the method, for the message.
    **values
        Anything that may be numbers, by name.

    Raises
    ------
    QCError
        For one that is not a finite number.
    """
    numbers = []
    for name, value in values.items():
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise QCError(f"{word} QC cannot work with {name}={value!r}.", mend="Use a number.")
        numbers.append(number)
    return numbers


def _combined(kind: str, left: str | Callable[..., Any], right: str | Callable[..., Any]) -> QCMethod:
    from slidekit.slide.qc.combine import And, Or

    if not all(isinstance(one, str) or callable(one) for one in (left, right)):
        return NotImplemented  # type: ignore[no-any-return]  # as operators say it
    return Or((left, right)) if kind == "Or" else And((left, right))
