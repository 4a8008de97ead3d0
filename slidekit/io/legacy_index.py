"""The index of a TFRecord file in any form that Slideflow has given it, if it fits the file."""

from __future__ import annotations

import logging
from pathlib import Path
from tokenize import TokenError

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import RecordError
from slidekit.io.record_index import RecordIndex, index_path, read_index
from slidekit.io.record_scan import are_all_records
from slidekit.io.user_file import read_bytes

__all__ = ["read_any_index"]

logger = logging.getLogger(__name__)

_MAGIC = b"\x93NUMPY"

_BAD_ARRAY = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RecursionError,
    SyntaxError,
    TokenError,
    TypeError,
    ValueError,
)
"""What numpy raises for a header, a Python literal, that is damaged."""


def read_any_index(tfrecord: Path, size: int) -> RecordIndex | None:
    """Read the index of a file: ``.index.npz``, or of old versions of Slideflow ``.index.npy`` or the text ``.index``.

    Parameters
    ----------
    tfrecord
        The TFRecord file.
    size
        Its bytes.

    Returns
    -------
    RecordIndex or None
        In the order of the file. None if there is no index, or what it lists is not what the file must hold; the
        log says which.
    """
    readers = {
        index_path(tfrecord): read_index,
        tfrecord.with_suffix(".index.npy"): _read_array,
        tfrecord.with_suffix(".index"): _read_text,
    }
    for path, read in readers.items():
        if not path.exists():
            continue
        try:
            index = _in_order(read(path))
        except RecordError as error:
            logger.warning("%s", error)
            continue
        if are_all_records(index.extents, size):
            return index
        logger.warning("%s: is not the index of %s as it is now.", path, tfrecord.name)
    return None


def _in_order(index: RecordIndex) -> RecordIndex:
    order = np.argsort(index.extents[:, 0], kind="stable")
    return RecordIndex(index.extents[order], None if index.locations is None else index.locations[order])


def _read_array(path: Path) -> RecordIndex:
    data = read_bytes(path, error=RecordError)
    if not data.startswith(_MAGIC):
        raise _damage(path)
    import io

    try:
        return RecordIndex(_pairs(np.load(io.BytesIO(data), allow_pickle=False)), None)
    except _BAD_ARRAY as error:
        raise _damage(path) from error


def _read_text(path: Path) -> RecordIndex:
    """Lines of offset and size, as the package tfrecord writes them."""
    data = read_bytes(path, error=RecordError)
    try:
        numbers = np.array([int(word) for word in data.split()], np.int64)
        return RecordIndex(_pairs(numbers.reshape(-1, 2)), None)
    except (ValueError, OverflowError) as error:
        raise _damage(path) from error


def _pairs(values: NDArray[np.generic]) -> NDArray[np.int64]:
    if values.ndim != 2 or values.shape[1] != 2 or values.dtype.kind not in "iu":
        raise ValueError(f"{values.dtype} of shape {values.shape}")
    return values.astype(np.int64)


def _damage(path: Path) -> RecordError:
    return RecordError(
        "not an index of records.", mend="Remove the index: the records can be read without it.", path=path
    )
