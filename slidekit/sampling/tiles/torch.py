"""Tiles that are read from slides, as torch tensors."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import torch  # type: ignore[import-not-found, unused-ignore]
from torch.utils import data  # type: ignore[import-not-found, unused-ignore]

from slidekit.errors import SpecError
from slidekit.loading.batch import pack
from slidekit.loading.batches.torch import TensorBatches, Transform
from slidekit.sampling.tiles.loader import CellLoader
from slidekit.sampling.tiles.stream import CellBatch, CellStream

__all__ = ["CellTensors", "TensorLoader", "cell_loader", "refuse"]


class CellTensors(TensorBatches):
    """Makes tensors of the tiles that a feed has read: they are normalised, augmented, transformed and scaled.

    Parameters
    ----------
    stream
        The tiles.
    transform
        Called with each image, uint8 (3, h, w), after the augmentation.
    pin_memory
        Put images into memory that a GPU copies from quickly; without a GPU nothing is done.
    """

    def __init__(self, stream: CellStream, transform: Transform | None, *, pin_memory: bool) -> None:
        super().__init__(stream, transform)
        self._pin = pin_memory and torch.cuda.is_available()

    def __call__(self, stream: CellStream, batch: CellBatch) -> Any:
        """Make a batch."""
        images = self._finish(torch.from_numpy(batch.images).permute(0, 3, 1, 2), batch.seeds)
        if self._pin:
            images = images.pin_memory()
        single = stream.options.batch_size is None
        return pack([images], batch.tiles, stream.options, torch.from_numpy, single=single)


class TensorLoader(CellLoader, data.IterableDataset[Any]):  # type: ignore[misc, unused-ignore]
    """A `CellLoader` that a `DataLoader` takes, with ``batch_size=None, num_workers=0``: it has its own processes."""

    def __iter__(self) -> Generator[Any, None, None]:
        if data.get_worker_info() is not None:
            raise SpecError(
                "The loader has processes of its own, and is iterated over in a worker of a DataLoader.",
                mend="Iterate over it as it is, or take DataLoader(loader, batch_size=None, num_workers=0).",
            )
        return super().__iter__()


def cell_loader(stream: CellStream, *, transform: Transform | None = None, pin_memory: bool = False) -> CellLoader:
    """Make the loader that `slidekit.Dataset.torch` describes for tiles from slides; see `CellTensors`."""
    return TensorLoader(stream, CellTensors(stream, transform, pin_memory=pin_memory))


def refuse(others: Mapping[str, Any]) -> None:
    """Refuse what a DataLoader would have been told.

    Raises
    ------
    SpecError
        If there is any of it.
    """
    if others:
        raise SpecError(
            f"from_wsi=True has no option {', '.join(map(repr, others))}: its batches come from no DataLoader.",
            mend="Its own are num_workers (processes that read slides), look_ahead, memory, transform and pin_memory.",
        )
