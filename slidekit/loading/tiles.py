"""What a stream of tiles is given and gives: labels, and tiles as they stand in the records."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Labels", "RawTiles"]


class Labels(Protocol):
    """Labels of the tiles of a table; `slidekit.collection.tile_labels.TileLabels` is one."""

    @property
    def values(self) -> NDArray[Any]:
        """(files,) or (tiles,), with a second axis for several outcomes: int64 class indices or float32."""

    @property
    def per_tile(self) -> bool:
        """Whether a row is a tile of the table, or a file of it."""

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the class indices; None for numbers."""

    @property
    def used(self) -> NDArray[np.bool_] | None:
        """(files,) or (tiles,): False where there is no label."""


@dataclass(frozen=True)
class RawTiles:
    """Tiles of a batch, as they stand in the records.

    Attributes
    ----------
    numbers
        (n,), int64: numbers of the tiles in the table.
    images
        Complete JPEGs or PNGs.
    slides
        Names of the slides, as the records give them.
    locations
        (n, 2), int64: centres, level-0 pixels, (x, y).
    labels
        (n,) or (n, k), int64 or float32, or float32 one-hot (n, classes); None without labels.
    paths
        The file of each.
    further
        Of each further size of concentric tiles its images, as `images`.
    further_names
        Names of these sizes, such as ``512um``.
    size
        Which further size `images` are of; empty for the first.
    """

    numbers: NDArray[np.int64]
    images: list[bytes]
    slides: list[str]
    locations: NDArray[np.int64]
    labels: NDArray[Any] | None
    paths: list[Path]
    further: tuple[list[bytes], ...] = ()
    further_names: tuple[str, ...] = ()
    size: str = ""

    def __len__(self) -> int:
        return len(self.images)

    def by_size(self) -> tuple[Self, ...]:
        """The same tiles with the images of one size each, the record's own first."""
        pairs = zip(self.further_names, self.further, strict=True)
        return (
            self,
            *(replace(self, images=images, further=(), further_names=(), size=name) for name, images in pairs),
        )
