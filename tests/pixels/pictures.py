"""Pictures whose pixels are known, how alike two of them are, and ways of damaging the files that hold them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import tifffile


def positions(width: int, height: int, level: int = 0) -> np.ndarray:
    """Every pixel says where it is: red x, green y (modulo 256), blue the rest and the level."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x % 256, y % 256, (x // 256) * 16 + (y // 256) * 2 + level * 77], axis=2).astype(np.uint8)


def tissue(width: int, height: int, *, seed: int = 0, detail: float = 1.5) -> np.ndarray:
    """Band-limited noise in all colours: as steep as a microscope's image, without pixel noise.

    Parameters
    ----------
    detail
        Standard deviation of the Gaussian that limits the band, pixels.
    """
    rng = np.random.default_rng(seed)
    image = np.zeros((height, width, 3), np.float32)
    for coarser in (1, 4, 16):
        size = (height // coarser + 8, width // coarser + 8, 3)
        noise = cv2.GaussianBlur(rng.standard_normal(size, np.float32), (0, 0), detail)
        noise = cv2.resize(noise, None, fx=coarser, fy=coarser, interpolation=cv2.INTER_CUBIC)[:height, :width]
        image += noise / noise.std()
    return np.clip(150 + 25 * image, 0, 255).astype(np.uint8)


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Peak signal-to-noise ratio, dB."""
    error = np.mean((first.astype(np.float64) - second.astype(np.float64)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def most_off(first: np.ndarray, second: np.ndarray) -> int:
    """The largest difference of two images, grey levels."""
    return int(np.abs(first.astype(np.int16) - second.astype(np.int16)).max())


def remove_tiles(path: Path, page: int, tiles: list[int]) -> Path:
    """Declare tiles absent: a byte count of 0."""
    with tifffile.TiffFile(path) as tiff:
        counts = tiff.pages[page].tags["TileByteCounts"]
        size = {3: 2, 4: 4, 16: 8}[int(counts.dtype)]
        start = counts.valueoffset
    with path.open("r+b") as file:
        for tile in tiles:
            file.seek(start + tile * size)
            file.write(bytes(size))
    return path


def spoil_tile(path: Path, page: int, tile: int) -> Path:
    """Overwrite a tile's bytes with what no codec takes."""
    with tifffile.TiffFile(path) as tiff:
        start, count = tiff.pages[page].dataoffsets[tile], tiff.pages[page].databytecounts[tile]
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xaa" * count)
    return path
