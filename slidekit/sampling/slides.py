"""What a sampler has to know of a slide, and from what users' lists of slides are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

from slidekit.errors import DatasetError
from slidekit.pixels.discovery import find_slides, slide_name
from slidekit.slide.roi import ROISet

__all__ = ["SampledSlide", "SlideSource", "Slides", "settle_slides"]


@dataclass(frozen=True)
class SampledSlide:
    """A slide to sample from, and what goes with it.

    Attributes
    ----------
    path
        File of the slide.
    name
        Its name, unique among the slides of a sampler.
    mpp
        µm/px of level 0 from the annotations; None takes the file's.
    rois
        File of regions of interest, or the regions; None for none.
    mask
        Image file of the slide's tissue, of any resolution, which covers the whole slide; not 0 is tissue. None
        makes one.
    label_mask
        Image or slide of any resolution that covers the whole slide, whose pixels are numbers of classes; None for
        none.
    label
        What a model is to learn of the whole slide; None for nothing.
    groups
        Its annotations by column, such as ``patient`` and ``site``.
    """

    path: Path
    name: str
    mpp: float | None = None
    rois: Path | ROISet | None = None
    mask: Path | None = None
    label_mask: Path | None = None
    label: Any = None
    groups: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class SlideSource(Protocol):
    """What has slides to sample from; `slidekit.Dataset` is one."""

    def slides_and_masks(self) -> Sequence[SampledSlide]:
        """List the slides."""


Slides: TypeAlias = "str | Path | SampledSlide | SlideSource | Sequence[str | Path | SampledSlide]"
"""What a sampler takes for slides: a folder, files, slides that are described, or what has such."""


def settle_slides(slides: Slides) -> tuple[SampledSlide, ...]:
    """List the slides that a user means.

    Parameters
    ----------
    slides
        A folder (searched with all folders below it), a file, a `SampledSlide`, a list of such, or a `SlideSource`.

    Returns
    -------
    tuple of SampledSlide
        By name.

    Raises
    ------
    DatasetError
        If there is none, two have one name, or it is something else.
    """
    if isinstance(slides, SlideSource):
        found = list(slides.slides_and_masks())
    else:
        found = []
        for one in slides if isinstance(slides, Iterable) and not isinstance(slides, str) else [slides]:
            if not isinstance(one, str | Path | SampledSlide):
                raise DatasetError(f"{one!r} is not a slide.", mend="Give a folder, files, or a Dataset.")
            if isinstance(one, SampledSlide):
                found.append(one)
            else:
                paths = find_slides(Path(one)) if Path(one).is_dir() else [Path(one)]
                found += [SampledSlide(path, slide_name(path)) for path in paths]
    if not found:
        raise DatasetError("There is no slide to sample from.", mend="Give a folder or files of slides.")
    by_name: dict[str, SampledSlide] = {}
    for slide in found:
        other = by_name.setdefault(slide.name, slide)
        if other is not slide:
            raise DatasetError(
                f"{other.path} and {slide.path} are both called {slide.name!r}.", mend="Leave one out, or rename it."
            )
    return tuple(by_name[name] for name in sorted(by_name))
