from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from slidekit.errors import ReportError
from slidekit.report.jpeg import read_jpeg


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pixels_stay_and_notes_go(tmp_path, mode, progressive):
    path = tmp_path / "a.jpg"
    noise = np.random.default_rng(0).integers(0, 255, (21, 33, 3), np.uint8)
    exif = Image.Exif()
    exif[0x010E] = "Doe John"
    Image.fromarray(noise).convert(mode).save(path, exif=exif, comment=b"Doe John", progressive=progressive)

    picture = read_jpeg(path)

    assert (picture.width, picture.height) == (33, 21)
    assert b"Doe John" in path.read_bytes()
    assert b"Doe John" not in picture.data
    with Image.open(io.BytesIO(picture.data)) as ours, Image.open(path) as theirs:
        assert np.array_equal(np.asarray(ours), np.asarray(theirs))


def test_a_colour_profile_stays(tmp_path):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (8, 8)).save(path, icc_profile=b"profile of a scanner")

    assert b"profile of a scanner" in read_jpeg(path).data


@pytest.mark.parametrize(
    "data", [b"", b"no picture", b"\xff\xd8", b"\xff\xd8\xff\xda\x00\x02", b"\xff\xd8\xff\xc0\x00\x11\x08"]
)
def test_what_is_no_jpeg_is_an_error(tmp_path, data):
    path = tmp_path / "a.jpg"
    path.write_bytes(data)

    with pytest.raises(ReportError, match="JPEG"):
        read_jpeg(path)


def test_a_missing_picture_is_an_error(tmp_path):
    with pytest.raises(ReportError, match="cannot be read"):
        read_jpeg(tmp_path / "none.jpg")
