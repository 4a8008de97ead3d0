"""Reading the tiles of a dataset's TFRecords."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from slidekit.collection.selection import Selection

if TYPE_CHECKING:
    from slidekit.pixels.image import RGBImage

__all__ = ["Loading"]


class Loading(Selection):
    """What `Dataset` does with TFRecords: read their tiles."""

    def iter_tiles(self, *, max_tiles: int | None = None, seed: int = 0) -> Iterator[RGBImage]:
        """Read the images of the TFRecords; a stain normaliser can be fitted to them.

        Parameters
        ----------
        max_tiles
            Take a random sample of so many; None takes all.
        seed
            Seed of the sample.

        Returns
        -------
        iterator of ndarray (tile_px, tile_px, 3), uint8, RGB
            Slide after slide by name, in the order of the records.

        Raises
        ------
        DatasetError
            If the dataset has no size of tile, or no TFRecords of it.
        RecordError
            When it comes to a record that is damaged.
        """
        from slidekit.collection.tile_images import iter_tile_images

        records = self.tfrecords()
        if not records:
            raise self._say_no_records()
        return iter_tile_images(records, max_tiles=max_tiles, seed=seed)
