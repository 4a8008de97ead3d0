"""JPEG and PNG bytes to RGB arrays and back."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from slidekit.errors import NormalizerError

__all__ = ["decode_jpeg", "decode_png", "encode_jpeg", "encode_png", "flatten"]

_MEND = "Give the bytes of a whole file, such as image_raw of a TFRecord."


def decode_jpeg(data: bytes) -> NDArray[np.uint8]:
    """Decode a JPEG file's bytes to uint8 (h, w, 3), RGB.

    Raises
    ------
    NormalizerError
        If they are not a whole JPEG file.
    """
    import simplejpeg

    try:
        image: NDArray[np.uint8] = simplejpeg.decode_jpeg(_as_bytes(data), colorspace="RGB")
    except ValueError as error:
        raise NormalizerError(f"These bytes are not a JPEG image: {error}.", mend=_MEND) from error
    return image


def encode_jpeg(image: NDArray[np.uint8], quality: int) -> bytes:
    """Encode uint8 (h, w, 3), RGB, as JPEG, colours not subsampled.

    Raises
    ------
    NormalizerError
        If the quality is not within 1–100.
    """
    import simplejpeg

    if not 1 <= quality <= 100:
        raise NormalizerError(f"quality={quality!r} is not a quality of JPEG.", mend="Give 1 to 100.")
    encoded: bytes = simplejpeg.encode_jpeg(image, quality=quality, colorspace="RGB", colorsubsampling="444")
    return encoded


def decode_png(data: bytes) -> NDArray[np.uint8]:
    """Decode a PNG file's bytes to uint8 (h, w, 3), RGB; transparent pixels become white.

    Raises
    ------
    NormalizerError
        If they are not a whole PNG file.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(_as_bytes(data)), formats=["PNG"]) as file:
            return flatten(file)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise NormalizerError(f"These bytes are not a PNG image: {error}.", mend=_MEND) from error


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """Encode uint8 (h, w, 3), RGB, as PNG."""
    _, encoded = cv2.imencode(".png", image[..., ::-1])
    return encoded.tobytes()


def flatten(file: Any) -> NDArray[np.uint8]:
    """RGB of an opened Pillow image, uint8 (h, w, 3), on white where it is transparent."""
    from PIL import Image

    rgba = file.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    return np.asarray(Image.alpha_composite(white, rgba).convert("RGB"))


def _as_bytes(data: Any) -> bytes:
    """Bytes of bytes, or of an eager string tensor of TensorFlow."""
    if hasattr(data, "numpy"):
        data = data.numpy()
    if not isinstance(data, bytes | bytearray | memoryview):
        raise NormalizerError(f"This is {type(data).__name__}, not the bytes of an image.", mend=_MEND)
    return bytes(data)
