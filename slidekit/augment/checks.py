"""What an augmentation makes sure of before it begins."""

from __future__ import annotations

from collections.abc import Sequence

from slidekit.augment.parameters import WIDTH
from slidekit.errors import SpecError

__all__ = ["check_parameters", "check_shape"]


def check_shape(dtype: str, shape: Sequence[int | None], *, channels_last: bool) -> None:
    """Make sure that these are a batch of RGB images, as far as their shape is known.

    Raises
    ------
    SpecError
        If they are not.
    """
    wanted = "(n, height, width, 3)" if channels_last else "(n, 3, height, width)"
    if dtype != "uint8":
        raise SpecError(
            f"Augmentation takes images of uint8, not {dtype}.", mend="Augment before standardising; convert to uint8."
        )
    sides = () if len(shape) != 4 else tuple(shape[1:3] if channels_last else shape[2:])
    if len(shape) != 4 or 0 in sides or shape[3 if channels_last else 1] not in (3, None):
        raise SpecError(
            f"Augmentation takes a batch {wanted} of RGB images, not {tuple(shape)}.",
            mend="Add the first axis; drop an alpha channel; give at least one pixel.",
        )


def check_parameters(shape: Sequence[int | None], images: int | None) -> None:
    """Make sure that there is a row of parameters for each image, as far as their number is known.

    Raises
    ------
    SpecError
        If there is not.
    """
    if len(shape) != 2 or shape[1] not in (WIDTH, None) or (None not in (shape[0], images) and shape[0] != images):
        raise SpecError(
            f"{images if images is not None else 'n'} images need parameters of as many rows and {WIDTH} columns, "
            f"not {tuple(shape)}.",
            mend="Give those that slidekit.augment.draw returns for one seed an image.",
        )
