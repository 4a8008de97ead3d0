"""Making the mask of one slide: the only place of planning where a slide is opened."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from slidekit.errors import MissingMPPError, QCError, SlideError, SlidekitError
from slidekit.sampling.masks.boxes import luminance_box, section_box, section_of, set_box
from slidekit.sampling.masks.facts import Box, MadeMask, MapSpec, SlideFacts
from slidekit.sampling.masks.methods import TissueMethods, resolve_mask
from slidekit.sampling.masks.packed import PackedMask
from slidekit.sampling.masks.user_mask import LONGEST_SIDE, mask_identity, read_numbers
from slidekit.sampling.slides import SampledSlide
from slidekit.slide.image import SlideImage
from slidekit.slide.qc import QCMask, make_mask
from slidekit.slide.qc.base import BoolMask

__all__ = ["is_lasting", "mask_parameters", "see_slide"]

_FORM = 1
"""Number of the form of cache entries; masks of another are not read."""


class _MaskSlide(SlideImage):
    """A slide as QC methods see it; `target_mpp` is the µm/px of patches."""

    target_mpp: float = math.nan
    mpp_known: bool = True


def is_lasting(slide: SampledSlide, spec: MapSpec) -> bool:
    """Whether the mask of a slide may be kept on disk."""
    return _has_own_mask(slide, spec) or resolve_mask(spec.mask).lasting


def mask_parameters(slide: SampledSlide, spec: MapSpec) -> dict[str, Any]:
    """Everything but the slide that `see_slide` depends on, as plain JSON.

    Raises
    ------
    SlideError
        If the slide's own mask cannot be read.
    """
    own, found = _has_own_mask(slide, spec), resolve_mask(spec.mask)
    of_mask = spec.region in ("mask", "section")
    boxed = of_mask or _by_luminance(spec)
    return {
        "form": _FORM,
        "methods": [] if own else found.describe(),
        "mask": mask_identity(slide) if own or of_mask else None,
        "region": spec.region if boxed else None,
        "section": section_of(slide.name, spec.seed) if spec.region == "section" else None,
        "mpp": [_plain(slide.mpp), _plain(spec.mpp), _takes_objective(spec), _needs_mpp(spec)],
        "patch": str(spec.scales[0][0]) if found.needs_mpp and not own else None,
        "reader": str(spec.reader),
    }


def see_slide(slide: SampledSlide, spec: MapSpec, identity: str) -> MadeMask:
    """Open a slide and make its mask.

    Parameters
    ----------
    slide
        A mask of its own is its tissue, unless the spec asks for none.
    spec
        The parameters.
    identity
        Of the slide's file.

    Raises
    ------
    SlideError
        If the slide or its mask cannot be opened or read, or its µm/px is missing and needed.
    QCError
        If a method fails, or returns what is not a mask of the slide.
    """
    found = resolve_mask(spec.mask)
    own = _has_own_mask(slide, spec)
    with _open(slide, spec, needs_mpp=found.needs_mpp and not own) as view:
        facts = SlideFacts(
            slide.name,
            view.dimensions,
            (view.mpp_x, view.mpp_y) if view.mpp_known else (math.nan, math.nan),
            tuple((level.downsample_x, level.downsample_y) for level in view.levels),
            identity,
            view.reader.metadata.bounds_origin,
        )
        if own:
            tissue: BoolMask | None = read_numbers(slide, facts.dimensions) > 0
        else:
            if found.needs_mpp:
                view.target_mpp = spec.scales[0][0].pixel(facts)[0] * facts.mpp[0]
            tissue = _find_tissue(found, view)
        return MadeMask(facts, None if tissue is None else PackedMask(tissue), _see_box(slide, spec, view))


def _open(slide: SampledSlide, spec: MapSpec, *, needs_mpp: bool) -> _MaskSlide:
    try:
        return _MaskSlide(
            slide.path,
            reader=spec.reader,
            annotated_mpp=_plain(slide.mpp),
            mpp=_plain(spec.mpp),
            from_objective=_takes_objective(spec),
        )
    except MissingMPPError:
        if needs_mpp or _needs_mpp(spec):
            raise
        # Patches by pixels need no µm/px; the number stands in for it in the slide's own arithmetic only.
        view = _MaskSlide(slide.path, reader=spec.reader, mpp=1.0)
        view.mpp_known = False
        return view


def _has_own_mask(slide: SampledSlide, spec: MapSpec) -> bool:
    return slide.mask is not None and bool(resolve_mask(spec.mask).methods)


def _by_luminance(spec: MapSpec) -> bool:
    """Whether the foreground is to be found where no mask is asked for."""
    found = resolve_mask(spec.mask)
    return spec.region == "foreground" and not found.methods and not found.regions


def _plain(mpp: float | None) -> float | None:
    """As JSON has it: a number of NumPy's is none."""
    return None if mpp is None else float(mpp)


def _takes_objective(spec: MapSpec) -> bool:
    return any(view.unit == "x" for scale in spec.scales for view in scale)


def _needs_mpp(spec: MapSpec) -> bool:
    return spec.margin_um > 0 or any(view.unit in ("um", "mpp", "x") for scale in spec.scales for view in scale)


def _find_tissue(found: TissueMethods, view: _MaskSlide) -> BoolMask | None:
    masks = [mask for mask in (_run(method, view) for method in found.methods) if mask is not None]
    if not masks:
        return None
    rows = max(mask.mask.shape[0] for mask in masks)
    columns = max(mask.mask.shape[1] for mask in masks)
    # Focus is judged on many more pixels than it takes to say where patches may be.
    shrink = max(1.0, max(rows, columns) / LONGEST_SIDE)
    rows, columns = max(1, round(rows / shrink)), max(1, round(columns / shrink))
    tissue = np.ones((rows, columns), np.bool_)
    for mask in masks:
        tissue &= ~_resized(mask, columns, rows)
    return tissue


def _resized(mask: QCMask, columns: int, rows: int) -> BoolMask:
    """A mask at another resolution: pixels that become one are what most of them are."""
    if mask.mask.shape[0] <= rows and mask.mask.shape[1] <= columns:
        return mask.resized(columns, rows)
    gray = cv2.resize(mask.mask.astype(np.uint8) * 255, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(gray > 127)


def _run(method: Callable[..., Any], view: _MaskSlide) -> QCMask | None:
    try:
        return make_mask(method, view, 1.0)
    except SlidekitError:
        raise
    except (Exception, SystemExit) as error:
        name = getattr(method, "__name__", type(method).__name__)
        raise QCError(
            f"{name} failed on slide {view.name} ({type(error).__name__}: {error}).", mend="Mend the function."
        ) from error


def _see_box(slide: SampledSlide, spec: MapSpec, view: _MaskSlide) -> Box | None:
    """The region that pixels decide; that of tissue is reckoned from the tissue when it is wanted."""
    if _by_luminance(spec):
        return luminance_box(view)
    if spec.region in ("mask", "section"):
        if slide.mask is None:
            raise SlideError(
                f"region={spec.region!r}: slide {slide.name} has no mask.", mend="Give one with the slide, as mask=."
            )
        numbers = read_numbers(slide, view.dimensions)
        if spec.region == "mask":
            return set_box(numbers > 0, view.dimensions)
        return section_box(numbers, section_of(slide.name, spec.seed), view.dimensions)
    return None
