"""Contextual normalisation: what is measured on the whole slide stands in for what is measured on the tile.

A tile says little about its slide's stain: one of pale stroma and one of dense nuclei would be brought to the
same colours. Measured on a thumbnail of the slide, the statistics are the same for all of its tiles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, Self, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slidekit.errors import NormalizerError
from slidekit.norm.fitting import Fitted, Values, check_values
from slidekit.norm.source import check_image, read_image, shrink

__all__ = ["CONTEXT_MPP", "ContextSource", "Contextual", "TissueView"]

CONTEXT_MPP = 4.0
"""µm/px at which a slide's statistics are measured."""

# Value of a context: the value of a fit that it is the measured counterpart of.
_COUNTERPARTS = {"concentrations": "target_concentrations", "means": "target_means", "stds": "target_stds"}


@runtime_checkable
class TissueView(Protocol):
    """A slide that can be asked for the pixels of its tissue; `slidekit.WSI` is one."""

    def tissue_pixels(self, mpp: float) -> NDArray[np.uint8]:
        """Pixels (n, 3) of what is neither background nor masked, RGB, at so many µm/px."""


ContextSource: TypeAlias = str | Path | NDArray[np.uint8] | TissueView
"""What `context` takes."""


class Contextual(Fitted):
    """What may have a context as well as a fit."""

    def __init__(self, method: str) -> None:
        self._context: Values | None = None
        super().__init__(method)

    @contextmanager
    def context(self, source: ContextSource) -> Iterator[Self]:
        """Normalise by the statistics of a slide or an image within a ``with`` block.

        Parameters
        ----------
        source
            As for `set_context`.

        Yields
        ------
        StainNormalizer
            This normaliser; the context that it had before is restored at the end.

        Raises
        ------
        NormalizerError
            As `set_context` does.
        """
        before = self._context
        self.set_context(source)
        try:
            yield self
        finally:
            self._context = before

    def set_context(self, source: ContextSource) -> Self:
        """Normalise by the statistics of a slide or an image, until `clear_context`.

        Macenko's stains are each tile's own with a context, too; their 99th percentiles are the context's.
        Reinhard's means and standard deviations are the context's.

        Parameters
        ----------
        source
            A `slidekit.WSI` (its tissue at 4 µm/px, without what QC and regions of interest leave out), the
            path of an image file, or an image, uint8 (h, w, 3), RGB; images are shrunk to 2048 px.

        Returns
        -------
        StainNormalizer
            This normaliser.

        Raises
        ------
        NormalizerError
            If the method takes no context, the source cannot be used, or statistics are not defined on it.
        """
        self._demand_context()
        if isinstance(source, TissueView):
            # One column of pixels: percentiles and moments do not ask where a pixel lies.
            image: NDArray[np.uint8] = np.ascontiguousarray(source.tissue_pixels(CONTEXT_MPP)[:, np.newaxis])
        else:
            image = shrink(read_image(source) if isinstance(source, str | Path) else check_image(source))
        values = self._measure_context(image) if image.size else None
        if values is None:
            raise NormalizerError(
                f"The statistics of {self._method} are not defined on this context: it has too little stained"
                " tissue, or too few colours.",
                mend="Give an H&E slide or image with tissue, or normalise without a context.",
            )
        self._context = values
        return self

    def clear_context(self) -> Self:
        """Forget the context: each tile is normalised by its own statistics again."""
        self._context = None
        return self

    def get_context(self) -> dict[str, NDArray[np.float64]] | None:
        """Numbers of the context (copies), under the names that `set_context_values` takes; None without one."""
        return None if self._context is None else {name: value.copy() for name, value in self._context.items()}

    def set_context_values(self, **values: ArrayLike) -> Self:
        """Set the context by its numbers, such as those that `get_context` returned for a slide.

        Parameters
        ----------
        **values
            For Macenko `concentrations` (2,); for Reinhard `means` and `stds`, (3,) each.

        Raises
        ------
        NormalizerError
            As `set_fit` does, and if the method takes no context.
        """
        self._demand_context()
        fields = {name: self._fields[key] for name, key in self._context_keys().items()}
        self._context = check_values(f"A context of {self._method}", values, fields)
        return self

    @property
    def takes_context(self) -> bool:
        """Whether the method has statistics that a context can stand in for."""
        return bool(self._context_keys())

    def _demand_context(self) -> None:
        if not self.takes_context:
            raise NormalizerError(f"{self._method} takes no context.", mend="Leave the context out.")

    def _context_keys(self) -> Mapping[str, str]:
        """Values of a context, each with the value of a fit that it is the measured counterpart of."""
        return {name: key for name, key in _COUNTERPARTS.items() if key in self._fields}

    def _measure_context(self, image: NDArray[np.uint8]) -> Values | None:
        """Context from pixels, uint8 (h, w, 3), of tissue; None if the statistics are not defined."""
        values: Mapping[str, Any] | None = self._measure(image)
        return None if values is None else {name: values[key] for name, key in self._context_keys().items()}
