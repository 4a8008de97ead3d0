"""`Dataset.tensorflow` beside a `tf.data` pipeline as it is written by hand, over the same TFRecords."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measure import Measured
from benchmarks.records import PX, UM
from slidekit import Dataset

__all__ = ["BY_HAND", "BY_HAND_EXACT", "SLIDEKIT", "measure_tensorflow"]

BATCH = 32

SLIDEKIT = "slidekit"
BY_HAND = "by hand"
BY_HAND_EXACT = "by hand, exact DCT"
"""With the transform that slidekit, libvips and OpenCV use; TensorFlow's default is up to 15 grey levels off."""


def measure_tensorflow(folder: Path, *, rounds: int) -> dict[str, dict[str, float]]:
    """Time an epoch of each, from the first record to the last batch, labels with it.

    Parameters
    ----------
    folder
        What `benchmarks.records.write_records` returned.
    rounds
        How many epochs of each; all in turn.

    Returns
    -------
    dict
        ``images/s`` by way, and ``ratio``: of slidekit to each of the others, by the clock; medians.
    """
    dataset = Dataset(tfrecords=folder, tile_px=PX, tile_um=UM)
    paths = dataset.tfrecords()
    labels = {path.stem: number % 2 for number, path in enumerate(paths)}
    datasets = {
        SLIDEKIT: dataset.tensorflow(labels, BATCH),
        BY_HAND: _by_hand(paths, labels, ""),
        BY_HAND_EXACT: _by_hand(paths, labels, "INTEGER_ACCURATE"),
    }
    measured = Measured(dataset.num_tiles)
    ways: dict[str, Callable[[], object]] = {way: partial(_read, batches) for way, batches in datasets.items()}
    for work in ways.values():
        work()  # the files are in memory after that
    measured.rounds(ways, rounds)
    return {
        "images/s": {way: measured.per_second(way) for way in ways},
        "ratio": {way: measured.ratio(SLIDEKIT, way, wall=True) for way in (BY_HAND, BY_HAND_EXACT)},
    }


def _read(batches: Any) -> None:
    for _ in batches:
        pass


def _by_hand(paths: Sequence[Path], labels: dict[str, int], dct_method: str) -> Any:
    """As the guides of TensorFlow have it: interleave, parse, decode, batch, with all that is tuned by itself."""
    import tensorflow as tf

    features = {"image_raw": tf.io.FixedLenFeature([], tf.string), "slide": tf.io.FixedLenFeature([], tf.string)}
    entries = tf.lookup.KeyValueTensorInitializer(list(labels), list(labels.values()), tf.string, tf.int64)
    table = tf.lookup.StaticHashTable(entries, -1)

    def parse(record: Any) -> tuple[Any, Any]:
        example = tf.io.parse_single_example(record, features)
        image = tf.io.decode_jpeg(example["image_raw"], channels=3, dct_method=dct_method)
        return tf.ensure_shape(image, (PX, PX, 3)), table.lookup(example["slide"])

    files = tf.data.Dataset.from_tensor_slices([str(path) for path in paths])
    records = files.interleave(tf.data.TFRecordDataset, cycle_length=len(paths), num_parallel_calls=tf.data.AUTOTUNE)
    return records.map(parse, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH).prefetch(tf.data.AUTOTUNE)
