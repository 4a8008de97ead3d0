"""``slidekit convert``: slides of any format to pyramidal TIFF."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.text import Text

from slidekit.cli.bars import make_progress

if TYPE_CHECKING:
    from slidekit.slide.convert import Converted

__all__ = ["convert"]

_STYLE = {"done": "green", "skipped": "cyan", "failed": "bold red"}


def convert(
    slides: Annotated[list[Path], typer.Argument(help="Slides, or folders of slides.", metavar="SLIDES", exists=True)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.", metavar="DIR", file_okay=False)],
    target_mpp: Annotated[
        list[float] | None,
        typer.Option(
            "--target-mpp", help="µm/px of a level. Repeatable; one alone gets a pyramid beneath it.", metavar="X"
        ),
    ] = None,
    magnifications: Annotated[
        list[float] | None,
        typer.Option("--magnification", help="A level by magnification: 10 is 1 µm/px. Repeatable.", metavar="X"),
    ] = None,
    levels: Annotated[
        list[int] | None, typer.Option("--level", help="A level of the slides to copy. Repeatable.", metavar="N")
    ] = None,
    tile_size: Annotated[
        int, typer.Option("--tile-size", help="Edge of the TIFF's tiles, a multiple of 16.", metavar="N")
    ] = 512,
    compression: Annotated[
        str, typer.Option("--compression", help="deflate (not for cuCIM), jpeg or none.", metavar="NAME")
    ] = "deflate",
    quality: Annotated[int, typer.Option("--quality", help="Of JPEG, 1 to 100.", metavar="N")] = 85,
    mpp: Annotated[
        float | None, typer.Option("--mpp", help="µm/px of level 0, over what the files say.", metavar="X")
    ] = None,
    reader: Annotated[str, typer.Option("--reader", help="The one reader to use.", metavar="NAME")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", metavar="", help="Replace files that are there.")] = False,
    workers: Annotated[int, typer.Option("--workers", help="Slides at a time.", metavar="N", min=1)] = 1,
) -> None:
    """Convert slides to pyramidal TIFF; all of a slide with a pyramid, if no resolution is given."""
    from slidekit.pixels.discovery import find_slides
    from slidekit.slide.convert import convert_slides

    console = Console()
    if any(given.is_dir() and given.resolve() == output.resolve() for given in slides):
        raise typer.BadParameter(
            "it is the folder of the slides, whose names the new files would have; give another", param_hint="--output"
        )
    found = [path for given in slides for path in (find_slides(given) if given.is_dir() else [given])]
    # What an earlier run wrote below the folder of the slides is no slide to convert.
    found = [path for path in found if path in slides or output.resolve() not in path.resolve().parents]
    if not found:
        raise typer.BadParameter("there is no slide in it", param_hint="SLIDES")
    size: dict[str, Any] = {"target_mpp": target_mpp, "magnifications": magnifications, "levels": levels}
    storage: dict[str, Any] = {"tile_size": tile_size, "compression": compression, "quality": quality}
    with make_progress(console) as progress:
        task = progress.add_task("slides", total=len(found))

        def show(result: Converted) -> None:
            _show(console, result)
            progress.advance(task)

        results = convert_slides(
            found, output, overwrite=overwrite, workers=workers, on_done=show, mpp=mpp, reader=reader, **size, **storage
        )
    counts = {state: sum(result.status == state for result in results) for state in _STYLE}
    console.print(", ".join(f"{count} {state}" for state, count in counts.items() if count) + f": {output}")
    if counts["failed"]:
        raise typer.Exit(1)


def _show(console: Console, result: Converted) -> None:
    if result.error is not None:
        said = str(result.error)
        if isinstance(result.error, OSError) or result.error.path is None:
            said = f"{result.slide}: {said}"
    elif result.status == "skipped":
        said = f"{result.path} is there already; --overwrite writes it anew."
    else:
        assert result.path is not None
        said = f"{result.path}, {decimal(result.path.stat().st_size)}"
    console.print(Text.assemble((f"{result.status:8}", _STYLE[result.status]), said), soft_wrap=True)
