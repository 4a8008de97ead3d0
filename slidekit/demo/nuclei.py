"""Drawn fields of nuclei with known centres and outlines: truth for cell segmentation.

Geometry is drawn by chance in microns and does not depend on the µm/px: the same seed is the same tissue.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from slidekit.demo.nucleus_layout import NUCLEUS_KINDS, PlacedNuclei, place_nuclei
from slidekit.demo.shapes import SmoothField

__all__ = ["NucleiField", "paint_nuclei"]

Floats = NDArray[np.float64]
Layer = NDArray[np.float32]

_HEMATOXYLIN = (0.65, 0.70, 0.29)
_EOSIN = (0.09, 0.95, 0.28)
_BLOOD = (0.14, 0.74, 0.66)
"""Optical density per channel of one unit; those of H&E from Ruifrok and Johnston (2001)."""

_GLASS = 243.0
_GRID_UM = 0.5
"""Step of the grid on which textures are drawn by chance, whatever the µm/px."""


@dataclass(frozen=True)
class NucleiField:
    """A drawn field and its truth.

    Attributes
    ----------
    image
        uint8 (rows, columns, 3), RGB.
    centers
        float64 (n, 2), (x, y) in pixels; the centre of a pixel is at + 0.5.
    labels
        int32 (rows, columns): 0 is background, i + 1 the nucleus of `centers[i]`; where two overlap, the later one.
    kinds
        Word of each nucleus, (n,).
    mpp
        µm/px.
    """

    image: NDArray[np.uint8]
    centers: Floats
    labels: NDArray[np.int32]
    kinds: tuple[str, ...]
    mpp: float


def paint_nuclei(
    size_um: tuple[float, float],
    mpp: float = 0.5,
    *,
    seed: int = 0,
    per_mm2: float = 4000.0,
    overlap: float = 0.08,
    red_cells_per_mm2: float = 400.0,
    noise: float = 2.0,
) -> NucleiField:
    """Draw a field of tissue with nuclei.

    Ellipses with uneven outlines, chromatin and soft edges, in touching groups and alone; eosinophilic stroma with
    fibres, basophilic cytoplasm around epithelium, erythrocytes, the optics' blur, the camera's noise. Colours by
    Beer and Lambert's law.

    Parameters
    ----------
    size_um
        Width and height, µm.
    mpp
        µm/px of the image.
    seed
        The same seed is the same tissue at every `mpp`.
    per_mm2
        Nuclei wanted on a square millimetre: 2000 is loose stroma, 4000–6000 a usual mixture, 10 000 a lymph node.
        Fewer stand where there is no room.
    overlap
        How far two nuclei may reach into each other, as a share of the sum of their radii.
    red_cells_per_mm2
        Erythrocytes, which are no cells to be found.
    noise
        Standard deviation of the camera's noise, grey levels.

    Returns
    -------
    NucleiField
    """
    rng = np.random.default_rng([seed, 0])
    nuclei = place_nuclei(rng, size_um, per_mm2, overlap)
    columns, rows = (max(1, round(side / mpp)) for side in size_um)
    textures = np.random.default_rng([seed, 1])
    grain = _grain(textures, size_um, (columns, rows))
    hematoxylin, labels = _draw_nuclei(nuclei, grain, mpp, (columns, rows))
    cytoplasm = cv2.GaussianBlur((hematoxylin > 0.1).astype(np.float32), (0, 0), 3.0 / mpp)
    hematoxylin = np.maximum(hematoxylin, (0.05 + 0.12 * cytoplasm) * (1 + 0.3 * grain))
    eosin = _stroma(textures, size_um, mpp, (columns, rows)) * (1 + 0.25 * grain) * (1 - 0.6 * (labels > 0))
    blood = _red_cells(np.random.default_rng([seed, 2]), size_um, red_cells_per_mm2, labels, mpp)
    amounts = np.dstack([hematoxylin, eosin, blood])
    amounts = cv2.GaussianBlur(amounts, (0, 0), max(0.3 / mpp, 0.4))
    density = cv2.transform(amounts, np.array([_HEMATOXYLIN, _EOSIN, _BLOOD], np.float32).T)
    light = _GLASS * np.power(np.float32(10), -density)
    light += np.random.default_rng([seed, 3]).normal(0, noise, light.shape) if noise else 0
    image = np.clip(np.rint(light), 0, 255).astype(np.uint8)
    return NucleiField(image, nuclei.centers / mpp, labels, nuclei.kinds, mpp)


def _draw_nuclei(
    nuclei: PlacedNuclei, grain: Layer, mpp: float, size: tuple[int, int]
) -> tuple[Layer, NDArray[np.int32]]:
    """Hematoxylin in optical density, and labels."""
    columns, rows = size
    amount = np.zeros((rows, columns), np.float32)
    labels = np.zeros((rows, columns), np.int32)
    for index, (center, axes, angle) in enumerate(zip(nuclei.centers, nuclei.axes, nuclei.angles, strict=True)):
        kind = NUCLEUS_KINDS[nuclei.kinds[index]]
        reach = 1.25 * axes.max() + 1
        left, top = np.maximum(np.floor((center - reach) / mpp), 0).astype(int)
        right, bottom = np.minimum(np.ceil((center + reach) / mpp), size).astype(int)
        x = (np.arange(left, right) + 0.5) * mpp - center[0]
        y = ((np.arange(top, bottom) + 0.5) * mpp - center[1])[:, None]
        u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        turn = np.arctan2(v, u)
        wobble = sum(
            height * np.cos(order * turn + phase)
            for order, (height, phase) in zip((2, 3), nuclei.wobbles[index], strict=True)
        )
        rho = np.hypot(u / axes[0], v / axes[1]) * (1 + wobble)
        inside = 1 / (1 + np.exp((rho - 1) * axes.min() / 0.22))
        # Chromatin lies at the membrane where the middle is pale.
        heart = 1 - (1 - kind.heart) * (np.clip((0.8 - rho) / 0.25, 0, 1) - 0.4 * np.exp(-(((rho - 0.92) / 0.1) ** 2)))
        window = (slice(top, bottom), slice(left, right))
        drawn = (nuclei.tones[index] * inside * heart * (1 + kind.grain * grain[window])).astype(np.float32)
        # Where two lie over each other in the section, light passes through both.
        amount[window] = np.maximum(amount[window], drawn) + 0.35 * np.minimum(amount[window], drawn)
        labels[window][rho <= 1] = index + 1
    return amount, labels


def _grain(rng: np.random.Generator, size_um: tuple[float, float], size: tuple[int, int]) -> Layer:
    """A texture of about a micron, mean 0, standard deviation 1."""
    columns, rows = (round(side / _GRID_UM) for side in size_um)
    drawn = cv2.GaussianBlur(rng.standard_normal((max(rows, 2), max(columns, 2)), dtype=np.float32), (0, 0), 1.3)
    return np.asarray(cv2.resize(drawn / drawn.std(), size, interpolation=cv2.INTER_LINEAR))


def _stroma(rng: np.random.Generator, size_um: tuple[float, float], mpp: float, size: tuple[int, int]) -> Layer:
    """Eosin: thicker and thinner places, fibres of many tones and directions."""
    columns, rows = size
    ground = 0.24 + 0.06 * SmoothField.random(rng, 120.0).on_grid(columns, rows, mpp, mpp)
    fibres = np.zeros((rows, columns), np.float32)
    for _ in range(round(size_um[0] * size_um[1] / 220)):
        start = rng.uniform((0, 0), size_um)
        turn, bend, length = rng.uniform(0, np.pi), rng.normal(0, 0.012), rng.uniform(15, 60)
        steps = np.linspace(0, length, 8)
        way = np.stack([np.cos(turn + bend * steps), np.sin(turn + bend * steps)], axis=1) * (length / 8)
        line = np.rint((start + np.cumsum(way, axis=0)) / mpp * 16).astype(np.int32)
        tone, width = rng.uniform(0.05, 0.3), max(1, round(rng.uniform(0.8, 2.5) / mpp))
        cv2.polylines(fibres, [line], False, float(tone), width, cv2.LINE_AA, 4)
    return np.asarray(np.maximum(ground, 0.05) + cv2.GaussianBlur(fibres, (0, 0), 0.5 / mpp), np.float32)


def _red_cells(
    rng: np.random.Generator, size_um: tuple[float, float], per_mm2: float, labels: NDArray[np.int32], mpp: float
) -> Layer:
    """Erythrocytes in groups, under the nuclei."""
    blood = np.zeros(labels.shape, np.float32)
    groups = round(size_um[0] * size_um[1] * per_mm2 / 1e6 / 8)
    for _ in range(groups):
        middle = rng.uniform((0, 0), size_um)
        for center in middle + rng.normal(0, 9, (8, 2)):
            radius, tone = rng.uniform(3.0, 3.8), rng.uniform(0.5, 0.8)
            place = np.rint(center / mpp * 16).astype(int)
            cv2.circle(blood, (int(place[0]), int(place[1])), round(radius / mpp * 16), tone, -1, cv2.LINE_AA, 4)
    blood[labels > 0] *= 0.15
    return blood
