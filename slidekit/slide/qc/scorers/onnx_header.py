"""What an ONNX file says about its input, without a runtime: its messages are read as far as that (onnx.proto)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

from slidekit.errors import QCError

__all__ = ["external_files", "input_shape"]

# Numbers of fields in onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT = 1, 5, 11
_NODE_ATTRIBUTE = 5
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = (5, 10), (6, 11)
_TENSOR_NAME, _TENSOR_EXTERNAL = 8, 13
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_VALUE_NAME, _VALUE_TYPE = 1, 2
_TYPE_TENSOR = 1
_TENSOR_SHAPE = 2
_SHAPE_DIM = 1
_DIM_VALUE = 1

Value = int | memoryview


def input_shape(path: str) -> tuple[int | None, ...]:
    """Shape of the one input of a network; None where any length will do.

    Raises
    ------
    QCError
        If the file is no ONNX, or has several inputs.
    """
    try:
        graph = _one(memoryview(Path(path).read_bytes()), _MODEL_GRAPH)
        # Old files list their weights among the inputs.
        weights = {bytes(_one(part, _TENSOR_NAME)) for part in _all(graph, _GRAPH_INITIALIZER)}
        inputs = [part for part in _all(graph, _GRAPH_INPUT) if bytes(_one(part, _VALUE_NAME)) not in weights]
        shapes = [_shape(one) for one in inputs]
    except (ValueError, IndexError, OSError) as error:
        raise QCError("This is no ONNX file, or a damaged one.", mend="Export the network again.", path=path) from error
    if len(shapes) != 1 or len(shapes[0]) not in (0, 4):
        raise QCError(
            f"The network takes {shapes}, not one batch of RGB images.",
            mend="Give a network of one input, (n, 3, h, w) or (n, h, w, 3).",
            path=path,
        )
    return shapes[0] or (None, 3, None, None)


def external_files(path: Path) -> tuple[Path, ...]:
    """Files beside a network's own that hold its larger weights; sorted.

    Raises
    ------
    QCError
        If the file is no ONNX, or names files outside its folder.
    """
    try:
        graph = _one(memoryview(path.read_bytes()), _MODEL_GRAPH)
        entries = [entry for tensor in _tensors(graph) for entry in _all(tensor, _TENSOR_EXTERNAL)]
        told = [(bytes(_one(entry, _ENTRY_KEY)), bytes(_one(entry, _ENTRY_VALUE))) for entry in entries]
        locations = {value.decode() for key, value in told if key == b"location"}
    except (ValueError, IndexError, OSError) as error:
        raise QCError("This is no ONNX file, or a damaged one.", mend="Export the network again.", path=path) from error
    for location in sorted(locations):
        parts = PureWindowsPath(os.path.normpath(location))
        if parts.anchor or location.startswith("/") or ".." in parts.parts:
            raise QCError(
                f"The network wants weights from {location!r}, which is outside its own folder.",
                mend="Put the files into one folder, and export the network so that it names them alone.",
                path=path,
            )
    return tuple(path.parent / location for location in sorted(locations))


def _tensors(graph: memoryview) -> Iterator[memoryview]:
    """Weights of a graph, and those in its nodes and in the graphs inside these."""
    yield from _all(graph, _GRAPH_INITIALIZER)
    for node in _all(graph, _GRAPH_NODE):
        for attribute in _all(node, _NODE_ATTRIBUTE):
            for field in _ATTRIBUTE_TENSORS:
                yield from _all(attribute, field)
            for field in _ATTRIBUTE_GRAPHS:
                for part in _all(attribute, field):
                    yield from _tensors(part)


def _shape(value_info: memoryview) -> tuple[int | None, ...]:
    tensor = _one(_one(value_info, _VALUE_TYPE), _TYPE_TENSOR)
    lengths = []
    for shape in _all(tensor, _TENSOR_SHAPE):
        for dimension in _all(shape, _SHAPE_DIM):
            values = [value for field, value in _fields(dimension) if field == _DIM_VALUE]
            lengths.append(values[0] if values and isinstance(values[0], int) and values[0] > 0 else None)
    return tuple(lengths)


def _all(message: memoryview, wanted: int) -> list[memoryview]:
    return [value for field, value in _fields(message) if field == wanted and isinstance(value, memoryview)]


def _one(message: memoryview, wanted: int) -> memoryview:
    return _all(message, wanted)[0]


def _fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """Number and content of each field (https://protobuf.dev/programming-guides/encoding/)."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        kind = tag & 7
        if kind == 0:
            value, place = _varint(message, place)
            yield tag >> 3, value
            continue
        if kind == 2:
            length, place = _varint(message, place)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if place + length > len(message):
            raise ValueError("cut off")
        yield tag >> 3, message[place : place + length]
        place += length


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
        if shift > 63:
            raise ValueError("number too long")
