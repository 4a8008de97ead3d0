"""Opens and reads damaged copies of a slide; run in a process of its own, because a decoder may end it.

``python fuzz.py SLIDE FOLDER SEED COUNT`` writes one line of JSON: how many copies opened, how many reads failed, and
every exception that was not one of slidekit's, with what was done to the file.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections import Counter
from pathlib import Path

import numpy as np

from slidekit.errors import SlideOpenError, SlideReadError
from slidekit.pixels.readers import READERS, open_slide

LARGEST_READ = 600


def damage(data: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    """Cut the file, flip bits in it, or write over a part of it; half of the time where its directories are."""
    how = rng.choice(["cut", "flip", "flip head", "overwrite"])
    broken = bytearray(data)
    if how == "cut":
        end = int(rng.integers(1, len(data)))
        return bytes(broken[:end]), f"cut at {end}"
    span = min(1200, len(data)) if how == "flip head" else len(data)
    places = rng.integers(0, span, int(rng.integers(1, 12)))
    for place in places.tolist():
        if how == "overwrite":
            broken[place : place + 16] = rng.bytes(16)[: len(broken) - place]
        else:
            broken[place] ^= 1 << int(rng.integers(8))
    return bytes(broken), f"{how} {places.tolist()}"


def use(path: Path, reader_name: str, counts: Counter[str]) -> None:
    """Open the file and read a few rectangles of each level."""
    try:
        reader = open_slide(path, reader_name)
    except SlideOpenError:
        counts["not opened"] += 1
        return
    counts["opened"] += 1
    with reader:
        for level, at in enumerate(reader.levels[:6]):
            for x, y in ((0, 0), (at.width // 2, at.height // 2), (at.width - 50, at.height - 50)):
                try:
                    reader.read(level, x, y, min(at.width, LARGEST_READ), min(at.height, LARGEST_READ))
                    counts["read"] += 1
                except SlideReadError:
                    counts["not read"] += 1


def main(slide: Path, folder: Path, seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    data = slide.read_bytes()
    counts: Counter[str] = Counter()
    escaped: list[str] = []
    path = folder / f"broken{''.join(slide.suffixes)}"
    for _ in range(count):
        broken, what = damage(data, rng)
        path.write_bytes(broken)
        for name in ("auto", *READERS):
            try:
                use(path, name, counts)
            except Exception as error:  # noqa: BLE001 - to find any is what this is for
                place = traceback.extract_tb(error.__traceback__)[-1]
                escaped.append(f"{name}, {what}: {error!r} at {place.filename}:{place.lineno}")
    json.dump({"counts": counts, "escaped": escaped}, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
