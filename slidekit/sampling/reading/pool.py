"""Slides that are open in one process: so many at a time, and those that do not open remembered."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from slidekit.errors import SlidekitError, SlideOpenError
from slidekit.sampling.reading.opened import OpenedSlide
from slidekit.sampling.reading.tile_store import TileStore
from slidekit.sampling.slides import SampledSlide
from slidekit.sampling.spec import SamplingSpec
from slidekit.slide.identity import has_identity

__all__ = ["OPEN_SLIDES", "REPLACED", "TILE_MEMORY", "SlidePool"]

REPLACED = "the file was replaced by another, or went away, since its mask was looked at"

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

    def get(self, index: int, identity: str | None = None) -> OpenedSlide | str:
        """A slide, or why it cannot be read; the same answer later without another look at the file.

        Parameters
        ----------
        index
            Number of the slide.
        identity
            Which file it is, as `slide_identity` gives it; None takes whatever is there.
        """
        if index in self._refused:
            return self._refused[index]
        if index in self._open:
            self._open.move_to_end(index)
            return self._open[index]
        while len(self._open) >= self._most:
            self._close(self._open.popitem(last=False)[1])
        try:
            opened = self._open_as(self._slides[index], identity)
        except SlidekitError as error:
            self._refused[index] = f"cannot be opened: {error.message}"
            return self._refused[index]
        if opened is None:
            self._refused[index] = REPLACED
            return self._refused[index]
        opened.reader.keep_tiles_in(self.tiles.of(index))
        self._open[index] = opened
        return opened

    def _open_as(self, slide: SampledSlide, identity: str | None) -> OpenedSlide | None:
        """Open a slide; None where its file is another than the one that is meant."""
        try:
            opened = self._opener(slide, self._spec)
        except OSError as error:
            # It went away between two looks at it.
            raise SlideOpenError(f"the file cannot be read ({error.strerror or error}).", path=slide.path) from error
        # Asked for once it is open: what is put there later is not what will be read.
        if identity is None or has_identity(slide.path, identity):
            return opened
        opened.reader.close()
        return None

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
