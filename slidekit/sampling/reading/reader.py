"""`PatchReader`: the pixels of planned patches, in one process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import SlideError, SlidekitError
from slidekit.sampling.plan import Plan
from slidekit.sampling.reading.order import reading_order
from slidekit.sampling.reading.outcome import Failure, Outcome
from slidekit.sampling.reading.pool import OPEN_SLIDES, TILE_MEMORY, SlidePool
from slidekit.sampling.slides import SampledSlide
from slidekit.sampling.spec import SamplingSpec

__all__ = ["PatchReader"]

_Images = NDArray[np.uint8]


class PatchReader:
    """Reads patches; each native tile is decoded once for all patches that are asked for together.

    One belongs to one process and one thread.

    Parameters
    ----------
    slides, spec
        As the sampler has them.
    open_slides
        Slides that are open at one time.
    memory
        Bytes of decoded native tiles to hold.
    """

    def __init__(
        self,
        slides: Sequence[SampledSlide],
        spec: SamplingSpec,
        *,
        open_slides: int = OPEN_SLIDES,
        memory: int = TILE_MEMORY,
    ) -> None:
        self._spec = spec
        self._pool = SlidePool(slides, spec, most=open_slides, memory=memory)

    def read(
        self,
        plan: Plan,
        out: Sequence[_Images],
        labels_out: _Images | None = None,
        at: NDArray[np.int64] | None = None,
        identities: Mapping[int, str] | None = None,
    ) -> Outcome:
        """Read patches.

        Parameters
        ----------
        plan
            Which patches.
        out
            Where images go, one array a view: uint8 (slots, tile_px, tile_px, 3).
        labels_out
            Where images of classes go, uint8 (slots, tile_px, tile_px); None paints none.
        at
            (n,) the slot of each row of the plan; None takes the row's own number.
        identities
            By number of slide, which file the plan was made for, as `slide_identity` gives it: another file under its
            path is not read. Slides that are not among them are taken as they are.

        Returns
        -------
        Outcome
            What could not be read is in its failures.
        """
        count = len(plan)
        slots = np.arange(count) if at is None else at
        known = identities or {}
        corners, centres, mpp = (np.full((count, 2), np.nan) for _ in range(3))
        failures: list[Failure] = []
        decodes, bytes_read = self._pool.tiles.decodes, self._pool.bytes_read
        for row in reading_order(plan.slides, plan.centres).tolist():
            slide = int(plan.slides[row])
            opened = self._pool.get(slide, known.get(slide))
            if isinstance(opened, str):
                failures.append((row, opened))
                continue
            scale, slot = int(plan.scales[row]), int(slots[row])
            x, y = plan.centres[row].tolist()
            mpp[row] = opened.mpp(scale)
            try:
                images, corners[row], centres[row] = opened.read(scale, (x, y))
                label = None
                if labels_out is not None:
                    label = opened.paint(scale, (float(corners[row, 0]), float(corners[row, 1])))
            except (SlideError, OSError):
                # Each damaged tile, and each fault of a disk, has words of its own; counts are by reason.
                failures.append((row, "pixels cannot be decoded"))
                continue
            except SlidekitError as error:
                failures.append((row, error.message))
                continue
            images, label = self._finish(images, label, int(plan.seeds[row]), opened.widths(scale))
            for view, image in zip(out, images, strict=True):
                view[slot] = image
            if labels_out is not None and label is not None:
                labels_out[slot] = label
        failures.sort()
        done = self._pool.tiles.decodes - decodes, self._pool.bytes_read - bytes_read
        return Outcome(failures, corners, centres, mpp, *done)

    def _finish(
        self, images: list[_Images], label: _Images | None, seed: int, widths: list[float]
    ) -> tuple[list[_Images], _Images | None]:
        """Normalise and augment the views of a patch."""
        normalizer, augment = self._spec.normalizer, self._spec.augment
        if normalizer is not None:
            images = [normalizer.transform(image, like=images[0]) for image in images]
        if not augment:
            return images, label
        views, label = augment.apply(tuple(images), seed, label, widths=widths)
        return list(views), label

    def close(self) -> None:
        """Close all slides."""
        self._pool.close()
