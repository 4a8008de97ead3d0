"""Training and validation data: by patients, or where there is only one, by areas."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace

import numpy as np

from slidekit.segment.data import Part, SegmentData
from slidekit.segment.reading import ImageStore
from slidekit.slide.segmentation.config import SegmentConfig

__all__ = ["split_data"]

logger = logging.getLogger(__name__)


def split_data(data: SegmentData, config: SegmentConfig) -> tuple[SegmentData, SegmentData]:
    """Set data aside for validation.

    Whole patients are set aside, by a hash of seed and name: who validates depends neither on the order of slides
    nor on the other patients' names. Of one patient only, each slide is cut: a strip of its image validates. The strips
    of a slide look alike, so that the Dice is better than on slides of others; the log says so.

    Parameters
    ----------
    data
        All.
    config
        `val_fraction` and `seed`.

    Returns
    -------
    training, validation : SegmentData
        Both hold something, and no pixel is in both.

    Raises
    ------
    DatasetError
        If the data have to be read, for strips, and are damaged.
    """
    patients = data.patients()
    names = sorted(set(patients.values()), key=lambda name: (_hash(config.seed, name), name))
    if len(names) > 1:
        count = min(max(1, round(len(names) * config.val_fraction)), len(names) - 1)
        chosen = set(names[:count])
        validation = [slide for slide, owner in patients.items() if owner in chosen]
        return data.subset(set(data.slides).difference(validation)), data.subset(validation)
    logger.warning(
        "There is only one patient: a part of each slide validates, and the Dice will be better than on other slides. "
        "Give slides of more patients."
    )
    store = ImageStore(data)
    cuts = [_cut(part, store, config.val_fraction) for part in data.parts]
    training = tuple(part for rest, _ in cuts for part in rest)
    return replace(data, parts=training), replace(data, parts=tuple(strip for _, strip in cuts))


def _hash(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\0segmentation\0{name}".encode()).digest()


def _cut(part: Part, store: ImageStore, fraction: float) -> tuple[list[Part], Part]:
    """The rest of a part, and the strip across its longer side whose share of each class is most like the whole's."""
    x0, y0, x1, y1 = part.box
    mask = store.pair(part.slide).mask[y0:y1, x0:x1]
    axis = 1 if x1 - x0 >= y1 - y0 else 0
    length = mask.shape[axis]
    strip = min(max(1, round(length * fraction)), max(1, length - 1))
    planes = mask if mask.ndim == 3 else np.stack([mask == k for k in range(1, max(2, mask.max() + 1))], axis=-1)
    profile = np.concatenate([np.zeros((1, planes.shape[-1])), planes.mean(axis=1 - axis).cumsum(axis=0)])
    starts = sorted({0, length - strip, *range(0, length - strip + 1, max(1, strip // 4))})
    whole = profile[-1] / length
    misfit = [float(np.abs((profile[start + strip] - profile[start]) / strip - whole).sum()) for start in starts]
    start = starts[int(np.argmin(misfit))]

    def slab(low: int, high: int) -> Part:
        box = (x0 + low, y0, x0 + high, y1) if axis else (x0, y0 + low, x1, y0 + high)
        return Part(part.slide, box)

    rest = [slab(low, high) for low, high in ((0, start), (start + strip, length)) if high > low]
    return rest, slab(start, start + strip)
