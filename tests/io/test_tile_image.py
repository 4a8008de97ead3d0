"""One decoder for every way in which tiles are read: the same pixels, whatever an image says of itself."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from slidekit.io.tile_image import decode_image, decode_into
from slidekit.record_tools.images import decode_tile


def encoded(image: np.ndarray, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


def test_gray_levels_of_16_bits_are_scaled() -> None:
    levels = np.array([[0, 16384, 32768, 65535]], np.uint16)
    data = encoded(levels, "PNG")

    # PNG specification, section 13.12: (level · 255 / 65535), to the nearest or by the upper byte.
    expected = levels / 257
    for image in (decode_image(data), decode_tile(data)):
        assert np.abs(image - expected[..., np.newaxis]).max() < 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_camera_s_orientation_turns_nothing(kind: str) -> None:
    # Arrange: orientation 6 is a quarter turn
    image = np.zeros((16, 32, 3), np.uint8)
    image[:, :16] = 200
    exif = Image.Exif()
    exif[274] = 6
    data = encoded(image, kind, exif=exif)

    # Act
    out = np.zeros_like(image)
    decode_into(data, out)

    # Assert
    for found in (decode_image(data), decode_tile(data), out):
        assert found.shape == image.shape
        assert np.abs(found.astype(int) - image).max() < 3
