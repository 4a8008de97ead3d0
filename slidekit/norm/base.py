"""What every stain normaliser is, and what happens to a tile that cannot be normalised.

The degenerate rule, for all methods: **a tile whose statistics are not defined is returned as it came, as a
copy, with ``changed=False``.** Each method says in its `_measure` when its statistics are not defined (too
few stained pixels, one colour, gray, white, black …) by returning None, and nothing else in the package
treats such tiles. A *fit* to such an image is an error, because every tile after it would be wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from slidekit.norm.augment import Augmented, perturb
from slidekit.norm.context import Contextual
from slidekit.norm.faces import ImageFaces
from slidekit.norm.fitting import FitField, Values
from slidekit.norm.layout import Layout, read_layout
from slidekit.norm.source import check_image
from slidekit.norm.tensors import NATIVE_METHODS, check_backend, normalize_tensor, perturb_in_graph

__all__ = ["FitField", "Normalized", "StainNormalizer"]

Images = TypeVar("Images")


class Normalized(NamedTuple):
    """A tile after normalisation."""

    image: NDArray[np.uint8]
    """uint8 (h, w, 3), RGB; always an array of its own."""
    changed: bool
    """False if the tile was degenerate, and `image` is a copy of what was given."""


class StainNormalizer(ImageFaces, Augmented, Contextual):
    """A method of stain normalisation, fitted to a reference; `slidekit.norm.autoselect` makes one as well.

    ``StainNormalizer("macenko")`` is an instance of the class of that method.

    A normaliser is a few numbers: cheap to pickle and to send to another process. `transform` and
    `normalize` change nothing in it and may be called from many threads at once; a fit or a context takes the
    place of the one before in one step, so that a tile is normalised with one or the other.

    Parameters
    ----------
    method
        One of `slidekit.norm.METHODS`. The normaliser begins with its preset ``v3``, or the last that it has.

    Raises
    ------
    NormalizerError
        If there is no such method.
    """

    def __new__(cls, method: str = "") -> Self:
        """Make an instance of the class of the method; without a name for `pickle`, which knows the class."""
        if cls is not StainNormalizer:
            return super().__new__(cls)
        from slidekit.norm.methods import class_of

        # A subclass of this one, which is what cls is here.
        return cast("Self", super().__new__(class_of(method)))

    def __init__(self, method: str) -> None:
        self._native = True
        super().__init__(method)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._method!r}>"

    def use_backend(self, backend: str | None) -> Self:
        """Choose who works on tensors: ``"numpy"`` (= ``"opencv"``), or the framework that they are of.

        Parameters
        ----------
        backend
            As for `slidekit.norm.autoselect`.

        Returns
        -------
        StainNormalizer
            This normaliser.

        Raises
        ------
        NormalizerError, MissingExtraError
            If there is no such backend, or its framework is not installed.
        """
        check_backend(backend)
        self._native = backend not in ("numpy", "opencv")
        return self

    def transform(
        self, images: Images, augment: bool = False, *, seed: Any = None, like: Images | None = None
    ) -> Images:
        """Normalise an image or a batch; what comes back has the type, shape, dtype and layout of what was given.

        numpy arrays are worked on by numpy and OpenCV; tensors by their framework on their device, or, for a
        method that it does not have, by numpy. The frameworks agree within 1 grey level on average and 3 at most.

        Parameters
        ----------
        images
            uint8, RGB: numpy (h, w, 3) or (n, h, w, 3); TensorFlow likewise, also symbolic tensors of a graph;
            torch (3, h, w), (h, w, 3), (n, 3, h, w) or (n, h, w, 3), where a shape that could be either is
            taken with channels first.
        augment
            Normalise each image to a fit of its own, drawn around the fit (see `set_augment`).
        seed
            Seed of this call; None takes the next of the sequence that `set_augment` seeded. In a graph of
            TensorFlow it has to be given: an int64 tensor (2,), another one for every call.
        like
            Of concentric tiles, the images of the first size, as many as `images`; as for `normalize`.

        Returns
        -------
        array or tensor
            A new one. Images whose statistics are not defined are as they were.

        Raises
        ------
        NormalizerError
            If `images` is none of these; the message says how to mend it.
        """
        layout = read_layout(images)
        if not augment:
            return self._transform(images, layout, self._fit, ())
        if layout.in_graph:
            drawn = perturb_in_graph(self._fit, self._augment_stdev(), images, layout, seed)
            return self._transform(images, layout, drawn, ())
        fit, stdev = self._fit, self._augment_stdev()
        generators = self._next_generators(images.shape[0] if layout.batch else 1, seed)  # type: ignore[attr-defined]
        return self._transform(images, layout, fit, [perturb(fit, stdev, generator) for generator in generators])

    def _transform(self, images: Images, layout: Layout, fit: Values, fits: Sequence[Values]) -> Images:
        """Normalise all images to a fit, or each to its own where there are some in `fits`."""
        context = self._context
        if layout.batch and images.shape[0] == 0:  # type: ignore[attr-defined]
            empty: Images = layout.from_numpy([], images)
            return empty
        if self._native and layout.framework != "numpy" and self._method in NATIVE_METHODS:
            stacked = {name: np.stack([one[name] for one in fits]) for name in fit} if fits else fit
            result: Images = normalize_tensor(self._method, stacked, images, layout, context)
            return result
        arrays = layout.to_numpy(images)
        pairs = zip(arrays, fits or [fit] * len(arrays), strict=True)
        tiles = [self._normalize(check_image(array), one, context).image for array, one in pairs]
        joined: Images = layout.from_numpy(tiles, images)
        return joined

    def augment(self, images: Images, *, seed: int | None = None) -> Images:
        """Perturb the stains of each image around its own, not around those of the fit.

        Parameters
        ----------
        images
            As for `transform`, but not in a graph of TensorFlow: numpy works on tensors here, too.
        seed
            As for `transform`.

        Returns
        -------
        array or tensor
            A new one. Images whose statistics are not defined are as they were.

        Raises
        ------
        NormalizerError
            If `images` are not such images, or the method has no fit to perturb.
        """
        layout = read_layout(images)
        tiles = [check_image(array) for array in layout.to_numpy(images)]
        self._augment_stdev()
        generators = self._next_generators(len(tiles), seed)
        pairs = zip(tiles, generators, strict=True)
        results: Images = layout.from_numpy([self._augment_tile(tile, generator) for tile, generator in pairs], images)
        return results

    def _augment_tile(self, tile: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
        """One image, uint8 (h, w, 3), with its own stains perturbed, a new array."""
        own = self._measure(tile)
        if own is None:
            return tile.copy()
        return self._normalize(tile, perturb(own, self._augment_stdev(), generator), None).image

    def normalize(self, image: NDArray[np.uint8], *, like: NDArray[np.uint8] | None = None) -> Normalized:
        """Normalise a tile, and say whether it was changed.

        Parameters
        ----------
        image
            uint8 (h, w, 3), RGB.
        like
            Of concentric tiles, the image of the first size: what is left to chance is drawn as for that one, so that
            all sizes of a tile get the same colours. Only method ``augment`` leaves anything to chance here.

        Returns
        -------
        Normalized
            The tile, and False if it is degenerate (see the module) and was left as it is.

        Raises
        ------
        NormalizerError
            If `image` is not such an array.
        """
        return self._normalize(check_image(image), self._fit, self._context)

    def _normalize(self, tile: NDArray[np.uint8], fit: Values, context: Values | None) -> Normalized:
        result = self._apply(tile, fit, context)
        return Normalized(tile.copy(), False) if result is None else Normalized(result, True)

    def save(self, path: str | Path) -> Path:
        """Write the method and its fit to a JSON file, which `slidekit.norm.load` reads.

        Parameters
        ----------
        path
            The file, by custom ``*.json``; replaced in one step if it exists. A context is not part of it.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        from slidekit.norm.saving import save_normalizer

        return save_normalizer(self, Path(path))

    # Not abstract, though every method has its own: type checkers would refuse StainNormalizer("macenko").

    def _measure(self, image: NDArray[np.uint8]) -> Values | None:
        raise NotImplementedError

    def _apply(self, image: NDArray[np.uint8], fit: Values, context: Values | None = None) -> NDArray[np.uint8] | None:
        """Tile with the colours of `fit`, a new array; None if the statistics of `image` are not defined.

        `context` stands in for what is measured on the tile itself.
        """
        raise NotImplementedError
