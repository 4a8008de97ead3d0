"""The names of the methods of normalisation, and the one place where a name becomes a normaliser."""

from __future__ import annotations

from slidekit.errors import NormalizerError
from slidekit.norm.base import StainNormalizer
from slidekit.norm.cyclegan import CycleGANNormalizer
from slidekit.norm.fitting import FitSource
from slidekit.norm.hsv import HSVAugmenter
from slidekit.norm.macenko import MacenkoNormalizer
from slidekit.norm.reinhard import ReinhardNormalizer
from slidekit.norm.vahadane import VahadaneNormalizer

__all__ = ["METHODS", "NEEDS_SOURCE", "autoselect", "class_of"]

_CLASSES: dict[str, type[StainNormalizer]] = {
    "augment": HSVAugmenter,
    "cyclegan": CycleGANNormalizer,
    "macenko": MacenkoNormalizer,
    "macenko_fast": MacenkoNormalizer,
    "reinhard": ReinhardNormalizer,
    "reinhard_fast": ReinhardNormalizer,
    "reinhard_fast_mask": ReinhardNormalizer,
    "reinhard_mask": ReinhardNormalizer,
    "vahadane": VahadaneNormalizer,
}

METHODS: tuple[str, ...] = tuple(sorted(_CLASSES))
"""Names that `autoselect` knows, sorted."""

NEEDS_SOURCE: frozenset[str] = frozenset({"cyclegan"})
"""Methods that can do nothing until they are fitted: `autoselect` demands a source for them."""


def class_of(method: str) -> type[StainNormalizer]:
    """The class of the normalisers of this name; it takes the name.

    Parameters
    ----------
    method
        One of `METHODS`.

    Raises
    ------
    NormalizerError
        If there is no such method.
    """
    if method not in METHODS:
        raise NormalizerError(
            f"normalizer={method!r} is not a method of stain normalisation.",
            mend=f"Use one of {', '.join(METHODS)}.",
        )
    return _CLASSES[method]


def autoselect(method: str, source: FitSource | None = None, backend: str | None = None) -> StainNormalizer:
    """Make the normaliser of this name, fitted.

    Parameters
    ----------
    method
        One of `METHODS`.
    source
        What to fit to, as `StainNormalizer.fit` takes it; None means preset ``v3``, or the last
        that the method has. ``augment`` has none and takes none. ``cyclegan`` takes the path of a generator, or
        of several that are applied one after another, and cannot do without.
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
        If there is no such method or backend, or `source` is missing or cannot be fitted to.
    MissingExtraError
        If the framework of `backend`, or of a generator, is not installed.
    """
    normalizer = StainNormalizer(method).use_backend(backend)
    if source is not None:
        return normalizer.fit(source)
    if method in NEEDS_SOURCE:
        # Says what to give.
        normalizer.get_fit()
    return normalizer
