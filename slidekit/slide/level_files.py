"""Tiles of a stored level as PNG files with a table beside them; a slide's folder appears when it is complete."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from slidekit.errors import SlideOpenError, SlideReadError, SpecError
from slidekit.io.atomic import PART, atomic_write_text
from slidekit.pixels.discovery import slide_name
from slidekit.slide.encode import encode_image
from slidekit.slide.identity import slide_identity
from slidekit.slide.level_slide import LevelTiles, LevelTiling
from slidekit.wording import some_of

__all__ = ["SavedTiles", "merge_tables", "remove_level_tiles", "save_level_tiles"]

TABLE, FAILED, STATE = "dataset.csv", "failed_tiles.csv", "tiles.json"

HEADER = (
    *("slide_id", "tile_id", "image", "mask", "tile_x", "tile_y", "tile_right", "tile_bottom", "occupancy"),
    *("region_x", "region_y"),
)
"""Places are level-0 pixels but the last two, which are the tile's in the region of its level, for `assemble`."""

FAILED_HEADER = ("slide_id", "tile_id", "tile_x", "tile_y", "reason")


@dataclass(frozen=True)
class SavedTiles:
    """What a slide has become.

    Attributes
    ----------
    slide
        Its name.
    folder
        Where its tiles are.
    kept, discarded, failed
        Numbers of tiles: written; of too little foreground; not to be read.
    status
        ``done``, or ``skipped`` where it had been done before.
    """

    slide: str
    folder: Path
    kept: int
    discarded: int
    failed: int
    status: str = "done"

    @property
    def discarded_share(self) -> float:
        """Discarded tiles over all of the region's; 0 where there are none."""
        total = self.kept + self.discarded + self.failed
        return self.discarded / total if total else 0.0


def save_level_tiles(
    slide: str | Path,
    folder: str | Path,
    tiling: LevelTiling,
    *,
    mask: str | Path | None = None,
    overwrite: bool = False,
) -> SavedTiles:
    """Write the tiles of a slide to ``{folder}/{slide}/``.

    ``images/`` and ``masks/`` hold ``{x}x_{y}y.png`` by level-0 place, ``dataset.csv`` a row a tile, and
    ``failed_tiles.csv`` the tiles that could not be read. The slide's folder appears when all is in it: what a run left
    behind that was killed is made again.

    Parameters
    ----------
    slide
        File of the slide.
    folder
        Of all slides.
    tiling
        How to cut.
    mask
        As for `LevelTiles`.
    overwrite
        Whether tiles that were made in another way are replaced.

    Returns
    -------
    SavedTiles
        ``skipped`` where the same slide had been cut in the same way.

    Raises
    ------
    SpecError
        If the folder holds something else, and `overwrite` is not given; or files that are not of these tiles.
    SlideOpenError, SlideReadError, OSError
        If the slide cannot be used, or files cannot be written.
    """
    slide, home = Path(slide), Path(folder) / slide_name(slide)
    mask = None if mask is None else Path(mask)
    made = {**asdict(tiling), "slide": _identity(slide), "mask": None if mask is None else _identity(mask)}
    before = _read_state(home)
    if before.get("made") == made:
        kept, discarded, failed = before["counts"]
        return SavedTiles(slide_name(slide), home, kept, discarded, failed, "skipped")
    if home.exists() and not (overwrite and before):
        mend = "Give overwrite=True, or another folder." if before else "Give another folder."
        raise SpecError("The folder holds something that was not made in this way.", mend=mend, path=home)
    _refuse_foreign(home)
    part = home.with_name(home.name + PART)
    with LevelTiles(slide, tiling, mask=mask) as tiles:
        # What is there is of a run that was killed.
        shutil.rmtree(part, ignore_errors=True)
        try:
            kept, discarded, failed = _write(tiles, part, slide_name(slide))
            text = json.dumps({"made": made, "counts": [kept, discarded, failed]}, indent=1)
            atomic_write_text(part / STATE, text)
            _replace(part, home)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    return SavedTiles(slide_name(slide), home, kept, discarded, failed)


