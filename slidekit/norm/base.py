"""What every stain normaliser is, and what happens to a tile that cannot be normalised.

The degenerate rule, for all methods: **a tile whose statistics are not defined is returned as it came, as a
copy, with ``changed=False``.** Each method says in its `_measure` when its statistics are not defined (too
few stained pixels, one colour, gray, white, black …) by returning None, and nothing else in the package
treats such tiles. A *fit* to such an image is an error, because every tile after it would be wrong.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slidekit.errors import NormalizerError
from slidekit.norm.presets import DEFAULT_PRESET, PRESETS
from slidekit.norm.source import check_image, read_image, shrink

__all__ = ["FitField", "Normalized", "StainNormalizer"]


class Normalized(NamedTuple):
    """A tile after normalisation."""

    image: NDArray[np.uint8]
    """uint8 (h, w, 3), RGB; always an array of its own."""
    changed: bool
    """False if the tile was degenerate, and `image` is a copy of what was given."""


class FitField(NamedTuple):
    """What one value of a fit looks like."""

    shape: tuple[int, ...]
    positive: bool
    """Whether all its numbers have to be above zero."""


class StainNormalizer(ABC):
    """A method of stain normalisation, fitted to a reference.

    A normaliser is a few numbers: cheap to pickle and to send to another process. `transform` and
    `normalize` change nothing in it and may be called from many threads at once; a fit takes the place of
    the one before in one step, so that a tile is normalised with one or the other.

    Parameters
    ----------
    method
        Name by which `slidekit.norm.autoselect` knows the method. The normaliser begins with its preset
        ``v3``.
    """

    _fields: ClassVar[Mapping[str, FitField]]

    def __init__(self, method: str) -> None:
        self._method = method
        self._fit: Mapping[str, NDArray[np.float64]] = {}
        self.fit(DEFAULT_PRESET)

    @property
    def method(self) -> str:
        """Name of the method, one of `slidekit.norm.METHODS`."""
        return self._method

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._method!r}>"

    def fit(self, source: str | Path | NDArray[np.uint8]) -> Self:
        """Take the colours that tiles shall have from a preset or an image.

        Parameters
        ----------
        source
            ``"v1"``, ``"v2"``, ``"v3"``; or the path of an image file; or an image, uint8 (h, w, 3), RGB.
            Images with an edge above 2048 px are shrunk to that first.

        Returns
        -------
        StainNormalizer
            This normaliser.

        Raises
        ------
        NormalizerError
            If the source is neither, cannot be read, or is an image whose statistics are not defined.
        """
        presets = PRESETS[self._method]
        if isinstance(source, str) and source in presets:
            return self.set_fit(**presets[source])
        path = source if isinstance(source, str | Path) else None
        image = check_image(source) if path is None else read_image(path, tuple(presets))
        values = self._measure(shrink(image))
        if values is None:
            raise NormalizerError(
                f"{self._method} cannot be fitted to this image of {image.shape[1]} × {image.shape[0]} px: "
                "it has too little stained tissue, or too few colours.",
                mend=f"Give an H&E image that is mostly tissue, or a preset ({', '.join(presets)}).",
                path=path,
            )
        return self.set_fit(**values)

    def set_fit(self, **values: ArrayLike) -> Self:
        """Set the fit by its numbers, as `get_fit` returns them.

        Parameters
        ----------
        **values
            All values of the method's fit: for Macenko `stain_matrix_target` (3, 2) (rows R, G, B; columns
            haematoxylin, eosin) and `target_concentrations` (2,); for Reinhard `target_means` and
            `target_stds`, (3,) each, in CIELAB.

        Returns
        -------
        StainNormalizer
            This normaliser.

        Raises
        ------
        NormalizerError
            If a value is missing, unknown, of another shape, not finite, or not positive where it has to be.
        """
        if values.keys() != self._fields.keys():
            raise NormalizerError(
                f"A fit of {self._method} consists of {', '.join(self._fields)}; "
                f"given was {', '.join(values) or 'nothing'}.",
                mend="Give these values, all of them, by name.",
            )
        self._fit = {name: _fit_value(name, values[name], field) for name, field in self._fields.items()}
        return self

    @overload
    def get_fit(self, as_list: Literal[False] = False) -> dict[str, NDArray[np.float64]]: ...
    @overload
    def get_fit(self, as_list: bool) -> dict[str, Any]: ...
    def get_fit(self, as_list: bool = False) -> dict[str, Any]:
        """Numbers of the fit, under the names that `set_fit` takes.

        Parameters
        ----------
        as_list
            Lists of floats, ready for JSON, instead of arrays.

        Returns
        -------
        dict
            float64 arrays (copies), or lists.
        """
        return {name: value.tolist() if as_list else value.copy() for name, value in self._fit.items()}

    def transform(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Normalise a tile; `normalize` also says whether it could be.

        Parameters
        ----------
        image
            uint8 (h, w, 3), RGB.

        Returns
        -------
        numpy.ndarray
            uint8 (h, w, 3), RGB, a new array.

        Raises
        ------
        NormalizerError
            If `image` is not such an array.
        """
        return self.normalize(image).image

    def normalize(self, image: NDArray[np.uint8]) -> Normalized:
        """Normalise a tile, and say whether it was changed.

        Parameters
        ----------
        image
            uint8 (h, w, 3), RGB.

        Returns
        -------
        Normalized
            The tile, and False if it is degenerate (see the module) and was left as it is.

        Raises
        ------
        NormalizerError
            If `image` is not such an array.
        """
        tile = check_image(image)
        result = self._apply(tile, self._fit)
        return Normalized(tile.copy(), False) if result is None else Normalized(result, True)

    @abstractmethod
    def _measure(self, image: NDArray[np.uint8]) -> Mapping[str, NDArray[np.float64]] | None:
        """Fit of an image, uint8 (h, w, 3), C-contiguous; None if its statistics are not defined."""

    @abstractmethod
    def _apply(self, image: NDArray[np.uint8], fit: Mapping[str, NDArray[np.float64]]) -> NDArray[np.uint8] | None:
        """Tile with the colours of `fit`, a new array; None if the statistics of `image` are not defined."""


def _fit_value(name: str, value: ArrayLike, field: FitField) -> NDArray[np.float64]:
    """Check one value of a fit and take a read-only copy of it."""
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise NormalizerError(f"{name}={value!r} is not numbers.", mend=f"Give shape {field.shape}.") from error
    if array.shape != field.shape:
        raise NormalizerError(f"{name} has shape {array.shape}.", mend=f"Give shape {field.shape}.")
    if not np.isfinite(array).all() or (field.positive and (array <= 0).any()):
        kind = "finite and above zero" if field.positive else "finite"
        raise NormalizerError(f"{name}={array.tolist()} is not a fit.", mend=f"All its numbers have to be {kind}.")
    array.flags.writeable = False
    return array
