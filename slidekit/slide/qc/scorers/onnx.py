"""ONNX by onnxruntime, on the CPU."""

from __future__ import annotations

import onnxruntime  # type: ignore[import-untyped, import-not-found, unused-ignore]
from onnxruntime.capi import onnxruntime_pybind11_state as states  # type: ignore[import-untyped, import-not-found, unused-ignore]  # fmt: skip

from slidekit.errors import QCError
from slidekit.slide.qc.scorers.base import sentence
from slidekit.slide.qc.scorers.onnx_header import input_shape
from slidekit.slide.qc.scorers.onnx_scorer import ONNXScorer

__all__ = ["load"]

_FAILURES: tuple[type[Exception], ...] = (
    *(states.Fail, states.InvalidArgument, states.InvalidGraph, states.InvalidProtobuf, states.NoSuchFile),
    *(states.NotImplemented, states.RuntimeException, RuntimeError, ValueError),
)


def load(path: str, key: str) -> ONNXScorer:
    """Load a network.

    Raises
    ------
    QCError
        If it is damaged, uses what this onnxruntime does not know, or takes no RGB images.
    """
    # A damaged file is told in our words.
    input_shape(path)
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
    except _FAILURES as error:
        raise QCError(
            f"onnxruntime cannot load the network: {sentence(error)}",
            mend="Export it again, for an older opset if it says so.",
            path=path,
        ) from error
    return ONNXScorer(path, key, lambda images: session.run(None, {name: images})[0], _FAILURES)
