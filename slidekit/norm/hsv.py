"""Colour augmentation in HSV, which needs no reference: method ``augment``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from slidekit.norm.base import FitField, Normalized, StainNormalizer
from slidekit.norm.layout import read_layout
from slidekit.norm.source import check_image

__all__ = ["HSVAugmenter", "shift_hsv"]

Images = TypeVar("Images")

# Each channel is multiplied by a number in 1 ± 0.2; then one in ± 0.2 of its 8-bit levels is added.
_SPREAD = 0.2

# Standard deviation of S and V (0–255) below which to equalise them would make colours out of noise.
_MIN_STD = 4.0

_HUES = 180
"""Hues of OpenCV's 8-bit HSV, in steps of 2°."""


class HSVAugmenter(StainNormalizer):
    """Equalise saturation and value, then shift hue, saturation and value at random, each for the whole tile.

    It is no normalisation, but what Slideflow offers as method ``augment``. There is nothing to fit. What
    `transform` and `normalize` draw depends on the seed (`set_augment`) and on the pixels of the tile alone, so
    that threads, batches and the order of tiles change no pixel: for other draws, set another seed. `augment`, and
    `transform` with ``augment=True``, draw anew at every call. Concentric tiles of further sizes are shifted by what is
    drawn for the first (`like`). A tile is degenerate where the standard deviation of S or V is below 4 of 255: one
    colour, gray, black, white, glass.
    """

    _fields: ClassVar[Mapping[str, FitField]] = {}

    def __init__(self, method: str = "augment") -> None:
        super().__init__(method)

    def transform(
        self, images: Images, augment: bool = False, *, seed: Any = None, like: Images | None = None
    ) -> Images:
        """As of any normaliser; with `augment` as `augment`, for there is no fit to draw around."""
        if augment:
            return self.augment(images, seed=seed)
        if like is None:
            return super().transform(images)
        layout = read_layout(images)
        pairs = zip(layout.to_numpy(images), read_layout(like).to_numpy(like), strict=True)
        results: Images = layout.from_numpy([self.normalize(tile, like=first).image for tile, first in pairs], images)
        return results

    def normalize(self, image: NDArray[np.uint8], *, like: NDArray[np.uint8] | None = None) -> Normalized:
        """As of any normaliser."""
        tile = check_image(image)
        shifted = self._shift(tile, tile if like is None else check_image(like))
        return Normalized(tile.copy(), False) if shifted is None else Normalized(shifted, True)

    def _augment_tile(self, tile: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
        return tile.copy() if self._measure(tile) is None else shift_hsv(tile, *_draw(generator))

    def _preset_stdev(self, preset: str) -> Mapping[str, NDArray[np.float64]]:
        return {}

    def _measure(self, image: NDArray[np.uint8]) -> Mapping[str, NDArray[np.float64]] | None:
        _, stds = cv2.meanStdDev(cv2.cvtColor(image, cv2.COLOR_RGB2HSV))
        return None if stds[1:].min() < _MIN_STD else {}

    def _apply(
        self,
        image: NDArray[np.uint8],
        fit: Mapping[str, NDArray[np.float64]],
        context: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> NDArray[np.uint8] | None:
        return self._shift(image, image)

    def _shift(self, image: NDArray[np.uint8], like: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """Draw for the pixels of one image, and shift another by it; None if the statistics of that are undefined."""
        if self._measure(image) is None:
            return None
        digest = hashlib.blake2b(like.data, digest_size=16).digest()
        entropy = (self._seed, *like.shape[:2], int.from_bytes(digest, "little"))
        generator = np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))
        return shift_hsv(image, *_draw(generator))


def _draw(generator: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Factors and summands (3,) of H, S and V."""
    return generator.uniform(1 - _SPREAD, 1 + _SPREAD, 3), generator.uniform(-_SPREAD, _SPREAD, 3)


def shift_hsv(image: NDArray[np.uint8], factors: ArrayLike, summands: ArrayLike) -> NDArray[np.uint8]:
    """Equalise the histograms of S and V, then make each channel ``value · factor + summand``.

    Parameters
    ----------
    image
        uint8 (h, w, 3), RGB.
    factors, summands
        Three numbers each, for H (in steps of 2°, 0–179), S and V (0–255). Hues go round; saturations and values
        end at 0 and 255.

    Returns
    -------
    numpy.ndarray
        uint8 (h, w, 3), RGB, a new array.
    """
    hue, saturation, value = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2HSV))
    # Rows are the channels' tables.
    tables = np.round(np.arange(256) * np.reshape(factors, (3, 1)) + np.reshape(summands, (3, 1)))
    tables[0] %= _HUES
    tables = np.clip(tables, 0, 255).astype(np.uint8)
    channels = (hue, cv2.equalizeHist(saturation), cv2.equalizeHist(value))
    shifted = cv2.merge([cv2.LUT(channel, table) for channel, table in zip(channels, tables, strict=True)])
    return cv2.cvtColor(shifted, cv2.COLOR_HSV2RGB).astype(np.uint8, copy=False)
