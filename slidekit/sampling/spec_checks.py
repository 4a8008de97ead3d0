"""Options of a sampler that contradict one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slidekit.sampling.spec import SamplingSpec

__all__ = ["check_together"]

_SIZES = ("tile_um", "tile_mpp", "downsample", "level")


def check_together(spec: SamplingSpec) -> None:
    """Refuse options that contradict one another.

    Raises
    ------
    ValueError
        In words for the user; pydantic carries it.
    """
    given = [name for name in _SIZES if getattr(spec, name) is not None]
    if len(given) != 1:
        what = f"{' and '.join(given)} each state the size" if given else "the size of the patches is missing"
        raise ValueError(f"{what}: give one of {', '.join(_SIZES)}.")
    _check_sizes(spec, given[0])
    _check_counts(spec)
    _check_mode(spec)


def _check_sizes(spec: SamplingSpec, unit: str) -> None:
    stated = getattr(spec, unit)
    for size in stated if isinstance(stated, tuple) else (stated,):
        if unit == "level" and size != int(size):
            raise ValueError(f"level={size!r} is not a whole number.")
        if unit != "level" and size == 0:
            raise ValueError(f"{unit}=0 is not a size.")
    if spec.views and spec.stack:
        raise ValueError("views and stack both say which images come with a patch: give one of them.")


def _check_counts(spec: SamplingSpec) -> None:
    for name, weights, things in (
        ("scale_weights", spec.scale_weights, spec.scales),
        ("class_weights", spec.class_weights, spec.classes or ()),
    ):
        if weights is None:
            continue
        if len(weights) != len(things):
            raise ValueError(f"{name} are {len(weights)} for {len(things)}.")
        if min(weights) < 0 or sum(weights) == 0:
            raise ValueError(f"{name} must be from 0 on, and not all 0.")


def _check_mode(spec: SamplingSpec) -> None:
    if (spec.mode == "points") != bool(spec.points):
        raise ValueError('points and mode="points" belong together.')
    if spec.min_tissue > 0 and (spec.mask is None or spec.mode == "points"):
        what = "points are taken as they are" if spec.mode == "points" else "give mask= as well"
        raise ValueError(f"min_tissue={spec.min_tissue:g} without a mask that says what tissue is: {what}.")
    if spec.mode != "random":
        for name, used in (
            ("background", spec.background > 0),
            ("classes with class_weights", spec.class_weights is not None),
            ("weights", spec.weights != "slide"),
            ("a list of sizes", len(spec.scales) > 1),
        ):
            if used:
                raise ValueError(f'{name} is for mode="random": mode={spec.mode!r} takes each place once.')
