"""Given coordinates as cells: those that lie on one lattice of output pixels are read in strips, as a grid's are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slidekit.slide.coordinates import Coordinates
from slidekit.slide.fate import Fate
from slidekit.slide.grid import TOLERANCE, floor_centres
from slidekit.slide.place_runs import lay_runs

__all__ = ["PlaceGrid", "lay_places"]

_ROUND, _NOISE = 64, 1e-8
"""Corners that differ by less than the second from a multiple of 1 / the first, level-0 pixels, are that multiple."""


@dataclass(frozen=True, eq=False)
class PlaceGrid:
    """Tiles at given places, as cells (i, j): the i-th place of the j-th run, both from 0.

    A run is a number of places in one row, each `pitch_px` output pixels right of the one before. Runs come in the
    order in which they are read; what cannot be extracted comes last.

    Attributes
    ----------
    tile_px
        Edge of a tile in output pixels.
    tile_width, tile_height
        Edge of a tile in level-0 pixels.
    mpp_x, mpp_y
        µm/px of level 0.
    width, height
        Size of the slide, level-0 pixels.
    pitch_px
        From a place to the next of its run, output pixels; 0 where no place has such a neighbour.
    corners
        (n, 2) float64: exact top-left corners, level-0 pixels.
    runs
        (m + 1,) int64: run j is the places from ``runs[j]`` up to, not including, ``runs[j + 1]``.
    refused
        (n,) of str: ``outside_slide`` or ``duplicate``; empty for places that can be extracted.
    labels
        (n,) of str or None.
    rows
        (n,) int64: which row of the table each place was, from 0.
    """

    tile_px: int
    tile_width: float
    tile_height: float
    mpp_x: float
    mpp_y: float
    width: int
    height: int
    pitch_px: int
    corners: npt.NDArray[np.float64]
    runs: npt.NDArray[np.int64]
    refused: npt.NDArray[np.object_]
    labels: npt.NDArray[np.object_]
    rows: npt.NDArray[np.int64]

    @property
    def tile_um(self) -> tuple[float, float]:
        """Edge of a tile along x and y, microns."""
        return self.tile_width * self.mpp_x, self.tile_height * self.mpp_y

    @property
    def shape(self) -> tuple[int, int]:
        """(number of places, 1): they have neither columns nor rows."""
        return len(self), 1

    def __len__(self) -> int:
        return len(self.corners)

    def index(self, i: int, j: int) -> int:
        """Number of the place (i, j).

        Raises
        ------
        IndexError
            If there is no such place.
        """
        if 0 <= j < len(self.runs) - 1 and 0 <= i < self.runs[j + 1] - self.runs[j]:
            return int(self.runs[j]) + i
        raise IndexError(f"there is no place ({i}, {j}) among the {len(self)} that were given")

    def corner(self, i: int, j: int) -> tuple[float, float]:
        """Exact top-left corner of a tile, level-0 pixels."""
        x, y = self.corners[self.index(i, j)].tolist()
        return x, y

    def location(self, i: int, j: int) -> tuple[int, int]:
        """A tile's centre as it stands in records: level-0 pixels, rounded down."""
        x, y = floor_centres(self.corners[self.index(i, j)] + self._half).tolist()
        return x, y

    def is_edge(self, i: int, j: int) -> bool:
        """Whether a tile reaches over one of the slide's edges, where it is padded white."""
        x, y = self.corner(i, j)
        over_right = x + self.tile_width > self.width + TOLERANCE
        over_bottom = y + self.tile_height > self.height + TOLERANCE
        return min(x, y) < -TOLERANCE or over_right or over_bottom

    def label(self, i: int, j: int) -> str | None:
        """The label that was given with a place."""
        given: str | None = self.labels[self.index(i, j)]
        return given

    def row(self, i: int, j: int) -> int:
        """Which row of the table the place (i, j) was, from 0."""
        return int(self.rows[self.index(i, j)])

    def cells(self) -> npt.NDArray[np.int64]:
        """All places in the order in which they are read, an array (n, 2) of (i, j)."""
        j = np.repeat(np.arange(len(self.runs) - 1, dtype=np.int64), np.diff(self.runs))
        return np.stack([np.arange(len(self), dtype=np.int64) - self.runs[j], j], axis=1)

    def boxes(self) -> npt.NDArray[np.float64]:
        """Exact boxes of all tiles, an array (n, 4) of x0, y0, x1, y1 in level-0 pixels."""
        return np.concatenate([self.corners, self.corners + 2 * self._half], axis=1)

    def locations(self) -> npt.NDArray[np.int64]:
        """`location` of all places, an array (n, 2)."""
        return floor_centres(self.corners + self._half)

    @property
    def contradictions(self) -> int:
        """Duplicates whose label is another than that of the place that is extracted; none is no other label."""
        if not (self.refused == str(Fate.DUPLICATE)).any():
            return 0
        kept = self.refused == ""
        places = [tuple(place) for place in self.locations().tolist()]
        told = {place: label for place, label, taken in zip(places, self.labels, kept, strict=True) if taken}
        again = zip(places, self.labels, self.refused, strict=True)
        return sum(
            label is not None and told[place] != label for place, label, reason in again if reason == Fate.DUPLICATE
        )

    @property
    def _half(self) -> npt.NDArray[np.float64]:
        return np.array([self.tile_width, self.tile_height]) / 2


