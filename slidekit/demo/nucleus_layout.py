"""Where drawn nuclei stand: kinds, touching groups, room for each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["NUCLEUS_KINDS", "NucleusKind", "PlacedNuclei", "place_nuclei"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NucleusKind:
    """Nuclei of one kind.

    Attributes
    ----------
    long_um, short_um
        Ranges of the two diameters, µm.
    tone
        Range of the amount of hematoxylin, in optical density.
    heart
        Amount in the middle, as a share of the rim's: low in vesicular nuclei.
    grain
        Contrast of the chromatin.
    share
        Share of all nuclei.
    touching
        Share that grows beside another nucleus of the kind.
    """

    long_um: tuple[float, float]
    short_um: tuple[float, float]
    tone: tuple[float, float]
    heart: float
    grain: float
    share: float
    touching: float


NUCLEUS_KINDS = {
    "lymphocyte": NucleusKind((5.8, 7.4), (5.4, 7.0), (0.75, 1.05), 0.95, 0.16, 0.34, 0.55),
    "epithelial": NucleusKind((8.0, 12.0), (6.5, 9.0), (0.45, 0.75), 0.72, 0.22, 0.38, 0.45),
    "pale": NucleusKind((9.0, 13.0), (7.5, 10.5), (0.40, 0.52), 0.62, 0.22, 0.12, 0.2),
    "spindle": NucleusKind((10.0, 16.0), (3.6, 5.0), (0.55, 0.85), 0.95, 0.12, 0.16, 0.0),
}


@dataclass(frozen=True)
class PlacedNuclei:
    """Places, half axes, directions, in µm; later nuclei lie over earlier ones."""

    centers: Floats
    axes: Floats
    angles: Floats
    tones: Floats
    wobbles: Floats
    kinds: tuple[str, ...]


def place_nuclei(
    rng: np.random.Generator, size_um: tuple[float, float], per_mm2: float, overlap: float
) -> PlacedNuclei:
    """Nuclei one after the other where there is room, some beside one that stands already."""
    wanted = round(size_um[0] * size_um[1] * per_mm2 / 1e6)
    words = list(NUCLEUS_KINDS)
    shares = np.array([kind.share for kind in NUCLEUS_KINDS.values()])
    room = _Room(size_um, overlap)
    kinds: list[str] = []
    for _ in range(6 * wanted):
        if len(kinds) == wanted:
            break
        word = words[rng.choice(len(words), p=shares / shares.sum())]
        kind = NUCLEUS_KINDS[word]
        axes = np.array([rng.uniform(*kind.long_um), rng.uniform(*kind.short_um)]) / 2
        angle = rng.uniform(0, np.pi)
        center = rng.uniform((0, 0), size_um)
        if rng.uniform() < kind.touching and (host := room.pick(rng)) is not None:
            direction = rng.uniform(0, 2 * np.pi)
            gap = room.reach(host, direction) + _radius(axes, angle, direction)
            toward = np.array([np.cos(direction), np.sin(direction)])
            center = room.center(host) + toward * gap * rng.uniform(1 - overlap, 1.05)
        if room.take(center, axes, angle):
            kinds.append(word)
    count = len(kinds)
    low, high = np.array([NUCLEUS_KINDS[word].tone for word in kinds]).reshape(count, 2).T
    tones = low + (high - low) * rng.uniform(size=count)
    wobbles = np.stack([rng.normal(0, 0.05, (count, 2)), rng.uniform(0, 2 * np.pi, (count, 2))], axis=-1)
    return PlacedNuclei(*room.taken(), tones, wobbles, tuple(kinds))


def _radius(axes: Floats, angle: float | Floats, direction: float | Floats) -> Floats:
    """Radius of ellipses, half axes (..., 2), in a direction."""
    turn = np.asarray(direction) - angle
    return np.asarray(1 / np.hypot(np.cos(turn) / axes[..., 0], np.sin(turn) / axes[..., 1]))


class _Room:
    """What stands already, in squares of a size that only neighbours can touch."""

    _SQUARE_UM = 17.0

    def __init__(self, size_um: tuple[float, float], overlap: float) -> None:
        self._size, self._overlap = np.asarray(size_um), overlap
        self._rows: list[tuple[float, float, float, float, float]] = []
        self._squares: dict[tuple[int, int], list[int]] = {}

    def take(self, center: Floats, axes: Floats, angle: float) -> bool:
        """Stand there, if there is room."""
        if not (np.all(center >= 0) and np.all(center < self._size)):
            return False
        column, row = (int(value // self._SQUARE_UM) for value in center)
        near = [index for i in (-1, 0, 1) for j in (-1, 0, 1) for index in self._squares.get((column + i, row + j), ())]
        if near:
            others = np.array([self._rows[index] for index in near])
            away = center - others[:, :2]
            direction = np.arctan2(away[:, 1], away[:, 0])
            reach = _radius(others[:, 2:4], others[:, 4], direction) + _radius(axes, angle, direction)
            if np.any(np.hypot(*away.T) < (1 - self._overlap) * reach):
                return False
        self._squares.setdefault((column, row), []).append(len(self._rows))
        self._rows.append((center[0], center[1], axes[0], axes[1], angle))
        return True

    def pick(self, rng: np.random.Generator) -> int | None:
        """One that stands already."""
        return int(rng.integers(len(self._rows))) if self._rows else None

    def center(self, index: int) -> Floats:
        return np.array(self._rows[index][:2])

    def reach(self, index: int, direction: float) -> float:
        row = self._rows[index]
        return float(_radius(np.array(row[2:4]), row[4], direction))

    def taken(self) -> tuple[Floats, Floats, Floats]:
        """Centres (n, 2), half axes (n, 2), angles (n,)."""
        table = np.array(self._rows).reshape(-1, 5)
        return table[:, :2], table[:, 2:4], table[:, 4]
