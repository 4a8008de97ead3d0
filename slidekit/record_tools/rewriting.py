"""TFRecords whose images are changed: resized, normalised, or whatever a function of the user's does."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path

import cv2
import numpy as np

from slidekit.errors import RecordError, SpecError
from slidekit.io.tfrecord import TileRecord, iter_records
from slidekit.norm import StainNormalizer
from slidekit.pixels.image import RGBImage
from slidekit.record_tools.batch import for_each
from slidekit.record_tools.checks import SameSizes
from slidekit.record_tools.destination import check_destination, check_sources, writing_into
from slidekit.record_tools.images import decode_tile, encoding_of
from slidekit.record_tools.indexing import write_manifests
from slidekit.record_tools.payload import replace_image
from slidekit.record_tools.writing import RecordWriter

__all__ = ["TileChange", "rewrite_record_file", "rewrite_records"]


@dataclass(frozen=True)
class TileChange:
    """What is done to the image of a tile, in the order of the attributes.

    Attributes
    ----------
    normalizer
        Stain normaliser; images whose statistics are not defined stay as they are.
    hue_shift
        Added to the hue of every pixel, as a share of the colour circle (−1 to 1), in HSV as in TensorFlow's
        ``tf.image.adjust_hue``.
    function
        Called with the image, an array (rows, columns, 3) uint8 RGB, from several threads; returns another.
    tile_px
        Edge of the image in the end, by Pillow's Lanczos over all of the image; None leaves its size.
    """

    normalizer: StainNormalizer | None = None
    hue_shift: float = 0.0
    function: Callable[[RGBImage], RGBImage] | None = None
    tile_px: int | None = None

    def __post_init__(self) -> None:
        if self.tile_px is not None and not (_is_whole(self.tile_px) and 1 <= self.tile_px <= 16384):
            raise SpecError(f"tile_px={self.tile_px!r} is no size of a tile.", mend="Give a whole number, 1 to 16384.")
        if not isinstance(self.hue_shift, Real) or not -1 <= self.hue_shift <= 1:
            raise SpecError(f"hue_shift={self.hue_shift!r} is not a share of the circle.", mend="Give -1 to 1.")

    def __call__(self, image: RGBImage, like: RGBImage | None = None) -> RGBImage:
        """Change an image (rows, columns, 3), uint8 RGB.

        `like` is, of concentric tiles, the image of the first size, for which a normaliser that draws draws.
        """
        if self.normalizer is not None:
            image = self.normalizer.transform(image, like=like)
        if self.hue_shift:
            image = _shift_hue(image, self.hue_shift)
        if self.function is not None:
            image = _checked(self.function(image))
        return image if self.tile_px is None else _resize(image, self.tile_px)


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _shift_hue(image: RGBImage, share: float) -> RGBImage:
    hsv = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] + 360 * share) % 360
    return np.rint(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255).clip(0, 255).astype(np.uint8)


def _resize(image: RGBImage, tile_px: int) -> RGBImage:
    from PIL import Image

    if image.shape[:2] == (tile_px, tile_px):
        return image
    resized = Image.fromarray(image).resize((tile_px, tile_px), Image.Resampling.LANCZOS)
    return np.asarray(resized, dtype=np.uint8)


def _checked(image: object) -> RGBImage:
    good = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    if not good or not image.size:  # type: ignore[attr-defined]
        got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise SpecError(
            f"The function returned {got}, which is no image.", mend="Return an array (rows, columns, 3) of uint8, RGB."
        )
    return np.ascontiguousarray(image)


def rewrite_record_file(
    source: Path,
    dest: Path,
    change: TileChange | Callable[[RGBImage], RGBImage],
    *,
    overwrite: bool = False,
    further: Collection[str] | None = None,
) -> int:
    """Write a TFRecord file whose images are changed, and its index; one record is in memory at a time.

    Parameters
    ----------
    source
        The file; every CRC is checked.
    dest
        The new file.
    change
        Takes and returns an image (rows, columns, 3), uint8 RGB; of concentric tiles, it is called with each.
    overwrite
        Whether `dest` may exist.
    further
        Further sizes of concentric tiles that each record must have, ``512um``; None takes those of the first record.

    Returns
    -------
    int
        Number of records: in the order of `source`, with all of its features. Images are encoded in the format and at
        the JPEG quality and subsampling that each had.

    Raises
    ------
    RecordError
        If a record is damaged or no tile, or has other sizes, naming its byte; or `dest` exists. Nothing is left
        behind then.
    """
    sizes = SameSizes(further)
    with RecordWriter(dest, overwrite=overwrite) as writer:
        for offset, payload in iter_records(source):
            record = TileRecord.decode(payload, path=source)
            sizes.check(record, source, offset)
            first: RGBImage | None = None
            for size, data in ((None, record.image_raw), *((image.name, image.image_raw) for image in record.further)):
                try:
                    image = decode_tile(data)
                except RecordError as error:
                    of_size = "" if size is None else f", {size},"
                    what = f"in the record at byte {offset}{of_size} {error.message}"
                    raise RecordError(what, mend="Extract the slide again.", path=source) from error
                first = image if first is None else first
                changed = change(image, first) if isinstance(change, TileChange) else change(image)
                encoded = encoding_of(data).encode(changed)
                payload = replace_image(payload, encoded, size=size, path=source)
            writer.append(payload, (record.loc_x, record.loc_y))
    return len(writer)


def rewrite_records(
    files: Mapping[Path, Path],
    change: TileChange | Callable[[RGBImage], RGBImage],
    *,
    overwrite: bool = False,
    further: Collection[str] | None = None,
    num_workers: int | None = None,
) -> list[Path]:
    """Write TFRecord files whose images are changed, with indexes and manifest, several at a time.

    Parameters
    ----------
    files
        TFRecord file to the new one.
    change, overwrite, further
        As for `rewrite_record_file`.
    num_workers
        Threads; one a core by default. The files are the same for any number.

    Returns
    -------
    list of Path
        The new files; a file without records has none.

    Raises
    ------
    SpecError
        Before any work, if a new file would replace one of those that are read.
    RecordError
        As `rewrite_record_file`, when all other files are finished.
    """
    check_sources(files.items())
    check_destination(files.values(), overwrite=overwrite)

    def work(pair: tuple[Path, Path]) -> Path | None:
        return pair[1] if rewrite_record_file(*pair, change, overwrite=overwrite, further=further) else None

    with writing_into(path.parent for path in files.values()):
        made = for_each(
            work,
            list(files.items()),
            name=lambda pair: pair[0].name,
            num_workers=num_workers,
            after=lambda done: write_manifests(path.parent for _, path in done if path is not None),
        )
    return [path for path in made if path is not None]
