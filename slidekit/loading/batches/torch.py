"""Tiles as torch tensors: decoded, normalised, augmented, transformed and scaled, in whatever process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch  # type: ignore[import-not-found, unused-ignore]
from numpy.typing import NDArray
from torch import Tensor  # type: ignore[import-not-found, unused-ignore]
from torch.utils import data  # type: ignore[import-not-found, unused-ignore]

from slidekit.augment.torch import augment
from slidekit.errors import SpecError
from slidekit.loading.batch import pack
from slidekit.loading.decode import Decoder, decode_tiles, image_size
from slidekit.loading.position import Position
from slidekit.loading.stream import TileStream
from slidekit.loading.tiles import RawTiles

__all__ = ["TensorBatches", "Transform"]

Transform: TypeAlias = Callable[[Tensor], Tensor]


class TensorBatches:
    """Makes the batches of a stream, in whatever process.

    Parameters
    ----------
    stream
        The batches.
    transform
        Called with each image, uint8 (3, h, w), after the augmentation.
    num_threads
        Threads that decode where this is no worker process; None takes what the machine has, up to four.

    Raises
    ------
    RecordError
        If the first tile is damaged.
    SpecError
        If `num_threads` is no number of threads; later, if `transform` returns what cannot be used.
    """

    def __init__(self, stream: TileStream, transform: Transform | None, num_threads: int | None = None) -> None:
        self.stream = stream
        self._transform = transform
        self._size = image_size(stream)
        self._decoder = Decoder(num_threads)

    def make(self, position: Position) -> Any:
        """The batch at a position."""
        stream = self.stream
        tiles = stream.read(stream.numbers(*position))
        return self._pack(tiles, stream.seeds(*position), single=stream.options.batch_size is None)

    def make_one(self, number: int) -> Any:
        """One tile by its number in the table, without the first axis; it is the same each time."""
        numbers = np.array([number], np.int64)
        return self._pack(self.stream.read(numbers), self.stream.tile_seeds(numbers), single=True)

    def _pack(self, tiles: RawTiles, seeds: NDArray[np.int64], *, single: bool) -> Any:
        images = [self._images(some) for some in tiles.by_size()]
        images = [self._finish(some, seeds, like=images[0]) for some in images]
        return pack(images, tiles, self.stream.options, torch.from_numpy, single=single)

    def _images(self, tiles: RawTiles) -> Tensor:
        images = _empty((len(tiles), *self._size, 3), torch.uint8)
        if data.get_worker_info() is None:
            self._decoder.decode(tiles, images.numpy())
        else:
            # Workers are as many as there are cores to use.
            decode_tiles(tiles, images.numpy())
        # A view: the memory stays as it is, which torch calls channels_last.
        return images.permute(0, 3, 1, 2)

    def _finish(self, images: Tensor, seeds: NDArray[np.int64], like: Tensor | None = None) -> Tensor:
        """Change the images of one size; `like` are those of the first, as they were read."""
        options = self.stream.options
        if options.method is not None:
            images = options.method.transform(images, options.augments_stains, seed=int(seeds[0]), like=like)
        if options.image_letters:
            images = augment(images, options.image_letters, seeds)
        if self._transform is not None:
            images = _transform_each(images, self._transform, seeds, to_images=options.standardize)
        if not options.standardize:
            return images
        count, channels, rows, columns = images.shape
        scaled = _empty((count, rows, columns, channels), torch.float32).permute(0, 3, 1, 2)
        return torch.div(images, 127.5, out=scaled).sub_(1)


def _transform_each(images: Tensor, transform: Transform, seeds: NDArray[np.int64], *, to_images: bool) -> Tensor:
    """Transform image after image; what is drawn from torch's global generator depends on the image's seed alone."""
    results: list[Tensor] = []
    state = torch.get_rng_state()
    try:
        for image, seed in zip(images, seeds.tolist(), strict=True):
            # Not torch.manual_seed, which seeds the generators of all devices.
            torch.default_generator.manual_seed(seed)
            results.append(transform(image))
            _check_transformed(results[-1], results[0], to_images)
    finally:
        torch.set_rng_state(state)
    return torch.stack(results)


def _check_transformed(result: Any, first: Any, to_images: bool) -> None:
    what = f"{tuple(result.shape)}, {result.dtype}" if isinstance(result, Tensor) else f"a {type(result).__name__}"
    if not isinstance(result, Tensor):
        raise SpecError(f"transform returned {what}.", mend="It must return a tensor.")
    if result.shape != first.shape or result.dtype != first.dtype:
        raise SpecError(
            f"transform returned {what}, and {tuple(first.shape)}, {first.dtype} for another image of the batch.",
            mend="It must return tensors of one shape and type, to make a batch of.",
        )
    if to_images and (result.dtype != torch.uint8 or result.ndim != 3):
        raise SpecError(
            f"transform returned {what}, which standardize=True cannot scale.",
            mend="It must return an image, uint8 (channels, h, w); or leave standardize out, and scale in transform.",
        )


def _empty(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Memory for a batch; in a worker it is shared with the process that takes it, and need not be copied."""
    if data.get_worker_info() is None:
        return torch.empty(shape, dtype=dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    storage = torch.UntypedStorage._new_shared(size, device="cpu")  # type: ignore[no-untyped-call, unused-ignore]
    return torch.empty(0, dtype=dtype).set_(storage).view(shape)  # type: ignore[call-overload, unused-ignore]
