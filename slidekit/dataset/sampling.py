"""Patches straight from a dataset's slides."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from slidekit.collection.label_values import UseFloat
from slidekit.collection.selection import Selection
from slidekit.collection.sources import PathLike
from slidekit.collection.tile_labels import TileLabels, settle_labels
from slidekit.errors import DatasetError
from slidekit.units import Magnification, parse_tile_um
from slidekit.wording import some_of

if TYPE_CHECKING:
    from slidekit.sampling.sampler import PatchSampler
    from slidekit.sampling.slides import SampledSlide

__all__ = ["Sampling"]

_SIZES = ("tile_um", "tile_mpp", "downsample", "level")
_IMAGES = (".png", ".tif", ".tiff", ".svs", ".jpg", ".jpeg")
"""What a mask may be, the most likely first."""


class Sampling(Selection):
    """What `Dataset` does with slides whose tiles are on no disk: sample patches of them."""

    def slides_and_masks(
        self,
        labels: Any = None,
        *,
        masks: PathLike | None = None,
        label_masks: PathLike | None = None,
        use_float: UseFloat = "auto",
    ) -> list[SampledSlide]:
        """List the slides with what a sampler has to know of them.

        Parameters
        ----------
        labels
            What is to be learned of each slide, as the loaders take it: a column of the annotations, slide to label…
            Slides without a label are left out. None: nothing.
        masks, label_masks
            Folders of images that are named after the slides, ``{slide}.png`` or ``{slide}_mask.png``: of tissue,
            and of numbers of classes. Each covers the whole slide, at any resolution.
        use_float
            Whether labels are numbers; ``"auto"`` goes by what they look like.

        Returns
        -------
        list of SampledSlide
            By name; with µm/px and regions of interest, and with all columns of the annotations as `groups`.

        Raises
        ------
        DatasetError
            If there are no slides, labels cannot be used or are of tiles, or a folder of masks has none.
        """
        from slidekit.sampling.slides import SampledSlide

        paths = self.paths()
        if not paths:
            raise DatasetError(
                "The dataset has no slides to sample from.", mend="Give slides=, or check filters and annotations."
            )
        found = self._slide_labels(labels, tuple(paths), use_float)
        rois, mpp = self.roi_files(), self.mpp()
        table = self._collection.table
        columns = {name: table.column(name) for name in table.columns}
        tissue, classes = (_images_of(folder, list(paths)) for folder in (masks, label_masks))
        return [
            SampledSlide(
                path,
                name,
                mpp=mpp.get(name),
                rois=rois.get(name),
                mask=tissue.get(name),
                label_mask=classes.get(name),
                label=None if found is None else found.values[place].tolist(),
                groups={column: cells[name] for column, cells in columns.items()},
            )
            for place, (name, path) in enumerate(paths.items())
            if found is None or found.used is None or found.used[place]
        ]

    def sampler(
        self,
        labels: Any = None,
        *,
        masks: PathLike | None = None,
        label_masks: PathLike | None = None,
        use_float: UseFloat = "auto",
        **options: Any,
    ) -> PatchSampler:
        """Sample patches from the slides: nothing is written, and every step has its own place.

        Parameters
        ----------
        labels, masks, label_masks, use_float
            As for `slides_and_masks`; the labels come with the patches as their targets.
        **options
            Fields of `slidekit.sampling.SamplingSpec`. The size of the patches is that of the dataset unless
            `tile_px`, or one of `tile_um`, `tile_mpp`, `downsample` and `level`, says otherwise; its further sizes of
            concentric tiles are `views`. Where the dataset is
            balanced and `weights` is not given, patches are drawn by the balance: slides by their weights, and with
            the strategy ``"tile"`` by the area of their tissue.

        Returns
        -------
        PatchSampler
            ``sampler.torch(batch_size)``, ``sampler.tensorflow(batch_size)`` and ``sampler.batches(batch_size)`` give
            batches.

        Raises
        ------
        DatasetError
            As for `slides_and_masks`; or if there is no size of patches.
        SpecError
            If options make no sense.
        """
        from slidekit.sampling.sampler import PatchSampler

        if "tile_px" not in options:
            if self.tile_px is None:
                raise DatasetError("The dataset has no size of tile.", mend="Give tile_px= and tile_um=.")
            options["tile_px"] = self.tile_px
        if all(options.get(name) is None for name in _SIZES):
            if self.tile_um is None:
                raise DatasetError("The dataset has no size of tile.", mend="Give tile_um= or tile_mpp=.")
            options["tile_um"] = self.tile_um
            if self.more_um and not options.get("stack"):
                options.setdefault("views", self._views(int(options["tile_px"])))
        slides = self.slides_and_masks(labels, masks=masks, label_masks=label_masks, use_float=use_float)
        if self._balance is not None and "weights" not in options and options.get("mode", "random") == "random":
            alike = dict.fromkeys((slide.name for slide in slides), 1)
            is_by_tile = self._balance.strategy == "tile"
            options["weights"] = "area" if is_by_tile else self._balance.weights(self, alike)
        return PatchSampler(slides, **options)

    def _views(self, tile_px: int) -> list[tuple[int, float]]:
        """The dataset's further sizes of concentric tiles as a sampler's views: pixels, and how much larger a field."""
        mpp = [
            size.mpp if isinstance(size, Magnification) else size / tile_px
            for size in map(parse_tile_um, self.tile_sizes)
        ]
        return [(tile_px, further / mpp[0]) for further in mpp[1:]]

    def _slide_labels(self, labels: Any, names: tuple[str, ...], use_float: UseFloat) -> TileLabels | None:
        found = settle_labels(labels, _Slides(names), self.label_rows(), use_float=use_float)
        if found is not None and found.per_tile:
            raise DatasetError(
                "These labels are of tiles, and patches are taken anywhere.",
                mend="Give labels of slides; or classes= and label_masks=, or ROIs, for labels of places; or "
                "from_wsi=True, whose tiles have labels of their own.",
            )
        return found


class _Slides:
    """Slides as `settle_labels` asks for them: they have no tiles yet."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.slides = names
        self.starts: npt.NDArray[np.int64] = np.zeros(len(names) + 1, np.int64)
        self.locations: npt.NDArray[np.int64] = np.empty((0, 2), np.int64)


def _images_of(folder: PathLike | None, names: list[str]) -> dict[str, Path]:
    """Slide to the image of a folder that is named after it."""
    if folder is None:
        return {}
    place = Path(folder).expanduser().absolute()
    if not place.is_dir():
        raise DatasetError("is not a folder.", mend="Give a folder of images named after the slides.", path=place)
    found = {}
    for name in names:
        there = [
            path for end in ("", "_mask") for suffix in _IMAGES if (path := place / f"{name}{end}{suffix}").is_file()
        ]
        if there:
            found[name] = there[0]
    if not found:
        raise DatasetError(
            f"holds no image named after a slide, such as {some_of(names, 3)}.",
            mend=f"Name them {{slide}}{_IMAGES[0]} or {{slide}}_mask{_IMAGES[0]}.",
            path=place,
        )
    return found
