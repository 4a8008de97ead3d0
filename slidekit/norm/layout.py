"""How images come in: array or tensor, one or a batch, channels first or last; and how they go out again.

No framework is imported here: whoever has a tensor has loaded the framework that made it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import NormalizerError
from slidekit.norm.source import check_image

__all__ = ["Framework", "Layout", "framework_of", "read_layout", "standardize"]

Framework: TypeAlias = Literal["numpy", "torch", "tensorflow"]


class Layout(NamedTuple):
    """What images look like."""

    framework: Framework
    batch: bool
    """Whether there is an axis of images."""
    channels_first: bool = False
    in_graph: bool = False
    """Whether it is a symbolic tensor of a TensorFlow graph, which has no pixels yet."""

    def to_native(self, images: Any) -> Any:
        """A batch as the framework works on it: torch (n, 3, h, w), TensorFlow (n, h, w, 3)."""
        batch = images if self.batch else images[None]
        if self.framework == "torch" and not self.channels_first:
            return batch.permute(0, 3, 1, 2)
        return batch

    def from_native(self, batch: Any) -> Any:
        """The way back from `to_native`."""
        if self.framework == "torch" and not self.channels_first:
            batch = batch.permute(0, 2, 3, 1).contiguous()
        return batch if self.batch else batch[0]

    def to_numpy(self, images: Any) -> list[NDArray[np.uint8]]:
        """The images as arrays (h, w, 3) in main memory.

        Raises
        ------
        NormalizerError
            If they are symbolic.
        """
        if self.in_graph:
            raise NormalizerError(
                "This is done by numpy, which cannot work in a graph of TensorFlow.",
                mend="Do it before the images become a tf.data.Dataset; or transform them with macenko or reinhard.",
            )
        array = images
        if self.framework == "torch":
            array = images.detach().cpu().numpy()
        elif self.framework == "tensorflow":
            array = images.numpy()
        if self.channels_first:
            array = np.moveaxis(array, -3, -1)
        return list(array) if self.batch else [array]

    def from_numpy(self, results: Sequence[NDArray[np.uint8]], images: Any) -> Any:
        """Arrays (h, w, 3), one for each image, in the layout, and on the device, that `images` have."""
        array = np.stack(results) if results and self.batch else results[0] if results else np.empty(images.shape, "u1")
        if self.framework == "numpy":
            return array
        if self.channels_first and results:
            array = np.ascontiguousarray(np.moveaxis(array, -1, -3))
        if self.framework == "torch":
            return images.new_tensor(array)
        return sys.modules["tensorflow"].convert_to_tensor(array)


def framework_of(images: Any) -> Framework | None:
    """Whose array or tensor this is; None for anything else."""
    if isinstance(images, np.ndarray):
        return "numpy"
    roots = {kind.__module__.partition(".")[0] for kind in type(images).__mro__}
    if not (hasattr(images, "dtype") and hasattr(images, "shape")):
        return None
    return "torch" if "torch" in roots else "tensorflow" if "tensorflow" in roots else None


def read_layout(images: Any) -> Layout:
    """Find out how images come in.

    Parameters
    ----------
    images
        What the caller gave.

    Returns
    -------
    Layout
        Each image of a numpy batch is still to be checked by `check_image`.

    Raises
    ------
    NormalizerError
        If they are not RGB images of uint8.
    """
    framework = framework_of(images)
    if framework is None:
        check_image(images)
    if framework == "numpy" or framework is None:
        if images.ndim == 4:
            # An empty batch has no image that would be checked.
            check_image(np.empty((1, 1, images.shape[3]), images.dtype))
        return Layout("numpy", batch=images.ndim == 4)
    kind = str(images.dtype).removeprefix("torch.") if framework == "torch" else images.dtype.name
    if kind != "uint8":
        raise NormalizerError(
            f"A stain normaliser takes uint8 pixels, not {kind}.",
            mend="Scale the image to 0–255 and convert it to uint8; normalise before standardising.",
        )
    return _torch_layout(images) if framework == "torch" else _tensorflow_layout(images)


def _torch_layout(images: Any) -> Layout:
    shape = tuple(images.shape)
    if len(shape) in (3, 4):
        if shape[-3] == 3:
            return Layout("torch", batch=len(shape) == 4, channels_first=True)
        if shape[-1] == 3:
            return Layout("torch", batch=len(shape) == 4)
    raise NormalizerError(
        f"A stain normaliser takes tensors of RGB images, not of shape {shape}.",
        mend="Give (3, h, w), (h, w, 3), (n, 3, h, w) or (n, h, w, 3); drop an alpha channel.",
    )


def _tensorflow_layout(images: Any) -> Layout:
    rank = images.shape.rank
    if rank not in (3, 4) or images.shape[-1] not in (3, None):
        raise NormalizerError(
            f"A stain normaliser takes tensors of RGB images, not of shape {images.shape}.",
            mend="Give (h, w, 3) or (n, h, w, 3), the rank set with tf.ensure_shape; drop an alpha channel.",
        )
    return Layout("tensorflow", batch=rank == 4, in_graph=not hasattr(images, "numpy"))


def standardize(images: Any) -> Any:
    """Images as float32 from -1 to 1: ``x / 127.5 - 1``.

    Parameters
    ----------
    images
        uint8, an array or tensor of any shape.

    Returns
    -------
    array or tensor
        Of the same kind and shape, on the same device.
    """
    framework = framework_of(images)
    if framework == "torch":
        return images.float() / 127.5 - 1
    if framework == "tensorflow":
        return sys.modules["tensorflow"].cast(images, "float32") / 127.5 - 1
    return images.astype(np.float32) / np.float32(127.5) - np.float32(1)
