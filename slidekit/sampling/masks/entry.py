"""The mask of a slide from the cache, or made and put there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slidekit.sampling.masks.cache import MaskCache, default_cache
from slidekit.sampling.masks.facts import MadeMask, MapSpec
from slidekit.sampling.masks.make import is_lasting, mask_parameters, see_slide
from slidekit.sampling.masks.user_mask import file_identity
from slidekit.sampling.slides import SampledSlide

__all__ = ["cache_of", "entry_key", "make_map"]


def cache_of(spec: MapSpec) -> MaskCache:
    """Where the masks of a sampler are kept."""
    return MaskCache(Path(spec.cache) if spec.cache is not None else default_cache())


def entry_key(slide: SampledSlide, spec: MapSpec) -> tuple[str, dict[str, Any]]:
    """What names the mask of a slide: the identity of its file, and all parameters.

    Of formats of several files (MIRAX, VMS, DICOM) the one that is opened counts: where others alone were replaced,
    the folder of masks has to be emptied.

    Raises
    ------
    SlideError
        If the file of the slide, or of its own mask, cannot be read.
    """
    return file_identity(slide.path), mask_parameters(slide, spec)


def make_map(slide: SampledSlide, spec: MapSpec) -> MadeMask:
    """Make the mask of a slide and put it into the cache, unless it is there.

    A mask by a function without `parameters()` is made, but not kept: what it depends on cannot be seen.

    Raises
    ------
    SlideError
        If the slide or its own mask cannot be used.
    QCError
        If a method fails.
    """
    cache, (identity, parameters) = cache_of(spec), entry_key(slide, spec)
    keep = is_lasting(slide, spec)
    made = cache.read(slide.name, identity, parameters) if keep else None
    if made is None:
        made = see_slide(slide, spec, identity)
        if keep:
            cache.write(made, parameters)
    return made
