"""The small slides that are damaged: one of each format and codec that slidekit reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import simplejpeg
import tifffile
from PIL import Image

from slidekit.io.slide_tiff import make_pyramid, write_svs, write_tiff
from tests.pixels.pictures import remove_tiles, tissue
from tests.pixels.readers.jpeg2000_files import write_jpeg2000
from tests.pixels.readers.ndpi_files import NdpiPage, write_ndpi

__all__ = ["REAL", "SOURCES"]

SIZE = (512, 448)
TILE = 128
_OME = {"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}

REAL = ("OS-1-detail.ome.tif", "CMU-1-Small-Region.svs", "fluorescence-DAPI.ndpi")
"""Real slides that are small enough to be damaged many times."""


def picture() -> np.ndarray:
    """Stained texture, and glass at the right."""
    width, height = SIZE
    image = tissue(width, height, detail=2.5).astype(np.int16) + np.array([45, -55, 15], np.int16)
    image[:, 448:] = (243, 242, 244)
    return np.clip(image, 0, 245).astype(np.uint8)


def blocks(image: np.ndarray) -> Iterator[np.ndarray]:
    """Tiles of a level, filled up at its edges."""
    height, width, _ = image.shape
    image = np.pad(image, ((0, -height % TILE), (0, -width % TILE), (0, 0)), mode="edge")
    for y in range(0, height, TILE):
        for x in range(0, width, TILE):
            yield np.ascontiguousarray(image[y : y + TILE, x : x + TILE])


def split_tables(jpeg: bytes) -> tuple[bytes, bytes]:
    """A JPEG as the tag JPEGTables and a stream without tables: DQT and DHT go into the first."""
    tables, rest, place = b"", b"", 2
    while jpeg[place + 1] != 0xDA:
        end = place + 2 + int.from_bytes(jpeg[place + 2 : place + 4], "big")
        if jpeg[place + 1] in (0xDB, 0xC4):
            tables += jpeg[place:end]
        else:
            rest += jpeg[place:end]
        place = end
    return b"\xff\xd8" + tables + b"\xff\xd9", b"\xff\xd8" + rest + jpeg[place:]


def _with_tables(path: Path, levels: list[np.ndarray]) -> None:
    with tifffile.TiffWriter(path) as tiff:
        for number, level in enumerate(levels):
            streams = [split_tables(simplejpeg.encode_jpeg(tile, 85, colorsubsampling="420")) for tile in blocks(level)]
            tiff.write(
                (stream for _, stream in streams),
                shape=level.shape,
                dtype=np.uint8,
                photometric="ycbcr",
                subsampling=(2, 2),
                tile=(TILE, TILE),
                compression="jpeg",
                jpegtables=streams[0][0],
                subfiletype=min(number, 1),
                metadata=None,
            )


def _ome(path: Path, levels: list[np.ndarray]) -> None:
    options = {"photometric": "rgb", "tile": (TILE, TILE), "compression": "jpeg"}
    with tifffile.TiffWriter(path, ome=True) as tiff:
        tiff.write(levels[0], subifds=1, metadata=_OME, **options)
        tiff.write(levels[1], subfiletype=1, **options)


def _lossless(path: Path, levels: list[np.ndarray], compression: str | None, *, big: bool = False) -> None:
    with tifffile.TiffWriter(path, bigtiff=big) as tiff:
        for number, level in enumerate(levels):
            tiff.write(
                level,
                photometric="rgb",
                tile=(TILE, TILE),
                compression=compression,
                predictor=compression is not None,
                subfiletype=min(number, 1),
                metadata=None,
            )


def _svs(path: Path, levels: list[np.ndarray], **options: object) -> None:
    write_svs(path, levels, mpp=0.5, objective_power=20, tile_size=TILE, **options)


def _holed(path: Path, levels: list[np.ndarray]) -> None:
    _svs(path, levels)
    remove_tiles(path, 0, [15])


def _ndpi(path: Path, levels: list[np.ndarray], subsampling: int) -> None:
    # Of subsampled colours OpenSlide decodes what has no restart markers.
    pages = [(levels[0], 20, 0 if subsampling else 128), (levels[1], 5, 0 if subsampling else None)]
    write_ndpi(path, [NdpiPage(*page, subsampling=subsampling) for page in pages])


SOURCES: dict[str, Callable[[Path, list[np.ndarray]], object]] = {
    "ycbcr-420.svs": _svs,
    "rgb.svs": lambda path, levels: _svs(path, levels, photometric="rgb"),
    "ycbcr-444.tiff": lambda path, levels: write_tiff(
        path, levels, mpp_x=0.5, mpp_y=0.5, tile_size=TILE, subsampling="444"
    ),
    "tables.tiff": _with_tables,
    "holed.svs": _holed,
    "deflate.tiff": lambda path, levels: _lossless(path, levels, "zlib"),
    "lzw-big.tiff": lambda path, levels: _lossless(path, levels, "lzw", big=True),
    "plain.tiff": lambda path, levels: _lossless(path, levels, None),
    "zstd.tiff": lambda path, levels: _lossless(path, levels, "zstd"),
    "jpeg2000.svs": lambda path, levels: write_jpeg2000(path, levels, 33005, level=35),
    "subifds.ome.tif": _ome,
    "strips.tif": lambda path, levels: tifffile.imwrite(
        path, levels[0], photometric="rgb", rowsperstrip=50, compression="zlib", metadata=None
    ),
    "chunks.ndpi": lambda path, levels: _ndpi(path, levels, 0),
    "chunks-420.ndpi": lambda path, levels: _ndpi(path, levels, 2),
    "lossless.png": lambda path, levels: Image.fromarray(levels[0]).save(path),
    "photo.jpg": lambda path, levels: Image.fromarray(levels[0]).save(path, quality=85),
}
"""Writers by file name; each takes the path and two levels."""


def write_sources(folder: Path, names: list[str]) -> dict[str, Path]:
    """Write slides of the names given into a folder."""
    levels = make_pyramid(picture(), (4,))
    paths = {}
    for name in names:
        paths[name] = folder / name
        SOURCES[name](paths[name], levels)
    return paths
