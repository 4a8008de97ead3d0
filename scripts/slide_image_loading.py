"""Compare readers of slides on a folder of yours: open, read the lowest level, save it; then cut a level into tiles.

Every reader is used as slidekit uses it. Tiles are cut where a mask has more than a share of foreground: pictures or
slides of the same names in --masks, else each slide's own Otsu threshold. Files are in the page cache from the second
round on; the medians say little of a cold disk.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import track

sys.path.insert(0, str(Path(__file__).parent))

from slide_loading.measure import (
    Problem,
    Timing,
    find_lost,
    find_masks,
    list_slides,
    measure_loading,
    measure_tiling,
    readers,
)
from slide_loading.show import draw_medians, show_problems, show_table, write_timings

from slidekit.errors import SlidekitError, SpecError
from slidekit.pixels.discovery import check_unique_names, slide_name
from slidekit.slide.level_slide import LevelTiling


def main() -> int:
    """Measure what is asked for; 1 if a slide could not be loaded, or be cut without losing tiles, by any reader."""
    arguments = _parse()
    console = Console()
    slides = list_slides(arguments.slides)
    check_unique_names(slides)
    masks = {} if arguments.masks is None else find_masks(arguments.masks)
    out: Path = arguments.output
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpecError(f"cannot be a folder to write to: {error.strerror}.", mend="Give another.", path=out) from error
    timings: list[Timing] = []
    problems: list[Problem] = []
    for slide in track(slides, "slides", console=console, transient=True, disable=not console.is_terminal):
        mask = masks.get(slide_name(slide))
        if arguments.masks is not None and mask is None:
            problems.append(Problem(slide_name(slide), "all", "there is no mask of its name; Otsu's threshold is used"))
        for number in range(arguments.rounds):
            for reader in arguments.readers:
                tiling = LevelTiling(arguments.level, arguments.tile_px, arguments.occupancy, arguments.margin, reader)
                found = [*measure_loading(slide, reader, out, number)]
                if isinstance(found[0], Timing) and not arguments.no_tiles:
                    found += measure_tiling(slide, mask, tiling, out, number)
                timings += [one for one in found if isinstance(one, Timing)]
                problems += [one for one in found if isinstance(one, Problem)]
    lost = find_lost([slide_name(slide) for slide in slides], timings, problems, cut=not arguments.no_tiles)
    show_table(console, timings, arguments.readers)
    show_problems(console, problems, lost)
    print(write_timings(timings, problems, out))
    if timings:
        print(draw_medians(timings, arguments.readers, out / "medians.png"))
    return 1 if lost else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slides", type=Path, help="folder of slides, or one slide")
    parser.add_argument("-o", "--output", type=Path, default=Path("slide_image_loading"), help="folder to write to")
    parser.add_argument("--masks", type=Path, help="folder of masks: {slide} or {slide}_mask, pictures or slides")
    parser.add_argument("--readers", nargs="+", choices=readers(), default=readers())
    parser.add_argument("--rounds", type=int, default=3, help="each figure is the median of so many")
    parser.add_argument(
        "--level", type=int, default=1, help="level that is cut into tiles; the last of slides that have fewer"
    )
    parser.add_argument("--tile-px", type=int, default=224)
    parser.add_argument("--occupancy", type=float, default=0.05, help="keep tiles with more foreground than this share")
    parser.add_argument("--margin", type=float, default=64, help="around the foreground, lowest-level pixels")
    parser.add_argument("--no-tiles", action="store_true", help="load only, cut no tiles")
    given = parser.parse_args()
    for name, least in (("rounds", 1), ("level", 0), ("tile_px", 1), ("margin", 0)):
        if not getattr(given, name) >= least:
            parser.error(f"--{name.replace('_', '-')} {getattr(given, name)} is less than {least}")
    if not 0 <= given.occupancy < 1:
        parser.error(f"--occupancy {given.occupancy} is no share from 0 to less than 1")
    if given.masks is not None and not given.masks.is_dir():
        parser.error(f"--masks {given.masks} is not a folder")
    return given


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SlidekitError as error:
        sys.exit(f"error: {error}")
