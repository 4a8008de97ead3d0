"""TFRecords made of others: resized, transformed, split and merged."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from slidekit.collection.sources import PathLike
from slidekit.dataset.checking import Checking
from slidekit.dataset.loose_tiles import LooseTiles, as_folder
from slidekit.errors import DatasetError, SpecError
from slidekit.units import Magnification, parse_tile_um, tile_size_label
from slidekit.wording import some_of

if TYPE_CHECKING:
    from slidekit.norm import StainNormalizer
    from slidekit.pixels.image import RGBImage

__all__ = ["RecordTools"]

logger = logging.getLogger(__name__)


class RecordTools(LooseTiles, Checking):
    """What `Dataset` makes of TFRecords.

    Every file that is written comes with its index and stands in a manifest, and appears only when it is whole; records
    keep all of their features. What exists is replaced only with ``overwrite=True``, when all of the new file is there,
    and never what is being read; a folder that `extract_tiles` wrote is never written into. Where a file is damaged the
    others are finished first, and the error names its byte. One run at a time writes into a folder, a second one waits.
    """

    def resize_tfrecords(
        self,
        tile_px: int,
        dest: PathLike | None = None,
        *,
        overwrite: bool = False,
        num_workers: int | None = None,
    ) -> list[Path]:
        """Write the TFRecords with images of another size, by Lanczos, encoded as they were.

        Parameters
        ----------
        tile_px
            Edge of the new images, pixels; they show the same microns, so that of 256 px at 10x 128 px are 5x.
        dest
            Folder in which one is made for the new size, such as ``128px_128um``; default beside the present one:
            ``Dataset(tile_px=128, tile_um=128, …)`` then finds them.
        overwrite
            Whether existing files are replaced.
        num_workers
            Threads; one a core by default. The files are the same for any number.

        Returns
        -------
        list of Path
            The new files.

        Raises
        ------
        DatasetError, SpecError
            If there are no TFRecords, or `tile_px` is no size.
        RecordError
            If a file exists or is damaged.
        """
        from slidekit.record_tools.rewriting import TileChange, rewrite_records

        change = TileChange(tile_px=tile_px)
        label = self._label_of(tile_px)
        files = {
            path: (path.parent.parent if dest is None else as_folder(dest)) / label / path.name
            for path in self._demand_records().values()
        }
        return rewrite_records(
            files, change, overwrite=overwrite, further=self.more_names or None, num_workers=num_workers
        )

    def transform_tfrecords(
        self,
        dest: PathLike,
        *,
        normalizer: str | StainNormalizer | None = None,
        normalizer_source: str | None = None,
        hue_shift: float = 0.0,
        function: Callable[[RGBImage], RGBImage] | None = None,
        resize: int | None = None,
        overwrite: bool = False,
        num_workers: int | None = None,
    ) -> list[Path]:
        """Write the TFRecords with changed images, encoded as they were; changes are made in the order given here.

        Slideflow's `assign_slide` is not here: it would give the tiles of all slides one name.

        Parameters
        ----------
        dest
            Folder in which one is made for the size of tile.
        normalizer, normalizer_source
            Stain normaliser, or its method and source as for `extract_tiles`.
        hue_shift
            Added to every hue, as a share of the colour circle, −1 to 1.
        function
            Called with each image, an array (rows, columns, 3) uint8 RGB, from several threads; returns another.
        resize
            Edge of the new images, pixels.
        overwrite, num_workers
            As for `resize_tfrecords`.

        Returns
        -------
        list of Path
            The new files.

        Raises
        ------
        DatasetError, SpecError, NormalizerError
            If there are no TFRecords, or a parameter makes no sense.
        RecordError
            If a file exists or is damaged.
        """
        from slidekit.norm import autoselect
        from slidekit.record_tools.rewriting import TileChange, rewrite_records

        method = autoselect(normalizer, normalizer_source) if isinstance(normalizer, str) else normalizer
        change = TileChange(method, hue_shift, function, resize)
        folder = as_folder(dest) / (self._demand_label() if resize is None else self._label_of(resize))
        files = {path: folder / path.name for path in self._demand_records().values()}
        return rewrite_records(
            files, change, overwrite=overwrite, further=self.more_names or None, num_workers=num_workers
        )

    def split_tfrecords_by_roi(
        self,
        destination: PathLike,
        roi_filter_method: Literal["center"] | float = "center",
        *,
        mpp: float | None = None,
        roi_origin: tuple[float, float] | None = None,
        overwrite: bool = False,
        num_workers: int | None = None,
    ) -> dict[str, tuple[int, int]]:
        """Write each tile into ``inside`` or ``outside``, by the regions of interest of its slide.

        Parameters
        ----------
        destination
            Folder in which ``inside`` and ``outside`` are made: each can be the `tfrecords` of a dataset.
        roi_filter_method
            ``center``: inside if the tile's centre is in a region or on its boundary. A share f: inside if more than f
            of its area is in the union of the regions.
        mpp, roi_origin
            As they were given to `extract_tiles`, if they were.
        overwrite, num_workers
            As for `resize_tfrecords`.

        Returns
        -------
        dict
            Slide to its number of tiles inside and outside. Slides without regions are left out, and named in the log.

        Raises
        ------
        DatasetError, SpecError
            If there are no TFRecords, no slide has regions, or a parameter makes no sense.
        RecordError, SlideError, ROIError
            If a file exists, or cannot be used.
        """
        from slidekit.record_tools.roi_split import ROISplit, split_by_roi
        from slidekit.slide.spec import ExtractionSpec

        label = self._demand_label()
        files, paths, rois, known = self._demand_records(), self.paths(), self.roi_files(), self.mpp()
        splits = [
            ROISplit(path, paths[name], rois[name], known.get(name)) for name, path in files.items() if name in rois
        ]
        if not splits:
            what = "No slide with TFRecords has regions of interest."
            raise DatasetError(what, mend="Give slides= and rois=, the folder of ROI files named after slides.")
        if without := [name for name in files if name not in rois]:
            logger.warning("%d slides have no regions and are left out: %s", len(without), some_of(without, 20))
        spec = ExtractionSpec.create(
            tile_px=self.tile_px,
            tile_um=self.tile_um,
            roi_filter_method=roi_filter_method,
            roi_origin=roi_origin,
            mpp=mpp,
        )
        inside, outside = (as_folder(destination) / side / label for side in ("inside", "outside"))
        return split_by_roi(splits, inside, outside, spec, overwrite=overwrite, num_workers=num_workers)

    def merge_tfrecords(
        self,
        dest: PathLike,
        slides: Sequence[str] | None = None,
        *,
        shuffle: bool = True,
        seed: int = 0,
        overwrite: bool = False,
    ) -> Path:
        """Put the TFRecords of several slides into one file; records keep their slides' names.

        Parameters
        ----------
        dest
            The new file, ``….tfrecords``, named after none of several slides. Best not beside the others: a dataset
            would have the tiles twice.
        slides
            Names of the slides; default all.
        shuffle, seed
            Put all records into a random order by the seed; else one slide after the other.
        overwrite
            Whether an existing file is replaced.

        Raises
        ------
        DatasetError, SpecError
            If a slide has no TFRecords, or `dest` no fitting name.
        RecordError
            If `dest` exists, a file is damaged, or records lack a size of concentric tiles.
        """
        from slidekit.record_tools.merging import merge_records

        names = list(self._demand_records()) if slides is None else list(dict.fromkeys(slides))
        path = as_folder(dest)
        merge_records(
            [self._record_file(name) for name in names],
            path,
            shuffle=shuffle,
            seed=seed,
            overwrite=overwrite,
            further=self.more_names or None,
        )
        return path

    def _label_of(self, tile_px: int) -> str:
        """Folder name for tiles of the dataset's microns and another number of pixels."""
        self._demand_label()
        assert self.tile_um is not None
        assert self.tile_px is not None
        sizes = [parse_tile_um(size) for size in self.tile_sizes]
        # The same microns on half as many pixels are half the magnification.
        by = tile_px / self.tile_px
        if self.more_um and by != 1 and any(isinstance(size, Magnification) for size in sizes):
            # Their features would have to be named anew.
            raise SpecError(
                "Concentric tiles that are named by magnifications cannot be resized.",
                mend="Extract them again with the other tile_px; or by microns, such as tile_um=[128, 512].",
            )
        return tile_size_label(
            tile_px, [Magnification(size.power * by) if isinstance(size, Magnification) else size for size in sizes]
        )
