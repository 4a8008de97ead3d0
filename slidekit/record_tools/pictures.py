"""Small pictures of whole slides, all of one size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely

from slidekit.errors import MissingMPPError, RecordError, SlidekitError, SpecError
from slidekit.io.atomic import atomic_write
from slidekit.io.url import refuse_remote
from slidekit.pixels.image import WHITE, RGBImage
from slidekit.pixels.mpp import settle_mpp
from slidekit.pixels.overview import read_overview
from slidekit.pixels.readers import SlideReader, open_slide
from slidekit.pixels.resize import SHORT_LEAD
from slidekit.pixels.source import choose_source
from slidekit.pixels.strips import STRIP_BYTES, read_resampled
from slidekit.record_tools.batch import named_disk_errors, try_each
from slidekit.slide.encode import encode_image
from slidekit.slide.preview import draw_preview
from slidekit.slide.roi import load_rois

__all__ = ["SlidePicture", "check_size", "square_picture", "write_thumbnails"]

_MOST = 16384


@dataclass(frozen=True)
class SlidePicture:
    """What a picture is made of.

    Attributes
    ----------
    slide
        File of the slide.
    rois
        File of the regions to draw; None draws none.
    mpp
        µm/px from the annotations.
    """

    slide: Path
    rois: Path | None = None
    mpp: float | None = None


class _Frame(NamedTuple):
    """Where the slide lies in the square, pixels."""

    left: int
    top: int
    columns: int
    rows: int


def check_size(size: int) -> None:
    """Make sure that a number is the edge of a picture, pixels.

    Raises
    ------
    SpecError
        If not.
    """
    if not isinstance(size, Integral) or isinstance(size, bool) or not 1 <= size <= _MOST:
        raise SpecError(f"{size!r} is no size of a picture.", mend=f"Give 1 to {_MOST} pixels.")


def square_picture(picture: SlidePicture, size: int, *, enable_downsample: bool = True) -> RGBImage:
    """Draw a slide in the middle of a white square, in its true proportions.

    Parameters
    ----------
    picture
        The slide. Where its µm/px is not known, its pixels are taken for square.
    size
        Edge of the square, pixels.
    enable_downsample
        Whether pyramid levels are used; without, all of level 0 is read and averaged, which is slow.

    Returns
    -------
    ndarray (size, size, 3), uint8, RGB

    Raises
    ------
    SlideError, ROIError
        If the slide or its regions cannot be used.
    """
    check_size(size)
    refuse_remote(picture.slide)
    with open_slide(picture.slide) as reader:
        frame = _fit(reader, picture, size)
        width, height = reader.dimensions
        scale = (frame.columns / width, frame.rows / height)
        image = _read(reader, frame, enable_downsample=enable_downsample)
        if picture.rois is not None:
            regions = load_rois(picture.rois, slide_size=reader.dimensions, bounds_origin=reader.metadata.bounds_origin)
            polygons: list[shapely.Polygon] = [roi.polygon for roi in regions]
            image = draw_preview(image, scale, polygons=polygons)
    square = np.full((size, size, 3), WHITE, np.uint8)
    square[frame.top : frame.top + frame.rows, frame.left : frame.left + frame.columns] = image
    return square


def _fit(reader: SlideReader, picture: SlidePicture, size: int) -> _Frame:
    width, height = reader.dimensions
    try:
        mpp = settle_mpp(picture.slide, reader.metadata, annotated=picture.mpp, from_objective=True)
        width_um, height_um = width * mpp.x, height * mpp.y
    except MissingMPPError:
        width_um, height_um = float(width), float(height)
    longer = max(width_um, height_um)
    columns, rows = (max(1, round(size * edge / longer)) for edge in (width_um, height_um))
    return _Frame((size - columns) // 2, (size - rows) // 2, columns, rows)


def _read(reader: SlideReader, frame: _Frame, *, enable_downsample: bool) -> RGBImage:
    width, height = reader.dimensions
    pixel_x, pixel_y = width / frame.columns, height / frame.rows
    if enable_downsample:
        return read_overview(reader, pixel_x, pixel_y)[: frame.rows, : frame.columns]
    source = choose_source(reader, pixel_x, pixel_y, resample="fast", enable_downsample=False).averaged()
    at_once = max(16, int(STRIP_BYTES / (frame.columns * source.scale_x * source.scale_y * 3)))
    bands = [
        read_resampled(
            reader,
            source,
            0,
            row * pixel_y,
            frame.columns,
            min(at_once, frame.rows - row),
            most_lead=SHORT_LEAD,
        )
        for row in range(0, frame.rows, at_once)
    ]
    return np.concatenate(bands)


def write_thumbnails(
    pictures: Mapping[str, SlidePicture],
    folder: Path,
    *,
    size: int = 512,
    enable_downsample: bool = True,
    overwrite: bool = False,
    num_workers: int | None = None,
) -> tuple[dict[str, Path], dict[str, SlidekitError]]:
    """Write pictures of slides as ``{slide}.png``.

    Parameters
    ----------
    pictures
        Name of each slide to what its picture is made of.
    folder
        Where they go; it is made.
    size, enable_downsample
        As for `square_picture`.
    overwrite
        Whether existing pictures are replaced.
    num_workers
        Threads; one a core by default.

    Returns
    -------
    dict, dict
        Slide to its picture; and to why there is none.

    Raises
    ------
    SpecError
        If `size` is none.
    RecordError
        Before any work, if a picture exists and is not to be replaced, or the folder cannot be made.
    """
    check_size(size)
    for name in pictures:
        if not overwrite and (there := folder / f"{name}.png").exists():
            raise RecordError("exists already.", mend="Give another folder, or overwrite=True.", path=there)
    with named_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)

    def work(item: tuple[str, SlidePicture]) -> Path:
        name, picture = item
        image = square_picture(picture, size, enable_downsample=enable_downsample)
        path = folder / f"{name}.png"
        with named_disk_errors(path), atomic_write(path, private=True) as file:
            file.write(encode_image(image, "png"))
        return path

    done, failed = try_each(work, list(pictures.items()), num_workers=num_workers)
    return {item[0]: path for item, path in done}, {item[0]: error for item, error in failed}
