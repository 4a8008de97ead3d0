"""Polygons of what is True in a mask, exactly along the edges of its pixels."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
import shapely

__all__ = ["pixel_outlines"]

# Ways from corner to corner of pixels, so that what is True is on the right: along its upper edge, right, lower, left.
_EAST, _SOUTH, _WEST, _NORTH = range(4)

Ring = npt.NDArray[np.float64]


def pixel_outlines(mask: npt.NDArray[np.bool_]) -> list[shapely.Polygon]:
    """Outline the areas of a mask.

    Parameters
    ----------
    mask
        (rows, columns), bool.

    Returns
    -------
    list of Polygon
        Valid, with holes; (x, y) in pixels from the top left, pixel (row, column) being the square from (column, row)
        on. Areas that touch at a corner are apart.
    """
    padded = np.pad(mask, 1)
    _, labels = cv2.connectedComponents(padded.astype(np.uint8), connectivity=4)
    shells: dict[int, Ring] = {}
    holes: dict[int, list[Ring]] = {}
    for ring, (row, column) in _rings(padded):
        label = int(labels[row, column])
        # Clockwise on the screen, where y goes down, is around; the other way is a hole.
        if _doubled_area(ring) > 0:
            shells[label] = ring - 1
        else:
            holes.setdefault(label, []).append(ring - 1)
    return [shapely.Polygon(shell, holes.get(label)) for label, shell in sorted(shells.items())]


def _rings(padded: npt.NDArray[np.bool_]) -> Iterator[tuple[Ring, tuple[int, int]]]:
    """Simple rings of corners of pixels, each with the (row, column) of a pixel that it goes along."""
    starts = _edges(padded)
    if not len(starts):
        return
    following = _following(starts, padded.shape[1] + 1)
    ways = (starts % 4).tolist()
    seen = bytearray(len(starts))
    for first in range(len(starts)):
        corners: list[int] = []
        place: dict[int, int] = {}
        edge = first
        while not seen[edge]:
            seen[edge] = 1
            after = following[edge]
            if ways[after] != ways[edge]:
                corner = int(starts[after]) // 4
                known = place.get(corner)
                if known is not None:
                    # The outline touches itself here: what lies between is a ring of its own.
                    yield _ring(starts, corners[known:], padded.shape[1] + 1)
                    for gone in corners[known:]:
                        del place[int(starts[gone]) // 4]
                    del corners[known:]
                place[corner] = len(corners)
                corners.append(after)
            edge = after
        if corners:
            yield _ring(starts, corners, padded.shape[1] + 1)


def _edges(padded: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Edges between True and False, each as 4 · corner that it starts at + its way, sorted."""
    rows, columns = padded.shape
    width = columns + 1
    found = []
    for way, (dy, dx), (y, x) in (
        (_EAST, (-1, 0), (0, 0)),
        (_SOUTH, (0, 1), (0, 1)),
        (_WEST, (1, 0), (1, 1)),
        (_NORTH, (0, -1), (1, 0)),
    ):
        neighbour = padded[1 + dy : rows - 1 + dy, 1 + dx : columns - 1 + dx]
        at_rows, at_columns = np.nonzero(padded[1:-1, 1:-1] & ~neighbour)
        found.append(4 * ((at_rows + 1 + y) * width + at_columns + 1 + x) + way)
    return np.sort(np.concatenate(found).astype(np.int64))


def _following(starts: npt.NDArray[np.int64], width: int) -> list[int]:
    """The edge after each: the next of the same pixel where there is one, so that areas that touch stay apart."""
    ways = starts % 4
    ends = starts // 4 + np.array([1, width, -1, -width])[ways]
    after = np.full(len(starts), -1, np.int32)
    for turn in (1, 0, 3):
        wanted = 4 * ends + (ways + turn) % 4
        place = np.minimum(np.searchsorted(starts, wanted), len(starts) - 1)
        after = np.where((after < 0) & (starts[place] == wanted), place, after)
    return [int(edge) for edge in after.tolist()]


def _ring(starts: npt.NDArray[np.int64], edges: list[int], width: int) -> tuple[Ring, tuple[int, int]]:
    corners = starts[edges] // 4
    y, x = np.divmod(corners, width)
    # The pixel on the right of the first edge.
    dy, dx = ((0, 0), (0, -1), (-1, -1), (-1, 0))[int(starts[edges[0]]) % 4]
    return np.stack([x, y], axis=1).astype(np.float64), (int(y[0]) + dy, int(x[0]) + dx)


def _doubled_area(ring: Ring) -> float:
    """Signed by the way around (shoelace formula)."""
    x, y = ring.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
