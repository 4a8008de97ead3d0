"""A mask of one bit a pixel, from which the n-th pixel that is set can be had at once."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from slidekit.slide.qc.base import BoolMask

__all__ = ["PackedMask"]

_WORD_BYTES, _WORD_BITS = 8, 64


class PackedMask:
    """A mask, bit-packed by rows.

    Parameters
    ----------
    mask
        (rows, columns) bool.
    """

    def __init__(self, mask: BoolMask) -> None:
        rows, columns = mask.shape
        stride = -(-columns // _WORD_BITS) * _WORD_BYTES
        self.shape = (rows, columns)
        self._bytes = np.zeros((rows, stride), np.uint8)
        self._bytes[:, : -(-columns // 8)] = np.packbits(mask, axis=1)

    @property
    def nbytes(self) -> int:
        """Bytes that it holds: an eighth of the pixels, and half as much when pixels have been picked."""
        return self._bytes.nbytes * 3 // 2

    @property
    def rows(self) -> NDArray[np.uint8]:
        """(rows, ceil(columns / 8)) uint8: eight pixels a byte, the first in its highest bit."""
        return self._bytes[:, : -(-self.shape[1] // 8)]

    def unpack(self) -> NDArray[np.uint8]:
        """(rows, columns) uint8, 0 or 1."""
        return np.unpackbits(self._bytes, axis=1, count=self.shape[1])

    def at(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Pixels at places, 0 or 1; the two broadcast."""
        return np.asarray((self._bytes[rows, columns >> 3] >> (7 - (columns & 7)).astype(np.uint8)) & 1)

    @cached_property
    def _counts(self) -> NDArray[np.int32]:
        """Set pixels up to and with each word of 64."""
        return np.cumsum(np.bitwise_count(self._bytes.reshape(-1).view(np.uint64)), dtype=np.int32)

    def __len__(self) -> int:
        """Number of set pixels."""
        return int(self._counts[-1]) if self._counts.size else 0

    def pick(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find set pixels by their numbers in raster order.

        Parameters
        ----------
        numbers
            (n,) from 0 to below the number of set pixels.

        Returns
        -------
        rows, columns
            (n,) int64 each.
        """
        words = np.searchsorted(self._counts, numbers, side="right")
        before = np.where(words > 0, self._counts[words - 1], 0)
        bits = np.unpackbits(self._bytes.reshape(-1, _WORD_BYTES)[words], axis=1)
        # The bit whose running count first exceeds what comes before it in the word.
        found = (np.cumsum(bits, axis=1, dtype=np.uint8) > (numbers - before)[:, None]).argmax(axis=1)
        rows, columns = np.divmod(words * _WORD_BITS + found, self._bytes.shape[1] * 8)
        return rows.astype(np.int64), columns.astype(np.int64)

    def __getstate__(self) -> dict[str, object]:
        return {"shape": self.shape, "_bytes": self._bytes}
