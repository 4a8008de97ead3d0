"""Reading the tiles of a dataset, from TFRecords or straight from the slides, with torch and TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from slidekit.collection.label_values import UseFloat
from slidekit.dataset.array_loading import ArrayLoading
from slidekit.dataset.streaming import split_slide_options
from slidekit.errors import MissingExtraError

if TYPE_CHECKING:
    from slidekit.loading.torch import TileLoader
    from slidekit.norm import StainNormalizer
    from slidekit.sampling.tiles.loader import CellLoader

__all__ = ["Loading", "import_loading"]


class Loading(ArrayLoading):
    """What `Dataset` does with tiles: read them, by any of three frameworks; see `ArrayLoading`."""

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
        num_workers: int | None = None,
        num_threads: int | None = None,
        from_wsi: bool = False,
        **loading: Any,
    ) -> TileLoader | CellLoader:
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
            Processes that make batches; 0, the default, makes them in this one. With `from_wsi`, processes that read
            slides; the default is one a core.
        num_threads
            Threads that decode where there are no such processes; None takes what the machine has, up to four.
        from_wsi
            As for `numpy`, with the options that stand there. What is returned is then no DataLoader, and takes
            `pin_memory` of what is for one; `map_style` is not possible.
        **loading
            Of `torch.utils.data.DataLoader`: `prefetch_factor`, `pin_memory`, `persistent_workers`,
            `multiprocessing_context`, `timeout` and others that change no order.

        Returns
        -------
        TileLoader or CellLoader
            A DataLoader to be iterated over, an epoch each time. It gives
            ``(images[, labels][, slides][, loc_x, loc_y])``, or images alone: uint8 (n, 3, h, w), RGB, in the memory
            format channels_last, or float32 if `standardize`; labels as for `numpy`; slides a list of str. It has
            `num_tiles`, `state_dict`, `load_state_dict` and `set_epoch`. Of concentric tiles, images are a tuple of
            such tensors, one for each size in the order of `tile_um`; by themselves ``((a, b),)``, as of `numpy`. With
            `pin_memory`, torch makes lists of all tuples.

        Raises
        ------
        MissingExtraError
            If torch is not installed.
        DatasetError, SpecError, RecordError
            As for `numpy`; errors of a worker are raised here, its traceback in the message.
        """
        from slidekit.loading.options import read_options

        torch_loading = import_loading("torch", from_wsi=from_wsi)
        of_slides = split_slide_options(loading, from_wsi=from_wsi)
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
        loader: TileLoader | CellLoader
        if from_wsi:
            loading |= {"map_style": True} if map_style else {}
            torch_loading.refuse({name: value for name, value in loading.items() if name != "pin_memory"})
            cells = self._slide_stream(labels, read_options(options), use_float, {**of_slides, "workers": num_workers})
            loader = torch_loading.cell_loader(cells, transform=transform, **loading)
        else:
            loader = torch_loading.TileLoader(
                self._stream(labels, read_options(options), use_float),
                map_style=map_style,
                transform=transform,
                num_workers=num_workers or 0,
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
        from_wsi: bool = False,
        num_workers: int | None = None,
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
        from_wsi, num_workers
            As for `numpy`, with the options that stand there. TensorFlow does not know the dataset's length then, for
            tiles may turn out to be unreadable.
        **options
            As for `numpy`.

        Returns
        -------
        tf.data.Dataset
            Of ``(images[, labels][, slides][, loc_x, loc_y])``, or of images alone: uint8 (n, h, w, 3), RGB, or
            float32 if `standardize`, where h and w are known, and n is with `drop_last`; labels as for `numpy`;
            slides strings; without `batch_size` all of them of one tile. It knows its length, and has the attribute
            `num_tiles`. Of concentric tiles, images are a tuple, one for each size in the order of `tile_um`; by
            themselves ``((a, b),)``, which `predict` of a Keras model with several inputs takes.

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

        tensorflow_loading = import_loading("tensorflow", from_wsi=from_wsi)
        if shard_idx is not None:
            options["shard_idx"] = shard_idx
        of_slides = split_slide_options(options, from_wsi=from_wsi)
        if from_wsi:
            asked = read_options({"batch_size": batch_size, **options})
            cells = self._slide_stream(labels, asked, use_float, {**of_slides, "workers": num_workers})
            return tensorflow_loading.cell_dataset(cells, state=state)
        if num_workers is not None:
            options["num_workers"] = num_workers  # refused, with what there is instead
        stream = self._stream(labels, read_options({"batch_size": batch_size, **options}), use_float)
        return tensorflow_loading.tile_dataset(stream, state=state, deterministic=deterministic)


def import_loading(framework: str, *, from_wsi: bool = False) -> ModuleType:
    """Import the loader of a framework.

    Parameters
    ----------
    framework
        ``"torch"`` or ``"tensorflow"``.
    from_wsi
        The one for tiles from slides.

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
    return import_module(f"slidekit.{'sampling.tiles' if from_wsi else 'loading'}.{framework}")
