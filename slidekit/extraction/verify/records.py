"""One TFRecord file, read from end to end and compared with its index and with what its ``{slide}.json`` claims."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from slidekit.errors import RecordError
from slidekit.extraction.verify.faults import MEND_ACCESS, MEND_FOREIGN, MEND_OURS, Fault, Tally
from slidekit.extraction.verify.index import index_faults
from slidekit.io.tfrecord import FRAMING, RecordIndex, TileRecord, frame, iter_records
from slidekit.slide.report_model import RecordFile

__all__ = ["DecodeImage", "RecordCheck", "check_records"]

DecodeImage = Callable[[bytes], tuple[int, int]]
"""Decodes a tile and tells its rows and columns; raises ValueError if it is damaged."""

_MEND_WRITTEN_SO = "It was written like that. Run the same `slidekit extract` again with --no-skip-extracted."


@dataclass(frozen=True)
class RecordCheck:
    """What was found in a TFRecord file.

    Attributes
    ----------
    path
        The file.
    faults
        What is wrong with it and its index.
    records
        Number of undamaged records, up to the first that is damaged.
    size
        Bytes of the file.
    locations
        (n, 2) int64: centres of the tiles that were read, level-0 pixels.
    has_cells
        Whether slidekit wrote it: Slideflow's records do not say their cell of the grid.
    """

    path: Path
    faults: tuple[Fault, ...]
    records: int = 0
    size: int = 0
    locations: npt.NDArray[np.int64] | None = None
    has_cells: bool = False


def check_records(
    path: Path,
    *,
    claim: RecordFile | None = None,
    tile_px: int | None = None,
    further: Sequence[str] | None = None,
    decode: DecodeImage | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> RecordCheck:
    """Read a TFRecord file from end to end, one record in memory at a time.

    Parameters
    ----------
    path
        The file; its stem is the name of the slide.
    claim
        What the slide's ``{slide}.json`` says of it; None if there is none, as for Slideflow's files: then it need
        not have an index either.
    tile_px
        Edge that tiles must have; None if it is not known: then all must have that of the first.
    further
        Further sizes of concentric tiles that every record must hold, ``512um``; None: those that the first holds.
    decode
        Decodes images; None leaves them alone.
    stopped
        Asked after every record; reading ends when it says so.
    """
    scan = _Scan(path.stem, tile_px, further, decode)
    try:
        size = path.stat().st_size
        damage = scan.read(path, stopped)
    except OSError as error:
        what = f"cannot be read: {error.strerror or type(error).__name__}."
        return RecordCheck(path, (Fault(path, what, MEND_ACCESS),))
    mend = MEND_FOREIGN if claim is None else MEND_OURS
    found: list[tuple[str, str]] = []
    if damage is not None:
        before = f" Whole records before it: {scan.number}."
        found.append((f"{damage}{_of_bytes(size, claim)}{before}", mend))
    elif scan.number == 0:
        found.append((f"is empty.{_of_bytes(size, claim)}", mend))
    elif claim is not None and (contradiction := scan.contradicts(claim)):
        found.append((contradiction, mend))
    # A file that is not what was written says nothing about its index.
    index = None if found else scan.index()
    written_so = _MEND_WRITTEN_SO if claim is not None and not found else mend
    found += [(what, written_so) for what in scan.problems(may_be_merged=claim is None)]
    faults = [Fault(path, what, how) for what, how in found]
    faults += index_faults(path, index, claimed=claim is not None)
    return RecordCheck(path, tuple(faults), scan.number, size, scan.index().locations, scan.has_cells)


def _of_bytes(size: int, claim: RecordFile | None) -> str:
    return "" if claim is None or size == claim.size else f" The file has {size} of {claim.size} bytes."


class _Scan:
    """What is gathered on one way through the file: places, digest, and what is odd in single records."""

    def __init__(
        self, slide: str, tile_px: int | None, further: Sequence[str] | None, decode: DecodeImage | None
    ) -> None:
        self._slide, self._decode = slide, decode
        self._further = None if further is None else sorted(further)
        self._edges = None if tile_px is None else (tile_px, tile_px)
        self._extents, self._locations = array("q"), array("q")
        self._digest = hashlib.sha256()
        self._size = 0
        self._no_tiles, self._others, self._bad_images, self._sizes = Tally(), Tally(), Tally(), Tally()
        self._lacking = Tally()
        self._other_slides: set[str] = set()
        self._has_own = False
        self.number = 0
        self.has_cells = False

    def read(self, path: Path, stopped: Callable[[], bool]) -> str | None:
        """Read the file; returns what damage made an end of it, if any did."""
        try:
            for offset, payload in iter_records(path):
                self._take(offset, payload)
                if stopped():
                    break
        except RecordError as error:
            if isinstance(error.__cause__, OSError):
                raise error.__cause__ from None  # a disk that is away is no damage
            return error.message
        return None

    def _take(self, offset: int, payload: bytes) -> None:
        # The CRCs were right, so framing the payload again gives the very bytes of the file.
        self._digest.update(frame(payload))
        self._size += len(payload) + FRAMING
        self._extents.extend((offset, len(payload) + FRAMING))
        place = f"record {self.number} at byte {offset}"
        self.number += 1
        try:
            tile = TileRecord.decode(payload)
        except RecordError as error:
            self._locations.extend((0, 0))
            self._no_tiles.add(f"{place}: {error.message}")
            return
        self._locations.extend((tile.loc_x, tile.loc_y))
        self.has_cells = self.has_cells or tile.grid_x is not None
        if tile.slide == self._slide:
            self._has_own = True
        else:
            self._others.add(f"{place} is of slide {tile.slide!r}")
            if len(self._other_slides) < 2:
                self._other_slides.add(tile.slide)
        found = [image.name for image in tile.further]
        self._further = found if self._further is None else self._further
        if found != self._further:
            lacking = [name for name in self._further if name not in found]
            others = [name for name in found if name not in self._further]
            parts = [f"no image of {', '.join(lacking)}"] if lacking else []
            parts += [f"one of {', '.join(others)}, which others have not"] if others else []
            self._lacking.add(f"{place} has {' and '.join(parts)}")
        if self._decode is not None:
            self._look(tile.image_raw, place)
            for image in tile.further:
                self._look(image.image_raw, f"{place}, {image.name}")

    def _look(self, image: bytes, place: str) -> None:
        assert self._decode is not None
        try:
            edges = self._decode(image)
        except ValueError as error:
            self._bad_images.add(f"{place}: {error}")
            return
        self._edges = self._edges or edges
        if edges != self._edges:
            self._sizes.add(f"{place} has {edges[1]} × {edges[0]} pixels, not {self._edges[1]} × {self._edges[0]}")

    def contradicts(self, claim: RecordFile) -> str | None:
        """Say in what an undamaged file differs from what was written."""
        if (self.number, self._size) != (claim.records, claim.size):
            return (
                f"holds {self.number} records of {self._size} bytes in all, where {claim.records} of {claim.size} were"
                " written."
            )
        if self._digest.hexdigest() != claim.sha256:
            return "is not the file that was written: it is whole, but its SHA-256 is another one."
        return None

    def problems(self, *, may_be_merged: bool) -> list[str]:
        """What is odd in single records, a sentence a kind."""
        # A file of several slides that is named after none of them was merged from theirs; CRCs rule damage out.
        merged = may_be_merged and not self._has_own and len(self._other_slides) > 1
        kinds = (
            (self._no_tiles, "records are no tiles"),
            (Tally() if merged else self._others, "records are of another slide"),
            (self._bad_images, "images cannot be decoded"),
            (self._sizes, "images are of another size"),
            (self._lacking, "records have not the sizes that they should have"),
        )
        return [tally.say(self.number, what) for tally, what in kinds if tally.count]

    def index(self) -> RecordIndex:
        """What the index of the file should be."""
        return RecordIndex(_pairs(self._extents), _pairs(self._locations))


def _pairs(numbers: array[int]) -> npt.NDArray[np.int64]:
    return np.array(numbers, np.int64).reshape(-1, 2)
