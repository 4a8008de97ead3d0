"""What a loader gives: an image, or a tuple that begins with it, in Slideflow's order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slidekit.loading.options import LoaderOptions
from slidekit.loading.tiles import RawTiles

__all__ = ["pack"]


def pack(
    images: Sequence[Any],
    tiles: RawTiles,
    options: LoaderOptions,
    convert: Callable[[NDArray[Any]], Any] = np.asarray,
    *,
    single: bool,
) -> Any:
    """Put a batch together.

    Parameters
    ----------
    images
        The images of each size of concentric tiles, mostly of one; their first axis are tiles.
    tiles
        What was read with them.
    options
        What is asked for.
    convert
        Makes what the framework has for an array.
    single
        Give each part of the one tile that it is, without the first axis.

    Returns
    -------
    images or tuple
        ``(images[, labels][, slides][, loc_x, loc_y])``; images alone where that is all. Slides are a list of str.
        Images of several sizes are a tuple, and in a tuple of one element where that is all: a bare pair of images
        would be taken for images and labels.
    """
    sizes = [some[0] for some in images] if single else images
    parts: list[Any] = []
    if tiles.labels is not None:
        parts.append(convert(tiles.labels))
    if options.incl_slidenames:
        parts.append(tiles.slides)
    if options.incl_loc:
        parts += [convert(np.ascontiguousarray(tiles.locations[:, axis])) for axis in (0, 1)]
    if single:
        parts = [part[0] for part in parts]
    parts.insert(0, tuple(sizes) if len(sizes) > 1 else sizes[0])
    return tuple(parts) if len(parts) > 1 or len(sizes) > 1 else parts[0]
