"""The names of the methods of normalisation, and the one place where a name becomes a normaliser."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import NormalizerError
from slidekit.norm.base import StainNormalizer
from slidekit.norm.macenko import MacenkoNormalizer
from slidekit.norm.reinhard import ReinhardNormalizer

__all__ = ["METHODS", "autoselect"]

_FACTORIES: dict[str, Callable[[], StainNormalizer]] = {
    "macenko": MacenkoNormalizer,
    "macenko_fast": partial(MacenkoNormalizer, fast=True),
    "reinhard": ReinhardNormalizer,
    "reinhard_fast": partial(ReinhardNormalizer, fast=True),
}

METHODS: tuple[str, ...] = tuple(sorted(_FACTORIES))
"""Names that `autoselect` knows, sorted."""


def autoselect(method: str, source: str | Path | NDArray[np.uint8] | None = None) -> StainNormalizer:
    """Make the normaliser of this name, fitted.

    Parameters
    ----------
    method
        One of `METHODS`.
    source
        What to fit to, as `StainNormalizer.fit` takes it; None means preset ``v3``.

    Returns
    -------
    StainNormalizer

    Raises
    ------
    NormalizerError
        If there is no such method, or `source` cannot be fitted to.
    """
    factory = _FACTORIES.get(method)
    if factory is None:
        raise NormalizerError(
            f"normalizer={method!r} is not a method of stain normalisation.",
            mend=f"Use one of {', '.join(METHODS)}.",
        )
    normalizer = factory()
    return normalizer if source is None else normalizer.fit(source)
