"""How large a patch is: images of one centre, each of so many pixels over so much of the slide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from slidekit.errors import SlideError

if TYPE_CHECKING:
    from slidekit.sampling.masks.facts import SlideFacts

__all__ = ["Scale", "SizeUnit", "View"]

SizeUnit: TypeAlias = Literal["um", "mpp", "downsample", "level", "x"]
"""How a size is stated: edge in µm, µm/px, level-0 pixels per pixel, number of a level, magnification."""


@dataclass(frozen=True)
class View:
    """One image of a patch.

    Attributes
    ----------
    tile_px
        Edge of the image, pixels.
    unit, size
        The field of view: an edge of `size` µm (``um``); or `field_px` pixels of `size` µm (``mpp``), of `size`
        level-0 pixels (``downsample``), of level `size` (``level``), or of the magnification `size` (``x``).
    field_px
        Pixels that the field of view is counted in, where `unit` is by the pixel.
    factor
        By what the field of view is enlarged, about its centre.
    """

    tile_px: int
    unit: SizeUnit
    size: float
    field_px: int
    factor: float = 1.0

    def extent(self, facts: SlideFacts) -> tuple[float, float]:
        """Width and height of the field of view on a slide, level-0 pixels.

        Raises
        ------
        SlideError
            If the slide has no such level.
        """
        if self.unit == "um":
            edges = (self.size / facts.mpp[0], self.size / facts.mpp[1])
        else:
            width, height = self._field_pixel(facts)
            edges = (self.field_px * width, self.field_px * height)
        return edges[0] * self.factor, edges[1] * self.factor

    def pixel(self, facts: SlideFacts) -> tuple[float, float]:
        """Width and height of a pixel of the image on a slide, level-0 pixels.

        Raises
        ------
        SlideError
            If the slide has no such level.
        """
        width, height = self.extent(facts)
        return width / self.tile_px, height / self.tile_px

    def _field_pixel(self, facts: SlideFacts) -> tuple[float, float]:
        if self.unit == "downsample":
            return self.size, self.size
        if self.unit == "level":
            if self.size >= len(facts.downsamples):
                raise SlideError(f"there is no level {self.size:.0f}: slide {facts.name} has {len(facts.downsamples)}.")
            return facts.downsamples[int(self.size)]
        mpp = self.size if self.unit == "mpp" else 10 / self.size
        if self.unit == "x" and (stored := _as_stored(facts, mpp)) is not None:
            return stored
        return mpp / facts.mpp[0], mpp / facts.mpp[1]


Scale: TypeAlias = tuple[View, ...]
"""Images that come together with each patch; the first is the patch itself, which places are chosen for."""


def _as_stored(facts: SlideFacts, mpp: float) -> tuple[float, float] | None:
    """A level's downsample where its µm/px is near enough to a magnification's (SEMANTICS, Geometry)."""
    from slidekit.pixels.source import MAGNIFICATION_TOLERANCE

    def off(downsample: tuple[float, float]) -> float:
        return max(abs(downsample[axis] * facts.mpp[axis] / mpp - 1) for axis in (0, 1))

    best = min(facts.downsamples, key=off)
    return best if off(best) <= MAGNIFICATION_TOLERANCE + 1e-9 else None