def lay_places(
    coordinates: Coordinates,
    dimensions: tuple[int, int],
    mpp: tuple[float, float],
    *,
    tile_px: int,
    tile_size: tuple[float, float],
    use_edge_tiles: bool = False,
    block: tuple[float, float] = (1.0, 1.0),
) -> PlaceGrid:
    """Make cells of given coordinates.

    A place is refused if its tile is not wholly on the slide (with `use_edge_tiles`: if its centre is not), or if the
    same location was given before; of equals, what has a label goes first.

    Parameters
    ----------
    coordinates
        The places.
    dimensions
        Width and height of level 0, pixels.
    mpp
        µm/px of level 0 along x and y.
    tile_px
        Edge of a tile in output pixels.
    tile_size
        Edges of a tile along x and y in level-0 pixels.
    use_edge_tiles
        Whether tiles may reach over the slide's edges.
    block
        Width and height, level-0 pixels, of the blocks in which runs are read one after another, so that stored tiles
        are asked for while they are still in memory; not smaller than a tile in any case.
    """
    size = np.array(tile_size)
    centres = coordinates.centres(mpp, tile_size)
    corners = _settle(centres - size / 2)
    boxes = np.concatenate([corners, corners + size], axis=1)
    there = _wholly_inside(boxes, *dimensions)
    if use_edge_tiles:
        there |= ((centres >= 0) & (centres < np.array(dimensions))).all(axis=1)
    refused = np.full(len(corners), "", object)
    refused[~there] = str(Fate.OUTSIDE_SLIDE)
    again = _given_before(floor_centres(corners + size / 2), coordinates.labels, there)
    refused[again] = str(Fate.DUPLICATE)
    taken = np.flatnonzero(there & ~again)
    order, lengths, pitch = lay_runs(corners[taken], tile_px, size, np.maximum(np.array(block), size))
    rest = np.flatnonzero(refused != "")
    order = np.concatenate([taken[order], rest])
    runs = np.concatenate([[0], np.cumsum(np.concatenate([lengths, np.ones(len(rest), np.int64)]))]).astype(np.int64)
    return PlaceGrid(
        tile_px,
        *tile_size,
        *mpp,
        *dimensions,
        pitch,
        corners[order],
        runs,
        refused[order],
        coordinates.labels[order],
        coordinates.rows[order],
    )


def _settle(corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Undo what binary numbers have lost where it matters: 517 − 1 ulp is read from other pixels than 517."""
    near = np.rint(corners * _ROUND) / _ROUND
    return np.where(np.abs(corners - near) < _NOISE, near, corners)


def _given_before(
    locations: npt.NDArray[np.int64], labels: npt.NDArray[np.object_], there: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Which places of those that are `there` share their location with one that goes first: what has a label does."""
    unlabelled = np.array([label is None for label in labels], np.bool_)
    candidates = np.flatnonzero(there)
    candidates = candidates[np.argsort(unlabelled[candidates], kind="stable")]
    _, first = np.unique(locations[candidates], axis=0, return_index=True)
    again = there.copy()
    again[candidates[first]] = False
    return again


def _wholly_inside(boxes: npt.NDArray[np.float64], width: int, height: int) -> npt.NDArray[np.bool_]:
    limits = np.array([width, height]) + TOLERANCE
    return np.asarray(((boxes[:, :2] >= -TOLERANCE) & (boxes[:, 2:] <= limits)).all(axis=1), np.bool_)
