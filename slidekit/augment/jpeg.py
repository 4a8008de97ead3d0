"""JPEG and back, for arrays."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["compress"]


def compress(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Encode an image as JPEG with colours at half the resolution (4:2:0), and decode it.

    Parameters
    ----------
    image
        uint8 (h, w, 3), RGB.
    quality
        1–100.
    """
    import simplejpeg

    # OpenCV's encoder and TensorFlow's give the same bytes. TurboJPEG's interface, which simplejpeg has, transforms
    # less exactly below quality 96.
    _, data = cv2.imencode(
        ".jpg",
        np.ascontiguousarray(image[..., ::-1]),
        (cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420),
    )
    decoded: NDArray[np.uint8] = simplejpeg.decode_jpeg(data.tobytes(), colorspace="RGB")
    return decoded
