"""Generators that are applied one after another, and loaded when the first image comes."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from slidekit.norm.generator.base import Generator
from slidekit.norm.generator.files import GeneratorFile, load_generator
from slidekit.norm.generator.windows import apply_in_windows

__all__ = ["GeneratorChain"]

_LOADING = threading.Lock()


class GeneratorChain:
    """The generators of some files; a copy in another process knows the files alone, and loads them itself.

    Parameters
    ----------
    files
        In the order in which they are applied.
    """

    def __init__(self, files: tuple[GeneratorFile, ...]) -> None:
        self.files = files
        self._generators: tuple[Generator, ...] | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.files,)

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """An image in other colours.

        Parameters
        ----------
        image
            uint8 (h, w, 3), RGB.

        Returns
        -------
        numpy.ndarray or None
            uint8 (h, w, 3), a new array; None if a generator gave numbers that are not finite.

        Raises
        ------
        NormalizerError
            If a generator cannot be loaded, or cannot work on such images.
        """
        values = image.astype(np.float32) / np.float32(127.5) - np.float32(1)
        for generator in self._load():
            values = apply_in_windows(generator, values)
            if not np.isfinite(values).all():
                return None
        levels: NDArray[np.uint8] = np.rint((np.clip(values, -1, 1) + 1) * 127.5).astype(np.uint8)
        return levels

    def _load(self) -> tuple[Generator, ...]:
        with _LOADING:
            if self._generators is None:
                self._generators = tuple(load_generator(file) for file in self.files)
            return self._generators
