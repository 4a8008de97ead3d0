"""Ways of damaging a slide: small functions of its bytes, its layout and a generator of random numbers."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np

from tests.robustness.slide_layout import Entry, Layout

__all__ = ["ANY_FILE", "TIFF_ONLY"]

Random = np.random.Generator
OFF_END = (0, 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1)
_OFFSETS, _COUNTS = (324, 273), (325, 279)


def _pick(rng: Random, values: tuple[int, ...]) -> int:
    return values[int(rng.integers(len(values)))]


def _flip(data: bytearray, rng: Random, start: int, stop: int, most: int = 4) -> None:
    for place in rng.integers(start, max(stop, start + 1), int(rng.integers(1, most + 1))).tolist():
        if place < len(data):
            data[place] ^= int(rng.integers(1, 256))


# --- any file ----------------------------------------------------------------------------------------------------


def cut(data: bytearray, rng: Random) -> bytes:
    return bytes(data[: int(rng.integers(1, len(data)))])


def cut_tail(data: bytearray, rng: Random) -> bytes:
    return bytes(data[: -int(rng.integers(1, max(2, len(data) // 20)))])


def flip_anywhere(data: bytearray, rng: Random) -> bytes:
    _flip(data, rng, 0, len(data), 8)
    return bytes(data)


def flip_header(data: bytearray, rng: Random) -> bytes:
    _flip(data, rng, 0, 40, 3)
    return bytes(data)


def hole(data: bytearray, rng: Random) -> bytes:
    """A run of zeros, as an interrupted copy leaves."""
    length = int(rng.integers(64, max(65, len(data) // 4)))
    start = int(rng.integers(0, len(data)))
    data[start : start + length] = bytes(min(length, len(data) - start))
    return bytes(data)


def noise(data: bytearray, rng: Random) -> bytes:
    start = int(rng.integers(0, len(data)))
    length = min(int(rng.integers(16, 2048)), len(data) - start)
    data[start : start + length] = rng.bytes(length)
    return bytes(data)


ANY_FILE: dict[str, Callable[[bytearray, Random], bytes]] = {
    function.__name__: function for function in (cut, cut_tail, flip_anywhere, flip_header, hole, noise)
}

# --- TIFF --------------------------------------------------------------------------------------------------------


def _tables(layout: Layout) -> tuple[Entry, Entry] | None:
    """Entries of the offsets and counts of level 0 where they are lists."""
    found = [next((at for code in codes if (at := layout.find(code))), None) for codes in (_OFFSETS, _COUNTS)]
    offsets, counts = found
    if offsets is None or counts is None or min(offsets.count, counts.count) < 2:
        return None
    return offsets, counts


def _tile(rng: Random, layout: Layout) -> tuple[int, int, int]:
    number = int(rng.integers(len(layout.tiles)))
    return number, *layout.tiles[number]


def flip_directory(data: bytearray, rng: Random, layout: Layout) -> None:
    entry = layout.entries[int(rng.integers(len(layout.entries)))]
    _flip(data, rng, entry.at, entry.at + (20 if layout.big else 12), 2)


def flip_values(data: bytearray, rng: Random, layout: Layout) -> None:
    """In JPEG tables, offsets or counts."""
    entries = [entry for entry in layout.entries if entry.code in (347, 65426, *_OFFSETS, *_COUNTS)]
    entry = entries[int(rng.integers(len(entries)))]
    _flip(data, rng, entry.values, entry.values + entry.count, 2)


def flip_tile(data: bytearray, rng: Random, layout: Layout) -> None:
    for _ in range(int(rng.integers(1, 4))):
        _, offset, count = _tile(rng, layout)
        _flip(data, rng, offset, offset + count, 8)


def overwrite_tile(data: bytearray, rng: Random, layout: Layout) -> None:
    """A part of a tile becomes zeros, ones or noise."""
    _, offset, count = _tile(rng, layout)
    start = int(rng.integers(0, count))
    length = int(rng.integers(1, count - start + 1))
    data[offset + start : offset + start + length] = (bytes(length), b"\xff" * length, rng.bytes(length))[
        int(rng.integers(3))
    ]


def cut_tile(data: bytearray, rng: Random, layout: Layout) -> None:
    if (tables := _tables(layout)) is not None:
        number, _, count = _tile(rng, layout)
        layout.store(data, tables[1], int(rng.integers(1, count)), number % tables[1].count)


def empty_tiles(data: bytearray, rng: Random, layout: Layout) -> None:
    if (tables := _tables(layout)) is not None:
        for _ in range(int(rng.integers(1, 4))):
            layout.store(data, tables[1], 0, int(rng.integers(tables[1].count)))


def swap_tiles(data: bytearray, rng: Random, layout: Layout) -> None:
    if (tables := _tables(layout)) is not None:
        (one, *first), (other, *second) = _tile(rng, layout), _tile(rng, layout)
        for place, source in ((one, second), (other, first)):
            for table, value in zip(tables, source, strict=True):
                layout.store(data, table, value, place % table.count)


def tile_outside(data: bytearray, rng: Random, layout: Layout) -> None:
    if (tables := _tables(layout)) is not None:
        value = _pick(rng, (len(data), len(data) - 20, 2**31, 2**32 - 1, 3))
        layout.store(data, tables[int(rng.integers(2))], value, int(rng.integers(tables[0].count)))


def tile_into_another(data: bytearray, rng: Random, layout: Layout) -> None:
    if (tables := _tables(layout)) is not None:
        _, offset, count = _tile(rng, layout)
        layout.store(data, tables[0], offset + int(rng.integers(count)), int(rng.integers(tables[0].count)))


_TAGS = {
    258: (1, 4, 16, 32, 0), 259: (1, 5, 6, 7, 8, 33003, 33005, 34712, 50000, 0), 262: (0, 1, 2, 3, 5, 6, 8),
    277: (0, 1, 2, 4, 5, 65535), 284: (0, 2, 3), 317: (1, 2, 3), 322: (0, 1, 16, 64, 120, 256, 2**20, 2**31),
    323: (0, 1, 16, 64, 256, 2**31), 278: (0, 1, 7, 100, 2**31), 274: (0, 3, 8), 530: (0, 1, 4, 255), 254: (0, 1, 2, 4),
}  # fmt: skip


def wrong_tag(data: bytearray, rng: Random, layout: Layout) -> None:
    entries = [entry for entry in layout.entries if entry.code in _TAGS]
    entry = entries[int(rng.integers(len(entries)))]
    layout.store(data, entry, _pick(rng, _TAGS[entry.code]))


def wrong_type(data: bytearray, rng: Random, layout: Layout) -> None:
    entry = layout.entries[int(rng.integers(len(layout.entries)))]
    struct.pack_into(f"{layout.order}H", data, entry.at + 2, int(rng.integers(0, 20)))


def wrong_count(data: bytearray, rng: Random, layout: Layout) -> None:
    entry = layout.entries[int(rng.integers(len(layout.entries)))]
    value = _pick(rng, (*OFF_END, entry.count + 1, max(entry.count - 1, 0)))
    struct.pack_into(layout.order + ("Q" if layout.big else "I"), data, entry.at + 4, value)


def lying_size(data: bytearray, rng: Random, layout: Layout) -> None:
    entries = [entry for entry in layout.entries if entry.code in (256, 257)]
    for _ in range(int(rng.integers(1, 3))):
        layout.store(data, entries[int(rng.integers(len(entries)))], _pick(rng, (*OFF_END, 300, 500, 640, 4096)))


def loop(data: bytearray, rng: Random, layout: Layout) -> None:
    """A directory whose next one is one before it, or itself."""
    number = int(rng.integers(len(layout.directories)))
    place, form = layout.link(data, layout.directories[number])
    struct.pack_into(form, data, place, layout.directories[int(rng.integers(number + 1))])


def thousands_of_directories(data: bytearray, rng: Random, layout: Layout) -> None:
    """Small directories behind the last one; half of the time the last of them leads to the first."""
    place, form = layout.link(data, layout.directories[-1])
    width = struct.calcsize(form)
    count_form, entry = ("Q", "HHQQ") if layout.big else ("H", "HHII")
    body = struct.pack(layout.order + count_form, 1) + struct.pack(layout.order + entry, 254, 4, 1, 0)
    first, size, number = len(data), len(body) + width, int(rng.integers(2000, 30_000))
    struct.pack_into(form, data, place, first)
    circle = bool(rng.integers(2))
    for k in range(number):
        following = first + (k + 1) * size if k + 1 < number else first if circle else 0
        data += body + struct.pack(form, following)


def absurd_resolution(data: bytearray, rng: Random, layout: Layout) -> None:
    for code in (282, 283):
        if (entry := layout.find(code)) is not None:
            struct.pack_into(layout.order + "II", data, entry.values, _pick(rng, OFF_END), _pick(rng, OFF_END))


def lying_xml(data: bytearray, rng: Random, layout: Layout) -> None:
    """A description in which OME-XML claims planes beyond counting; other descriptions get a longer number."""
    entry = layout.find(270)
    if entry is None:
        return
    text = bytes(data[entry.values : entry.values + entry.count]).rstrip(b"\0")
    what = (b'PlaneCount="1"', b'SizeT="1"', b'SizeZ="1"')[int(rng.integers(3))]
    number = str(_pick(rng, (10**6, 2**31, 10**12))).encode()
    text = text.replace(what, what.replace(b'"1"', b'"' + number + b'"')).replace(b"MPP = 0.5", b"MPP = " + number)
    struct.pack_into(layout.order + ("QQ" if layout.big else "II"), data, entry.at + 4, len(text) + 1, len(data))
    data += text + b"\0"


TIFF_ONLY: dict[str, Callable[[bytearray, Random, Layout], None]] = {
    function.__name__: function
    for function in (
        flip_directory, flip_values, flip_tile, overwrite_tile, cut_tile, empty_tiles, swap_tiles, tile_outside,
        tile_into_another, wrong_tag, wrong_type, wrong_count, lying_size, loop, thousands_of_directories,
        absurd_resolution, lying_xml,
    )
}  # fmt: skip
