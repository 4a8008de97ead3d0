"""Pictures of disks on glass, and where the disks are: what a network can learn in seconds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def draw_disks(rng: np.random.Generator, size: int, colours: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A picture, uint8 (size, size, 3), with a disk of each colour; and their planes, uint8 (size, size, colours)."""
    y, x = np.mgrid[:size, :size]
    picture = 238 + rng.normal(0, 5, (size, size, 3))
    planes = np.zeros((size, size, colours), np.uint8)
    for colour in range(colours):
        centre, radius = rng.uniform(0.15, 0.85, 2) * size, rng.uniform(0.12, 0.35) * size
        inside = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2
        picture[inside] = np.roll([185, 100, 160], colour) + rng.normal(0, 12, (int(inside.sum()), 3))
        planes[inside] = 0
        planes[inside, colour] = 1
    return np.clip(picture, 0, 255).astype(np.uint8), planes


class Disks:
    """Training data of such pictures; see `slidekit.segment.training.base.TrainingData`."""

    def __init__(self, *, size: int = 64, count: int = 8, steps: int = 10, colours: int = 1, mode: str = "binary"):
        self.size, self.count, self.steps, self.colours, self.mode = size, count, steps, colours, mode
        self.fingerprint = f"disks {size} {count} {steps} {colours}"
        self.slides: dict[str, dict[str, str]] = {}
        self.asked: list[tuple[int, int]] = []

    def batch(self, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        self.asked.append((epoch, step))
        return self._draw(np.random.default_rng([7, epoch, step]))

    def validation(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        for index in range(2):
            images, targets = self._draw(np.random.default_rng([8, index]))
            yield images, targets, np.ones_like(images[..., :1])

    def _draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        drawn = [draw_disks(rng, self.size, self.colours) for _ in range(self.count)]
        planes = np.stack([planes for _, planes in drawn])
        if self.mode == "multiclass":
            planes = np.concatenate([1 - planes.max(axis=-1, keepdims=True), planes], axis=-1)
        return np.stack([picture for picture, _ in drawn]).astype(np.float32), planes
