"""The operations of torch that the batched normalisers are made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch  # type: ignore[import-not-found, unused-ignore]
from numpy.typing import ArrayLike
from torch import Tensor  # type: ignore[import-not-found, unused-ignore]

from slidekit.norm.backend.ops import Ops

__all__ = ["ops_on"]


def ops_on(device: torch.device) -> Ops:
    """Operations on tensors of a device, which has to have float64: a CPU or a CUDA device.

    Parameters
    ----------
    device
        Where the tensors are.
    """
    return _TorchOps(device)


class _TorchOps:
    """`slidekit.norm.backend.ops.Ops` of torch; see there what each is."""

    log = staticmethod(torch.log)
    sqrt = staticmethod(torch.sqrt)
    sin = staticmethod(torch.sin)
    cos = staticmethod(torch.cos)
    floor = staticmethod(torch.floor)

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def single(self, values: ArrayLike | Tensor) -> Tensor:
        return self._tensor(values, torch.float32)

    def double(self, values: ArrayLike | Tensor) -> Tensor:
        return self._tensor(values, torch.float64)

    def _tensor(self, values: ArrayLike | Tensor, dtype: torch.dtype) -> Tensor:
        # A copy: torch warns of arrays that are not writeable, and the numbers of a fit are not.
        source = values if isinstance(values, Tensor) else np.array(values)
        return torch.as_tensor(source, dtype=dtype, device=self._device)

    def size(self, values: Tensor, axis: int) -> int:
        return int(values.shape[axis])

    def entries(self, pixels: Tensor) -> Tensor:
        rows = torch.arange(pixels.shape[0], dtype=torch.int32, device=self._device)
        return pixels.to(torch.int32).add_(256 * rows[:, None, None])

    def histogram(self, entries: Tensor, tiles: int) -> Tensor:
        counts = torch.bincount(entries.reshape(-1), minlength=256 * tiles)
        return counts.reshape(tiles, 256).to(torch.float64)

    def lookup(self, tables: Tensor, entries: Tensor) -> Tensor:
        return tables.reshape(-1).index_select(0, entries.reshape(-1)).reshape(entries.shape)

    def largest(self, values: Tensor, count: int) -> Tensor:
        return torch.topk(values, min(count, values.shape[-1])).values

    def largest_places(self, values: Tensor, count: int) -> Tensor:
        return torch.topk(values, min(count, values.shape[-1]), sorted=False).indices

    def gather(self, values: Tensor, places: Tensor) -> Tensor:
        return values.gather(2, places[:, None, :].expand(-1, values.shape[1], -1))

    def reshape(self, values: Tensor, shape: tuple[int, ...]) -> Tensor:
        return values.reshape(shape)

    def concat(self, values: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(values), -1)

    def count(self, mask: Tensor, axis: int) -> Tensor:
        return mask.sum(axis).to(torch.float64)

    def pick(self, values: Tensor, places: Tensor) -> Tensor:
        return values.gather(1, places.to(torch.int64)[:, None])[:, 0].to(torch.float64)

    def maximum(self, values: Tensor, bound: Tensor | float) -> Tensor:
        return values.clamp(min=bound)

    def minimum(self, values: Tensor, bound: Tensor | float) -> Tensor:
        return values.clamp(max=bound)

    def where(self, condition: Tensor, yes: Tensor, no: Tensor) -> Tensor:
        return torch.where(condition, yes, no)

    def select(self, tiles: Tensor, yes: Tensor, no: Tensor) -> Tensor:
        # Differences of uint8 wrap around, and back again; torch.where takes several times as long.
        return yes.sub_(no).mul_(tiles[:, None, None]).add_(no)

    def decay(self, exponents: Tensor) -> Tensor:
        return exponents.clamp_(max=0).exp_()

    def clip(self, values: Tensor) -> Tensor:
        return values.clamp_(0, 1)

    def part(self, values: Tensor, knot: float) -> tuple[Tensor, Tensor]:
        above = values.clamp(min=knot)
        return above, values.sub_(knot).clamp_(max=0)

    def variance(self, values: Tensor, means: Tensor) -> Tensor:
        return (values - means[..., None]).square_().mean(2)

    def moments(self, values: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        selected = (values * weights[:, None, :]).to(torch.float64)
        return selected.sum(2), selected @ selected.mT

    def power(self, values: Tensor, exponent: float) -> Tensor:
        # Faster than torch.pow.
        return values.log_().mul_(exponent).exp_()

    def arctan2(self, y: Tensor, x: Tensor) -> Tensor:
        return torch.arctan2(y, x)

    def sum(self, values: Tensor, axis: int) -> Tensor:
        return values.sum(axis)

    def mean(self, values: Tensor, axis: int) -> Tensor:
        return values.mean(axis)

    def most(self, values: Tensor, axis: int) -> Tensor:
        return values.amax(axis)

    def least(self, values: Tensor, axis: int) -> Tensor:
        return values.amin(axis)

    def matmul(self, left: Tensor, right: Tensor) -> Tensor:
        return left @ right

    def transpose(self, matrices: Tensor) -> Tensor:
        return matrices.mT

    def eigh(self, matrices: Tensor) -> tuple[Tensor, Tensor]:
        values, vectors = torch.linalg.eigh(matrices)
        return values, vectors

    def stack(self, values: Sequence[Tensor], axis: int) -> Tensor:
        return torch.stack(list(values), axis)

    def running_sum(self, values: Tensor) -> Tensor:
        return values.cumsum(-1)

    def to_pixels(self, values: Tensor) -> Tensor:
        return values.mul_(255).add_(0.5).to(torch.uint8)
