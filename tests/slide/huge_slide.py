"""A slide of any size in a small file: all tiles of one kind are the same bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import simplejpeg

TILE = 240


def write_huge_svs(
    path: Path, width: int, height: int, tissue: np.ndarray, is_tissue: Callable[[int, int, int], bool]
) -> Path:
    """Write an Aperio-style BigTIFF of three levels (1, 1/4, 1/16).

    ``is_tissue(x, y, edge)`` says for the square at x, y (level-0 pixels) of that edge whether it holds `tissue`,
    an image (240, 240, 3); the others hold glass.
    """
    glass = np.full((TILE, TILE, 3), (243, 242, 244), np.uint8)
    streams = [simplejpeg.encode_jpeg(image, quality=80, colorsubsampling="420") for image in (glass, tissue)]
    data = bytearray(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0))
    places = []
    for stream in streams:
        places.append((len(data), len(stream)))
        data += stream
    link = 8
    for number, factor in enumerate((1, 4, 16)):
        columns, rows = -(-width // factor // TILE), -(-height // factor // TILE)
        edge = TILE * factor
        kinds = [is_tissue(column * edge, row * edge, edge) for row in range(rows) for column in range(columns)]
        offsets = np.array([places[kind][0] for kind in kinds], np.uint64).tobytes()
        counts = np.array([places[kind][1] for kind in kinds], np.uint64).tobytes()
        text = b"Aperio Image Library v12.0.15 \r\n|AppMag = 40|MPP = 0.25\x00" if number == 0 else b"Aperio\x00"
        link = _add_page(data, link, width // factor, height // factor, offsets, counts, text)
    path.write_bytes(data)
    return path


def _add_page(data: bytearray, link: int, width: int, height: int, offsets: bytes, counts: bytes, text: bytes) -> int:
    def stored(content: bytes) -> int:
        data.extend(b"\0" * (-len(data) % 8))
        data.extend(content)
        return len(data) - len(content)

    tiles = len(offsets) // 8
    tags = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, 8 | 8 << 16 | 8 << 32), (259, 3, 1, 7),
        (262, 3, 1, 6), (270, 2, len(text), stored(text) if len(text) > 8 else int.from_bytes(text, "little")),
        (277, 3, 1, 3), (284, 3, 1, 1), (322, 4, 1, TILE), (323, 4, 1, TILE),
        (324, 16, tiles, stored(offsets) if tiles > 1 else int.from_bytes(offsets, "little")),
        (325, 16, tiles, stored(counts) if tiles > 1 else int.from_bytes(counts, "little")),
        (530, 3, 2, 2 | 2 << 16),
    ]  # fmt: skip
    data.extend(b"\0" * (-len(data) % 8))
    struct.pack_into("<Q", data, link, len(data))
    data += struct.pack("<Q", len(tags))
    for tag, kind, count, value in tags:
        data += struct.pack("<HHQQ", tag, kind, count, value)
    data += struct.pack("<Q", 0)
    return len(data) - 8
