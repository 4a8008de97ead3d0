"""Reading the tiles of a dataset's TFRecords."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from slidekit.collection.label_values import UseFloat
from slidekit.collection.selection import Selection
from slidekit.collection.tile_labels import TileLabels, settle_labels
from slidekit.errors import MissingExtraError

if TYPE_CHECKING:
    from slidekit.loading.arrays import ArrayLoader
    from slidekit.loading.options import LoaderOptions
    from slidekit.loading.stream import TileStream
    from slidekit.loading.torch import TileLoader
    from slidekit.norm import StainNormalizer
    from slidekit.pixels.image import RGBImage

__all__ = ["Loading", "import_loading"]

logger = logging.getLogger(__name__)


class Loading(Selection):
    """What `Dataset` does with TFRecords: read their tiles.

    `numpy`, `torch` and `tensorflow` give the same batches for the same seed. An epoch has each tile once, in a random
    order across all slides; after `balance` it has as many draws as there are tiles, slides being drawn by their
    weights; after `clip` it has the first tiles of each file.
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
            Slide after slide by name, in the order of the records.

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
        **options: Any,
    ) -> ArrayLoader:
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
        **options
            Any of `slidekit.loading.options.LoaderOptions`: `infinite`, `shuffle` (True), `seed`, `augment`,
            `standardize`, `normalizer`, `incl_slidenames`, `incl_loc`, `onehot`, `drop_last`, `shard_index`,
            `num_shards`, `even_shards`, `check_crc` (True). What they mean stands at `torch`, whose names `rank` and
            `num_replicas` for the shards are taken, too.

        Returns
        -------
        ArrayLoader
            To be iterated over, an epoch each time. It gives
            ``(images[, labels][, slides][, loc_x, loc_y])``, or images alone: uint8 (n, h, w, 3), RGB, or float32 if
            `standardize`; class indices int64 (n,), numbers float32 (n,), one-hot float32 (n, classes). It has
            `num_tiles`, `state_dict`, `load_state_dict` and `set_epoch`.

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

        stream = self._stream(labels, read_options({"batch_size": batch_size, **options}), use_float)
        loader = ArrayLoader(stream, num_threads=num_threads)
        if state is not None:
            loader.load_state_dict(state)
        return loader

    def torch(
        self,
        labels: Any = None,
        batch_size: int | None = None,
        *,
        use_float: UseFloat = "auto",
        infinite: bool = False,
        shuffle: bool = True,
        seed: int = 0,
        augment: str | bool = False,
        standardize: bool = False,
        normalizer: StainNormalizer | str | None = None,
        incl_slidenames: bool = False,
        incl_loc: bool = False,
        onehot: bool = False,
        drop_last: bool = False,
        rank: int | None = None,
        num_replicas: int | None = None,
        even_shards: bool = False,
        check_crc: bool = True,
        transform: Callable[[Any], Any] | None = None,
        map_style: bool = False,
        state: Mapping[str, Any] | None = None,
        num_workers: int = 0,
        num_threads: int | None = None,
        **loading: Any,
    ) -> TileLoader:
        """Batches of tiles as torch tensors, from a DataLoader.

        The batches depend on the seed, and neither on `num_workers` nor on `map_style`. A batch is made whole in one
        worker: decoded, normalised, augmented, transformed, standardised.

        Parameters
        ----------
        labels, batch_size, use_float
            As for `numpy`.
        infinite
            Go on with the next epoch after the last tile.
        shuffle
            Give the tiles of all slides in a random order, another one each epoch.
        seed
            What the orders and the augmentation depend on.
        augment
            Letters of `slidekit.augment`, such as ``"xyrjb"``, which True stands for; n needs `normalizer`.
        standardize
            Scale images to float32 in −1 … 1, x / 127.5 − 1; else they are uint8.
        normalizer
            A stain normaliser, such as `ModelParams.build_normalizer` makes, or the name of a method.
        incl_slidenames, incl_loc
            Give the slides' names, and the tiles' centres in level-0 pixels, with each batch.
        onehot
            Give class indices as vectors, float32.
        drop_last
            Leave out the tiles at the end of an epoch that fill no batch.
        rank, num_replicas
            This process has every `num_replicas`-th (1) tile of the epoch's order, from number `rank` (0) on: together
            the replicas have each tile once. `shard_index` and `num_shards` are the same.
        even_shards
            Leave out the last tiles of an epoch, so that all replicas have the same number, as
            DistributedDataParallel needs it.
        check_crc
            Compare the checksum of each record.
        transform
            Called with each image, uint8 (3, h, w), after the augmentation; what it draws from torch's global
            generator depends on the seed. What it returns must be of one shape and type, and with `standardize` an
            image, uint8.
        map_style
            Give the DataLoader a dataset with an index and a sampler; else an iterable one. ``loader.dataset[i]`` is
            then one tile: of all that are used, in the order of the TFRecords.
        state
            Begin where a loader stood, of whose `state_dict` this is.
        num_workers
            Processes that make batches; 0 makes them in this one.
        num_threads
            Threads that decode where there are no such processes; None takes what the machine has, up to four.
        **loading
            Of `torch.utils.data.DataLoader`: `prefetch_factor`, `pin_memory`, `persistent_workers`,
            `multiprocessing_context`, `timeout` and others that change no order.

        Returns
        -------
        TileLoader
            A DataLoader to be iterated over, an epoch each time. It gives
            ``(images[, labels][, slides][, loc_x, loc_y])``, or images alone: uint8 (n, 3, h, w), RGB, in the memory
            format channels_last, or float32 if `standardize`; labels as for `numpy`; slides a list of str. It has
            `num_tiles`, `state_dict`, `load_state_dict` and `set_epoch`.

        Raises
        ------
        MissingExtraError
            If torch is not installed.
        DatasetError, SpecError, RecordError
            As for `numpy`; errors of a worker are raised here, its traceback in the message.
        """
        from slidekit.loading.options import read_options

        torch_loading = import_loading("torch")
        options = {
            "batch_size": batch_size,
            "infinite": infinite,
            "shuffle": shuffle,
            "seed": seed,
            "augment": augment,
            "standardize": standardize,
            "normalizer": normalizer,
            "incl_slidenames": incl_slidenames,
            "incl_loc": incl_loc,
            "onehot": onehot,
            "drop_last": drop_last,
            "even_shards": even_shards,
            "check_crc": check_crc,
        }
        shards = {"rank": rank, "num_replicas": num_replicas}
        shards |= {name: loading.pop(name) for name in ("shard_index", "shard_idx", "num_shards") if name in loading}
        options |= {name: value for name, value in shards.items() if value is not None}
        stream = self._stream(labels, read_options(options), use_float)
        loader: TileLoader = torch_loading.TileLoader(
            stream,
            map_style=map_style,
            transform=transform,
            num_workers=num_workers,
            num_threads=num_threads,
            **loading,
        )
        if state is not None:
            loader.load_state_dict(state)
        return loader

    def tensorflow(
        self,
        labels: Any = None,
        batch_size: int | None = None,
        *,
        use_float: UseFloat = "auto",
        shard_idx: int | None = None,
        deterministic: bool = True,
        state: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Batches of tiles as a `tf.data.Dataset`, decoded, normalised and augmented by TensorFlow's own operations.

        Each iteration is the next epoch. The tiles, their order and their augmentation are those of `numpy` for the
        same seed, and the pixels are equal; after a normaliser, they are as near as its frameworks are, and what n
        draws is TensorFlow's. A normaliser that TensorFlow does not have works in numpy, in the pipeline.

        ``dataset.state_dict(steps)`` of what is returned is the position after so many of its batches, counted over
        all epochs since it was made: the steps that the model was trained (``model.optimizer.iterations``, say), for
        batches are made ahead.
        ``tensorflow(…, state=…)`` goes on there.

        Parameters
        ----------
        labels, batch_size, use_float
            As for `numpy`.
        shard_idx
            Slideflow's name for `shard_index`.
        deterministic
            Give the tiles in their order; else each as soon as it is ready.
        state
            Begin where another such dataset, or a loader of `numpy` or `torch`, stood.
        **options
            As for `numpy`.

        Returns
        -------
        tf.data.Dataset
            Of ``(images[, labels][, slides][, loc_x, loc_y])``, or of images alone: uint8 (n, h, w, 3), RGB, or
            float32 if `standardize`, where h and w are known, and n is with `drop_last`; labels as for `numpy`;
            slides strings; without `batch_size` all of them of one tile. It knows its length, and has the attribute
            `num_tiles`.

        Raises
        ------
        MissingExtraError
            If TensorFlow is not installed.
        DatasetError, SpecError, RecordError
            As for `numpy`. A record that turns out to be damaged or misplaced later is a ``tf.errors.OpError`` with
            the text of the RecordError in it.
        NormalizerError
            If the normaliser cannot do what `augment` asks for.
        """
        from slidekit.loading.options import read_options

        tensorflow_loading = import_loading("tensorflow")
        if shard_idx is not None:
            options["shard_idx"] = shard_idx
        stream = self._stream(labels, read_options({"batch_size": batch_size, **options}), use_float)
        return tensorflow_loading.tile_dataset(stream, state=state, deterministic=deterministic)

    def _stream(self, labels: Any, options: LoaderOptions, use_float: UseFloat = "auto") -> TileStream:
        """Batches of this dataset's tiles, balanced and clipped as it is."""
        from slidekit.io.record_table import RecordTable
        from slidekit.loading.stream import TileStream

        records = self._records()
        if not records:
            raise self._say_no_records()
        if options.method is not None:
            _warn_of_normalized({path.parent for path in records.values()})
        table = RecordTable.open(list(records.values()))
        found = settle_labels(labels, table, self.label_rows(), use_float=use_float)
        # By the tiles that the table lists, for they are what is read.
        tiles = table.counts
        if self._clip is not None:
            used = self._clip.counts(self, dict(zip(records, tiles.tolist(), strict=True)))
            tiles = np.array([used[slide] for slide in records], np.int64)
        weights = None
        if self._balance is not None:
            left = _count_labelled(found, table.starts, tiles)
            weights = self._balance.weights(self, dict(zip(records, left.tolist(), strict=True)))
        return TileStream(
            table,
            options,
            labels=found,
            weights=None if weights is None else np.array([weights[slide] for slide in records]),
            clip=None if self._clip is None else tiles,
            tile_px=self.tile_px,
            num_classes=None if found is None else found.num_classes,
        )


def _count_labelled(
    labels: TileLabels | None, starts: npt.NDArray[np.int64], tiles: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Of the first `tiles` of each file, how many have a label."""
    if labels is None or labels.used is None:
        return tiles
    if not labels.per_tile:
        return np.where(labels.used, tiles, 0)
    counts = np.diff(starts)
    places = np.arange(int(starts[-1])) - np.repeat(starts[:-1], counts)
    left = np.add.reduceat(np.append(labels.used & (places < np.repeat(tiles, counts)), 0), starts[:-1], dtype=np.int64)
    # Of a file without tiles, reduceat gives what stands at its place.
    return np.where(counts, left, 0)


def _warn_of_normalized(folders: set[Path]) -> None:
    """Say if tiles were normalised when they were extracted: they would be normalised twice."""
    from slidekit.io.spec_file import spec_value

    for folder in sorted(folders):
        if method := spec_value(folder, "normalizer"):
            logger.warning(
                "%s: these tiles were normalised by %s when they were extracted, and now are again. Extract them "
                "without, or leave out normalizer=.",
                folder,
                method,
            )


def import_loading(framework: str) -> ModuleType:
    """Import the loader of a framework.

    Parameters
    ----------
    framework
        ``"torch"`` or ``"tensorflow"``.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    if find_spec(framework) is None:
        raise MissingExtraError(
            f"Dataset.{framework} needs {framework}, which is not installed.",
            mend=f"Install it with: pip install 'slidekit[{framework}]'.",
        )
    return import_module(f"slidekit.loading.{framework}")
