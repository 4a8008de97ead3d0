"""The names of the methods of normalisation, and the one place where a name becomes a normaliser."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from slidekit.errors import NormalizerError
from slidekit.norm.base import StainNormalizer
from slidekit.norm.fitting import FitSource
from slidekit.norm.hsv import HSVAugmenter
from slidekit.norm.macenko import MacenkoNormalizer
from slidekit.norm.reinhard import ReinhardNormalizer
from slidekit.norm.vahadane import VahadaneNormalizer

__all__ = ["METHODS", "autoselect"]

_FACTORIES: dict[str, Callable[[], StainNormalizer]] = {
    "augment": HSVAugmenter,
    "macenko": MacenkoNormalizer,
    "macenko_fast": partial(MacenkoNormalizer, fast=True),
    "reinhard": ReinhardNormalizer,
    "reinhard_fast": partial(ReinhardNormalizer, fast=True),
    "reinhard_fast_mask": partial(ReinhardNormalizer, fast=True, mask=True),
    "reinhard_mask": partial(ReinhardNormalizer, mask=True),
    "vahadane": VahadaneNormalizer,
}

METHODS: tuple[str, ...] = tuple(sorted(_FACTORIES))
"""Names that `autoselect` knows, sorted."""


def autoselect(method: str, source: FitSource | None = None, backend: str | None = None) -> StainNormalizer:
    """Make the normaliser of this name, fitted.

    Parameters
    ----------
    method
        One of `METHODS`.
    source
        What to fit to, as `StainNormalizer.fit` takes it; None means preset ``v3``, or the last
        that the method has. ``augment`` has none and takes none.
    backend
        None: numpy and OpenCV for arrays, and for tensors the framework that they are of. ``"torch"`` and
        ``"tensorflow"`` do the same, and are an error where the framework is missing, before the first tensor
        comes. ``"numpy"`` (= ``"opencv"``) works on tensors with numpy, too.

    Returns
    -------
    StainNormalizer

    Raises
    ------
    NormalizerError
        If there is no such method or backend, or `source` cannot be fitted to.
    MissingExtraError
        If the framework of `backend` is not installed.
    """
    factory = _FACTORIES.get(method)
    if factory is None:
        raise NormalizerError(
            f"normalizer={method!r} is not a method of stain normalisation.",
            mend=f"Use one of {', '.join(METHODS)}.",
        )
    normalizer = factory().use_backend(backend)
    return normalizer if source is None else normalizer.fit(source)
