"""Stain normalisation of batches of torch tensors, on the CPU or a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import torch  # type: ignore[import-not-found, unused-ignore]
from torch import Tensor  # type: ignore[import-not-found, unused-ignore]

from slidekit.errors import NormalizerError
from slidekit.norm.backend.methods import METHODS, RANKS, measure_pixels, normalize_pixels, perturb_fit
from slidekit.norm.backend.torch import ops_on

__all__ = ["METHODS", "measure", "normalize", "perturb"]

_Values: TypeAlias = Mapping[str, Any]
"""Numbers by name: anything that numpy takes for an array, or tensors."""

# Larger batches are twice as slow on a CPU as four tiles of 256 px at a time: memory for them is got anew each time.
_PIXELS_ON_CPU = 4 * 256 * 256


def normalize(method: str, fit: _Values, images: Tensor, *, context: _Values | None = None) -> tuple[Tensor, Tensor]:
    """Normalise a batch of tiles, each by its own statistics.

    The result is that of the numpy normaliser of this name, within 1 grey level on average and 3 at most. A tile
    is the same alone and in any batch, within 1 grey level.

    Parameters
    ----------
    method
        One of `METHODS`.
    fit
        Numbers of the fit, as `slidekit.norm.StainNormalizer.get_fit` returns them; a value with one more axis in
        front has one fit for each tile.
    images
        uint8 (n, 3, h, w), RGB, in any memory format, on a device that has float64.
    context
        What stands in for what is measured on the tiles: for Macenko `concentrations` (2,), for Reinhard `means`
        and `stds`, (3,) each, in CIELAB. A first axis n is allowed here, too.

    Returns
    -------
    images, changed : torch.Tensor
        uint8 (n, 3, h, w), a new tensor on the device of `images`; bool (n,), False for a degenerate tile, which
        is returned as it is.

    Raises
    ------
    NormalizerError
        If torch has no such method here, `fit` or `context` has other keys than the method's, or `images` are
        not such a tensor.
    """
    pixels = _pixels(images)
    ops = ops_on(images.device)
    parts = []
    for chosen in _parts(images):
        instead = None if context is None else _chosen(context, chosen)
        parts.append(normalize_pixels(ops, method, _chosen(fit, chosen), pixels[chosen], instead))
    result, changed = parts[0] if len(parts) == 1 else (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    return result.reshape(images.shape), changed


def measure(method: str, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """Fit of each tile of a batch.

    Parameters
    ----------
    method
        One of `METHODS`.
    images
        As for `normalize`.

    Returns
    -------
    fit, defined : dict of torch.Tensor, torch.Tensor
        Values of a fit, each with a first axis n, and any numbers for a degenerate tile; bool (n,), False there.

    Raises
    ------
    NormalizerError
        As `normalize` does.
    """
    fit, defined = measure_pixels(ops_on(images.device), method, _pixels(images))
    return dict(fit), defined


def perturb(fit: _Values, stdev: _Values, seed: int, *, count: int | None = None) -> dict[str, Tensor]:
    """Draw fits for stain augmentation from the normal distribution around one.

    Parameters
    ----------
    fit
        Numbers of a fit.
    stdev
        Their standard deviations, by the same names: `slidekit.norm.presets.AUGMENT_STDEV` by method and preset.
    seed
        The same seed draws the same fits, whatever was drawn before.
    count
        Draw so many fits, along a first axis of each value: one for each tile that `normalize` is given.

    Returns
    -------
    dict of torch.Tensor
        float64, on the CPU. Concentrations and standard deviations of colours stay above a hundredth of what they
        were.

    Raises
    ------
    NormalizerError
        If `fit` and `stdev` have different keys.
    """
    generator = torch.Generator().manual_seed(seed)
    return perturb_fit(
        ops_on(torch.device("cpu")),
        fit,
        stdev,
        lambda _number, shape: torch.randn(shape, generator=generator, dtype=torch.float64),
        count,
    )


def _pixels(images: Any) -> Tensor:
    """Check a batch, and put its pixels in one row: uint8 (n, 3, h · w)."""
    if not isinstance(images, Tensor) or images.dtype != torch.uint8:
        kind = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise NormalizerError(f"A batch of tiles is a torch.uint8 tensor, not {kind}.", mend="Convert it.")
    if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] * images.shape[3] == 0:
        raise NormalizerError(
            f"A batch of tiles is (n, 3, height, width), not {tuple(images.shape)}.",
            mend="Move channels to the second axis with .permute; drop the alpha channel; give at least one pixel.",
        )
    return images.reshape(images.shape[0], 3, images.shape[2] * images.shape[3])


def _parts(images: Tensor) -> list[slice]:
    """Which tiles to take together: on a CPU only so many that what is worked on stays near it."""
    tiles, _, height, width = images.shape
    step = max(1, _PIXELS_ON_CPU // (height * width) if images.device.type == "cpu" else tiles)
    return [slice(first, first + step) for first in range(0, tiles, step)] or [slice(0, 0)]


def _chosen(values: _Values, chosen: slice) -> _Values:
    """Values of a fit or a context for some of the tiles: a part of those that have one for each."""
    return {name: value[chosen] if np.ndim(value) > RANKS.get(name, 1) else value for name, value in values.items()}
