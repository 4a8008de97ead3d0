"""Folders of small TFRecords."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from slidekit.io.tfrecord import frame

sys.path.insert(0, str(Path(__file__).parent))

from tool_records import LABEL, encoded, example, pixels


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folder for TFRecords of this size of tile."""
    made = tmp_path / "tfrecords" / LABEL
    made.mkdir(parents=True)
    return made


@pytest.fixture
def write(folder: Path) -> Callable[..., Path]:
    """Write a TFRecord file; by default of three tiles that carry a feature of the user's."""

    def write(slide: str = "a", payloads: Sequence[bytes] | None = None, *, seed: int = 0, kind: str = "PNG") -> Path:
        if payloads is None:
            payloads = [
                example(slide, encoded(pixels(seed + n), kind), 10 * n + 5, 7, grid_x=n, grid_y=0, score=[0.5, n / 4])
                for n in range(3)
            ]
        path = folder / f"{slide}.tfrecords"
        path.write_bytes(b"".join(frame(payload) for payload in payloads))
        return path

    return write
