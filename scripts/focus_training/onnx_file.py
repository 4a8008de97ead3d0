"""ONNX files of chains of convolutions and ReLUs, written without the `onnx` package.

Source of the field numbers: onnx.proto of the ONNX specification, IR version 8, operators of opset 13; of the wire
format: the Protocol Buffers encoding guide.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from focus_training.network import Layer

__all__ = ["onnx_bytes"]

_FLOAT = 1
_INTS = 7
_IR_VERSION, _OPSET = 8, 13


def onnx_bytes(
    layers: Sequence[Layer],
    weights: Sequence[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]],
    *,
    version: int,
    notes: str,
) -> bytes:
    """A model: input ``features`` (1, channels, h, w); output ``logits``; a ReLU after each layer but the last."""
    nodes, tensors, seen = b"", b"", "features"
    for number, (layer, (weight, bias)) in enumerate(zip(layers, weights, strict=True)):
        last = number == len(layers) - 1
        tensors += _field(5, _tensor(f"w{number}", weight)) + _field(5, _tensor(f"b{number}", bias))
        made = "logits" if last else f"c{number}"
        attributes = {
            "kernel_shape": [layer.kernel] * 2,
            "strides": [layer.stride] * 2,
            "dilations": [layer.dilation] * 2,
            "pads": [0] * 4,
        }
        nodes += _field(1, _node("Conv", [seen, f"w{number}", f"b{number}"], made, attributes))
        seen = made
        if not last:
            seen = f"r{number}"
            nodes += _field(1, _node("Relu", [made], seen, {}))
    sides = (_value("features", [1, layers[0].inputs, "h", "w"]), _value("logits", [1, 1, "rows", "columns"]))
    graph = nodes + _text(2, "focus") + tensors + _field(11, sides[0]) + _field(12, sides[1])
    opset = _text(1, "") + _number(2, _OPSET)
    return b"".join(
        [
            _number(1, _IR_VERSION),
            _text(2, "slidekit scripts/train_focus"),
            _number(5, version),
            _text(6, notes),
            _field(7, graph),
            _field(8, opset),
        ]
    )


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _number(tag: int, value: int) -> bytes:
    return _varint(tag << 3) + _varint(value)


def _field(tag: int, body: bytes) -> bytes:
    return _varint(tag << 3 | 2) + _varint(len(body)) + body


def _text(tag: int, text: str) -> bytes:
    return _field(tag, text.encode())


def _tensor(name: str, values: npt.NDArray[np.float32]) -> bytes:
    dims = b"".join(_number(1, length) for length in values.shape)
    raw = np.ascontiguousarray(values, "<f4").tobytes()
    return dims + _number(2, _FLOAT) + _text(8, name) + _field(9, raw)


def _node(kind: str, inputs: Sequence[str], output: str, attributes: dict[str, list[int]]) -> bytes:
    body = b"".join(_text(1, name) for name in inputs) + _text(2, output) + _text(4, kind)
    for name, values in attributes.items():
        numbers = b"".join(_number(8, value) for value in values)
        body += _field(5, _text(1, name) + numbers + _number(20, _INTS))
    return body


def _value(name: str, shape: Sequence[int | str]) -> bytes:
    dims = b"".join(_field(1, _text(2, length) if isinstance(length, str) else _number(1, length)) for length in shape)
    return _text(1, name) + _field(2, _field(1, _number(1, _FLOAT) + _field(2, dims)))
