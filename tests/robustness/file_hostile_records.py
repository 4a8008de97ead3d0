"""Files of projects and of records that nobody makes by accident: names that lead elsewhere, depths, false sizes."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Iterator
from functools import partial

import google_crc32c
import numpy as np

from tests.robustness.file_hostile import NAMES, Hostile
from tests.robustness.file_samples import samples

__all__ = ["hostile_records"]


def hostile_records() -> Iterator[Hostile]:
    """All of them."""
    yield from _project()
    yield from _records()
    yield from _indexes()


def _project() -> Iterator[Hostile]:
    settings, datasets, report = (json.loads(samples()[kind][1]) for kind in ("settings", "datasets", "report"))
    for name in (*NAMES, "\ud800"):
        shown = ascii(name[:12])
        yield "settings", f"annotations at {shown}", json.dumps({**settings, "annotations": name}).encode, False
        yield "settings", f"a source named {shown}", json.dumps({**settings, "sources": [name]}).encode, False
        yield "datasets", f"a source named {shown}", json.dumps({name: datasets["one"]}).encode, False
        yield "datasets", f"slides at {shown}", json.dumps({"one": {**datasets["one"], "slides": name}}).encode, False
        yield "report", f"a slide named {shown}", json.dumps({**report, "slide": name}).encode, False
        records = {**report["records"], "name": name}
        yield "report", f"records named {shown}", json.dumps({**report, "records": records}).encode, False
        yield "manifest", f"records named {shown}", json.dumps({name: {"total": 3}}).encode, False
    for kind in ("settings", "datasets", "report", "extraction", "manifest"):
        for damage, text in {
            "ten thousand levels": '{"a":' * 10_000 + "1" + "}" * 10_000,
            "three hundred levels": '{"a":' * 300 + "1" + "}" * 300,
            "a list": "[]",
            "a number": "1e999",
            "a key twice": samples()[kind][1].decode().replace("{", '{"a": 1, "a": 2, ', 1),
            "lists for all": json.dumps({key: [value] for key, value in json.loads(samples()[kind][1]).items()}),
            "nothing for all": json.dumps(dict.fromkeys(json.loads(samples()[kind][1]))),
        }.items():
            yield kind, damage, text.encode, False
    for total in ("-1", "1e308", "Infinity", "NaN", "true", '"5"', "9" * 400, "[5]"):
        text = f'{{"s.tfrecords": {{"total": {total}}}}}'
        yield "manifest", f"a total of {total[:8]}", text.encode, False


def _records() -> Iterator[Hostile]:
    for length in (1 << 30, (1 << 31) - 1, 1 << 40, (1 << 64) - 1):
        head = struct.pack("<Q", length)
        yield "tfrecord", f"a record of {length} bytes", partial(bytes, head + _masked(head) + b"abcd"), False
    for damage, payload in {
        "no example": b"\xff" * 40,
        "an empty example": b"",
        "one of other features": b"\x0a\x00",
    }.items():
        head = struct.pack("<Q", len(payload))
        framed = head + _masked(head) + payload + _masked(payload)
        yield "tfrecord", damage, partial(bytes, framed), False


def _masked(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _indexes() -> Iterator[Hostile]:
    pairs = np.array([[0, 5], [5, 6]])
    for damage, arrays in {
        "offsets before the file": {"arr_0": pairs - 100},
        "offsets beyond all files": {"arr_0": pairs.astype(np.uint64) + np.uint64((1 << 64) - 50)},
        "no offsets": {"locations": pairs},
        "texts": {"arr_0": pairs.astype(str)},
        "objects": {"arr_0": pairs.astype(object)},
        "another array": {"arr_0": pairs, "other": pairs},
        "locations of others": {"arr_0": pairs, "locations": pairs[:1]},
        "columns first": {"arr_0": np.asfortranarray(pairs)},
        "small numbers": {"arr_0": pairs.astype("<i4"), "locations": pairs.astype(">i4")},
    }.items():
        yield "index", damage, partial(_npz, arrays), False
    for damage, header in {
        "a shape beyond memory": "{'descr': '<i8', 'fortran_order': False, 'shape': (999999999999, 2), }",
        "a shape of huge numbers": f"{{'descr': '<i8', 'fortran_order': False, 'shape': ({'9' * 40}, 2), }}",
        "a header of brackets": "(" * 5000,
        "a header of a set": "{[]: 1}",
        "a negative shape": "{'descr': '<i8', 'fortran_order': False, 'shape': (-2, 2), }",
    }.items():
        yield "index", damage, partial(_zip, _npy(header)), False
    yield "index", "a gigabyte of zeros", partial(_bomb, 1 << 30), True
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        yield "index", f"packed by method {method}", partial(_zip, b"x" * 99, method), False


def _bomb(size: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("arr_0.npy", "w") as member:
        for _ in range(size >> 20):
            member.write(bytes(1 << 20))
    return file.getvalue()


def _npz(arrays: dict[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _npy(header: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(64)


def _zip(content: bytes, method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("arr_0.npy", content)
    return file.getvalue()
