"""TFRecords of a few small tiles, and a reader of them that shares no code with slidekit."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from slidekit.io.example import _example_class

PX = 16
LABEL = f"{PX}px_8um"


def pixels(seed: int, px: int = PX) -> np.ndarray:
    """A smooth image: noise would not survive JPEG."""
    noise = np.random.default_rng(seed).integers(0, 256, (3, 3, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(noise).resize((px, px), Image.Resampling.BICUBIC))


def encoded(image: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


def example(slide: str, image: bytes, x: int | None, y: int | None, /, **more: object) -> bytes:
    """An Example with any features: bytes, whole numbers, and floats, which slidekit does not know."""
    made = _example_class()()
    features = made.features.feature
    features["slide"].bytes_list.value.append(slide.encode())
    features["image_raw"].bytes_list.value.append(image)
    if x is not None:
        features["loc_x"].int64_list.value.append(x)
        features["loc_y"].int64_list.value.append(y)
    for name, value in more.items():
        values = value if isinstance(value, list) else [value]
        kind = {bytes: "bytes_list", int: "int64_list", float: "float_list"}[type(values[0])]
        getattr(features[name], kind).value.extend(values)
    return bytes(made.SerializeToString(deterministic=True))


class Read(NamedTuple):
    """A record as the protobuf runtime reads it."""

    features: dict[str, list[object]]

    @property
    def place(self) -> tuple[object, object]:
        return self.features["loc_x"][0], self.features["loc_y"][0]

    @property
    def slide(self) -> str:
        return bytes(self.features["slide"][0]).decode()  # type: ignore[call-overload]

    @property
    def image(self) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(self.features["image_raw"][0])).convert("RGB"))  # type: ignore[arg-type]

    def without_image(self) -> dict[str, list[object]]:
        return {name: value for name, value in self.features.items() if name != "image_raw"}


def read_file(path: Path) -> list[Read]:
    """All records of a file: framing by struct, Examples by protobuf."""
    content, place, records = path.read_bytes(), 0, []
    while place < len(content):
        (length,) = struct.unpack_from("<Q", content, place)
        message = _example_class().FromString(content[place + 12 : place + 12 + length])
        features = {}
        for name, feature in message.features.feature.items():
            features[name] = [*feature.bytes_list.value, *feature.int64_list.value, *feature.float_list.value]
        records.append(Read(features))
        place += length + 16
    assert place == len(content)
    return records


def damage(path: Path, record: int = 1) -> int:
    """Flip a bit in the middle of a record; returns the byte where the record begins."""
    content, place = bytearray(path.read_bytes()), 0
    for _ in range(record):
        place += struct.unpack_from("<Q", content, place)[0] + 16
    content[place + 40] ^= 1
    path.write_bytes(content)
    return place
