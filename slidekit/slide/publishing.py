"""The files of one slide take their names: all of them, or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from slidekit.errors import SlidekitError
from slidekit.io.tfrecord import index_path
from slidekit.slide.report_model import RecordFile
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.spool import RecordSpool
from slidekit.slide.summary import TileOutcome, write_tile_table
from slidekit.slide.wsi import WSI

__all__ = ["OutputFolders", "publish_slide"]


@dataclass(frozen=True)
class OutputFolders:
    """Where the files of a slide go; None for what is not to be written.

    Attributes
    ----------
    tfrecords
        Folder of ``{slide}.tfrecords`` and what stands beside it.
    tiles
        Folder that gets a folder of loose tiles for each slide.
    previews
        Folder of the pictures for the report.
    """

    tfrecords: Path | None = None
    tiles: Path | None = None
    previews: Path | None = None


def publish_slide(
    wsi: WSI,
    spec: ExtractionSpec,
    folders: OutputFolders,
    spool: RecordSpool,
    order: Sequence[int],
    outcomes: Sequence[TileOutcome],
    before_file: Callable[[], None],
) -> RecordFile | None:
    """Write the files of a slide under their final names; without tiles that is the table alone.

    Parameters
    ----------
    wsi, spec, folders
        The slide, all parameters, and where to write.
    spool
        The kept tiles.
    order
        Numbers of those that are written, in the order in which they stand in the file.
    outcomes
        What became of each tile.
    before_file
        As for `slidekit.slide.extract.extract_from_wsi`.

    Returns
    -------
    RecordFile or None
        The TFRecord file, if one was written.
    """
    home = folders.tfrecords or folders.tiles
    assert home is not None
    records = None
    with ExitStack() as undo:

        def take_back_if_it_fails(remove: Callable[[], None]) -> None:
            undo.callback(_unless_lost, remove, before_file)

        # First, for it names the loose tiles: should the run be killed, they are known.
        table = home / f"{wsi.name}.tiles.csv"
        take_back_if_it_fails(partial(table.unlink, missing_ok=True))
        write_tile_table(table, wsi, outcomes, before=before_file)
        if folders.tiles is not None and order:
            loose = folders.tiles / wsi.name
            name, suffix, existed = wsi.name, spec.img_format, loose.exists()
            tiles = spool.write_tiles(
                loose, order, lambda tile: f"{name}-{tile.loc_x}-{tile.loc_y}.{suffix}", before=before_file
            )
            take_back_if_it_fails(partial(_remove_tiles, tiles, None if existed else loose))
        if folders.tfrecords is not None and order:
            path = folders.tfrecords / f"{wsi.name}.tfrecords"
            for file in (index_path(path), path):
                take_back_if_it_fails(partial(file.unlink, missing_ok=True))
            records = spool.write_tfrecord(path, order, before=before_file)
        undo.pop_all()
    return records


def _unless_lost(remove: Callable[[], None], before_file: Callable[[], None]) -> None:
    """Take a file back, unless another run has taken the slide over: what stands there then is its own."""
    try:
        before_file()
    except SlidekitError:
        return
    remove()


def _remove_tiles(tiles: Sequence[Path], folder: Path | None) -> None:
    for tile in tiles:
        tile.unlink(missing_ok=True)
    if folder is not None:
        folder.rmdir()
