"""Reading the tiles of a dataset, from TFRecords or straight from the slides, as numpy arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from slidekit.collection.label_values import UseFloat
from slidekit.dataset.streaming import Streaming, split_slide_options
from slidekit.errors import SpecError

if TYPE_CHECKING:
    from slidekit.loading.arrays import ArrayLoader
    from slidekit.pixels.image import RGBImage
    from slidekit.sampling.tiles.loader import CellLoader

__all__ = ["ArrayLoading"]


class ArrayLoading(Streaming):
    """What `Dataset` does with tiles: read them.

    `numpy`, `torch` and `tensorflow` give the same batches for the same seed. An epoch has each tile once, in a random
    order across all slides; after `balance` it has as many draws as there are tiles, slides being drawn by their
    weights; after `clip` it has the first tiles of each file.

    With ``from_wsi=True`` they read the tiles from the slides, and need no TFRecords: the cells that an extraction
    would keep by regions of interest and QC. Filters of pixels (gray and white space) are not run. Without them, these
    are the tiles of the TFRecords, in the same order, and equal to them but for what JPEG loses.
    """

    def iter_tiles(self, *, max_tiles: int | None = None, seed: int = 0) -> Iterator[RGBImage]:
        """Read the images of the TFRecords; a stain normaliser can be fitted to them.

        Parameters
        ----------
        max_tiles
            Take a random sample of so many; None takes all.
        seed
            Seed of the sample.

        Returns
        -------
        iterator of ndarray (tile_px, tile_px, 3), uint8, RGB
            Slide after slide by name, in the order of the records; of concentric tiles, those of the first size.

        Raises
        ------
        DatasetError
            If the dataset has no size of tile, or no TFRecords of it.
        RecordError
            When it comes to a record that is damaged.
        """
        from slidekit.collection.tile_images import iter_tile_images

        records = self.tfrecords()
        if not records:
            raise self._say_no_records()
        return iter_tile_images(records, max_tiles=max_tiles, seed=seed)

    def numpy(
        self,
        labels: Any = None,
        batch_size: int | None = None,
        *,
        use_float: UseFloat = "auto",
        num_threads: int | None = None,
        state: Mapping[str, Any] | None = None,
        from_wsi: bool = False,
        num_workers: int | None = None,
        **options: Any,
    ) -> ArrayLoader | CellLoader:
        """Batches of tiles as numpy arrays.

        Parameters
        ----------
        labels
            None, a column of the annotations or a list of columns, slide to label, a DataFrame of slides or tiles, or
            the path of such a table; see `slidekit.collection.tile_labels.settle_labels`. What has no label does not
            come.
        batch_size
            Tiles of a batch; None gives single tiles.
        use_float
            Whether labels are numbers; ``"auto"`` goes by what they look like.
        num_threads
            Threads that decode; the batches are the same whatever their number. None takes what the machine has, up
            to four.
        state
            Begin where a loader stood, of whose `state_dict` this is.
        from_wsi
            Read tiles from the slides instead of TFRecords. More options are then those of the grid, as for
            `extract_tiles`: `roi_method`, `roi_filter_method`, `roi_origin`, `qc`, `qc_filter_threshold`,
            `stride_div`, `use_edge_tiles`, `reader`, `resample`, `mpp`; and of the reading: `look_ahead` (tiles that
            are planned together), `memory` (bytes for tiles that wait), `open_slides`. Tiles that cannot be read are
            left out, and counted in the loader's `report`.
        num_workers
            Processes that read slides, 0 for none, None for one a core; only with `from_wsi`.
        **options
            Any of `slidekit.loading.options.LoaderOptions`: `infinite`, `shuffle` (True), `seed`, `augment`,
            `standardize`, `normalizer`, `incl_slidenames`, `incl_loc`, `onehot`, `drop_last`, `shard_index`,
            `num_shards`, `even_shards`, `check_crc` (True). What they mean stands at `torch`, whose names `rank` and
            `num_replicas` for the shards are taken, too.

        Returns
        -------
        ArrayLoader or CellLoader
            To be iterated over, an epoch each time. It gives
            ``(images[, labels][, slides][, loc_x, loc_y])``, or images alone: uint8 (n, h, w, 3), RGB, or float32 if
            `standardize`; class indices int64 (n,), numbers float32 (n,), one-hot float32 (n, classes). Of
            concentric tiles, images are a tuple, one for each size in the order of `tile_um`, and where they are all
            that is given, that stands in a tuple of its own: ``((a, b),)``, which nothing takes for images and
            labels. It has `num_tiles`, `state_dict`, `load_state_dict` and `set_epoch`.

        Raises
        ------
        DatasetError
            If there are no TFRecords or no tiles, labels cannot be used, or `state` is of other tiles or settings.
        SpecError
            If there is no such option, or a value makes no sense.
        RecordError
            If a file of records cannot be read; later, when it comes to a record that is damaged, or is of another
            slide or place than the one whose label it would get.
        """
        from slidekit.loading.arrays import ArrayLoader
        from slidekit.loading.options import read_options
        from slidekit.sampling.tiles.loader import CellLoader, make_arrays

        if from_wsi and num_threads is not None:
            raise SpecError(
                "num_threads= is of TFRecords: from_wsi=True reads slides in processes.", mend="Give num_workers=."
            )
        of_slides = split_slide_options(options, from_wsi=from_wsi)
        loader: ArrayLoader | CellLoader
        if from_wsi:
            asked = read_options({"batch_size": batch_size, **options})
            loader = CellLoader(
                self._slide_stream(labels, asked, use_float, {**of_slides, "workers": num_workers}), make_arrays
            )
        else:
            if num_workers is not None:
                options["num_workers"] = num_workers  # refused, with what there is instead
            stream = self._stream(labels, read_options({"batch_size": batch_size, **options}), use_float)
            loader = ArrayLoader(stream, num_threads=num_threads)
        if state is not None:
            loader.load_state_dict(state)
        return loader
