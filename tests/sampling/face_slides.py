"""Small slides of noise, with masks and labels, for the tests of whatever is fed from a sampler."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from slidekit.io.slide_tiff import write_svs
from slidekit.sampling import PatchSampler, SampledSlide

EDGE = 256
MPP = 0.5
PX, UM = 16, 16


def write_noise(folder: Path, count: int = 3, labels: tuple[object, ...] = (0, 1, 0)) -> list[SampledSlide]:
    """Slides s0, s1, … of 256 px, whose tissue is a square of 128 px in the middle, by a mask that is given."""
    folder.mkdir(parents=True, exist_ok=True)
    slides = []
    for number in range(count):
        noise = np.random.default_rng(number).integers(0, 255, (EDGE // 8, EDGE // 8, 3), np.uint8)
        image = cv2.resize(noise, (EDGE, EDGE), interpolation=cv2.INTER_CUBIC)
        path = write_svs(folder / f"s{number}.svs", [image], mpp=MPP, quality=95)
        mask = np.zeros((32, 32), np.uint8)
        mask[8:24, 8:24] = 255
        cv2.imwrite(str(folder / f"s{number}_tissue.png"), mask)
        label = labels[number] if labels else None
        slides.append(SampledSlide(path, f"s{number}", mask=folder / f"s{number}_tissue.png", label=label))
    return slides


def make_sampler(folder: Path, slides: list[SampledSlide] | None = None, **options: object) -> PatchSampler:
    """A sampler of such slides; their masks are kept in the folder."""
    settled = {"tile_px": PX, "tile_um": UM, "seed": 3, "cache": folder / "cache", **options}
    return PatchSampler(write_noise(folder / "slides") if slides is None else slides, **settled)
