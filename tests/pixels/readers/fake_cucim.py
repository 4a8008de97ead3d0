"""A stand-in for cuCIM 26.10 that behaves as the real one was seen to, on tifffile."""

from __future__ import annotations

import zlib
from types import ModuleType
from typing import Any

import numpy as np
import tifffile


class Region:
    """What `read_region` returns: not an array, but numpy takes it for one."""

    def __init__(self, pixels: np.ndarray) -> None:
        self._pixels = np.ascontiguousarray(pixels)

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return self._pixels.__array_interface__


class CuImage:
    """Tiled TIFF by its pages; level-0 coordinates are divided in single precision and cut off."""

    def __init__(self, path: str) -> None:
        if not path.endswith((".svs", ".tif", ".tiff")):
            raise ValueError(f"Cannot find a plugin to handle '{path}'!")
        try:
            with tifffile.TiffFile(path) as tiff:
                pages = [page for page in tiff.pages if page.is_tiled] or tiff.pages[:1]
                self._levels = [_pixels(page) for page in pages]
                self._tiles = tuple((page.tilewidth, page.tilelength) for page in pages)
        except tifffile.TiffFileError as error:
            raise ValueError(f"Cannot load {path}!") from error
        self._closed = False

    @property
    def resolutions(self) -> dict[str, Any]:
        """Sizes and downsamples; these are the mean of both sides, in single precision."""
        height, width, _ = self._levels[0].shape
        sizes = [level.shape[1::-1] for level in self._levels]
        return {
            "level_count": len(sizes),
            "level_dimensions": tuple(sizes),
            "level_tile_sizes": self._tiles,
            "level_downsamples": tuple(float(np.float32((width / w + height / h) / 2)) for w, h in sizes),
        }

    def read_region(self, location: tuple[int, int], size: tuple[int, int], level: int = 0) -> Region:
        """A rectangle; black beyond the level."""
        if self._closed:
            raise RuntimeError("[Error] The image file is closed!")
        if min(size) < 1:
            raise ValueError(f"Invalid size ({min(size)}) in the request! (Should be > 0)")
        downsample = np.float32(self.resolutions["level_downsamples"][level])
        x, y = (int(np.float32(place) / downsample) for place in location)
        pixels = np.zeros((size[1], size[0], 3), np.uint8)
        part = self._levels[level][y : y + size[1], x : x + size[0]]
        pixels[: part.shape[0], : part.shape[1]] = part
        return Region(pixels)

    def close(self) -> None:
        self._closed = True


def _pixels(page: tifffile.TiffPage) -> np.ndarray:
    image = np.zeros((page.imagelength, page.imagewidth, 3), np.uint8)
    file, decode = page.parent.filehandle, page.decode  # to make `decode`, tifffile reads on in the file
    for index, (offset, count) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
        file.seek(offset)
        try:
            tile, place, _ = decode(file.read(count), index, jpegtables=page.jpegtables)
        except (RuntimeError, ValueError, zlib.error):
            continue  # black, without a word: so does cuCIM
        if tile is not None:
            y, x = place[2], place[3]
            part = image[y : y + tile.shape[1], x : x + tile.shape[2]]
            part[:] = tile[0, : part.shape[0], : part.shape[1]]
    return image


def make_module() -> ModuleType:
    """A module to put into `sys.modules` as ``cucim``."""
    module = ModuleType("cucim")
    module.CuImage = CuImage  # type: ignore[attr-defined]
    return module
