"""What planning has to know of a slide without opening it, and what a map is made by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from slidekit.sampling.masks.packed import PackedMask
from slidekit.sampling.views import Scale

__all__ = ["Box", "MadeMask", "MapSpec", "MaskChoice", "Per", "RegionKind", "SlideFacts"]

Box: TypeAlias = tuple[float, float, float, float]
"""x0, y0, x1, y1 in level-0 pixels."""

MaskChoice: TypeAlias = "str | Callable[..., Any] | Sequence[str | Callable[..., Any]] | None"
"""``histofetch``, a word of QC, ``roi``, a QC method or any callable that returns True = discard; or several."""

Per: TypeAlias = Literal["area", "structure"]
RegionKind: TypeAlias = Literal["whole", "foreground", "mask", "section"]


@dataclass(frozen=True)
class SlideFacts:
    """A slide's geometry, kept with its mask, so that planning opens no slide.

    Attributes
    ----------
    name
        Of the slide.
    dimensions
        Width and height of level 0, pixels.
    mpp
        µm/px of level 0 along x and y; NaN where nobody says it and the patches' size does not need it.
    downsamples
        Level-0 pixels per pixel of each level, along x and y.
    identity
        As `slidekit.slide.identity.slide_identity` gives it.
    bounds
        Where QuPath's pixel (0, 0) is in level 0: not (0, 0) in MIRAX.
    """

    name: str
    dimensions: tuple[int, int]
    mpp: tuple[float, float]
    downsamples: tuple[tuple[float, float], ...]
    identity: str
    bounds: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class MadeMask:
    """What was found out by opening a slide; the cache holds it.

    Attributes
    ----------
    facts
        Of the slide.
    tissue
        True = tissue, over the whole slide; None where no method was asked for.
    box
        Region that the pixels of the slide, or of its mask, decide; None where they do not, or found nothing.
    """

    facts: SlideFacts
    tissue: PackedMask | None
    box: Box | None


class MapSpec(Protocol):
    """What maps of slides depend on; `SamplingSpec` is one."""

    @property
    def mask(self) -> Any:
        """A `MaskChoice`."""

    @property
    def classes(self) -> tuple[str, ...] | tuple[int, ...] | None:
        """Labels of regions of interest, or values of label masks."""

    @property
    def per(self) -> Per:
        """Whether classes' places are alike by area or by structure."""

    @property
    def region(self) -> RegionKind:
        """What of the slide may be sampled."""

    @property
    def margin_um(self) -> float:
        """What is added around that, µm."""

    @property
    def scales(self) -> tuple[Scale, ...]:
        """What a patch may be."""

    @property
    def seed(self) -> int:
        """Which section of a slide is taken, where there are several."""

    @property
    def roi_origin(self) -> tuple[float, float] | None:
        """What to add to the coordinates of regions of interest, over what the format says."""

    @property
    def reader(self) -> Any:
        """``auto``, or the name of the one reader to use."""

    @property
    def mpp(self) -> float | None:
        """µm/px of level 0, over what the files say."""

    @property
    def cache(self) -> Path | None:
        """Folder of masks; None is the platform's."""
