"""Models for segmentation that need no training."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from slidekit.slide.segmentation.config import SegmentConfig


def save_model(folder: Path, network: Any, config: SegmentConfig) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # Keras' own, of numpy 2.
        warnings.simplefilter("ignore", DeprecationWarning)
        network.save(folder / "model.keras")
    config.save(folder)
    return folder


def save_pointwise(folder: Path, config: SegmentConfig, weights: Any, bias: Any) -> Path:
    """A network whose logits are sums of a pixel's own red, green and blue."""
    import keras

    image = keras.Input((None, None, 3))
    layer = keras.layers.Conv2D(config.out_classes, 1)
    network = keras.Model(image, layer(image))
    layer.set_weights([np.asarray(weights, np.float32).reshape(1, 1, 3, -1), np.atleast_1d(bias).astype(np.float32)])
    return save_model(folder, network, config)
