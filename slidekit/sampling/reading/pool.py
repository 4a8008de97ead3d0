"""Slides that are open in one process: so many at a time, and those that do not open remembered."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from slidekit.errors import SlidekitError
from slidekit.sampling.reading.opened import OpenedSlide
from slidekit.sampling.reading.tile_store import TileStore
from slidekit.sampling.slides import SampledSlide
from slidekit.sampling.spec import SamplingSpec

__all__ = ["OPEN_SLIDES", "TILE_MEMORY", "SlidePool"]

OPEN_SLIDES = 32
"""Slides that one process has open."""

TILE_MEMORY = 192 << 20
"""Bytes of decoded native tiles that one process holds."""


class SlidePool:
    """Open slides of one process; those that were not asked for longest are closed.

    Parameters
    ----------
    slides, spec
        As the sampler has them.
    most
        Slides that are open at one time.
    memory
        Bytes of decoded native tiles, of all slides together.

    Attributes
    ----------
    tiles
        The decoded tiles.
    """

    def __init__(
        self,
        slides: Sequence[SampledSlide],
        spec: SamplingSpec,
        *,
        most: int = OPEN_SLIDES,
        memory: int = TILE_MEMORY,
        opener: Callable[[SampledSlide, SamplingSpec], OpenedSlide] = OpenedSlide.open,
    ) -> None:
        self.tiles = TileStore(memory)
        self._slides = slides
        self._spec = spec
        self._most = max(1, most)
        self._opener = opener
        self._open: OrderedDict[int, OpenedSlide] = OrderedDict()
        self._refused: dict[int, str] = {}
        self._bytes_of_closed = 0

    def get(self, index: int) -> OpenedSlide | str:
        """A slide, or why it cannot be opened; the same answer later without another look at the file."""
        if index in self._refused:
            return self._refused[index]
        if index in self._open:
            self._open.move_to_end(index)
            return self._open[index]
        while len(self._open) >= self._most:
            self._close(self._open.popitem(last=False)[1])
        try:
            opened = self._opener(self._slides[index], self._spec)
        except SlidekitError as error:
            self._refused[index] = error.message
            return error.message
        opened.reader.keep_tiles_in(self.tiles.of(index))
        self._open[index] = opened
        return opened

    @property
    def bytes_read(self) -> int:
        """Bytes of all slides that tiles were decoded from so far."""
        return self._bytes_of_closed + sum(opened.reader.bytes_read for opened in self._open.values())

    def close(self) -> None:
        """Close all slides."""
        while self._open:
            self._close(self._open.popitem()[1])

    def _close(self, opened: OpenedSlide) -> None:
        self._bytes_of_closed += opened.reader.bytes_read
        opened.reader.close()
