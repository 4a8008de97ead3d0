"""Batches out of the slots that they were read into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from slidekit.sampling.feeding.batch import Batch
from slidekit.sampling.feeding.memory import SharedPatches
from slidekit.sampling.feeding.stream import PatchStream

if TYPE_CHECKING:
    from slidekit.sampling.sampler import PatchSampler

__all__ = ["make_batch"]


def make_batch(
    sampler: PatchSampler, stream: PatchStream, memory: SharedPatches, positions: NDArray[np.int64], *, copy: bool
) -> Batch:
    """Put a batch together.

    Parameters
    ----------
    sampler
        Whose slides they are.
    stream
        What is known of the patches.
    memory
        Their slots.
    positions
        (n,) positions in the stream.
    copy
        Whether images are copied even where slots are neighbours.
    """
    slots = stream.slots_of(positions)

    def pixels(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if (np.diff(slots) != 1).any():
            return array[slots]
        neighbours = array[slots[0] : slots[-1] + 1]
        return neighbours.copy() if copy else neighbours

    def column(name: str) -> Any:
        return stream.column(name, positions)

    views = tuple(pixels(view) for view in memory.views)
    index = cast("NDArray[np.int32]", column("slides"))
    slides = [sampler.slides[number] for number in index.tolist()]
    labelled = any(slide.label is not None for slide in sampler.slides)
    centres = column("centres")
    return Batch(
        images=views[0] if len(views) == 1 else views,
        steps=column("steps"),
        slides=[slide.name for slide in slides],
        slide_index=index,
        loc=np.floor(centres).astype(np.int64),
        centres=centres,
        mpp=column("mpp").mean(axis=1),
        scales=column("scales"),
        tissue=column("tissue"),
        inside=column("inside"),
        classes=column("classes"),
        background=column("background"),
        targets=[slide.label for slide in slides] if labelled else None,
        labels=None if memory.labels is None else pixels(memory.labels),
        attempts=column("attempts"),
    )
