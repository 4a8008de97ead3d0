"""What the augmentation of patches makes sure of before it begins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slidekit.errors import SpecError

__all__ = ["check_labels", "check_numbers", "check_seeds", "check_switches", "check_views", "check_widths"]


def check_numbers(owner: str, **values: tuple[object, float]) -> None:
    """Make sure that numbers are from 0 to what stands beside each.

    Raises
    ------
    SpecError
        If one is not.
    """
    for name, (value, most) in values.items():
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float | np.integer | np.floating)
            or not 0 <= value <= most
        ):
            raise SpecError(
                f"{name}={value!r} of {owner} is not a number from 0 to {most:g}.", mend="Give one that is."
            )


def check_switches(owner: str, **values: object) -> None:
    """Make sure that switches are on or off.

    Raises
    ------
    SpecError
        If one is something else.
    """
    for name, value in values.items():
        if not isinstance(value, bool):
            raise SpecError(f"{name}={value!r} of {owner} is neither on nor off.", mend="Give True or False.")


def check_views(images: NDArray[np.uint8] | Sequence[NDArray[np.uint8]], *, axes: int) -> tuple[NDArray[np.uint8], ...]:
    """Views as a tuple, one array as one view; `axes` is 3, or 4 for batches.

    Raises
    ------
    SpecError
        If they are not RGB images of uint8 with at least a pixel.
    """
    views = (images,) if isinstance(images, np.ndarray) else tuple(np.asarray(view) for view in images)
    wanted = "(h, w, 3)" if axes == 3 else "(n, h, w, 3)"
    if not views:
        raise SpecError("There is no view to augment.", mend=f"Give at least one array {wanted}.")
    for view in views:
        if view.dtype != np.uint8 or view.ndim != axes or view.shape[-1] != 3 or 0 in view.shape[-3:-1]:
            raise SpecError(
                f"Patches to augment are uint8 {wanted}, RGB, not {view.dtype} {view.shape}.",
                mend="Augment before scaling to floats and before moving channels; drop an alpha channel.",
            )
    return views


def check_labels(labels: NDArray[np.uint8] | None, view: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Label images of a view.

    Raises
    ------
    SpecError
        If they are not of uint8 and of the view's size.
    """
    if labels is None:
        return None
    array: NDArray[Any] = np.asarray(labels)
    if array.dtype != np.uint8 or array.shape != view.shape[:-1]:
        raise SpecError(
            f"Labels of patches {view.shape} are uint8 {view.shape[:-1]}, not {array.dtype} {array.shape}.",
            mend="Give one value a pixel of the first view.",
        )
    return array


def check_seeds(seeds: ArrayLike, patches: Sequence[int]) -> list[int]:
    """Seeds as a list; `patches` says how many patches each view has.

    Raises
    ------
    SpecError
        If they are not integers, one a patch.
    """
    # Not at once as an array: integers of any size are seeds, which NumPy would make floats of.
    array: NDArray[Any] = seeds if isinstance(seeds, np.ndarray) else np.asarray(seeds, dtype=object)
    whole = array.dtype.kind in "iu" or all(isinstance(seed, int | np.integer) for seed in array.ravel())
    if array.ndim != 1 or not whole or {*patches} != {len(array)}:
        raise SpecError(
            f"Views of {', '.join(map(str, patches))} patches need as many integers as seeds, "
            f"not {array.dtype} {array.shape}.",
            mend="Give one seed a patch, and each view of each patch.",
        )
    return [int(seed) for seed in array]


def check_widths(widths: Sequence[float] | None, views: int) -> list[float]:
    """How many times wider each view sees than the narrowest, to a thousandth; 1 for each where nothing is said.

    Raises
    ------
    SpecError
        If there is not one positive number for each view.
    """
    if widths is None:
        return [1.0] * views
    if len(widths) != views or not all(math.isfinite(width) and width > 0 for width in widths):
        raise SpecError(f"widths={widths!r} are not {views} lengths.", mend="Give one above 0 for each view.")
    narrowest = min(widths)
    # Rounded, as the widths of views by level differ by parts of a pixel from slide to slide.
    return [round(float(width / narrowest), 3) for width in widths]
