"""Vahadane's method: two sparse, non-negative stains, and the reference's in their place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple, Self

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from slidekit.errors import NormalizerError
from slidekit.norm.base import FitField, StainNormalizer
from slidekit.norm.bounds import MIN_ANGLE, MIN_PEAK, MIN_STAINED_PIXELS, MIN_STAINED_SHARE
from slidekit.norm.brightness import SRGB_TO_LINEAR, bright_level, stretch_table
from slidekit.norm.dictionary import colours, learn_dictionary, unmixing
from slidekit.norm.fitting import check_values
from slidekit.norm.percentiles import percentile

__all__ = ["VahadaneNormalizer"]

# The paper's λ.
_SPARSITY = 0.1
_PEAK_PERCENTILE = 99.0
_DENSITY = -np.log(np.maximum(np.arange(256), 1) / 255)

# Tissue is what has less luminance than L* = 80 (0.8 · 100): Y = ((80 + 16) / 116)³.
_LUMINANCE = np.array([0.2126729, 0.7151522, 0.0721750])
_TISSUE_LUMINANCE = (96 / 116) ** 3


class _Stains(NamedTuple):
    """Stains (2, 3) in rows of length 1, haematoxylin first, and the 99th percentiles (2,) of their amounts."""

    matrix: NDArray[np.float64]
    peaks: NDArray[np.float64]


class VahadaneNormalizer(StainNormalizer):
    """Separate two stains by sparse non-negative matrix factorisation of optical density.

    From Vahadane et al.: Structure-preserving color normalization and sparse stain separation for histological
    images, IEEE Trans. Med. Imaging 35(8), 2016, with λ = 0.1, after the brightness step. The stains are learned
    from pixels with L* < 80, ``OD = −ln(I / 255)``; the concentrations are the non-negative least squares of all
    pixels, each scaled by the ratio of the reference's 99th percentile to the tile's.

    A fit without `target_concentrations`, which the presets are and all of Slideflow's fits, leaves the
    concentrations as they are, as Slideflow does; zeros stand for it in `get_fit`.

    To learn the stains takes some twenty times as long as all the rest. With a context (`set_context`), which is
    ``stain_matrix`` (2, 3) and ``concentrations`` (2,), the stains of the slide are those of each of its tiles;
    then only a black tile is degenerate.
    """

    _fields: ClassVar[Mapping[str, FitField]] = {
        "stain_matrix_target": FitField((2, 3), positive=False),
        "target_concentrations": FitField((2,), positive=False),
    }

    def __init__(self, method: str = "vahadane") -> None:
        super().__init__(method)

    def set_fit(self, **values: ArrayLike) -> Self:
        """Set the fit by its numbers, as `get_fit` returns them.

        Parameters
        ----------
        **values
            `stain_matrix_target` (2, 3) (rows haematoxylin, eosin; columns R, G, B) and `target_concentrations`
            (2,), which may be left out, or zero: the amounts of the stains then stay as they are.

        Returns
        -------
        StainNormalizer
            This normaliser.

        Raises
        ------
        NormalizerError
            If a value is missing, unknown, of another shape, not finite, or a concentration is negative.
        """
        given = {"target_concentrations": np.zeros(2), **values}
        fit = check_values(f"A fit of {self.method}", given, self._fields)
        peaks = fit["target_concentrations"]
        if peaks.min() < 0:
            raise NormalizerError(f"target_concentrations={peaks.tolist()} is not a fit.", mend="Give 0 or more.")
        return super().set_fit(**fit)

    def _context_keys(self) -> Mapping[str, str]:
        return {"stain_matrix": "stain_matrix_target", "concentrations": "target_concentrations"}

    def _measure(self, image: NDArray[np.uint8]) -> Mapping[str, NDArray[np.float64]] | None:
        level = bright_level(image)
        stains = None if level is None else _find_stains(image, level)
        if stains is None:
            return None
        return {"stain_matrix_target": stains.matrix, "target_concentrations": stains.peaks}

    def _apply(
        self,
        image: NDArray[np.uint8],
        fit: Mapping[str, NDArray[np.float64]],
        context: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> NDArray[np.uint8] | None:
        level = bright_level(image)
        if level is None:
            return None
        stains = _find_stains(image, level) if context is None else _held_stains(context)
        if stains is None:
            return None
        target = fit["target_concentrations"]
        gain = np.divide(target, stains.peaks, out=np.ones(2), where=(target > 0) & (stains.peaks > 0))
        recolour = np.column_stack([-fit["stain_matrix_target"].T * gain, np.zeros(3)]).astype(np.float32)
        exponent = cv2.transform(_concentrations(image, level, stains.matrix), recolour)
        # A fit with negative stains could make light.
        _, exponent = cv2.threshold(exponent, 0, 0, cv2.THRESH_TOZERO_INV)
        return cv2.convertScaleAbs(cv2.exp(exponent), alpha=255).astype(np.uint8, copy=False)


def _find_stains(image: NDArray[np.uint8], level: float) -> _Stains | None:
    """Stains of an image of this brightness, if they are defined."""
    table = stretch_table(level)
    colour, count = colours(image)
    light = np.interp(colour, np.arange(256), SRGB_TO_LINEAR[table])
    tissue = light @ _LUMINANCE < _TISSUE_LUMINANCE
    stained = count[tissue].sum()
    if stained < max(MIN_STAINED_PIXELS, MIN_STAINED_SHARE * count.sum()):
        return None
    density = np.interp(colour[tissue].T, np.arange(256), _DENSITY[table])
    matrix = learn_dictionary(density, count[tissue] / stained, _SPARSITY)
    if matrix is None or matrix[0] @ matrix[1] > np.cos(MIN_ANGLE):
        return None
    if matrix[0, 0] < matrix[1, 0]:
        matrix = matrix[::-1].copy()
    amounts = _concentrations(image, level, matrix)
    peaks = np.array([percentile(amounts[..., stain].reshape(-1), _PEAK_PERCENTILE) for stain in range(2)])
    return None if peaks.min() < MIN_PEAK else _Stains(matrix, peaks)


def _held_stains(context: Mapping[str, NDArray[np.float64]]) -> _Stains | None:
    """Stains of a context, brought to length 1; None if they are one stain."""
    lengths = np.linalg.norm(context["stain_matrix"], axis=1)
    if lengths.min() == 0:
        return None
    matrix = context["stain_matrix"] / lengths[:, np.newaxis]
    parallel = abs(matrix[0] @ matrix[1]) > np.cos(MIN_ANGLE)
    return None if parallel else _Stains(matrix, context["concentrations"] * lengths)


def _concentrations(image: NDArray[np.uint8], level: float, matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Amounts of the stains in every pixel, float32 (h, w, 3), by non-negative least squares; the third is 0.

    The third is there for speed: OpenCV transforms three channels into three many times faster than into two.
    """
    inverse, _, overlap = unmixing(matrix)
    density = cv2.LUT(image, _DENSITY[stretch_table(level)].astype(np.float32))
    free = cv2.transform(density, np.vstack([inverse, np.zeros(3)]).astype(np.float32))
    # What `unmixing` says, on both stains at once: each one's negative part goes to the other.
    _, negative = cv2.threshold(free, 0, 0, cv2.THRESH_TOZERO_INV)
    exchange = np.array([[0, overlap, 0], [overlap, 0, 0], [0, 0, 0]], np.float32)
    bounded = cv2.add(free, cv2.transform(negative, exchange))
    return cv2.threshold(bounded, 0, 0, cv2.THRESH_TOZERO)[1].astype(np.float32, copy=False)
