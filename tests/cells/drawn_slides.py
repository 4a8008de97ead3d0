"""Slides whose cells are known: each cell has a colour of its own, which says its number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from slidekit.errors import SlideReadError
from slidekit.slide.image import SlideImage

GLASS = 65535


class ArraySlide(SlideImage):
    """An image in memory as a slide of one level; `holes` (x, y, width, height) cannot be read."""

    def __init__(self, image: np.ndarray, mpp: tuple[float, float] = (0.5, 0.5), name: str = "drawn") -> None:
        self.image = image
        self.path = Path(f"{name}.tiff")
        self.name = name
        self._um = mpp
        self.holes: list[tuple[int, int, int, int]] = []

    @property
    def dimensions(self) -> tuple[int, int]:
        return self.image.shape[1], self.image.shape[0]

    @property
    def bounds_origin(self) -> tuple[float, float]:
        return 0.0, 0.0

    @property
    def mpp_x(self) -> float:
        return self._um[0]

    @property
    def mpp_y(self) -> float:
        return self._um[1]

    def overview(self, columns: int, rows: int) -> np.ndarray:
        return self.overview_window(columns, rows, corner=(0, 0), size=(columns, rows))

    def overview_window(self, columns: int, rows: int, *, corner: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
        (left, top), (width, height) = corner, size
        for x, y, wide, high in self.holes:
            if x < left + width and left < x + wide and y < top + height and top < y + high:
                raise SlideReadError("damaged.", path=self.path)
        ys = (np.arange(top, top + height) * self.image.shape[0]) // rows
        xs = (np.arange(left, left + width) * self.image.shape[1]) // columns
        return self.image[np.ix_(ys, xs)]


class ByColour:
    """Labels by colour: what it finds is what was drawn; in an order that differs from window to window."""

    name = "by colour"

    def __init__(self, mpp: float = 0.5, margin_um: float = 16.0) -> None:
        self.mpp = mpp
        self.margin_um = margin_um

    def prepare(self, slide: SlideImage) -> str:
        return slide.name

    def __call__(self, image: np.ndarray, facts: Any) -> np.ndarray:
        numbers = image[..., 0].astype(np.int64) * 256 + image[..., 1]
        _, labels = np.unique(np.where(numbers == GLASS, -1, numbers.max() - numbers), return_inverse=True)
        return labels.reshape(numbers.shape).astype(np.int32) - (0 if (numbers == GLASS).any() else -1)

    def parameters(self) -> dict[str, Any]:
        return {"mpp": self.mpp, "margin_um": self.margin_um}


def colour(labels: np.ndarray) -> np.ndarray:
    """Picture of a label image: red and green are the number, blue varies; glass is white."""
    y, x = np.indices(labels.shape)
    image = np.stack([labels // 256, labels % 256, (7 * x + 13 * y) % 200], axis=2).astype(np.uint8)
    image[labels == 0] = 255
    return image


def draw_labels(shape: tuple[int, int], cells: list[tuple[float, float, float, float, float]]) -> np.ndarray:
    """Ellipses (x, y, half axes, angle), later ones over earlier ones; each in one piece, the largest."""
    y, x = np.indices(shape) + 0.5
    labels = np.zeros(shape, np.int64)
    for number, (cx, cy, a, b, angle) in enumerate(cells, start=1):
        u = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
        v = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
        labels[(u / a) ** 2 + (v / b) ** 2 <= 1] = number
    for number in range(1, len(cells) + 1):
        parts, count = ndimage.label(labels == number, np.ones((3, 3)))
        if count > 1:
            largest = np.argmax(np.bincount(parts.reshape(-1))[1:]) + 1
            labels[(parts > 0) & (parts != largest)] = 0
    return labels


def same_cells(found: np.ndarray, truth: np.ndarray) -> bool:
    """Whether two label images hold the same cells, however they are numbered."""
    pairs = np.unique(np.stack([found.reshape(-1), truth.reshape(-1)]).astype(np.int64), axis=1)
    return all(len(np.unique(side)) == pairs.shape[1] for side in pairs) and bool(
        np.array_equal(found == 0, truth == 0)
    )
