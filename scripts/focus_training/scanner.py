"""What stands between the tissue and the network: optics, a scanner's sharpening, noise and JPEG, and the reduction."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import pyvips

from focus_training.kernels import TRAINING_KERNELS

__all__ = ["Scan", "draw_scan", "reduce", "scan"]

RGBImage = npt.NDArray[np.uint8]

_SHARPEST, _BLURRED, _WORST = 0.5, 1.5, 8.0
"""Radii, µm, up to which an image is sharp, from which it is blurred, and the largest."""


@dataclass(frozen=True)
class Scan:
    """One way of scanning; sharp and blurred images are drawn from the same ones.

    Attributes
    ----------
    kernel, radius_um, angle
        Blur, see `kernels`.
    halved
        Scanned at twice the crop's µm/px.
    sharpening, sharpening_px
        Amount and σ of an unsharp mask.
    noise
        Standard deviation of sensor noise, grey levels.
    quality, subsampled
        Of JPEG.
    shrink
        Whether reduction begins with averages of 2 × 2 or 4 × 4 pixels, as shrink-on-load and pyramids do.
    """

    kernel: str
    radius_um: float
    angle: float
    halved: bool
    sharpening: float
    sharpening_px: float
    noise: float
    quality: int
    subsampled: bool
    shrink: bool

    @property
    def label(self) -> float:
        """What the network shall say: 0 sharp, 1 blurred, by radius in between."""
        return float(np.clip((self.radius_um - _SHARPEST) / (_BLURRED - _SHARPEST), 0, 1))


def draw_scan(rng: np.random.Generator, mpp: float) -> Scan:
    """Draw a way of scanning a crop of `mpp` µm/px."""
    kind = rng.random()
    if kind < 0.42:
        radius = 0.0 if kind < 0.2 else rng.uniform(0, _SHARPEST)
    elif kind < 0.57:
        radius = rng.uniform(_SHARPEST, _BLURRED)
    else:
        radius = _BLURRED * (_WORST / _BLURRED) ** (rng.random() ** 1.5)
    return Scan(
        kernel=str(rng.choice(list(TRAINING_KERNELS), p=(0.45, 0.4, 0.15))),
        radius_um=float(radius),
        angle=float(rng.uniform(0, np.pi)),
        halved=bool(mpp < 0.4 and rng.random() < 0.4),
        sharpening=float(rng.choice([0.0, rng.uniform(0, 1.2)])),
        sharpening_px=float(rng.uniform(0.6, 1.6)),
        noise=float(rng.choice([0.0, rng.uniform(0, 4)])),
        quality=int(rng.integers(60, 96)),
        subsampled=bool(rng.random() < 0.6),
        shrink=bool(rng.random() < 0.7),
    )


def scan(image: RGBImage, mpp: float, way: Scan, out_mpp: float, rng: np.random.Generator) -> RGBImage:
    """Blur, digitise and compress an image, then reduce it to `out_mpp`."""
    if way.radius_um > 0:
        kernel = TRAINING_KERNELS[way.kernel](way.radius_um / mpp, way.angle)
        image = np.asarray(cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT), np.uint8)
    if way.halved:
        image = np.asarray(cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
        mpp *= 2
    signal = image.astype(np.float32)
    if way.noise:
        signal += way.noise * rng.standard_normal(image.shape, dtype=np.float32)
    if way.sharpening:
        signal += way.sharpening * (signal - cv2.GaussianBlur(signal, (0, 0), way.sharpening_px))
    image = np.clip(np.rint(signal), 0, 255).astype(np.uint8)
    factor = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420 if way.subsampled else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    options = [cv2.IMWRITE_JPEG_QUALITY, way.quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor]
    _, coded = cv2.imencode(".jpg", image[..., ::-1], options)
    image = np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])
    return reduce(image, out_mpp / mpp, shrink=way.shrink)


def reduce(image: RGBImage, scale: float, *, shrink: bool) -> RGBImage:
    """Reduce by `scale` as the pixel engine does: whole factors by averages, the rest by libvips Lanczos3."""
    factor = 1
    while shrink and factor * 2 <= scale and factor < 8:
        factor *= 2
    if factor > 1:
        rows, columns = (length - length % factor for length in image.shape[:2])
        size = (columns // factor, rows // factor)
        image = np.asarray(cv2.resize(image[:rows, :columns], size, interpolation=cv2.INTER_AREA), np.uint8)
    rest = scale / factor
    if abs(rest - 1) < 1e-3:
        return image
    source = pyvips.Image.new_from_memory(np.ascontiguousarray(image).data, image.shape[1], image.shape[0], 3, "uchar")
    return np.asarray(source.resize(1 / rest, kernel="lanczos3", gap=0).numpy(), np.uint8)
