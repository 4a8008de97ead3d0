"""How many of the folds that are drawn into a slide `qc.Fold` finds: the figures of docs/artifacts.md.

``python docs/examples/fold_recall.py slide.svs``
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from slidekit import WSI, qc
from slidekit.io.slide_tiff import write_svs

Image = NDArray[np.uint8]

MPP = 8.0
WIDTHS_UM = (24, 48, 96, 160)
FOLDS, REACH_UM = 12, 400


def fold_tissue(image: Image, way: NDArray[np.float64], width_px: int) -> tuple[Image, NDArray[np.bool_]]:
    """Lay the tissue beside a band over it, and say where there was tissue in the band."""
    density = -np.log10((image.astype(float) + 0.5) / 245.5)
    band = np.zeros(image.shape[:2], np.uint8)
    cv2.polylines(band, [way.astype(np.int32)], False, 1, width_px)
    second = np.roll(density, (width_px, width_px), (0, 1)) * band[..., None]
    folded = np.clip(245.5 * 10 ** -(density + second) - 0.5, 0, 255).astype(np.uint8)
    return folded, (band > 0) & (density[..., 1] > 0.15)


def found_share(image: Image, truth: NDArray[np.bool_]) -> float:
    """Share of a fold that the method masks on a slide of this picture."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_svs(Path(folder) / "folded.svs", [image], mpp=MPP, quality=95)
        with WSI(path, tile_px=256, tile_um=256) as wsi:
            mask = np.asarray(qc.Fold()(wsi), np.uint8)
    return float(cv2.resize(mask, truth.shape[::-1], interpolation=cv2.INTER_NEAREST)[truth].mean())


def main(slide: Path) -> None:
    """Draw bent folds anywhere in the tissue, one at a time, and print how many are found by more than half."""
    with WSI(slide, tile_px=256, tile_um=256) as wsi:
        image = wsi.thumb(mpp=MPP)
    tissue, reach = np.argwhere(image[..., 1] < 190), REACH_UM / MPP
    for width_um in WIDTHS_UM:
        width, chance, shares = round(width_um / MPP), np.random.default_rng(width_um), []
        while len(shares) < FOLDS:
            (y, x), angle = tissue[chance.integers(len(tissue))], chance.uniform(0, np.pi)
            bends = [(-reach, angle + 0.2), (0, angle), (reach, angle + 0.3)]
            folded, truth = fold_tissue(
                image, np.array([[x + r * np.cos(a), y + r * np.sin(a)] for r, a in bends]), width
            )
            # Mostly on tissue: what lies on glass is no fold.
            if truth.sum() >= reach * width:
                shares.append(found_share(folded, truth))
        found = sum(share > 0.5 for share in shares)
        print(f"{width_um} µm: {found} of {FOLDS} are found, {np.mean(shares):.0%} of their area")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
