"""Options of a sampler that contradict one another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slidekit.sampling.spec import SamplingSpec

__all__ = ["check_together", "idle_options"]

_SIZES = ("tile_um", "tile_mpp", "downsample", "level")

_MOST = {"tile_um": 100_000.0, "tile_mpp": 10_000.0, "downsample": 100_000.0}
"""No slide is 10 cm long."""

_OF_GRID = (
    *("stride_div", "use_edge_tiles", "roi_method", "roi_filter_method"),
    *("qc", "filter_threshold"),
)
_OF_CLASSES = ("per", "min_class")
_OF_REGION = ("region", "margin_um", "edges")
_IDLE = {
    "random": (*_OF_GRID, "shuffle"),
    "epoch": (*_OF_GRID, *_OF_CLASSES, "edges", "shuffle"),
    "grid": (*_OF_CLASSES, *_OF_REGION),
    "points": (*_OF_GRID, *_OF_CLASSES, *_OF_REGION),
}
"""Options that a mode has no use for."""


_OF_RANDOM = ("background", "class_weights", "scale_weights", "weights")


def idle_options(mode: str, given: Mapping[str, Any]) -> tuple[str, ...]:
    """Options that a mode has no use for, beside others that are given."""
    idle = _IDLE.get(mode, ())
    if mode == "random":
        return (*idle, "points")
    classes = () if given.get("label_images") else ("classes",)
    mask = ("mask",) if mode == "points" or (mode == "grid" and not given.get("min_tissue")) else ()
    points = () if mode == "points" else ("points",)
    return (*idle, *_OF_RANDOM, *classes, *mask, *points)


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
    _check_idle(spec)


def _check_sizes(spec: SamplingSpec, unit: str) -> None:
    stated = getattr(spec, unit)
    for size in stated if isinstance(stated, tuple) else (stated,):
        if unit == "level" and size != int(size):
            raise ValueError(f"level={size!r} is not a whole number.")
        if unit != "level" and size == 0:
            raise ValueError(f"{unit}=0 is not a size.")
        if isinstance(size, int | float) and size > _MOST.get(unit, size):
            raise ValueError(f"{unit}={size:g} is larger than any slide.")
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


def _check_idle(spec: SamplingSpec) -> None:
    """Refuse what was asked for and would change nothing, which its user could not see."""

    def is_asked(name: str) -> bool:
        return name in spec.model_fields_set and getattr(spec, name) != type(spec).model_fields[name].default

    for name in filter(is_asked, _IDLE[spec.mode]):
        modes = " and ".join(f'"{mode}"' for mode, idle in _IDLE.items() if name not in idle)
        why = ", which takes patches without overlap" if (spec.mode, name) == ("epoch", "edges") else ""
        raise ValueError(f"{name} has no effect in mode={spec.mode!r}{why}: it is for {modes}.")
    if spec.mode == "random" and spec.classes is None:
        for name in filter(is_asked, _OF_CLASSES):
            raise ValueError(f"{name} has no effect without classes.")
    if spec.mode != "random" and spec.classes is not None and not spec.label_images:
        raise ValueError(
            f'classes has no effect in mode={spec.mode!r} without label_images: their places are for mode="random".'
        )
    if spec.mode == "grid" and spec.mask is not None and spec.min_tissue == 0:
        raise ValueError(
            'mask has no effect in mode="grid" without min_tissue, the least share of a cell that is tissue.'
        )
