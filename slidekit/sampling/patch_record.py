"""A patch as a record: the features of an extracted tile, and more of what is known of the patch."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from slidekit.errors import RecordError
from slidekit.io.example import decode_example, encode_example
from slidekit.slide.encode import encode_image
from slidekit.slide.parallel import map_ordered, usable_cores
from slidekit.slide.spec import ImageFormat
from slidekit.units import tile_size_label

if TYPE_CHECKING:
    from slidekit.sampling.feeding.batch import Batch
    from slidekit.sampling.spec import SamplingSpec

__all__ = ["decode_map", "encode_patches", "folder_name", "images_of"]

_MOST_THREADS = 4

_VIEW, _MAP = "view_{}", "label_image"
"""Features of further views, counted from 1, and of the label image."""


class Named(Protocol):
    """What says how images are encoded."""

    @property
    def img_format(self) -> str:
        """``png``, or ``jpg`` and its quality."""


def folder_name(spec: SamplingSpec) -> str:
    """Name of the folder of a sampler's patches: that of an extraction's, where the size is in microns or a power."""
    unit = spec.scales[0][0].unit
    sizes = {scale[0].size for scale in spec.scales}
    if len(sizes) > 1:
        return f"{spec.tile_px}px_several"
    (size,) = sizes
    if unit == "x":
        return tile_size_label(spec.tile_px, f"{size:g}x")
    if unit in ("um", "mpp"):
        um = size if unit == "um" else size * (spec.field_px or spec.tile_px)
        return tile_size_label(spec.tile_px, um)
    return f"{spec.tile_px}px_{unit}{size:g}"


def encode_patches(
    batch: Batch, spec: SamplingSpec, wanted: Named, quality: int
) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Encode the patches of a batch.

    Parameters
    ----------
    batch
        The patches.
    spec
        What was sampled.
    wanted
        How images are encoded.
    quality
        Of JPEG.

    Yields
    ------
    (bytes, (int, int))
        A serialised ``tf.train.Example``, and where it lies: x, y, level-0 pixels.
    """
    suffix: ImageFormat = "png" if wanted.img_format == "png" else "jpg"
    encode = partial(_encode, batch, spec, suffix, quality)
    yield from map_ordered(encode, range(len(batch)), threads=min(_MOST_THREADS, usable_cores()))


def _encode(
    batch: Batch, spec: SamplingSpec, suffix: ImageFormat, quality: int, row: int
) -> tuple[bytes, tuple[int, int]]:
    """Encode one patch."""
    views = batch.images if isinstance(batch.images, tuple) else (batch.images,)
    encoded = [encode_image(view[row], suffix, quality=quality) for view in views]
    x, y = (int(value) for value in batch.loc[row])
    features: dict[str, bytes | int] = {
        "image_raw": encoded[0],
        "slide": batch.slides[row].encode(),
        "loc_x": x,
        "loc_y": y,
        "step": int(batch.steps[row]),
        "scale": int(batch.scales[row]),
        # What reads records here and in Slideflow knows no floats.
        "mpp": f"{float(batch.mpp[row]):.9g}".encode(),
        "tissue": f"{float(batch.tissue[row]):.6g}".encode(),
    }
    features |= {_VIEW.format(place): image for place, image in enumerate(encoded[1:], 1)}
    if (number := int(batch.classes[row])) >= 0:
        features |= {"class": number, "label": spec.class_names[number].encode()}
    if batch.background[row]:
        features["background"] = 1
    if batch.inside[row] < 1:
        features["edge"] = 1
    if batch.labels is not None:
        _, data = cv2.imencode(".png", batch.labels[row])
        features[_MAP] = data.tobytes()
    return encode_example(features), (x, y)


def images_of(payload: bytes, views: int, *, has_map: bool) -> tuple[list[bytes], bytes | None]:
    """The encoded images of a record: those of its views, and its label image.

    Raises
    ------
    RecordError
        If one is missing.
    """
    features = decode_example(payload)
    names = ["image_raw", *(_VIEW.format(place) for place in range(1, views)), *([_MAP] if has_map else [])]
    found = [features.get(name) for name in names]
    images = [image for image in found if isinstance(image, bytes)]
    if len(images) < len(names):
        raise RecordError("a record lacks an image of its patch.", mend="Write the patches again.")
    return images[:views], images[views] if has_map else None


def decode_map(data: bytes, out: NDArray[np.uint8]) -> None:
    """Decode a label image, uint8 (px, px), into its place.

    Raises
    ------
    RecordError
        If it cannot be decoded, or has another size.
    """
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None or image.shape != out.shape:
        raise RecordError("a label image is damaged.", mend="Write the patches again.")
    out[:] = image
