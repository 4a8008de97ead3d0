"""What a folder of several sizes promises, every record must hold."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from slidekit.extraction.verify.folder import verify_folder
from slidekit.io.tfrecord import FurtherImage, TileRecord
from slidekit.record_tools.writing import RecordWriter

PNG = cv2.imencode(".png", np.arange(192, dtype=np.uint8).reshape(8, 8, 3))[1].tobytes()


def write(folder: Path, *sizes: tuple[str, ...]) -> Path:
    folder.mkdir()
    with RecordWriter(folder / "a.tfrecords") as writer:
        for number, names in enumerate(sizes):
            further = tuple(FurtherImage(name, PNG) for name in names)
            writer.append(TileRecord("a", PNG, number + 5, 5, further=further).encode(), (number + 5, 5))
    return folder


def test_records_without_a_size_that_the_folder_promises_are_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "8px_8um+32um+4um", ("32um",), ("32um",))

    (fault,) = verify_folder(tmp_path).faults

    assert fault.path == folder / "a.tfrecords"
    assert "2 of 2 records have not the sizes" in fault.what
    assert "record 0 at byte 0 has no image of 4um" in fault.what


@pytest.mark.parametrize("label", ["8px_8um+32um", "8px_8um", "8px", "mine"])
def test_records_that_hold_what_is_promised_are_whole(tmp_path: Path, label: str) -> None:
    write(tmp_path / label, ("32um",), ("32um",))

    assert verify_folder(tmp_path).is_whole


@pytest.mark.parametrize("label", ["8px_8um+32um", "8px_8um"])
def test_a_record_that_differs_from_the_others_is_named(tmp_path: Path, label: str) -> None:
    write(tmp_path / label, ("32um",), (), ("32um", "4um"))

    (fault,) = verify_folder(tmp_path).faults

    assert "2 of 3 records" in fault.what
    assert "first record 1" in fault.what
    assert "has no image of 32um" in fault.what
