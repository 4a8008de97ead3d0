"""Batches of crops: drawn by number for training, side by side for validation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import DatasetError
from slidekit.seeding import slide_generator
from slidekit.segment.augmentation import change_stains, draw_change, flip_and_turn, take_window
from slidekit.segment.data import Part, SegmentData
from slidekit.segment.reading import ImageStore
from slidekit.slide.segmentation.config import SegmentConfig

__all__ = ["TrainingCrops", "ValidationCrops"]

_FEWEST_STEPS = 32
_MOST_SEEDS = 4096
"""Pixels of a class in a part of which one is drawn: as good as all of them, and little memory."""

_WHITE = 255
_REACH = 0.4
"""Half of the part of a crop that a drawn pixel is put into."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class _Seeds:
    """Some pixels of a class in a part: (n, 2) of x, y."""

    part: Part
    places: NDArray[np.int32]


class TrainingCrops:
    """Crops for training; which one stands where is a function of seed, epoch and number.

    Every second crop contains a class: all classes in turn, all slides that have it alike. The others lie anywhere.

    Parameters
    ----------
    data
        Training data.
    config
        `size`, `train_batch_size`, `steps_per_epoch`, `augment`, `seed` and `mode`.

    Raises
    ------
    DatasetError
        If the data are damaged, or none of them has a class.
    """

    def __init__(self, data: SegmentData, config: SegmentConfig) -> None:
        self._config = config.with_labels(data.labels)
        self._store = ImageStore(data)
        self._parts = data.parts
        self._shares = np.cumsum([part.area for part in data.parts]) / data.area
        self._classes = self._find_classes()
        if not self._classes:
            raise DatasetError(
                "No pixel of the training data is in a region.",
                mend="Check the regions and labels, or give more slides.",
                path=data.folder,
            )
        needed = math.ceil(data.area / (self._config.size**2 * self._config.train_batch_size))
        self._steps = self._config.steps_per_epoch or max(_FEWEST_STEPS, needed)

    def __len__(self) -> int:
        """Batches of an epoch."""
        return self._steps

    def batch(self, epoch: int, step: int) -> tuple[Floats, Floats]:
        """One batch; threads may ask for several at once.

        Returns
        -------
        images : ndarray (n, size, size, 3), float32
            RGB, 0–255 as they are on the slide: the network brings them to its own range.
        targets : ndarray (n, size, size, out_classes), float32
            0 and 1; of ``multiclass`` one is 1, the first where there is no label.
        """
        count = self._config.train_batch_size
        crops = [self.crop(epoch, step * count + place) for place in range(count)]
        return (
            np.stack([image for image, _ in crops]).astype(np.float32),
            np.stack([_targets(mask, self._config) for _, mask in crops]),
        )

    def crop(self, epoch: int, number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Image (size, size, 3) and mask of one crop; white and 0 beyond the slide."""
        config = self._config
        generator = slide_generator(config.seed, f"{epoch}/{number}", "crop for segmentation")
        change = draw_change(generator) if config.augment else None
        zoom = 1.0 if change is None else change.zoom
        part, centre = self._place(generator, number, config.size * zoom)
        x0, y0, x1, y1 = part.box
        pair = self._store.pair(part.slide)
        middle = (centre[0] - x0, centre[1] - y0)
        image = take_window(pair.image[y0:y1, x0:x1], middle, config.size, zoom, nearest=False, outside=_WHITE)
        mask = take_window(pair.mask[y0:y1, x0:x1], middle, config.size, zoom, nearest=True, outside=0)
        if change is None:
            return image, mask
        return change_stains(flip_and_turn(image, change), change), flip_and_turn(mask, change)

    def _place(self, generator: np.random.Generator, number: int, width: float) -> tuple[Part, tuple[float, float]]:
        """Part and middle of a crop, pixels of the slide's image."""
        if number % 2 == 0:
            seeds = self._classes[number // 2 % len(self._classes)]
            chosen = seeds[int(generator.integers(len(seeds)))]
            place = chosen.places[int(generator.integers(len(chosen.places)))] + 0.5
            wanted = place + generator.uniform(-_REACH, _REACH, 2) * width
            part = chosen.part
        else:
            part = self._parts[int(np.searchsorted(self._shares, generator.random(), side="right"))]
            box = np.array(part.box, np.float64)
            wanted = box[:2] + generator.random(2) * (box[2:] - box[:2])
        x0, y0, x1, y1 = part.box
        x, y = (_inside(float(at), low, high, width) for at, low, high in ((wanted[0], x0, x1), (wanted[1], y0, y1)))
        if not self._config.augment:
            # On whole pixels nothing is interpolated.
            x, y = round(x - width / 2) + width / 2, round(y - width / 2) + width / 2
        return part, (x, y)

    def _find_classes(self) -> list[list[_Seeds]]:
        """For each class that there is, the parts that have it."""
        found: dict[int, list[_Seeds]] = {}
        for part in self._parts:
            x0, y0, x1, y1 = part.box
            mask = self._store.pair(part.slide).mask[y0:y1, x0:x1]
            count = mask.shape[2] if mask.ndim == 3 else int(mask.max(initial=0))
            for number in range(count):
                plane = mask[..., number] if mask.ndim == 3 else mask == number + 1
                places = np.flatnonzero(plane)
                if len(places) > _MOST_SEEDS:
                    generator = slide_generator(self._config.seed, f"{part.slide}/{part.box}/{number}", "seeds")
                    places = places[np.sort(generator.choice(len(places), _MOST_SEEDS, replace=False))]
                if len(places):
                    y, x = np.divmod(places, x1 - x0)
                    seeds = _Seeds(part, np.stack([x + x0, y + y0], axis=1).astype(np.int32))
                    found.setdefault(number, []).append(seeds)
        return [found[number] for number in sorted(found)]


class ValidationCrops:
    """All of the validation data as crops without overlap, always the same.

    Parameters
    ----------
    data
        Validation data.
    config
        `size`, `val_batch_size` and `mode`.
    """

    def __init__(self, data: SegmentData, config: SegmentConfig) -> None:
        self._config = config.with_labels(data.labels)
        self._store = ImageStore(data)
        size = self._config.size
        self._windows = [
            (part, x, y)
            for part in data.parts
            for y in range(part.box[1], part.box[3], size)
            for x in range(part.box[0], part.box[2], size)
        ]

    def __len__(self) -> int:
        """Batches."""
        return math.ceil(len(self._windows) / self._config.val_batch_size)

    def batch(self, step: int) -> tuple[Floats, Floats, Floats]:
        """One batch; the last may be smaller.

        Returns
        -------
        images, targets
            As for `TrainingCrops.batch`.
        weights : ndarray (n, size, size, 1), float32
            1 where a pixel is one of the data, each of which is in one crop; 0 for what is put around them.
        """
        count = self._config.val_batch_size
        crops = [self._crop(*window) for window in self._windows[step * count : (step + 1) * count]]
        images, targets, weights = (np.stack(arrays) for arrays in zip(*crops, strict=True))
        return images.astype(np.float32), targets, weights

    def _crop(self, part: Part, x: int, y: int) -> tuple[NDArray[np.uint8], Floats, Floats]:
        size, pair = self._config.size, self._store.pair(part.slide)
        x1, y1 = min(x + size, part.box[2]), min(y + size, part.box[3])
        if x1 - x < size or y1 - y < size:
            # At an edge the crop reaches back, so that the network sees tissue and not what was put there.
            left, top = max(part.box[0], x1 - size), max(part.box[1], y1 - size)
        else:
            left, top = x, y
        image = np.full((size, size, 3), _WHITE, np.uint8)
        mask = np.zeros((size, size, *pair.mask.shape[2:]), np.uint8)
        weights = np.zeros((size, size, 1), np.float32)
        image[: y1 - top, : x1 - left] = pair.image[top:y1, left:x1]
        mask[: y1 - top, : x1 - left] = pair.mask[top:y1, left:x1]
        weights[y - top : y1 - top, x - left : x1 - left] = 1
        return image, _targets(mask, self._config), weights


def _inside(at: float, low: int, high: int, width: float) -> float:
    """The middle nearest to `at` of a crop that lies within the limits; of one that does not fit, in between."""
    if high - low <= width:
        return (low + high) / 2
    return min(max(at, low + width / 2), high - width / 2)


def _targets(mask: NDArray[np.uint8], config: SegmentConfig) -> Floats:
    """(rows, columns, out_classes)."""
    if config.mode == "multilabel":
        return mask.astype(np.float32)
    if config.mode == "binary":
        return (mask > 0).astype(np.float32)[..., None]
    return np.asarray(mask[..., None] == np.arange(config.out_classes or 0), np.float32)
