"""The network of `Focus`: what it is shown of an image, its file, and how OpenCV runs it."""

from __future__ import annotations

import hashlib
import threading
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from slidekit.errors import QCError
from slidekit.pixels.image import RGBImage

__all__ = ["BLOCK_PX", "CELL_PX", "FEATURES", "HALO_PX", "WINDOW_CELLS", "FocusNetwork", "edge_features"]

BLOCK_PX = 4
"""Edge of the blocks over which edges are averaged, pixels."""

CELL_PX = 16
"""Edge of what the network judges at once, pixels."""

HALO_PX = 32
"""Pixels around a window of cells that its result depends on, at most."""

WINDOW_CELLS = 32
"""Cells across and down a window. One size always, so that OpenCV does the same sums wherever a window lies."""

FEATURES = 11

_FINE = 16
"""Parts of a grey level in which averages are kept."""

_STRIP_BLOCKS = 16
"""Rows of blocks at a time: what lies between the steps then stays in the processor's cache, at half the time."""

_FIRST_BLOCK = 2
"""Block of an image's margin with which what the network sees begins."""

_CELL_BLOCKS = CELL_PX // BLOCK_PX
_BLOCKS = _CELL_BLOCKS * (WINDOW_CELLS - 1) + 15
"""Blocks across a window: 15 for the first cell, 4 for each that follows."""

_FILE = "focus.onnx"
_MEND = "Use a file that scripts/train_focus wrote, or leave weights out."
_loaded = threading.local()


def edge_features(image: RGBImage) -> npt.NDArray[np.float32]:
    """Strengths of edges at two scales, and colours, averaged over blocks of 4 × 4 pixels.

    Parameters
    ----------
    image
        (4 · rows, 4 · columns, 3), uint8, RGB.

    Returns
    -------
    ndarray (11, rows, columns), float32
        ln(1 + grey levels) of the absolute first differences along x and y, of the second ones, and the largest of
        the second ones in the block; of first differences along x and y, and the Laplacian, of the image reduced by
        2; red, green, blue, 0–1. How these fall off from one to the next tells the width of edges.
    """
    columns, rows = image.shape[1] // BLOCK_PX, image.shape[0] // BLOCK_PX
    features = np.empty((FEATURES, rows, columns), np.float32)
    for first in range(0, rows, _STRIP_BLOCKS):
        # Differences look ahead by less than a block.
        last = min(rows, first + _STRIP_BLOCKS)
        strip = image[BLOCK_PX * first : BLOCK_PX * min(rows, last + 1)]
        features[:, first:last] = _strip_features(strip)[:, : last - first]
    return features


