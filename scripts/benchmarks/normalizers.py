"""Stain normalisers: slidekit beside the formulas as they are usually written in numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks.measure import Measured
from slidekit.norm import autoselect
from slidekit.slide.wsi import WSI

__all__ = ["measure_normalizers", "tissue_tiles"]

METHODS = ("macenko", "macenko_fast", "reinhard", "reinhard_fast")
TEXTBOOK = "as written"
TILES = 40


def measure_normalizers(slide: Path, *, rounds: int) -> tuple[Measured, dict[str, int]]:
    """Time each method beside its textbook form on tissue tiles of 256 px.

    Returns
    -------
    Measured, dict
        The times; and the greatest difference between the two over all tiles, grey levels.
    """
    tiles = tissue_tiles(slide)
    measured, apart = Measured(len(tiles)), {}
    ways: dict[str, Callable[[], object]] = {}
    for method in METHODS:
        normalizer = autoselect(method)
        fit = {name: np.asarray(value) for name, value in normalizer.get_fit().items()}
        bright = not method.endswith("_fast")
        textbook = partial(macenko if method.startswith("macenko") else reinhard, fit=fit, bright=bright)
        ways[method] = partial(_each, normalizer.transform, tiles)
        ways[f"{method} {TEXTBOOK}"] = partial(_each, textbook, tiles)
        apart[method] = max(
            int(np.abs(normalizer.transform(tile).astype(int) - textbook(tile)).max()) for tile in tiles
        )
    measured.rounds(ways, rounds)
    return measured, apart


def tissue_tiles(slide: Path) -> list[np.ndarray]:
    """Tiles of 256 px from all over a slide's tissue, uint8 (256, 256, 3)."""
    with WSI(slide, 256, 128) as wsi:
        wsi.qc("otsu")
        cells = wsi.grid.cells()[wsi.fates().taken]
        return [wsi[int(i), int(j)] for i, j in cells[:: max(1, len(cells) // TILES)][:TILES]]


def _each(function: Callable[[np.ndarray], np.ndarray], tiles: Sequence[np.ndarray]) -> None:
    for tile in tiles:
        function(tile)


def _brighten(image: np.ndarray) -> np.ndarray:
    return np.clip(image.astype(np.float32) * 255.0 / np.percentile(image, 90), 0, 255).astype(np.uint8)


def macenko(image: np.ndarray, *, fit: Mapping[str, np.ndarray], bright: bool) -> np.ndarray:
    """Macenko et al., ISBI 2009, step by step: logarithm, covariance, angles, least squares, exponential."""
    if bright:
        image = _brighten(image)
    density = -np.log((image.reshape(-1, 3).astype(np.float64) + 1) / 255)
    stained = density[(density >= 0.15).all(axis=1)]
    _, vectors = np.linalg.eigh(np.cov(stained.T))
    plane = vectors[:, [2, 1]]
    plane = plane * np.where(plane[0] < 0, -1, 1)
    projected = stained @ plane
    low, high = np.percentile(np.arctan2(projected[:, 1], projected[:, 0]), (1, 99))
    first, second = (plane @ (np.cos(angle), np.sin(angle)) for angle in (low, high))
    stains = np.array([first, second] if first[0] > second[0] else [second, first]).T
    amounts = np.linalg.lstsq(stains, density.T, rcond=None)[0]
    amounts *= (fit["target_concentrations"] / np.percentile(amounts, 99, axis=1))[:, np.newaxis]
    colours = 255 * np.exp(-fit["stain_matrix_target"] @ amounts)
    return np.clip(np.rint(colours.T.reshape(image.shape)), 0, 255).astype(np.uint8)


def reinhard(image: np.ndarray, *, fit: Mapping[str, np.ndarray], bright: bool) -> np.ndarray:
    """Reinhard et al., 2001, in CIELAB: channel by channel."""
    if bright:
        image = _brighten(image)
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    for channel in range(3):
        values = (lab[..., channel] - lab[..., channel].mean()) / lab[..., channel].std()
        lab[..., channel] = values * fit["target_stds"][channel] + fit["target_means"][channel]
    colours = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * 255
    return np.clip(np.rint(colours), 0, 255).astype(np.uint8)
