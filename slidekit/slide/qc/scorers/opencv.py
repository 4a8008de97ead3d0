"""ONNX by OpenCV's own networks (cv2.dnn), which the core install has."""

from __future__ import annotations

import threading
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from slidekit.errors import QCError
from slidekit.slide.qc.scorers.base import sentence
from slidekit.slide.qc.scorers.onnx_header import input_shape
from slidekit.slide.qc.scorers.onnx_scorer import ONNXScorer

__all__ = ["load"]


def load(path: str, key: str) -> ONNXScorer:
    """Load a network.

    Raises
    ------
    QCError
        If it is damaged, uses what OpenCV does not know, or takes no RGB images.
    """
    # A damaged file is told in our words: OpenCV says of it only that it cannot be parsed.
    input_shape(path)
    try:
        net = cv2.dnn.readNetFromONNX(path)
    except cv2.error as error:
        raise QCError(
            f"OpenCV cannot load the network: {sentence(error)}",
            mend="The file may be damaged: export it again. Or install onnxruntime, which knows more of ONNX:"
            " pip install 'slidekit[onnx]'.",
            path=path,
        ) from error
    lock = threading.Lock()

    def run(images: npt.NDArray[np.float32]) -> Any:
        # A net of OpenCV holds its input: threads take turns.
        with lock:
            net.setInput(images)
            return net.forward()

    return ONNXScorer(path, key, run, (cv2.error,))
