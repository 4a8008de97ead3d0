"""What tests of the buffer look at; in a module of its own, beside `tests_standins`."""

from __future__ import annotations

import os
import time
from pathlib import Path

IN_PLACE = "is not copied to the buffer, but read in place"


def copies_in(buffer: Path) -> list[str]:
    """Names of the slides that have a copy."""
    # os.walk, unlike glob, passes over folders that are removed meanwhile.
    levels = ((Path(parent), folders + files) for parent, folders, files in os.walk(buffer))
    return sorted(
        name
        for parent, names in levels
        if parent.parent.name == ".copies" and parent.suffix != ".part"
        for name in names
    )


def bytes_in(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(parent) / name).stat().st_size if ".copies" in parent else 0
            except FileNotFoundError:
                continue
    return total


def wait_until(true) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)
