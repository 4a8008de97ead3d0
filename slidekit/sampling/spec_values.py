"""What users give for an option of a sampler, brought to one form."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from slidekit.errors import SpecError
from slidekit.slide.fingerprint import describe_callable
from slidekit.slide.spec_values import QC_WORDS, read_tile_um

__all__ = [
    "MASK_WORDS",
    "describe",
    "read_augment",
    "read_classes",
    "read_mask",
    "read_normalizer",
    "read_numbers",
    "read_points",
    "read_tuple",
    "read_um",
    "read_weights",
    "refuse_unknown",
]

MASK_WORDS = ("histofetch", "roi", *QC_WORDS)
"""Kinds of tissue mask by word."""


def refuse_unknown(options: Mapping[str, Any], fields: Iterable[str]) -> None:
    """Refuse options that no sampler has.

    Raises
    ------
    SpecError
        With the option that may be meant.
    """
    known = list(fields)
    unknown = [name for name in options if name not in known]
    if unknown:
        near = difflib.get_close_matches(unknown[0], known, n=1)
        raise SpecError(
            f"{', '.join(unknown)} is not an option of a sampler.",
            mend=f"Did you mean {near[0]}?" if near else f"Options are {', '.join(known)}.",
        )


def read_tuple(value: Any) -> Any:
    """Bring a number or several to a tuple."""
    if isinstance(value, Iterable) and not isinstance(value, str | Mapping):
        return tuple(tuple(item) if isinstance(item, list) else item for item in value)
    return (value,) if isinstance(value, int | float) else value


def read_um(value: Any) -> Any:
    """Bring an edge or several to microns, or to magnifications; several become a tuple."""
    return _read_sizes(value, read_tile_um)


def read_numbers(value: Any) -> Any:
    """Bring a size or several to numbers from 0 on; several become a tuple."""
    return _read_sizes(value, _weight)


def _read_sizes(value: Any, read: Callable[[Any], float | str]) -> Any:
    if isinstance(value, Iterable) and not isinstance(value, str):
        sizes = tuple(_read_sizes(item, read) for item in value)
        if not sizes:
            raise ValueError("it is empty")
        if len(set(sizes)) < len(sizes):
            raise ValueError("a size comes twice")
        return sizes
    if value is None:
        return None
    if isinstance(value, bool):
        raise ValueError("it is not a number")
    return read(value)


def read_mask(value: Any) -> Any:
    """Bring a kind of mask, or several, to words in one spelling and callables.

    Raises
    ------
    ValueError
        For a word that is none.
    """
    if isinstance(value, list | tuple):
        if not value:
            raise ValueError("it is empty: give None for the whole slide")
        return tuple(read_mask(item) for item in value)
    if value is None or callable(value):
        return value
    word = str(value).lower()
    if word not in MASK_WORDS:
        raise ValueError(f"use {', '.join(MASK_WORDS)}, a callable that makes a mask, or None for the whole slide")
    return {"gaussian": "blur"}.get(word, word)


def read_classes(value: Any) -> Any:
    """Bring classes to a tuple of labels or of whole numbers."""
    if value is None:
        return None
    classes = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
    if not classes or len(set(classes)) < len(classes):
        raise ValueError("give each class once")
    if len({isinstance(item, str) for item in classes}) > 1:
        raise ValueError("give labels of regions, or values of label masks, not both")
    if len(classes) > 254:
        raise ValueError("there are more than 254")
    return classes


def read_weights(value: Any) -> Any:
    """Bring weights to a word, a tuple of columns, or a mapping with numbers.

    Raises
    ------
    ValueError
        If they are none of those.
    """
    if isinstance(value, str):
        return value if value in ("slide", "area") else (value,)
    if isinstance(value, Mapping):
        if not value:
            raise ValueError("it is empty")
        nested = [isinstance(item, Mapping) for item in value.values()]
        if any(nested) and not all(nested):
            raise ValueError("give weights of slides, or shares of values by column, not both")
        return {
            str(key): {str(name): _weight(one) for name, one in item.items()}
            if isinstance(item, Mapping)
            else _weight(item)
            for key, item in value.items()
        }
    if isinstance(value, Iterable) and (columns := tuple(value)) and all(isinstance(item, str) for item in columns):
        return columns
    raise ValueError("give slide, area, names of columns, or a mapping")


def _weight(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(f"{value!r} is not a number from 0 on")
    return number


def read_points(value: Any) -> Any:
    """Bring points to (name of the slide, x, y).

    Raises
    ------
    ValueError
        If one is not that.
    """
    if isinstance(value, Iterable) and not isinstance(value, str | Mapping):
        value = list(value)
        points = [tuple(point) if isinstance(point, Iterable) and not isinstance(point, str) else () for point in value]
        for given, point in zip(value, points, strict=True):
            if len(point) != 3:
                raise ValueError(f"{given!r} is not a point: give (slide, x, y)")
        return tuple((str(slide), x, y) for slide, x, y in points)
    return value


def read_augment(value: Any) -> Any:
    """Bring an augmentation to a `PatchAugment`, or None for none.

    Raises
    ------
    ValueError
        If it is neither that nor yes or no.
    """
    if value is None or value is False:
        return None
    from slidekit.augment.patches import PatchAugment

    if value is True:
        return PatchAugment()
    if not isinstance(value, PatchAugment):
        raise ValueError("give True, or a PatchAugment")
    return value


def read_normalizer(value: Any) -> Any:
    """Bring a stain normaliser to one that is fitted; a name stands for the method with its newest preset.

    Raises
    ------
    NormalizerError
        If there is no such method.
    """
    from slidekit.norm import StainNormalizer, autoselect

    if value is None or isinstance(value, StainNormalizer):
        return value
    if isinstance(value, str):
        return autoselect(value)
    raise ValueError("give the name of a method, or a StainNormalizer")


def describe(value: Any) -> Any:
    """A value of the spec as plain JSON that tells it from others.

    The order of a mapping counts where its values are mappings: columns of quotas, each within the one before.
    """
    from slidekit.norm import StainNormalizer

    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        listed = [[str(key), describe(item)] for key, item in value.items()]
        return listed if any(isinstance(item, Mapping) for item in value.values()) else sorted(listed)
    if isinstance(value, list | tuple):
        return [describe(item) for item in value]
    if isinstance(value, StainNormalizer):
        return [value.method, describe(value.get_fit(as_list=True))]
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, describe(asdict(value))]
    return describe_callable(value)
