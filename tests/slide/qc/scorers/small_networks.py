"""One small network in numpy, float64, and as an ONNX file that is written byte by byte.

A convolution (3 × 3, no padding) from 3 channels to 2, ReLU, and the mean of each channel.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

SIZE = 12
KERNEL = np.random.default_rng(5).normal(0, 0.4, (3, 3, 3, 2)).astype(np.float32)  # h, w, in, out
BIAS = np.array([0.3, -0.1], np.float32)


def batch(count: int = 5) -> np.ndarray:
    return np.random.default_rng(count).random((count, SIZE, SIZE, 3), np.float32)


def pixel_scores(images: np.ndarray) -> np.ndarray:
    """(n, h - 2, w - 2, 2), before the mean."""
    views = np.lib.stride_tricks.sliding_window_view(images.astype(float), (3, 3), axis=(1, 2))
    return np.maximum(np.einsum("nyxcij,ijco->nyxo", views, KERNEL.astype(float)) + BIAS, 0)


def scores(images: np.ndarray) -> np.ndarray:
    return pixel_scores(images).mean(axis=(1, 2))


def write_onnx(
    path: Path,
    *,
    batch_size: int | None = None,
    size: int | None = SIZE,
    channels: int = 3,
    dense: bool = False,
    last: bool = False,
    weights_in: str | None = None,
) -> Path:
    """Write the network; `last` is one whose images have their channels last; `weights_in` a file for its kernel."""
    weights = np.ascontiguousarray(KERNEL.transpose(3, 2, 0, 1))
    nodes = [_node("Transpose", ["x"], "t", perm=[0, 3, 1, 2])] if last else []
    nodes += [_node("Conv", ["t" if last else "x", "w", "b"], "c", kernel_shape=[3, 3]), _node("Relu", ["c"], "r")]
    if not dense:
        nodes += [_node("GlobalAveragePool", ["r"], "g"), _node("Flatten", ["g"], "y")]
    shape = [batch_size, size, size, channels] if last else [batch_size, channels, size, size]
    output = [batch_size, 2, None, None] if dense else [batch_size, 2]
    fields = [
        *((1, node) for node in nodes),
        (2, b"small"),
        (5, _tensor("w", weights, weights_in)),
        (5, _tensor("b", BIAS)),
    ]
    fields += [(11, _value("x", shape)), (12, _value("r" if dense else "y", output))]
    graph = b"".join(_field(number, content) for number, content in fields)
    path.write_bytes(_field(1, 8) + _field(8, _field(1, b"") + _field(2, 13)) + _field(7, graph))
    return path


def _varint(value: int) -> bytes:
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*data, value])


def _field(number: int, content: int | bytes) -> bytes:
    if isinstance(content, int):
        return _varint(number << 3) + _varint(content)
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _node(kind: str, inputs: list[str], output: str, **attributes: list[int]) -> bytes:
    made = b"".join(_field(1, name.encode()) for name in inputs) + _field(2, output.encode()) + _field(4, kind.encode())
    for name, values in attributes.items():
        numbers = b"".join(_field(8, value) for value in values)
        made += _field(5, _field(1, name.encode()) + numbers + _field(20, 7))
    return made


def _tensor(name: str, array: np.ndarray, place: str | None = None) -> bytes:
    dims = b"".join(_field(1, length) for length in array.shape)
    about = dims + _field(2, 1) + _field(8, name.encode())
    if place is None:
        return about + _field(9, array.tobytes())
    return about + _field(13, _field(1, b"location") + _field(2, place.encode())) + _field(14, 1)


def _value(name: str, shape: list[int | None]) -> bytes:
    dims = b"".join(
        _field(1, _field(2, f"d{place}".encode()) if length is None else _field(1, length))
        for place, length in enumerate(shape)
    )
    return _field(1, name.encode()) + _field(2, _field(1, _field(1, 1) + _field(2, dims)))
