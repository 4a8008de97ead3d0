"""Images of records: decoded strictly, and encoded again in the format and at the quality that they had."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from slidekit.errors import RecordError
from slidekit.io.tile_image import decode_image, image_shape
from slidekit.pixels.image import RGBImage
from slidekit.slide.encode import encode_image
from slidekit.slide.spec import ImageFormat

__all__ = ["Encoding", "decode_tile", "encoding_of", "format_of"]

_JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
_MOST = 16384
"""Largest edge of a tile: a damaged header may claim gigabytes."""

_SUBSAMPLING = {0: "444", 1: "422", 2: "420"}
"""Pillow's numbers of chroma subsamplings; what is none of them is encoded without."""

# ITU-T T.81, table K.1: luminance quantisation, in rows.
_LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip


class Encoding(NamedTuple):
    """How an image was encoded."""

    img_format: ImageFormat
    quality: int = 95
    """Of a JPEG: 1–100 on libjpeg's scale, the nearest where its tables are not on it."""
    subsampling: str = "420"
    """Of a JPEG: ``444``, ``422`` or ``420``."""

    def encode(self, image: RGBImage) -> bytes:
        """Encode an image (rows, columns, 3), uint8 RGB, in the same way."""
        return encode_image(image, self.img_format, quality=self.quality, subsampling=self.subsampling)


def format_of(data: bytes) -> ImageFormat | None:
    """``jpg`` or ``png`` by the first bytes; None if it is neither."""
    return "jpg" if data.startswith(_JPEG) else "png" if data.startswith(_PNG) else None


def decode_tile(data: bytes) -> RGBImage:
    """Decode the image of a tile.

    Parameters
    ----------
    data
        A whole JPEG or PNG.

    Returns
    -------
    ndarray (rows, columns, 3), uint8, RGB

    Raises
    ------
    RecordError
        If it is neither, or damaged.
    """
    if format_of(data) is None:
        raise RecordError("an image is neither a JPEG nor a PNG.")
    try:
        rows, columns = image_shape(data)
        if not (1 <= rows <= _MOST and 1 <= columns <= _MOST):
            raise RecordError(f"an image claims to be of {columns} × {rows} px.")
        return decode_image(data)
    except ValueError as error:
        raise RecordError(f"an image cannot be decoded: {error}") from error


def encoding_of(data: bytes) -> Encoding:
    """Find out how an image was encoded, so that another one can be encoded alike.

    Parameters
    ----------
    data
        A whole JPEG or PNG that `decode_tile` reads.
    """
    if not data.startswith(_JPEG):
        return Encoding("png")
    from PIL import Image, JpegImagePlugin

    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        assert isinstance(image, JpegImagePlugin.JpegImageFile)
        table = tuple(image.quantization[min(image.quantization)])
        sampling = JpegImagePlugin.get_sampling(image)
    return Encoding("jpg", _quality(table), _SUBSAMPLING.get(sampling, "444"))


@lru_cache(maxsize=64)
def _quality(table: tuple[int, ...]) -> int:
    """Quality whose luminance table is nearest, by libjpeg's scaling of the standard's."""
    differences = [int(np.abs(_scaled(quality) - np.array(table)).sum()) for quality in range(1, 101)]
    return int(np.argmin(differences)) + 1


def _scaled(quality: int) -> npt.NDArray[np.int64]:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((np.array(_LUMINANCE, np.int64) * scale + 50) // 100, 1, 255)
