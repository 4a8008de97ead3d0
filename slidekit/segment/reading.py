"""Images and masks in memory, or in a temporary file where they are more than memory should hold."""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from slidekit.errors import DatasetError
from slidekit.segment.data import SegmentData
from slidekit.segment.mask_config import MaskConfig, image_file, mask_file

__all__ = ["ImageStore", "SlidePair", "read_pair"]

_MOST_BYTES = 2 << 30


@dataclass(frozen=True)
class SlidePair:
    """A slide as the network sees it.

    Attributes
    ----------
    image
        (rows, columns, 3), uint8, RGB.
    mask
        (rows, columns), uint8, numbers of classes, 0 for none; for ``multilabel`` (rows, columns, labels) of 0 and 1.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]


class ImageStore:
    """Decodes each slide of exported data once; several threads may ask.

    Parameters
    ----------
    data
        What is read.
    most_bytes
        Pixels beyond it lie in a temporary file, which the system maps to memory.
    """

    def __init__(self, data: SegmentData, *, most_bytes: int = _MOST_BYTES) -> None:
        self._data = data
        self._left = most_bytes
        self._pairs: dict[str, SlidePair] = {}
        self._lock = threading.Lock()
        self._folder: Path | None = None

    def pair(self, slide: str) -> SlidePair:
        """Image and mask of a slide.

        Raises
        ------
        DatasetError
            If a file is damaged, or image and mask are not of one size.
        """
        with self._lock:
            if slide not in self._pairs:
                pair = read_pair(self._data.folder, self._data.config, slide)
                size = pair.image.nbytes + pair.mask.nbytes
                if size > self._left:
                    pair = SlidePair(self._mapped(pair.image), self._mapped(pair.mask))
                else:
                    self._left -= size
                self._pairs[slide] = pair
            return self._pairs[slide]

    def _mapped(self, array: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="slidekit-segment-"))
            # It goes when the store does, or the program.
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        path = self._folder / f"{len(list(self._folder.iterdir()))}.npy"
        np.save(path, array)
        mapped: NDArray[np.uint8] = np.load(path, mmap_mode="r")
        return mapped


def read_pair(folder: Path, config: MaskConfig, slide: str) -> SlidePair:
    """Decode image and mask of a slide, and make sure that they are what a config says.

    Raises
    ------
    DatasetError
        If they are not, or a file is damaged.
    OSError
        If a file cannot be read.
    """
    path, mode = image_file(folder, slide), config.mode
    mask_path = mask_file(folder, slide, mode)
    image = _read_png(path, cv2.IMREAD_COLOR_RGB)
    classes = len(config.labels) if config.labels is not None else 1
    if mode == "multilabel":
        mask = np.ascontiguousarray(np.moveaxis(_read_planes(mask_path), 0, -1))
        fits, highest = mask.shape[-1] == classes, 1
    else:
        mask = _read_png(mask_path, cv2.IMREAD_UNCHANGED)
        fits, highest = mask.ndim == 2, classes if mode == "multiclass" else 1
    one = config.slides[slide]
    if mask.shape[:2] != image.shape[:2] or image.shape[:2] != (one.rows, one.columns) or not fits:
        raise DatasetError(
            f"is {mask.shape}, and the image is {image.shape[:2]} where {(one.rows, one.columns)} is expected.",
            mend="Export the slide again.",
            path=mask_path,
        )
    if mask.max(initial=0) > highest:
        raise DatasetError(
            f"has the value {mask.max()}, and classes end at {highest}.",
            mend="Write 0 for no class and 1, 2… for the labels in their order.",
            path=mask_path,
        )
    return SlidePair(image, mask)


def _read_png(path: Path, how: int) -> NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), how)
    if image is None or image.dtype != np.uint8:
        raise DatasetError("is damaged, or no PNG of 8 bits.", mend="Export the slide again.", path=path)
    return np.asarray(image, np.uint8)


def _read_planes(path: Path) -> NDArray[np.uint8]:
    try:
        with np.load(path, allow_pickle=False) as file:
            planes = np.asarray(file["mask"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetError(f"is damaged: {error}.", mend="Export the slide again.", path=path) from error
    if planes.ndim != 3:
        raise DatasetError("does not hold (labels, rows, columns).", mend="Export the slide again.", path=path)
    return (planes > 0).astype(np.uint8)
