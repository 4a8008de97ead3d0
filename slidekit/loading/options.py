"""What the loaders of numpy, torch and TensorFlow can be asked for alike."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from slidekit.augment import parse_augment
from slidekit.errors import SpecError
from slidekit.norm import METHODS, StainNormalizer, autoselect

__all__ = ["LoaderOptions", "read_options", "whole_number"]

_SYNONYMS = {"shard_idx": "shard_index", "rank": "shard_index", "num_replicas": "num_shards"}
"""Slideflow's and torch's names for options."""


@dataclass(frozen=True)
class LoaderOptions:
    """Options of a loader, checked.

    Attributes
    ----------
    batch_size
        Tiles of a batch; None gives single tiles.
    infinite
        Begin anew after the last tile.
    shuffle
        Give the tiles of all slides in a random order, another one each epoch.
    seed
        What the orders and the augmentation depend on.
    augment
        Letters, as `slidekit.augment.parse_augment` takes them.
    standardize
        Scale images to float32 in −1 … 1, x / 127.5 − 1; else they are uint8.
    normalizer
        A stain normaliser, or the name of a method, whose default fit is then taken.
    incl_slidenames, incl_loc
        Give the slide's name, and the tile's centre in level-0 pixels, with each tile.
    onehot
        Give class indices as vectors, float32.
    drop_last
        Leave out the tiles at the end of an epoch that fill no batch.
    shard_index, num_shards
        Take each `num_shards`-th tile of an epoch's order, from this one on.
    even_shards
        Leave out the last tiles of an epoch, so that all shards have the same number.
    check_crc
        Compare the checksum of each record.

    Raises
    ------
    SpecError
        If a value makes no sense.
    NormalizerError
        If there is no such normaliser.
    """

    batch_size: int | None = None
    infinite: bool = False
    shuffle: bool = True
    seed: int = 0
    augment: str | bool | None = ""
    standardize: bool = False
    normalizer: StainNormalizer | str | None = None
    incl_slidenames: bool = False
    incl_loc: bool = False
    onehot: bool = False
    drop_last: bool = False
    shard_index: int = 0
    num_shards: int = 1
    even_shards: bool = False
    check_crc: bool = True

    def __post_init__(self) -> None:
        for name, least in (("batch_size", 1), ("seed", 0), ("num_shards", 1), ("shard_index", 0)):
            value = getattr(self, name)
            if value is None and name == "batch_size":
                continue
            object.__setattr__(self, name, whole_number(name, value, least))
        if self.shard_index >= self.num_shards:
            raise SpecError(
                f"shard_index={self.shard_index}{_also('shard_index')} is none of {self.num_shards} shards.",
                mend=f"Shards count from 0 to num_shards{_also('num_shards')} - 1.",
            )
        object.__setattr__(self, "augment", parse_augment(self.augment))
        if isinstance(self.normalizer, str):
            object.__setattr__(self, "normalizer", autoselect(self.normalizer))
        elif self.normalizer is not None and not isinstance(self.normalizer, StainNormalizer):
            raise SpecError(
                f"normalizer={self.normalizer!r} is no stain normaliser.",
                mend=f"Give one of slidekit.norm, or the name of one: {', '.join(METHODS)}; Dataset.torch takes any "
                "function as transform=.",
            )
        if "n" in self.letters and self.normalizer is None:
            raise SpecError(
                "augment has n, which perturbs a stain normaliser, and there is none.", mend="Give normalizer=."
            )

    @property
    def letters(self) -> str:
        """Letters of the augmentation, each once."""
        return parse_augment(self.augment)

    @property
    def augments_stains(self) -> bool:
        """Whether the normaliser is to augment."""
        return "n" in self.letters

    @property
    def image_letters(self) -> str:
        """Letters that are left when the normaliser has done n."""
        return self.letters.replace("n", "")

    @property
    def method(self) -> StainNormalizer | None:
        """The stain normaliser."""
        return self.normalizer if isinstance(self.normalizer, StainNormalizer) else None


def read_options(given: Mapping[str, Any]) -> LoaderOptions:
    """Options as a user gives them to `slidekit.Dataset.numpy`, `torch` or `tensorflow`.

    Parameters
    ----------
    given
        `LoaderOptions` by name; ``rank`` and ``shard_idx`` stand for `shard_index`, ``num_replicas`` for `num_shards`.

    Raises
    ------
    SpecError
        If there is no such option, one is given under two names, or a value makes no sense.
    NormalizerError
        If there is no such normaliser.
    """
    known = [field.name for field in fields(LoaderOptions)]
    settled: dict[str, Any] = {}
    for name, value in given.items():
        settled_name = _SYNONYMS.get(name, name)
        if settled_name not in known:
            raise SpecError(f"There is no option {name!r}.", mend=f"There are: {', '.join((*known, *_SYNONYMS))}.")
        if settled_name in settled:
            raise SpecError(f"{settled_name}{_also(settled_name)} is given twice.", mend="Give it under one name.")
        settled[settled_name] = value
    return LoaderOptions(**settled)


def whole_number(name: str, value: Any, least: int = 0) -> int:
    """Check a whole number of any library's making, such as ``numpy.int64``.

    Parameters
    ----------
    name
        What it is called.
    value
        What was given.
    least
        The smallest that makes sense.

    Raises
    ------
    SpecError
        If it is none, or smaller.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least:
        raise SpecError(f"{name}={value!r}{_also(name)} is not a whole number from {least} on.", mend="Give one.")
    return number


def _also(name: str) -> str:
    """Other names of an option, which may be what the user wrote, for a message."""
    others = [other for other, settled in _SYNONYMS.items() if settled == name]
    return f" ({', '.join(others)})" if others else ""