def _strip_features(image: RGBImage) -> npt.NDArray[np.float32]:
    size = (image.shape[1] // BLOCK_PX, image.shape[0] // BLOCK_PX)
    gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    half = np.asarray(cv2.resize(gray, (size[0] * 2, size[1] * 2), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    along_x, along_y, half_x, half_y = (_steps(scale, axis) for scale in (gray, half) for axis in (1, 0))
    bend_x, bend_y = _steps(along_x, 1), _steps(along_y, 0)
    bent = np.asarray(cv2.max(np.abs(bend_x), np.abs(bend_y)), dtype=np.int16)
    block = np.ones((BLOCK_PX, BLOCK_PX), np.uint8)
    largest = cv2.dilate(bent, block, anchor=(0, 0))[::BLOCK_PX, ::BLOCK_PX]
    laplacian = _steps(half_x, 1) + _steps(half_y, 0)
    edges = np.empty((8, size[1], size[0]), np.float32)
    for place, difference in enumerate((along_x, along_y, bend_x, bend_y)):
        edges[place] = _averaged(_strength(difference), 2)
    edges[4] = largest
    edges[4] *= _FINE
    for place, difference in enumerate((half_x, half_y, laplacian), start=5):
        edges[place] = _averaged(_strength(difference), 1)
    features = np.empty((FEATURES, size[1], size[0]), np.float32)
    # OpenCV's logarithm takes a sixth of numpy's time.
    features[:8] = cv2.log((1 + edges / _FINE).reshape(8 * size[1], size[0])).reshape(edges.shape)
    features[8:] = _averaged(image, 2).transpose(2, 0, 1)
    features[8:] /= 255
    return features


def _steps(values: npt.NDArray[np.uint8] | npt.NDArray[np.int16], axis: int) -> npt.NDArray[np.int16]:
    """Difference of the next pixel and each one; 0 for the last."""
    steps = np.zeros(values.shape, np.int16)
    if axis:
        cv2.subtract(values[:, 1:], values[:, :-1], dst=steps[:, :-1], dtype=cv2.CV_16S)
    else:
        cv2.subtract(values[1:], values[:-1], dst=steps[:-1], dtype=cv2.CV_16S)
    return steps


def _strength(differences: npt.NDArray[np.int16]) -> npt.NDArray[np.uint16]:
    """Absolute values, in sixteenths of a grey level: at most 16 · 2040. They take the place of the differences."""
    np.abs(differences, out=differences)
    np.multiply(differences, np.int16(_FINE), out=differences)
    return differences.view(np.uint16)


def _averaged(image: npt.NDArray[Any], halvings: int) -> npt.NDArray[Any]:
    """Averages of squares of 2 × 2, again and again: five times as fast as all at once."""
    for _ in range(halvings):
        size = (image.shape[1] // 2, image.shape[0] // 2)
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    return image


class FocusNetwork:
    """The network, of one thread; `load` keeps it.

    Parameters
    ----------
    content
        The ONNX file.
    path
        Where it came from, for errors.

    Raises
    ------
    QCError
        If OpenCV cannot run it, or it does not map a window's features to its cells.
    """

    def __init__(self, content: bytes, path: str | None = None) -> None:
        try:
            self._net = cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8))
            cells = self._run(np.zeros((FEATURES, _BLOCKS, _BLOCKS), np.float32)).shape
        except (cv2.error, ValueError, IndexError) as error:
            raise QCError("is not a network that OpenCV can run.", mend=_MEND, path=path) from error
        if cells != (WINDOW_CELLS, WINDOW_CELLS):
            raise QCError(f"makes {cells} of a window, not {WINDOW_CELLS} × {WINDOW_CELLS}.", mend=_MEND, path=path)

    @staticmethod
    def load(path: str | None) -> FocusNetwork:
        """The network of a file, or of slidekit's own, as this thread has it: OpenCV's are not shared by threads."""
        content = _read(path)
        key = hashlib.sha256(content).hexdigest()
        networks: dict[str, FocusNetwork] = _loaded.__dict__.setdefault("networks", {})
        if key not in networks:
            networks.clear()
            networks[key] = FocusNetwork(content, path)
        return networks[key]

    @staticmethod
    def checksum(path: str | None) -> str:
        """SHA-256 of a file of weights, or of slidekit's own, as hexadecimal digits.

        Raises
        ------
        QCError
            If the file cannot be read.
        """
        return hashlib.sha256(_read(path)).hexdigest()

    def __call__(self, image: RGBImage) -> npt.NDArray[np.float32]:
        """Judge cells.

        Parameters
        ----------
        image
            (16 · rows + 64, 16 · columns + 64, 3), uint8, RGB: the cells with `HALO_PX` around them.

        Returns
        -------
        ndarray (rows, columns), float32
            Probability that each cell is blurred.
        """
        rows, columns = ((length - 2 * HALO_PX) // CELL_PX for length in image.shape[:2])
        # The image's margin only feeds the differences between pixels.
        features = edge_features(image)[:, _FIRST_BLOCK:, _FIRST_BLOCK:]
        logits = np.empty((rows, columns), np.float32)
        for row in range(0, rows, WINDOW_CELLS):
            for column in range(0, columns, WINDOW_CELLS):
                here = logits[row : row + WINDOW_CELLS, column : column + WINDOW_CELLS]
                top, left = row * _CELL_BLOCKS, column * _CELL_BLOCKS
                seen = self._window(features[:, top : top + _BLOCKS, left : left + _BLOCKS])
                here[:] = seen[: here.shape[0], : here.shape[1]]
        # Beyond ±30 exp adds nothing, and could overflow.
        return np.asarray(1 / (1 + np.exp(-logits.clip(-30, 30))), dtype=np.float32)

    def _window(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if features.shape[1:] == (_BLOCKS, _BLOCKS):
            return self._run(features)
        room = np.zeros((FEATURES, _BLOCKS, _BLOCKS), np.float32)
        room[:, : features.shape[1], : features.shape[2]] = features
        return self._run(room)

    def _run(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        self._net.setInput(np.ascontiguousarray(features)[None])
        # OpenCV hands out its own buffer, which the next run overwrites.
        return np.array(self._net.forward()[0, 0], dtype=np.float32)


def _read(path: str | None) -> bytes:
    if path is None:
        return _own()
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise QCError(f"cannot be read: {error.strerror}.", mend=_MEND, path=path) from error


@lru_cache(maxsize=1)
def _own() -> bytes:
    return resources.files("slidekit.slide.qc").joinpath(_FILE).read_bytes()
