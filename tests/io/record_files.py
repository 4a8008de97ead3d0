"""TFRecord files made byte by byte, from TensorFlow's and Slideflow's specification: nothing of slidekit writes here.

Framing: length (uint64), its masked CRC-32C, payload, its masked CRC-32C. Payload: ``tf.train.Example`` in protobuf's
wire format. Index: an ``.npz`` by NumPy. Manifest: file name to ``{"total": n}``.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_TABLE = []
for number in range(256):
    for _ in range(8):
        number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
    _TABLE.append(number)


def masked_crc(data: bytes) -> bytes:
    """CRC-32C by table (RFC 3720, appendix B.4), masked as TensorFlow does, little-endian."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def framed(payload: bytes) -> bytes:
    length = struct.pack("<Q", len(payload))
    return length + masked_crc(length) + payload + masked_crc(payload)


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def example(**features: bytes | int) -> bytes:
    """An Example of one value a feature, in the order given."""
    entries = b""
    for name, value in features.items():
        kind = field(1, field(1, value)) if isinstance(value, bytes) else field(3, field(1, varint(value)))
        entries += field(1, field(1, name.encode()) + field(2, kind))
    return field(1, entries)


def slideflow_folder(
    folder: Path, slides: dict[str, Sequence[tuple[bytes, int, int]]], *, index: str = "npz"
) -> list[Path]:
    """Write a folder as Slideflow 3.0.2 leaves it: a TFRecord a slide, its index, ``manifest.json``.

    Parameters
    ----------
    folder
        Where to.
    slides
        Slide to its tiles: image, loc_x, loc_y.
    index
        ``"npz"``; of older versions ``"npy"`` or ``"text"``; ``""`` for none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for slide, tiles in slides.items():
        path = folder / f"{slide}.tfrecords"
        records = [framed(example(slide=slide.encode(), image_raw=image, loc_x=x, loc_y=y)) for image, x, y in tiles]
        path.write_bytes(b"".join(records))
        lengths = np.array([len(record) for record in records], np.int64)
        extents = np.stack([np.cumsum(lengths) - lengths, lengths], axis=1)
        locations = np.array([(x, y) for _, x, y in tiles], np.int64).reshape(-1, 2)
        if index == "npz":
            np.savez(folder / f"{slide}.index.npz", extents, locations=locations)
        elif index == "npy":
            np.save(folder / f"{slide}.index.npy", extents)
        elif index == "text":
            (folder / f"{slide}.index").write_text("".join(f"{offset} {length}\n" for offset, length in extents))
        paths.append(path)
    manifest = {f"{slide}.tfrecords": {"total": len(tiles)} for slide, tiles in slides.items()}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return paths
