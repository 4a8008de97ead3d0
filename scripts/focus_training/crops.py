"""Training images: windows of sharp crops, scanned in many ways, at the network's µm/px."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from focus_training.scanner import draw_scan, scan
from focus_training.vary import IMAGE_PX, varied_features

__all__ = ["CROP_MPP", "Examples", "make_examples", "slide_of"]

CROP_MPP: dict[str, tuple[float, float]] = {
    "skin": (0.263, 0.263),
    "resection": (0.361, 0.361),
    "duodenum": (0.25, 0.36),
    "appendix": (0.45, 0.68),
    "endometrium": (0.62, 0.92),
}
"""µm/px of the crops' slides, from and to. The last three do not say theirs. Their round nuclei measure 19.2, 10.5 and
7.7 px (area-weighted median of equivalent diameters of convex objects in the haematoxylin channel); those of
`resection` measure 17.0 px = 6.1 µm. The ranges take 80 to 115 % of that for the others' nuclei."""

_SCALE = 0.12
"""Each window is taken for up to that share finer or coarser than its crop: other people's nuclei."""


_SIZE = IMAGE_PX + 24
"""Pixels across a window, of which parts are taken."""

_VARIANTS = 4
"""Parts, turns and stains of each window."""


@dataclass(frozen=True)
class Examples:
    """Features of images and what the network shall say of them.

    Attributes
    ----------
    features, tissue
        (n, 11, 35, 35) float16 and (n, 6, 6) bool: see `varied_features`.
    labels, radii
        (n,), float32: see `Scan.label`; radius of the blur, µm.
    kernels, slides
        (n,), names.
    """

    features: npt.NDArray[np.float16]
    tissue: npt.NDArray[np.bool_]
    labels: npt.NDArray[np.float32]
    radii: npt.NDArray[np.float32]
    kernels: npt.NDArray[np.str_]
    slides: npt.NDArray[np.str_]

    def of(self, chosen: npt.NDArray[np.bool_]) -> Examples:
        """The examples that are chosen."""
        return Examples(**{name: values[chosen] for name, values in vars(self).items()})


def slide_of(crop: Path) -> str:
    """The slide that a crop is of: ``skin`` of ``skin-3.jpg``."""
    return crop.stem.rsplit("-", 1)[0]


def make_examples(folder: Path, each: int, *, mpp: float = 1.0, seed: int, workers: int = 2) -> Examples:
    """Scan `each` windows of every crop in a folder, in four variants; the same for the same seed and any workers."""
    crops = sorted(folder.glob("*.jpg"))
    if not crops:
        raise SystemExit(f"{folder} holds no crops (*.jpg).")
    jobs = [(crop, each, mpp, [seed, number]) for number, crop in enumerate(crops)]
    if workers == 1:
        made = [_of_crop(job) for job in jobs]
    else:
        with ProcessPoolExecutor(workers) as pool:
            made = list(pool.map(_of_crop, jobs))
    names = [field.name for field in fields(Examples)]
    return Examples(**{name: np.concatenate([getattr(part, name) for part in made]) for name in names})


def _of_crop(job: tuple[Path, int, float, list[int]]) -> Examples:
    path, each, mpp, seed = job
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    crop = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    features, tissue, ways = [], [], []
    for _ in range(each):
        crop_mpp = rng.uniform(*CROP_MPP[slide_of(path)]) * np.exp(rng.uniform(-_SCALE, _SCALE))
        way = draw_scan(rng, crop_mpp)
        window = min(int(np.ceil((_SIZE + 8) * mpp / crop_mpp)), *crop.shape[:2])
        x, y = rng.integers(0, crop.shape[1] - window + 1), rng.integers(0, crop.shape[0] - window + 1)
        seen = _middle(scan(crop[y : y + window, x : x + window], crop_mpp, way, mpp, rng), _SIZE)
        for _ in range(_VARIANTS):
            made = varied_features(seen, rng)
            features.append(made[0])
            tissue.append(made[1])
            ways.append(way)
    return Examples(
        np.stack(features),
        np.stack(tissue),
        np.array([way.label for way in ways], np.float32),
        np.array([way.radius_um for way in ways], np.float32),
        np.array([way.kernel for way in ways]),
        np.array([slide_of(path)] * len(ways)),
    )


def _middle(image: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    short = max(0, size - min(image.shape[:2]))
    if short:
        image = np.pad(image, ((short, short), (short, short), (0, 0)), mode="reflect")
    y, x = (image.shape[0] - size) // 2, (image.shape[1] - size) // 2
    return image[y : y + size, x : x + size]
