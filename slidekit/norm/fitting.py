"""The fit of a normaliser: the few numbers that it gives to tiles, and where they come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slidekit.errors import NormalizerError
from slidekit.norm.presets import PRESETS, default_preset
from slidekit.norm.source import check_image, read_image, shrink
from slidekit.norm.tiles import Tile, TileCount, TileSource, choose_tiles, mean_fit

__all__ = ["FitField", "FitSource", "Fitted", "FittedTo", "Values", "check_values"]

FitSource: TypeAlias = str | Path | Tile | Iterable[Tile] | TileSource | Sequence[str] | Sequence[Path]
"""What `fit` takes."""

Values: TypeAlias = Mapping[str, NDArray[np.float64]]
"""Numbers of a fit or a context, by their names."""


class FitField(NamedTuple):
    """What one value of a fit looks like."""

    shape: tuple[int, ...]
    positive: bool
    """Whether all its numbers have to be above zero."""


class FittedTo(NamedTuple):
    """Where a fit comes from."""

    preset: str | None = None
    """``v1``, ``v2``, ``v3``; None if it is no preset."""
    tiles: TileCount | None = None
    """How many tiles it is the mean of, and how many were left out; None if it is not a mean of tiles."""


class Fitted(ABC):
    """What has a fit.

    Parameters
    ----------
    method
        Name of the method. It begins with its default preset, if it has presets.
    """

    _fields: ClassVar[Mapping[str, FitField]]

    def __init__(self, method: str) -> None:
        self._method = method
        self._fit: Values = {}
        self._fitted_to = FittedTo()
        preset = default_preset(method)
        if preset is not None:
            self.fit(preset)

    @property
    def method(self) -> str:
        """Name of the method, one of `slidekit.norm.METHODS`."""
        return self._method

    @property
    def fitted_to(self) -> FittedTo:
        """Where the fit comes from: the preset, or the number of tiles."""
        return self._fitted_to

    def fit(
        self, source: FitSource, *, max_tiles: int | None = 5000, seed: int = 0, threads: int | None = None
    ) -> Self:
        """Take the colours that tiles shall have from a preset, an image, or many tiles.

        Parameters
        ----------
        source
            ``"v1"``, ``"v2"``, ``"v3"``; the path of an image file; an image, uint8 (h, w, 3), RGB; a batch
            (n, h, w, 3) or any iterable of such images; or a `slidekit.Dataset`, whose TFRecords are read.
            An image with an edge above 2048 px is shrunk to that first. The fit to several tiles is the mean
            of their fits; tiles without defined statistics are left out, and counted in `fitted_to`.
            For ``cyclegan`` the path of a generator, or several.
        max_tiles
            Of a dataset: take a random sample of so many. Of an iterable: take the first so many. None takes
            all of them.
        seed
            Seed of the sample.
        threads
            Threads that measure tiles; default one a core. The fit does not depend on it.

        Returns
        -------
        StainNormalizer
            This normaliser.

        Raises
        ------
        NormalizerError
            If the source is none of these, cannot be read, or statistics are not defined on it.
        """
        presets = PRESETS.get(self._method, {})
        if isinstance(source, str) and source in presets:
            self.set_fit(**presets[source])
            self._fitted_to = FittedTo(preset=source)
            return self
        if not self._fields:
            raise NormalizerError(f"{self._method} is not fitted to anything.", mend="Leave the source out.")
        many = choose_tiles(source, max_tiles=max_tiles, seed=seed)
        if many is None:
            return self.set_fit(**self._fit_of(source, tuple(presets)))
        values, count = mean_fit(many, self._measure_reference, threads=threads)
        if not count.used:
            raise NormalizerError(
                f"{self._method} cannot be fitted to these {count.left_out} tiles: none has enough stained tissue.",
                mend="Give H&E tiles that are mostly tissue.",
            )
        self.set_fit(**values)
        self._fitted_to = FittedTo(tiles=count)
        return self

    def _fit_of(self, source: object, presets: tuple[str, ...]) -> Values:
        """Fit of one image or image file."""
        path = source if isinstance(source, str | Path) else None
        image = check_image(source) if path is None else read_image(path, presets)
        values = self._measure_reference(image)
        if values is None:
            raise NormalizerError(
                f"{self._method} cannot be fitted to this image of {image.shape[1]} × {image.shape[0]} px: "
                "it has too little stained tissue, or too few colours.",
                mend=f"Give an H&E image that is mostly tissue, or a preset ({', '.join(presets)}).",
                path=path,
            )
        return values

    def _measure_reference(self, image: Tile) -> Values | None:
        return self._measure(shrink(check_image(image)))

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
        self._fit = check_values(f"A fit of {self._method}", values, self._fields)
        self._fitted_to = FittedTo()
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

    @abstractmethod
    def _measure(self, image: Tile) -> Values | None:
        """Fit of an image, uint8 (h, w, 3), C-contiguous; None if its statistics are not defined."""


def check_values(what: str, values: Mapping[str, ArrayLike], fields: Mapping[str, FitField]) -> Values:
    """Check the numbers of a fit or a context, and take read-only copies of them.

    Parameters
    ----------
    what
        Subject of the message: ``A fit of macenko``.
    values, fields
        What was given, and what there has to be.

    Raises
    ------
    NormalizerError
        If a value is missing, unknown, of another shape, not finite, or not positive where it has to be.
    """
    if values.keys() != fields.keys():
        raise NormalizerError(
            f"{what} consists of {', '.join(fields) or 'nothing'}; given was {', '.join(values) or 'nothing'}.",
            mend="Give these values, all of them, by name.",
        )
    return {name: _check_value(name, values[name], field) for name, field in fields.items()}


def _check_value(name: str, value: ArrayLike, field: FitField) -> NDArray[np.float64]:
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
