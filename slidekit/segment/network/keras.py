"""The U-Net, by Keras 3 on whatever framework Keras works with."""

from __future__ import annotations

from typing import Any

import keras  # type: ignore[import-untyped, import-not-found, unused-ignore]
from keras import layers

from slidekit.slide.segmentation.config import SegmentConfig

__all__ = ["build_unet"]

# The statistics follow the data within some ten batches: trainings here are of hundreds, not of millions.
_MOMENTUM = 0.9


def build_unet(config: SegmentConfig) -> Any:
    """Build an untrained U-Net (O. Ronneberger, P. Fischer, T. Brox, MICCAI 2015).

    Unlike the paper's, its convolutions are padded, so that the output is as large as the input, and each is followed
    by batch normalisation (S. Ioffe, C. Szegedy, ICML 2015). What that does to a pixel once the network is trained
    depends on the training data alone: never on the rest of the window, as with the statistics of an instance or a
    group, which would show as seams between windows.

    Parameters
    ----------
    config
        Its `filters`, `depth`, `out_classes`; weights are drawn by its `seed`.

    Returns
    -------
    keras.Model
        From float32 (n, h, w, 3), RGB as 0–255, with h and w any multiple of ``2 ** depth``, to logits, float32
        (n, h, w, out_classes).
    """
    seeds = iter(range(config.seed * 1000, config.seed * 1000 + 1000))
    image = keras.Input((None, None, config.in_channels), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(image)
    passed = []
    for stage in range(config.depth):
        x = _convolve_twice(x, config.filters << stage, f"down{stage}", seeds)
        passed.append(x)
        x = layers.MaxPooling2D(2, name=f"down{stage}_halve")(x)
    x = _convolve_twice(x, config.filters << config.depth, "bottom", seeds)
    for stage in reversed(range(config.depth)):
        filters = config.filters << stage
        x = layers.Conv2DTranspose(
            filters, 2, strides=2, kernel_initializer=_draw(next(seeds)), name=f"up{stage}_double"
        )(x)
        x = layers.Concatenate(name=f"up{stage}_join")([passed[stage], x])
        x = _convolve_twice(x, filters, f"up{stage}", seeds)
    # Whatever precision the layers before it work in.
    logits = layers.Conv2D(
        config.out_classes, 1, kernel_initializer=_draw(next(seeds)), dtype="float32", name="logits"
    )(x)
    return keras.Model(image, logits, name="unet")


def _convolve_twice(x: Any, filters: int, name: str, seeds: Any) -> Any:
    for index in (1, 2):
        x = layers.Conv2D(
            filters,
            3,
            padding="same",
            use_bias=False,
            kernel_initializer=_draw(next(seeds)),
            name=f"{name}_conv{index}",
        )(x)
        x = layers.BatchNormalization(momentum=_MOMENTUM, name=f"{name}_norm{index}")(x)
        x = layers.ReLU(name=f"{name}_relu{index}")(x)
    return x


def _draw(seed: int) -> Any:
    """Weights as in K. He et al., ICCV 2015; by a seed of their own, so that no global state is touched."""
    return keras.initializers.HeNormal(seed=seed)
