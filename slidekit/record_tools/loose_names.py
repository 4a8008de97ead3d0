"""Which files of a folder of loose tiles are which tile, at which size; whether every tile has all of its sizes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from slidekit.errors import RecordError
from slidekit.wording import some_of

__all__ = ["LooseTile", "list_tiles", "names_without_place"]

_SUFFIXES = (".jpg", ".jpeg", ".png")
_AFTER_SLIDE = re.compile(r"-(-?\d{1,18})-(-?\d{1,18})(?:_\d+)?")
_PLACE = re.compile(r".*-(\d{1,18})-(\d{1,18})(?:_\d+)?", re.DOTALL)
"""``{slide}-{loc_x}-{loc_y}``, as `save_tiles` and Slideflow write it; ``_2`` is added to a place that comes again."""

_OF_SIZE = re.compile(r"(.*-\d{1,18}-\d{1,18}(?:_\d+)?)_(\d[\d.e+-]*um|\d[\d.]*x)", re.DOTALL)
"""With the size of a concentric tile behind it."""


@dataclass(frozen=True)
class LooseTile:
    """The files of a tile.

    Attributes
    ----------
    path
        Its image, of several sizes that of the first.
    loc_x, loc_y
        Its centre, level-0 pixels; (0, 0) where the name does not say it.
    further
        Of concentric tiles, the image of each further size by its name, ``512um``.
    """

    path: Path
    loc_x: int
    loc_y: int
    further: Mapping[str, Path] = field(default_factory=dict)

    @property
    def files(self) -> tuple[Path, ...]:
        """All of its files."""
        return (self.path, *self.further.values())


def list_tiles(folder: Path, further: Collection[str] | None = None) -> list[LooseTile]:
    """Find the tiles of a folder, from top to bottom, in rows.

    Parameters
    ----------
    folder
        Folder of JPEG and PNG files ``{slide}-{loc_x}-{loc_y}.jpg``; a file ``{slide}-{loc_x}-{loc_y}_512um.jpg`` is a
        concentric tile of a further size. Other files in it are passed over.
    further
        Further sizes that each tile must have; None takes all that there are in the folder.

    Raises
    ------
    RecordError
        If a tile lacks a size, the first included, or has one that is not wanted, or twice; names the files.
    """
    firsts, around = _by_size(folder)
    sizes = sorted({size for found in around.values() for size in found}) if further is None else list(further)
    if sizes or around:
        _check_twice(folder, firsts, around)
        _check_foreign(folder, around, sizes)
        _check_missing(folder, firsts, around, sizes)
    tiles = [
        LooseTile(path, *(_place(path) or (0, 0)), {size: around[path.stem][size][0] for size in sizes})
        for path in firsts
    ]
    return sorted(tiles, key=lambda tile: (tile.loc_y, tile.loc_x, tile.path.name))


def names_without_place(folder: Path) -> list[str]:
    """Names of the pictures in a folder of loose tiles that do not say where the tile is, sorted."""
    return sorted(path.name for path in _by_size(folder)[0] if _place(path) is None)


_Around = dict[str, dict[str, list[Path]]]
"""Stem of a tile's name to its images of further sizes, by size."""


def _by_size(folder: Path) -> tuple[list[Path], _Around]:
    """Images of the first size, and those of further sizes."""
    firsts: list[Path] = []
    around: _Around = {}
    for path in _pictures(folder):
        if (match := _OF_SIZE.fullmatch(path.stem)) is None:
            firsts.append(path)
        else:
            around.setdefault(match[1], {}).setdefault(match[2], []).append(path)
    if around and around.keys().isdisjoint(path.stem for path in firsts):
        # Nowhere is there a tile that they could lie around: such as roi-12-34_40x.png are names like others.
        firsts += [path for tile in around.values() for paths in tile.values() for path in paths]
        return firsts, {}
    return firsts, around


def _pictures(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".") and path.is_file():
            yield path


def _check_twice(folder: Path, firsts: Sequence[Path], around: _Around) -> None:
    stems = Counter(path.stem for path in firsts)
    files = [path.name for path in firsts if stems[path.stem] > 1]
    files += [path.name for found in around.values() for paths in found.values() if len(paths) > 1 for path in paths]
    if files:
        what = f"holds several images of one tile and size: {some_of(sorted(files), 4)}."
        raise RecordError(what, mend="Remove all but one of each. Nothing was changed.", path=folder)


def _check_foreign(folder: Path, around: _Around, sizes: Sequence[str]) -> None:
    found = {size: path.name for tile in around.values() for size, (path, *_) in tile.items() if size not in sizes}
    if found:
        raise RecordError(
            f"holds tiles of sizes that were not asked for: {', '.join(sorted(found))}, such as {found[min(found)]}.",
            mend="Give the dataset all sizes, such as tile_um=[128, 512]; or move them away. Nothing was changed.",
            path=folder,
        )


def _check_missing(folder: Path, firsts: Sequence[Path], around: _Around, sizes: Sequence[str]) -> None:
    suffixes = {path.stem: path.suffix for path in firsts}
    missing = []
    for stem in sorted(suffixes.keys() | around.keys()):
        found = around.get(stem, {})
        suffix = suffixes.get(stem) or next(iter(found.values()))[0].suffix
        if stem not in suffixes:
            missing.append(f"{stem}{suffix}")
        missing += [f"{stem}_{size}{suffix}" for size in sizes if size not in found]
    if missing:
        raise RecordError(
            f"lacks {len(missing)} image{'s' if len(missing) > 1 else ''} of tiles whose other sizes are there: "
            f"{some_of(missing, 3)}.",
            mend="Write the loose tiles again, or remove the other sizes of these tiles. Nothing was changed.",
            path=folder,
        )


def _place(path: Path) -> tuple[int, int] | None:
    # Behind the slide's name, that of the folder, a second hyphen is a sign.
    slide = path.parent.name
    found = _AFTER_SLIDE.fullmatch(path.stem[len(slide) :]) if path.stem.startswith(slide) else None
    found = found or _PLACE.fullmatch(path.stem)
    return (int(found[1]), int(found[2])) if found else None
