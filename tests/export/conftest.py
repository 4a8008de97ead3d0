"""TFRecords of three slides, and sources made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from slidekit.annotations import Annotations
from slidekit.dataset.exporting import source_of_records
from slidekit.export import TileSource
from slidekit.io.tfrecord import TileRecord, frame
from slidekit.slide.encode import encode_image

# A name with dots, as TCGA's; two tiles of one place; one tile without cell and region; one PNG.
COUNTS = {"a.b-1": 5, "c": 3, "d": 2}


def draw(seed: int, size: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (size, size, 3), dtype=np.uint8)


def _write_slide(path: Path, slide: str, count: int, *, size: int = 16, img_format: str = "jpg") -> list[TileRecord]:
    records = [
        TileRecord(
            slide,
            encode_image(draw(number, size), img_format),
            loc_x=100 * min(number, 3),
            loc_y=7,
            grid_x=None if number == 1 else number,
            grid_y=None if number == 1 else 0,
            roi_name=None if number == 1 else "größe_1",
            label=None if number == 1 else "tumor",
        )
        for number in range(count)
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join(frame(record.encode()) for record in records))
    return records


@pytest.fixture
def write_slide() -> Callable[..., list[TileRecord]]:
    return _write_slide


@pytest.fixture
def records(tmp_path: Path) -> dict[str, list[TileRecord]]:
    """Slide to its records, which lie in ``records/``."""
    return {
        name: _write_slide(
            tmp_path / "records" / f"{name}.tfrecords", name, count, img_format="png" if name == "d" else "jpg"
        )
        for name, count in COUNTS.items()
    }


@pytest.fixture
def annotations() -> Annotations:
    return Annotations.read(
        pd.DataFrame(
            {
                "patient": ["p1", "p1", "p2"],
                "slide": list(COUNTS),
                "category": ["tumor", "benign", "tumor"],
                "grade": ["0.1", "2", "3.5"],
                "site": ["Köln", "", "x"],
            }
        )
    )


@pytest.fixture
def make_source(
    tmp_path: Path, records: dict[str, list[TileRecord]], annotations: Annotations
) -> Callable[..., TileSource]:
    def make(**options: Any) -> TileSource:
        paths = [tmp_path / "records" / f"{name}.tfrecords" for name in records]
        return source_of_records(paths, annotations, **options)

    return make


@pytest.fixture
def flat(records: dict[str, list[TileRecord]]) -> list[TileRecord]:
    """All records in the order of an export."""
    return [record for of_slide in records.values() for record in of_slide]
