"""One patch, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from slidekit.sampling.feeding.batch import Batch

__all__ = ["Patch"]


@dataclass(frozen=True)
class Patch:
    """A patch, as ``sampler[step]`` gives it.

    Attributes
    ----------
    image
        (tile_px, tile_px, 3) uint8, RGB; a tuple of such where it has several views.
    step, attempt
        The step that it is of, and how many patches of that step could not be had before it.
    slide
        Name of its slide.
    loc
        (x, y) of its centre, level-0 pixels, rounded down.
    mpp
        µm per pixel of the (first) image.
    scale
        Number of its scale.
    tissue, inside
        Shares of it that are tissue (NaN where there is no mask), and that lie on the slide, as it was planned.
    class_index
        The class whose place it is, from 0; −1 where no class was asked for.
    background
        Whether the place was drawn from anywhere on the slide.
    target
        What a model is to learn of the slide; None for nothing.
    labels
        (tile_px, tile_px) uint8: 0 is no class, k + 1 is class k; None where it was not asked for.
    """

    image: NDArray[np.uint8] | tuple[NDArray[np.uint8], ...]
    step: int
    attempt: int
    slide: str
    loc: tuple[int, int]
    mpp: float
    scale: int
    tissue: float
    inside: float
    class_index: int
    background: bool
    target: Any
    labels: NDArray[np.uint8] | None

    @classmethod
    def of(cls, batch: Batch, row: int) -> Self:
        """One patch of a batch; its arrays are the batch's."""
        several = isinstance(batch.images, tuple)
        return cls(
            image=tuple(view[row] for view in batch.images) if several else batch.images[row],
            step=int(batch.steps[row]),
            attempt=int(batch.attempts[row]),
            slide=batch.slides[row],
            loc=(int(batch.loc[row, 0]), int(batch.loc[row, 1])),
            mpp=float(batch.mpp[row]),
            scale=int(batch.scales[row]),
            tissue=float(batch.tissue[row]),
            inside=float(batch.inside[row]),
            class_index=int(batch.classes[row]),
            background=bool(batch.background[row]),
            target=None if batch.targets is None else batch.targets[row],
            labels=None if batch.labels is None else batch.labels[row],
        )
