"""Stain normalisers: every method in every framework, beside torchstain's in the same framework, on one thread."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

# Before the libraries are imported, which read these once.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np

from benchmarks.measure import Measured
from benchmarks.normalizers import tissue_tiles
from slidekit import norm
from slidekit.norm.methods import NEEDS_SOURCE

__all__ = ["measure_frameworks"]

FRAMEWORKS = ("numpy", "torch", "tensorflow")
PEER = "torchstain"
BATCH = 16

Way = Callable[[], object]


def measure_frameworks(slide: Path, *, rounds: int) -> tuple[Measured, dict[str, dict[str, str]]]:
    """Time each method of `slidekit.norm` beside torchstain's, on tissue tiles of 256 px.

    Tensors come in batches of 16, as a loader yields them; arrays one by one, as the extraction has them. torchstain
    takes one image at a time, and its TensorFlow normalisers do not run in a graph; the conversion to floating point
    and the images of single stains are not asked of it.

    Returns
    -------
    Measured, dict
        The times; and method to framework to the name of torchstain's way that does the same, if it has one.
    """
    tiles = np.stack(tissue_tiles(slide))
    native = {"numpy": list(tiles)} | {"torch": _torch_batches(tiles), "tensorflow": _tensorflow_batches(tiles)}
    ways: dict[str, Way] = {}
    peers: dict[str, dict[str, str]] = {}
    for method in norm.METHODS:
        if method in NEEDS_SOURCE:  # cyclegan costs what its generator costs
            continue
        normalizer = norm.autoselect(method)
        for framework in FRAMEWORKS if method not in ("vahadane", "augment") else ("numpy",):
            # tf.function: what tf.data makes of it, too.
            transform = _graph(normalizer) if framework == "tensorflow" else normalizer.transform
            ways[f"{method} {framework}"] = partial(_each, transform, native[framework])
    held = norm.autoselect("vahadane").set_context(tiles[0])
    ways["vahadane, stains of the slide numpy"] = partial(_each, held.transform, native["numpy"])
    for kind in ("macenko", "reinhard"):
        for framework in FRAMEWORKS:
            name = f"{PEER} {kind} {framework}"
            ways[name] = _torchstain(kind, framework, tiles)
            for method in norm.METHODS:
                if method.startswith(kind):
                    peers.setdefault(method, {})[framework] = name
    for way in ways.values():
        way()  # graphs are traced, libraries loaded
    measured = Measured(len(tiles))
    measured.rounds(ways, rounds)
    return measured, peers


def _each(function: Callable[[Any], object], images: Any) -> None:
    for image in images:
        function(image)


def _torch_batches(tiles: np.ndarray) -> list[Any]:
    import torch

    torch.set_num_threads(1)
    images = torch.from_numpy(tiles).permute(0, 3, 1, 2).contiguous()
    return list(torch.split(images, BATCH))


def _tensorflow_batches(tiles: np.ndarray) -> list[Any]:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return [tf.constant(tiles[start : start + BATCH]) for start in range(0, len(tiles), BATCH)]


def _graph(normalizer: norm.StainNormalizer) -> Callable[[Any], object]:
    import tensorflow as tf

    return tf.function(
        normalizer.transform, input_signature=[tf.TensorSpec((None, 256, 256, 3), tf.uint8)], autograph=False
    )


def _torchstain(kind: str, framework: str, tiles: np.ndarray) -> Way:
    from torchstain.base.normalizers import MacenkoNormalizer, ReinhardNormalizer

    channels_first = (kind, framework) in (("macenko", "torch"), ("macenko", "tensorflow"), ("reinhard", "torch"))
    images: list[Any] = [tile.transpose(2, 0, 1) if channels_first else tile for tile in tiles]
    if framework == "torch":
        import torch

        images = [torch.from_numpy(np.ascontiguousarray(image)).float() for image in images]
    elif framework == "tensorflow":
        import tensorflow as tf

        images = [tf.constant(np.ascontiguousarray(image), tf.float32) for image in images]
    normalizer = (MacenkoNormalizer if kind == "macenko" else ReinhardNormalizer)(backend=framework)
    normalizer.fit(images[0])
    normalize = partial(normalizer.normalize, stains=False) if kind == "macenko" else normalizer.normalize
    return partial(_each, normalize, images)
