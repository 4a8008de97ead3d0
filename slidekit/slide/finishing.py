"""From the pixels of a tile to what stands in its record: normalised and encoded, with concentric tiles around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from slidekit.errors import NormalizerError, SlideReadError
from slidekit.io.tfrecord import FurtherImage
from slidekit.norm import StainNormalizer
from slidekit.pixels.image import RGBImage
from slidekit.slide.encode import encode_image
from slidekit.slide.fate import Fate
from slidekit.slide.further import FurtherReader
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.summary import TileOutcome

__all__ = ["add_further", "finish_tile"]


def finish_tile(
    image: RGBImage,
    spec: ExtractionSpec,
    normalizer: StainNormalizer | None,
    cut: Callable[[RGBImage], RGBImage] | None = None,
    like: RGBImage | None = None,
) -> tuple[bytes, bool]:
    """Normalise and encode a tile.

    Parameters
    ----------
    image
        (tile_px, tile_px, 3) uint8 RGB.
    spec
        Says how to encode.
    normalizer
        None leaves colours as they are.
    cut
        Blackens what is not to be seen, after the colours have been settled by all of the tile.
    like
        Of a further size, the tile that it lies around, as it was read: a normaliser that draws draws as for that one.

    Returns
    -------
    bytes
        A complete JPEG or PNG.
    bool
        Whether the normaliser changed the tile.

    Raises
    ------
    NormalizerError
        If it cannot be normalised.
    """
    changed = False
    if normalizer is not None:
        image, changed = normalizer.normalize(image) if like is None else normalizer.normalize(image, like=like)
    image = image if cut is None else cut(image)
    encoded = encode_image(image, spec.img_format, quality=spec.jpeg_quality, subsampling=spec.jpeg_subsampling)
    return encoded, changed


def add_further(
    outcomes: Sequence[TileOutcome],
    tiles: Sequence[RGBImage | SlideReadError],
    readers: Sequence[FurtherReader],
    spec: ExtractionSpec,
    normalizer: StainNormalizer | None,
) -> list[TileOutcome]:
    """Add the concentric tiles of further sizes to the tiles of a row that are kept so far.

    What was dropped before is not read again. A tile is dropped of which a further size cannot be read, or not be
    normalised: a record has all sizes. Its outcome names these sizes, and keeps the statistics of the first, which
    was read.

    Parameters
    ----------
    outcomes
        Tiles of one row, from left to right.
    tiles
        Their pixels, as they were read.
    readers
        One for each further size.
    spec, normalizer
        As for `finish_tile`.
    """
    kept = [(outcome, tile) for outcome, tile in zip(outcomes, tiles, strict=True) if outcome.fate is Fate.KEPT]
    cells = [(outcome.i, outcome.j) for outcome, _ in kept]
    around = zip(*(reader.read(cells) for reader in readers), strict=True)
    added = (
        _added(outcome, images, readers, partial(_finish, spec, normalizer, tile))
        for (outcome, tile), images in zip(kept, around, strict=True)
    )
    return [next(added) if outcome.fate is Fate.KEPT else outcome for outcome in outcomes]


def _added(
    outcome: TileOutcome,
    images: Sequence[RGBImage | SlideReadError],
    readers: Sequence[FurtherReader],
    finish: Callable[[RGBImage], bytes],
) -> TileOutcome:
    further = []
    unreadable = [reader.name for reader, image in zip(readers, images, strict=True) if isinstance(image, Exception)]
    if unreadable:
        return outcome._replace(fate=Fate.UNREADABLE, encoded=None, normalized=False, lost_at=tuple(unreadable))
    for reader, image in zip(readers, images, strict=True):
        assert not isinstance(image, SlideReadError)
        try:
            encoded = finish(image)
        except NormalizerError:
            return outcome._replace(fate=Fate.NORMALIZER, encoded=None, normalized=False, lost_at=(reader.name,))
        further.append(FurtherImage(reader.name, encoded, reader.is_edge(outcome.i, outcome.j)))
    return outcome._replace(further=tuple(further))


def _finish(
    spec: ExtractionSpec, normalizer: StainNormalizer | None, tile: RGBImage | SlideReadError, image: RGBImage
) -> bytes:
    assert not isinstance(tile, SlideReadError)  # of what is kept
    encoded, _ = finish_tile(image, spec, normalizer, like=tile)
    return encoded
