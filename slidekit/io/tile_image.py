"""The image of a record, to pixels: JPEG by libjpeg-turbo, PNG by OpenCV."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["decode_image", "decode_into", "image_format", "image_shape"]

_JPEG, _PNG = b"\xff\xd8", b"\x89PNG"


def image_format(data: bytes) -> Literal["jpeg", "png"]:
    """Tell the format of an image by its first bytes.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if data.startswith(_JPEG):
        return "jpeg"
    if data.startswith(_PNG):
        return "png"
    raise ValueError("it is neither a JPEG nor a PNG")


def image_shape(data: bytes) -> tuple[int, int]:
    """Rows and columns of an image.

    Raises
    ------
    ValueError
        If it cannot be decoded.
    """
    import simplejpeg

    if image_format(data) == "png":
        # Width and height begin the first chunk (PNG specification, section 11.2.2).
        if len(data) < 24:
            raise ValueError("it is cut off")
        return int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big")
    rows, columns, _, _ = simplejpeg.decode_jpeg_header(data)
    return int(rows), int(columns)


def decode_image(data: bytes) -> NDArray[np.uint8]:
    """Decode an image to uint8 (rows, columns, 3), RGB; of 16 bits the upper 8; without orientation and transparency.

    Raises
    ------
    ValueError
        If it cannot be decoded.
    """
    import simplejpeg

    if image_format(data) == "png":
        return _decode_png(data)
    image: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, colorspace="RGB")
    return image


def decode_into(data: bytes, out: NDArray[np.uint8]) -> tuple[int, int]:
    """Decode an image to its place, if it has that size.

    Parameters
    ----------
    data
        The image.
    out
        (rows, columns, 3), uint8, C-contiguous: receives RGB.

    Returns
    -------
    (int, int)
        Rows and columns of the image; `out` is as it was where it has others.

    Raises
    ------
    ValueError
        If it cannot be decoded.
    """
    import simplejpeg

    size = image_shape(data)
    if size == out.shape[:2]:
        if image_format(data) == "jpeg":
            simplejpeg.decode_jpeg(data, colorspace="RGB", buffer=out)
        else:
            out[:] = _decode_png(data)
    return size


def _decode_png(data: bytes) -> NDArray[np.uint8]:
    import cv2

    # As it is stored, as JPEGs are read: a tile's place on the slide knows nothing of a camera's orientation.
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None:
        raise ValueError("it is a damaged PNG")
    return image.astype(np.uint8, copy=False)
