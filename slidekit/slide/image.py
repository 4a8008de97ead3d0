"""`SlideImage`: an open whole-slide image, its facts, and pictures of all of it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from slidekit.io.url import refuse_remote
from slidekit.pixels.discovery import slide_name
from slidekit.pixels.image import RGBImage
from slidekit.pixels.mpp import SlideMPP, settle_mpp
from slidekit.pixels.overview import read_overview, read_overview_bands, read_overview_window
from slidekit.pixels.readers import Level, SlideReader, open_slide

__all__ = ["SlideImage"]

_OVERVIEWS_KEPT = 2
_THUMB_PX = 1024


class SlideImage:
    """An open slide whose µm/px is known.

    Use it as a context manager, or `close` it.

    Parameters
    ----------
    path
        File of the slide.
    reader
        ``auto``, or the name of the one reader to use.
    annotated_mpp
        µm/px of level 0 from the annotations, which goes before `mpp`.
    mpp
        µm/px of level 0, over what the file says.
    from_objective
        Whether the objective's power may stand in for a missing µm/px.

    Raises
    ------
    SlideOpenError
        If no reader opens the file.
    MissingMPPError
        If its µm/px is unknown or cannot be true.
    """

    def __init__(
        self,
        path: Path,
        *,
        reader: str = "auto",
        annotated_mpp: float | None = None,
        mpp: float | None = None,
        from_objective: bool = False,
    ) -> None:
        refuse_remote(path)
        self.path = path
        self.name = slide_name(path)
        self._overviews: OrderedDict[tuple[int, int], RGBImage] = OrderedDict()
        self._reader = open_slide(path, reader)
        try:
            self._mpp: SlideMPP = settle_mpp(
                path, self._reader.metadata, annotated=annotated_mpp, given=mpp, from_objective=from_objective
            )
        except BaseException:
            self._reader.close()
            raise

    # --- what the slide is -------------------------------------------------------------------------------------

    @property
    def dimensions(self) -> tuple[int, int]:
        """Width and height of level 0, pixels."""
        return self._reader.dimensions

    @property
    def levels(self) -> tuple[Level, ...]:
        """Pyramid levels, largest first."""
        return self._reader.levels

    @property
    def mpp(self) -> float:
        """µm/px of level 0 along x; `mpp_y` is the other axis, `mpp_source` says who stated it."""
        return self._mpp.x

    @property
    def mpp_x(self) -> float:
        """µm/px of level 0 along x."""
        return self._mpp.x

    @property
    def mpp_y(self) -> float:
        """µm/px of level 0 along y."""
        return self._mpp.y

    @property
    def mpp_source(self) -> str:
        """Where the µm/px came from: a header field, ``annotations``, ``mpp=`` or ``objective``."""
        return self._mpp.source

    @property
    def properties(self) -> Mapping[str, str]:
        """Everything that the file's header says."""
        return self._reader.metadata.properties

    @property
    def vendor(self) -> str:
        """Format of the slide, such as ``aperio``."""
        return self._reader.metadata.vendor

    @property
    def bounds_origin(self) -> tuple[float, float]:
        """Where QuPath's pixel (0, 0) lies, level-0 pixels; other than (0, 0) for MIRAX."""
        return self._reader.metadata.bounds_origin

    @property
    def reader(self) -> SlideReader:
        """The reader that delivers the pixels."""
        return self._reader

    @property
    def size_um(self) -> tuple[float, float]:
        """Width and height of the slide, µm."""
        width, height = self.dimensions
        return width * self.mpp_x, height * self.mpp_y

    # --- pictures ----------------------------------------------------------------------------------------------

    def overview(self, columns: int, rows: int) -> RGBImage:
        """Read the whole slide as an image of `columns` × `rows`; the last ones asked for are kept.

        Returns
        -------
        ndarray (rows, columns, 3), uint8, RGB
            Read-only: the next one who asks gets the same array.
        """
        key = (columns, rows)
        if key not in self._overviews:
            width, height = self.dimensions
            image = read_overview(self._reader, width / columns, height / rows)
            # A QC method that worked in place would change the slide for the methods after it.
            image.flags.writeable = False
            self._overviews[key] = image
            while len(self._overviews) > _OVERVIEWS_KEPT:
                self._overviews.popitem(last=False)
        return self._overviews[key]

    def overview_bands(
        self, columns: int, rows: int, *, band_rows: int, overlap: int
    ) -> Iterator[tuple[int, RGBImage]]:
        """As `overview`, in bands of rows with `overlap` rows of the neighbours; nothing is kept."""
        width, height = self.dimensions
        return read_overview_bands(self._reader, width / columns, height / rows, band_rows=band_rows, overlap=overlap)

    def overview_window(
        self, columns: float, rows: float, *, corner: tuple[int, int], size: tuple[int, int]
    ) -> RGBImage:
        """The rectangle of `overview(columns, rows)` at `corner` (x, y), of `size` (width, height); nothing is kept.

        `columns` and `rows` may be no whole numbers, so that pixels can be a level's own.

        Returns
        -------
        ndarray (height, width, 3), uint8, RGB
            White beyond the slide.
        """
        width, height = self.dimensions
        return read_overview_window(self._reader, width / columns, height / rows, corner, size)

    def thumb(self, width: int | None = None, *, mpp: float | None = None) -> RGBImage:
        """A picture of the whole slide.

        Parameters
        ----------
        width
            Columns of the picture; 1024 if `mpp` is not given either.
        mpp
            µm/px of the picture instead.

        Returns
        -------
        ndarray (rows, columns, 3), uint8, RGB
            In the slide's true proportions, also where its pixels are not square.
        """
        width_um, height_um = self.size_um
        if mpp is not None:
            width = max(1, round(width_um / mpp))
        width = width or _THUMB_PX
        rows = max(1, round(width * height_um / width_um))
        return self.overview(width, rows).copy()

    # --- housekeeping ------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of the file."""
        self._overviews.clear()
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
