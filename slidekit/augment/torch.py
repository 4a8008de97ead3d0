"""Augmentation of torch tensors, on their device; the pixels are those of `slidekit.augment.arrays`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found, unused-ignore]
from numpy.typing import ArrayLike, NDArray
from torch import Tensor  # type: ignore[import-not-found, unused-ignore]

from slidekit.augment import parameters as column
from slidekit.augment.checks import check_parameters, check_shape
from slidekit.augment.jpeg import compress
from slidekit.augment.parameters import LUMA, UNIT, Parameters, draw
from slidekit.augment.tables import BLUR_KERNELS, BLUR_UNIT, CURVE_BACK, CURVES, LIGHT, SHARPEN_UNIT

__all__ = ["apply", "augment"]


def augment(images: Tensor, letters: str | bool | None, seeds: ArrayLike) -> Tensor:
    """Augment a batch, each image by its own seed; an image becomes the same in any batch.

    Parameters
    ----------
    images
        uint8 (n, 3, h, w), RGB, in any memory format, on any device.
    letters
        As `slidekit.augment.parse_augment` takes them; `slidekit.augment` says what each does.
    seeds
        Integers (n,): an array, a list, or a tensor.

    Returns
    -------
    torch.Tensor
        uint8 (n, 3, h, w), a new tensor of the same memory format on the device of `images`. JPEG is the only
        letter that copies images of another device to main memory and back.

    Raises
    ------
    SpecError
        If there are no such letters, or `images` or `seeds` are not such values.
    """
    return apply(images, draw(letters, seeds.cpu().numpy() if isinstance(seeds, Tensor) else seeds))


def apply(images: Tensor, parameters: Parameters) -> Tensor:
    """Do what was drawn.

    Parameters
    ----------
    images
        As for `augment`.
    parameters
        numpy (n, k), of `slidekit.augment.draw`.

    Returns
    -------
    torch.Tensor
        As of `augment`.

    Raises
    ------
    SpecError
        If they are not such values.
    """
    check_shape(str(images.dtype).removeprefix("torch."), tuple(images.shape), channels_last=False)
    check_parameters(parameters.shape, images.shape[0])
    result = images.clone()
    for number, change in _WORK:
        places = np.flatnonzero(parameters[:, number])
        if len(places):
            chosen = _tensor(places, images)
            result[chosen] = change(result[chosen], parameters[places])
    return result


def _flip_x(images: Tensor, _rows: Parameters) -> Tensor:
    return images.flip(3)


def _flip_y(images: Tensor, _rows: Parameters) -> Tensor:
    return images.flip(2)


def _turn(images: Tensor, _rows: Parameters) -> Tensor:
    return torch.rot90(images, 1, (2, 3)) if images.shape[2] == images.shape[3] else images


def _blur(images: Tensor, rows: Parameters) -> Tensor:
    for number in np.unique(rows[:, column.BLUR]):
        chosen = _tensor(np.flatnonzero(rows[:, column.BLUR] == number), images)
        sums = _float(images[chosen])
        for axis in (3, 2):
            sums = _convolve(sums, BLUR_KERNELS[number].tolist(), axis)
        images[chosen] = sums.add_(BLUR_UNIT / 2).div_(BLUR_UNIT).to(torch.uint8)
    return images


def _convolve(values: Tensor, kernel: Sequence[int], axis: int) -> Tensor:
    """Weighted sums along an axis, beyond whose ends the last value goes on."""
    size, reach = values.shape[axis], len(kernel) // 2
    # A convolution may run in TF32 on a GPU, which does not hold these numbers exactly.
    wide = values.index_select(axis, torch.arange(-reach, size + reach, device=values.device).clamp_(0, size - 1))
    sums = torch.zeros_like(values)
    for offset, weight in enumerate(kernel):
        sums.add_(wide.narrow(axis, offset, size), alpha=weight)
    return sums


def _sharpen(images: Tensor, rows: Parameters) -> Tensor:
    values = _float(images)
    smooth = _convolve(_convolve(values, (1, 1, 1), 3), (1, 1, 1), 2).add_(values, alpha=4)
    twice = _tensor(rows[:, column.SHARPEN], images).to(torch.float32)[:, None, None, None]
    more = values.mul(SHARPEN_UNIT // 2).sub_(smooth).mul_(twice)
    return _to_pixels(more.add_(values, alpha=SHARPEN_UNIT), SHARPEN_UNIT)


def _posterise(images: Tensor, rows: Parameters) -> Tensor:
    masks = (255 << rows[:, column.DROPPED_BITS] & 255).astype(np.uint8)
    return images & _tensor(masks, images)[:, None, None, None]


def _distort(images: Tensor, rows: Parameters) -> Tensor:
    values = _float(images)
    luma = (values.sum((2, 3), dtype=torch.float64).to(torch.int64) * torch.tensor(LUMA, device=images.device)).sum(1)
    pixels = 1000 * images.shape[2] * images.shape[3]
    mean = (2 * luma + pixels) // (2 * pixels)
    offset = mean * _tensor(rows[:, column.DISTORT_LUMA], images)
    mixed = _mix(values, rows[:, column.DISTORT_MATRIX])
    return _to_pixels(mixed.add_(offset[:, None, None, None]), UNIT)


def _change_profile(images: Tensor, rows: Parameters) -> Tensor:
    curves = torch.tensor(CURVES, dtype=torch.float32, device=images.device)
    chosen = _tensor(rows[:, column.PROFILE_CURVES], images).to(torch.int32)
    indices = images.to(torch.int32, memory_format=torch.contiguous_format)
    light = curves.reshape(-1)[indices + 256 * chosen[:, :, None, None]]
    mixed = _mix(light, rows[:, column.PROFILE_MATRIX]).add_(UNIT // 2).div_(UNIT)
    back = torch.tensor(CURVE_BACK, device=images.device)
    return back[mixed.clamp_(0, LIGHT).to(torch.int32)]


def _compress(images: Tensor, rows: Parameters) -> Tensor:
    arrays = images.permute(0, 2, 3, 1).cpu().numpy()
    pairs = zip(arrays, rows[:, column.QUALITY], strict=True)
    done = np.stack([compress(array, int(quality)) for array, quality in pairs])
    return torch.from_numpy(done).to(images.device).permute(0, 3, 1, 2)


def _float(images: Tensor) -> Tensor:
    """Pixels as float32, channel after channel, in which order they are worked on twice as fast."""
    return images.to(torch.float32, memory_format=torch.contiguous_format)


def _mix(values: Tensor, matrices: Parameters) -> Tensor:
    """Each image's matrix, (n, 9), times its channels."""
    weights = _tensor(matrices, values).to(torch.float32).reshape(-1, 3, 3, 1, 1)
    red, green, blue = (weights[:, :, channel] * values[:, channel : channel + 1] for channel in range(3))
    return red.add_(green).add_(blue)


def _to_pixels(values: Tensor, unit: int) -> Tensor:
    # What is below zero is not to be rounded towards it.
    return values.add_(unit // 2).div_(unit).clamp_(0, 255).to(torch.uint8)


def _tensor(values: NDArray[Any], like: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(like.device)


_WORK: Sequence[tuple[int, Callable[[Tensor, Parameters], Tensor]]] = (
    (column.FLIP_X, _flip_x),
    (column.FLIP_Y, _flip_y),
    (column.QUARTER, _turn),
    (column.BLUR, _blur),
    (column.SHARPEN, _sharpen),
    (column.DROPPED_BITS, _posterise),
    (column.DISTORT, _distort),
    (column.PROFILE, _change_profile),
    (column.QUALITY, _compress),
)