def remove_level_tiles(folder: str | Path, slide: str | Path) -> None:
    """Remove the tiles that `save_level_tiles` wrote of a slide.

    Parameters
    ----------
    folder
        Of all slides.
    slide
        File of the slide.

    Raises
    ------
    SpecError
        If the slide's folder holds anything else; nothing is removed then.
    """
    home = Path(folder) / slide_name(slide)
    if home.exists():
        _refuse_foreign(home)
        shutil.rmtree(home)


def _refuse_foreign(home: Path) -> None:
    """Make sure that all that there is in a slide's folder was written by `save_level_tiles`."""
    if not home.exists():
        return
    ours = {home / name for name in (TABLE, FAILED, STATE)}
    with suppress(OSError), (home / TABLE).open(encoding="utf-8", newline="") as file:
        ours |= {home.parent / row[kind] for row in csv.DictReader(file) for kind in ("image", "mask") if row.get(kind)}
    foreign = sorted(str(path.relative_to(home)) for path in home.rglob("*") if not path.is_dir() and path not in ours)
    if foreign:
        raise SpecError(
            f"The folder holds files that are not of the tiles: {some_of(foreign, 3)}.",
            mend="Move them, or give another folder: what is not of the tiles is never removed.",
            path=home,
        )


def _identity(path: Path) -> str:
    try:
        return slide_identity(path)
    except OSError as error:
        raise SlideOpenError(
            f"the file cannot be read: {error.strerror}.", mend="Check the path.", path=path
        ) from error


def _read_state(home: Path) -> dict[str, Any]:
    try:
        state = json.loads((home / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) and isinstance(state.get("counts"), list) else {}


def _replace(part: Path, home: Path) -> None:
    old = home.with_name(f"{home.name}.old{PART}")
    if home.exists():
        shutil.rmtree(old, ignore_errors=True)
        home.rename(old)
    part.rename(home)
    shutil.rmtree(old, ignore_errors=True)


def _write(tiles: LevelTiles, folder: Path, name: str) -> tuple[int, int, int]:
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    rows: list[tuple[Any, ...]] = []
    failed: list[tuple[Any, ...]] = []
    discarded = 0
    for tile in tiles:
        x, y = round(tile.corner[0]), round(tile.corner[1])
        place = f"{x:05d}x_{y:05d}y"
        if tile.error is not None:
            failed.append((name, f"{name}.{place}", x, y, tile.error.message))
        elif tile.image is None or tile.mask is None:
            discarded += 1
        else:
            image, mask = f"images/{place}.png", f"masks/{place}_mask.png"
            (folder / image).write_bytes(encode_image(tile.image, "png"))
            (folder / mask).write_bytes(_encode_mask(tile.mask))
            assert tiles.region is not None
            size = tiles.region.tile_size
            end = round(tile.corner[0] + size[0]), round(tile.corner[1] + size[1])
            found = f"{tile.occupancy:.6g}"
            rows.append(
                (name, f"{name}.{place}", f"{name}/{image}", f"{name}/{mask}", x, y, *end, found, *tile.location)
            )
    _write_table(folder / TABLE, HEADER, rows)
    _write_table(folder / FAILED, FAILED_HEADER, failed)
    if failed and not rows:
        raise SlideReadError(f"None of its {len(failed)} tiles can be read: {failed[0][-1]}", mend="Copy it again.")
    return len(rows), discarded, len(failed)


def _encode_mask(mask: np.ndarray) -> bytes:
    import cv2

    _, data = cv2.imencode(".png", mask.astype(np.uint8) * 255)
    return data.tobytes()


def _write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    atomic_write_text(path, text.getvalue())


def merge_tables(folder: str | Path) -> tuple[Path, Path]:
    """Join the tables of all finished slides of a folder, by name.

    Parameters
    ----------
    folder
        That `save_level_tiles` wrote to.

    Returns
    -------
    (Path, Path)
        ``dataset.csv`` and ``failed_tiles.csv`` in the folder; paths of pictures in them are relative to it.
    """
    folder = Path(folder)
    homes = sorted(path for path in folder.iterdir() if path.suffix != PART and (path / STATE).is_file())
    for name, header in ((TABLE, HEADER), (FAILED, FAILED_HEADER)):
        rows: list[list[str]] = []
        for home in homes:
            with (home / name).open(encoding="utf-8", newline="") as file:
                rows += list(csv.reader(file))[1:]
        _write_table(folder / name, header, rows)
    return folder / TABLE, folder / FAILED
