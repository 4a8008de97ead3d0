"""Generators of torch: files ``.pt2`` of `torch.export`, and TorchScript's ``.pt``, ``.pth``, ``.ts``."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found, unused-ignore]
from numpy.typing import NDArray

from slidekit.errors import NormalizerError
from slidekit.norm.generator.base import InputShape, check_channels, check_output

__all__ = ["TorchGenerator", "load"]

_FAILURES = (
    *(RuntimeError, ValueError, TypeError, KeyError, AssertionError, EOFError, OSError),
    *(pickle.UnpicklingError, zipfile.BadZipFile),
)
"""What torch raises on files that are damaged, and on tensors that a network does not take."""


def load(path: str) -> TorchGenerator:
    """Load a network, channels first.

    Parameters
    ----------
    path
        The file. Only programs are loaded, no pickled Python objects; a file of `torch.save`, whether of weights or
        of a module, is refused.

    Raises
    ------
    NormalizerError
        If it is damaged, no such program, or does not take RGB images.
    """
    try:
        if path.lower().endswith(".pt2"):
            program = torch.export.load(path)
            return TorchGenerator(path, program.module(), _exported_shape(path, program))
        return TorchGenerator(path, _load_script(path), InputShape())
    except _FAILURES as error:
        raise NormalizerError(
            f"torch cannot load the generator: {_first_line(error)}",
            mend="Give a program saved with torch.export.save (.pt2) or torch.jit.save (.pt), not weights alone.",
            path=path,
        ) from error


def _load_script(path: str) -> Any:
    """A program of TorchScript, on the CPU."""
    with warnings.catch_warnings():
        # torch 2.13 deprecates TorchScript; there are many such files, and whoever has one cannot mend it.
        warnings.filterwarnings("ignore", message=".*torch.jit.*deprecated", category=DeprecationWarning)
        return torch.jit.load(path, map_location="cpu").eval()  # type: ignore[no-untyped-call, unused-ignore]


def _exported_shape(path: str, program: torch.export.ExportedProgram) -> InputShape:
    """The shape that a program was exported for; lengths that were left open are symbols in it."""
    names = program.graph_signature.user_inputs
    inputs = [node for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
    if len(inputs) != 1:
        raise NormalizerError(
            f"The generator has {len(inputs)} inputs.", mend="Give a generator of one image from one image.", path=path
        )
    lengths = [length if isinstance(length, int) else None for length in inputs[0].meta["val"].shape]
    check_channels(path, lengths, channel_axis=1)
    batch, _, height, width = lengths
    return InputShape(batch, height, width)


class TorchGenerator:
    """A network of torch as a `slidekit.norm.generator.base.Generator`; it works on the CPU.

    Parameters
    ----------
    path
        Its file, for messages.
    network
        Takes and gives a float32 tensor (n, 3, h, w).
    shape
        What it takes.
    """

    def __init__(self, path: str, network: Callable[[torch.Tensor], Any], shape: InputShape) -> None:
        self.shape = shape
        self._path = path
        self._network = network

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Images in other colours; see `slidekit.norm.generator.base.Generator`."""
        try:
            with torch.inference_mode():
                output = self._network(torch.from_numpy(batch).permute(0, 3, 1, 2).contiguous())
        except _FAILURES as error:
            raise NormalizerError(
                f"The generator cannot work on {batch.shape}: {_first_line(error)}",
                mend="Export it for the size of the tiles, or for any size that is a multiple of 4.",
                path=self._path,
            ) from error
        if not isinstance(output, torch.Tensor) or output.ndim != 4:
            raise NormalizerError(
                "The generator does not give a tensor (n, 3, h, w).",
                mend="Give a generator of one image from one image.",
                path=self._path,
            )
        return check_output(self._path, output.permute(0, 2, 3, 1).float().numpy(), batch.shape)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300] or type(error).__name__
