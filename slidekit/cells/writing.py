"""Cells into a store, some at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from slidekit.cells.canvas import CHUNK_PX
from slidekit.cells.facts import CellFacts
from slidekit.cells.found import CellTable
from slidekit.cells.windows import PixelBox

if TYPE_CHECKING:
    import zarr

__all__ = ["StoreWriter"]

_ROWS_A_CHUNK = 1 << 14
_VERTICES_A_CHUNK = 1 << 16


class StoreWriter:
    """Writes a store piece by piece; memory does not grow with the number of cells.

    Parameters
    ----------
    group
        An empty group.
    facts
        What is known before; `finish` takes the final word.
    """

    def __init__(self, group: zarr.Group, facts: CellFacts) -> None:
        self.count = 0
        self._group = group
        self._facts = facts
        self._held: dict[str, list[npt.NDArray[Any]]] = {}
        self._written: dict[str, int] = {}
        self._masks: zarr.Array[Any] | None = None
        if facts.has_masks:
            columns, rows = facts.size
            self._masks = group.create_array(
                "masks",
                shape=(rows, columns),
                chunks=(min(CHUNK_PX, rows), min(CHUNK_PX, columns)),
                dtype="uint32",
                fill_value=0,
                compressors=_codec(),
                dimension_names=("row", "column"),
            )

    def write_part(self, box: PixelBox, labels: npt.NDArray[np.uint32]) -> None:
        """Write a whole chunk of the masks."""
        assert self._masks is not None
        self._masks[box.top : box.bottom, box.left : box.right] = labels

    def add(self, cells: CellTable) -> None:
        """Append cells."""
        self.count += len(cells)
        for name, values in cells.columns.items():
            self._hold(f"table/{name}", values, _ROWS_A_CHUNK)
        if self._facts.has_outlines:
            self._hold("outlines/vertices", cells.vertices, _VERTICES_A_CHUNK)
            self._hold("outlines/counts", cells.counts, _ROWS_A_CHUNK)

    def finish(self, facts: CellFacts) -> None:
        """Write what is held, and the attributes."""
        for name in self._held:
            self._flush(name, 1)
        self._group.attrs.put({**facts.attributes(), "count": self.count})

    def _hold(self, name: str, values: npt.NDArray[Any], most: int) -> None:
        if name not in self._held:
            self._held[name], self._written[name] = [], 0
            self._group.create_array(
                name,
                shape=(0, *values.shape[1:]),
                chunks=(most, *values.shape[1:]),
                dtype=values.dtype,
                compressors=_codec(),
            )
        held = self._held[name]
        held.append(values)
        if sum(map(len, held)) >= most:
            self._flush(name, most)

    def _flush(self, name: str, most: int) -> None:
        """Write what is held in whole lots of `most`, so that no chunk is written twice."""
        values = np.concatenate(self._held[name])
        end = len(values) - len(values) % most
        array = self._group[name]
        start = self._written[name]
        array.resize((start + end, *values.shape[1:]))  # type: ignore[union-attr]
        array[start : start + end] = values[:end]  # type: ignore[index]
        self._written[name] = start + end
        self._held[name] = [values[end:]]


def _codec() -> Any:
    from zarr.codecs import BloscCodec

    return BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle")
