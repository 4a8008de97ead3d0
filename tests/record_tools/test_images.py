"""How images were encoded is found out, and done again."""

from __future__ import annotations

import numpy as np
import pytest
import simplejpeg
from PIL import Image
from tool_records import encoded, pixels

from slidekit.errors import RecordError
from slidekit.record_tools.images import decode_tile, encoding_of, format_of
from slidekit.slide.encode import encode_image


@pytest.mark.parametrize("quality", [1, 10, 24, 25, 49, 50, 51, 75, 90, 95, 99, 100])
def test_the_quality_of_ours_is_found(quality: int) -> None:
    found = encoding_of(encode_image(pixels(1), quality=quality))

    assert found == ("jpg", quality, "420")


@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
def test_the_subsampling_and_quality_of_pillows_are_found(subsampling: str) -> None:
    number = {"444": 0, "422": 1, "420": 2}[subsampling]

    found = encoding_of(encoded(pixels(1), "JPEG", quality=83, subsampling=number))

    assert found == ("jpg", 83, subsampling)


def test_what_is_not_on_libjpegs_scale_has_the_nearest_quality() -> None:
    table = [max(1, n) for n in Image.open(_file(encoded(pixels(1), "JPEG", quality=80))).quantization[0]]
    table[5] += 1

    found = encoding_of(encoded(pixels(1), "JPEG", qtables=[table, table]))

    assert found.quality == 80


def test_gray_and_progressive_jpegs() -> None:
    gray = encoded(pixels(1)[..., 0], "JPEG", quality=90)
    progressive = encoded(pixels(1), "JPEG", quality=90, progressive=True)

    assert encoding_of(gray) == ("jpg", 90, "444")
    assert encoding_of(progressive) == ("jpg", 90, "420")
    assert decode_tile(gray).shape == pixels(1).shape


def test_encoding_again_gives_the_same_bytes() -> None:
    data = encode_image(pixels(2), quality=88, subsampling="422")
    image = simplejpeg.decode_jpeg(data)

    assert encoding_of(data).encode(image) == encode_image(image, quality=88, subsampling="422")


def test_a_png_stays_lossless() -> None:
    data = encoded(pixels(3))

    assert format_of(data) == "png"
    assert np.array_equal(decode_tile(encoding_of(data).encode(decode_tile(data))), pixels(3))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_damaged_images(kind: str) -> None:
    data = encoded(pixels(1), kind)

    for bad in (data[: len(data) // 2], data[:9], b"", b"GIF89a"):
        with pytest.raises(RecordError):
            decode_tile(bad)


def _file(data: bytes):
    import io

    return io.BytesIO(data)
