"""The same normalisation for every kind of image that a pipeline holds: arrays, tensors, JPEG and PNG bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import NormalizerError
from slidekit.norm.codecs import decode_jpeg, decode_png, encode_jpeg, encode_png
from slidekit.norm.layout import Framework, framework_of
from slidekit.norm.layout import standardize as to_floats

__all__ = ["ImageFaces"]


class ImageFaces(ABC):
    """Conversions around `transform`; Slideflow's names."""

    @abstractmethod
    def transform(self, images: Any, augment: bool = False, *, seed: Any = None) -> Any:
        """Normalise an image or a batch."""

    def rgb_to_rgb(self, image: NDArray[np.uint8], *, augment: bool = False) -> NDArray[np.uint8]:
        """Normalise a numpy image, uint8 (h, w, 3) or (n, h, w, 3).

        Raises
        ------
        NormalizerError
            If it is not such an array.
        """
        return np.asarray(self._of(image, "numpy", augment))

    def jpeg_to_rgb(self, data: bytes, *, augment: bool = False) -> NDArray[np.uint8]:
        """Normalise a JPEG file's bytes, to uint8 (h, w, 3).

        Raises
        ------
        NormalizerError
            If the bytes are not a whole JPEG file.
        """
        return self.rgb_to_rgb(decode_jpeg(data), augment=augment)

    def jpeg_to_jpeg(self, data: bytes, *, quality: int = 100, augment: bool = False) -> bytes:
        """Normalise a JPEG file's bytes, to bytes of such a file again.

        Parameters
        ----------
        data
            A JPEG file, as it stands in a TFRecord.
        quality
            1–100; colours are not subsampled.
        augment
            As for `transform`.

        Raises
        ------
        NormalizerError
            If the bytes are not a whole JPEG file, or `quality` is not within 1–100.
        """
        return encode_jpeg(self.jpeg_to_rgb(data, augment=augment), quality)

    def png_to_rgb(self, data: bytes, *, augment: bool = False) -> NDArray[np.uint8]:
        """Normalise a PNG file's bytes, to uint8 (h, w, 3); transparent pixels become white.

        Raises
        ------
        NormalizerError
            If the bytes are not a whole PNG file.
        """
        return self.rgb_to_rgb(decode_png(data), augment=augment)

    def png_to_png(self, data: bytes, *, augment: bool = False) -> bytes:
        """Normalise a PNG file's bytes, to bytes of such a file again, RGB.

        Raises
        ------
        NormalizerError
            If the bytes are not a whole PNG file.
        """
        return encode_png(self.png_to_rgb(data, augment=augment))

    def tf_to_tf(self, image: Any, *, augment: bool = False, seed: Any = None) -> Any:
        """Normalise a TensorFlow tensor, uint8 (h, w, 3) or (n, h, w, 3), in a graph as well.

        Raises
        ------
        NormalizerError
            If it is not such a tensor.
        """
        return self._of(image, "tensorflow", augment, seed)

    def tf_to_rgb(self, image: Any, *, augment: bool = False) -> NDArray[np.uint8]:
        """Normalise a TensorFlow tensor, to a numpy array of its shape.

        Raises
        ------
        NormalizerError
            If it is not a tensor of images.
        """
        return np.asarray(self._of(image, "tensorflow", augment).numpy())

    def torch_to_torch(self, image: Any, *, augment: bool = False) -> Any:
        """Normalise a torch tensor, uint8, channels first or last, on its device.

        Raises
        ------
        NormalizerError
            If it is not a tensor of images.
        """
        return self._of(image, "torch", augment)

    def preprocess(self, batch: Any, *, augment: bool = False, standardize: bool = False, seed: Any = None) -> Any:
        """Normalise a batch as a loader yields it: numpy, TensorFlow or torch, four axes.

        Parameters
        ----------
        batch, augment, seed
            As for `transform`.
        standardize
            Give float32 from -1 to 1, ``x / 127.5 - 1``, instead of uint8.

        Returns
        -------
        array or tensor
            Of the same kind, shape and layout.

        Raises
        ------
        NormalizerError
            If it is not a batch of images.
        """
        if framework_of(batch) is not None and len(batch.shape) != 4:
            raise NormalizerError(
                f"preprocess takes a batch, not {tuple(batch.shape)}.", mend="transform takes one image as well."
            )
        normalized = self.transform(batch, augment, seed=seed)
        return to_floats(normalized) if standardize else normalized

    def _of(self, images: Any, framework: Framework, augment: bool, seed: Any = None) -> Any:
        if framework_of(images) not in (framework, None):
            raise NormalizerError(
                f"These images are {type(images).__name__}, not of {framework}.", mend="transform takes any of them."
            )
        return self.transform(images, augment, seed=seed)
