"""What is known of patches that were written, by step: a table of columns beside their TFRecords."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import RecordError
from slidekit.io.atomic import atomic_write
from slidekit.io.user_file import read_bytes

if TYPE_CHECKING:
    from slidekit.sampling.feeding.batch import Batch

__all__ = ["PatchTable"]

_LARGEST = 1 << 34
"""Bytes of a table beyond which it is damage: hundreds of millions of patches."""


@dataclass(frozen=True)
class PatchTable:
    """Patches in the order of their steps, a row each.

    Attributes
    ----------
    end
        The step after the last, whether its patch is there or not.
    steps, attempts, slides, scales, classes
        (n,) whole numbers, as in `slidekit.sampling.plan.Plan`.
    loc
        (n, 2) int64: (x, y) of the centre, level-0 pixels.
    centres
        (n, 2) float64: the same before it is rounded.
    mpp, tissue, inside
        (n,) float: µm/px of the image, shares of the patch that are tissue and on the slide.
    background
        (n,) bool: whether any place on the slide would have done.
    """

    end: int
    steps: NDArray[np.int64]
    attempts: NDArray[np.int32]
    slides: NDArray[np.int32]
    scales: NDArray[np.int16]
    classes: NDArray[np.int16]
    loc: NDArray[np.int64]
    centres: NDArray[np.float64]
    mpp: NDArray[np.float64]
    tissue: NDArray[np.float32]
    inside: NDArray[np.float32]
    background: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.steps)

    @classmethod
    def of_batch(cls, batch: Batch) -> Self:
        """The patches of a batch."""
        return cls(
            end=int(batch.steps[-1]) + 1,
            steps=np.asarray(batch.steps, np.int64),
            attempts=np.asarray(batch.attempts, np.int32),
            slides=np.asarray(batch.slide_index, np.int32),
            scales=np.asarray(batch.scales, np.int16),
            classes=np.asarray(batch.classes, np.int16),
            loc=np.asarray(batch.loc, np.int64),
            centres=np.asarray(batch.centres, np.float64),
            mpp=np.asarray(batch.mpp, np.float64),
            tissue=np.asarray(batch.tissue, np.float32),
            inside=np.asarray(batch.inside, np.float32),
            background=np.asarray(batch.background, np.bool_),
        )

    @classmethod
    def joined(cls, tables: Sequence[PatchTable], *, end: int) -> Self:
        """Tables one after the other."""
        shapes = {"loc": (0, 2), "centres": (0, 2)}
        columns: dict[str, Any] = {}
        for name, kind in _KINDS.items():
            empty = np.empty(shapes.get(name, (0,)), kind)
            columns[name] = np.concatenate([empty, *(getattr(table, name) for table in tables)])
        return cls(end=end, **columns)

    def write(self, path: Path) -> None:
        """Write the table as ``.npz``; the file appears whole."""
        buffer = io.BytesIO()
        np.savez(buffer, end=np.int64(self.end), **{name: getattr(self, name) for name in _KINDS})
        with atomic_write(path) as file:
            file.write(buffer.getbuffer())

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a table.

        Raises
        ------
        RecordError
            If it is missing or damaged.
        """
        # numpy leaves a damaged file open.
        data = io.BytesIO(read_bytes(path, error=RecordError, mend="Write the patches again.", limit=_LARGEST))
        try:
            with np.load(data, allow_pickle=False) as stored:
                columns = {name: stored[name].astype(kind, casting="safe") for name, kind in _KINDS.items()}
                table = cls(end=int(stored["end"]), **columns)
        except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
            raise RecordError(f"cannot be read: {error}", mend="Write the patches again.", path=path) from error
        if len({len(column) for column in columns.values()}) != 1 or (np.diff(table.steps) <= 0).any():
            raise RecordError("does not fit together.", mend="Write the patches again.", path=path)
        return table


_KINDS: dict[str, Any] = {
    "steps": np.int64,
    "attempts": np.int32,
    "slides": np.int32,
    "scales": np.int16,
    "classes": np.int16,
    "loc": np.int64,
    "centres": np.float64,
    "mpp": np.float64,
    "tissue": np.float32,
    "inside": np.float32,
    "background": np.bool_,
}
