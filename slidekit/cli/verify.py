"""``slidekit verify``: whether everything that was extracted is there and whole."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from slidekit.cli.bars import make_progress

if TYPE_CHECKING:
    from slidekit.extraction.verify.folder import Fault, Verification

__all__ = ["verify"]

_MOST_NAMED = 5
_INTERRUPTED = 130


def verify(
    folder: Annotated[
        Path,
        typer.Argument(help="Project, or any folder with TFRecords.", metavar="FOLDER", exists=True, file_okay=False),
    ],
    fast: Annotated[
        bool, typer.Option("--fast", metavar="", help="Check the bytes of records only; decode no image.")
    ] = False,
) -> None:
    """Check that all that was extracted is there and whole; change nothing."""
    from slidekit.extraction.verify.folder import verify_folder

    console = Console()
    started = time.monotonic()
    progress = make_progress(console)
    task = progress.add_task("slides", total=None)
    try:
        with progress:
            found = verify_folder(
                folder, fast=fast, on_file=lambda _, done, total: progress.update(task, completed=done, total=total)
            )
    except KeyboardInterrupt:
        Console(stderr=True).print("Interrupted. Nothing was changed.")
        raise typer.Exit(_INTERRUPTED) from None
    missing = _not_extracted(folder)
    _show(console, found, missing, seconds=time.monotonic() - started)
    if missing or not found.is_whole:
        raise typer.Exit(1)


def _not_extracted(folder: Path) -> dict[Path, list[str]]:
    """Of a project: the folder of each size of tile to the names of the slides that no run has come to."""
    if not (folder / "settings.json").is_file():
        return {}
    from slidekit.collection.sources import SlideIndex
    from slidekit.extraction.resume import SPEC_FILE, read_reports
    from slidekit.project import load_project

    dataset = load_project(folder).dataset()
    index = SlideIndex(dataset.sources)
    homes: dict[Path, list[str]] = {}
    for slide in dataset.slides():
        if (home := index.source_of(slide).tfrecords) is not None:
            homes.setdefault(home, []).append(slide)
    missing = {}
    for home, slides in sorted(homes.items()):
        for spec in sorted(home.glob(f"*/{SPEC_FILE}")):
            reported = {report.slide for report in read_reports(spec.parent)}
            if absent := [slide for slide in slides if slide not in reported]:
                missing[spec.parent] = absent
    return missing


def _show(console: Console, found: Verification, missing: Mapping[Path, Sequence[str]], *, seconds: float) -> None:
    if found.faults:
        console.print(_fault_table(found.faults, found.folder))
        console.print()
    for what, paths in (
        ("left over from a run that was cut off, or is at work", found.leftovers),
        ("slides that failed; why is in", found.failed),
        ("slides whose loose tiles are not in this folder, and were not looked at", found.unchecked),
    ):
        if paths:
            named = ", ".join(str(_within(path, found.folder)) for path in paths[:_MOST_NAMED])
            more = f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
            console.print(Text(f"{len(paths)} {what}: {named}{more}"))
    for home, slides in missing.items():
        named = ", ".join(slides[:_MOST_NAMED]) + (" …" if len(slides) > _MOST_NAMED else "")
        place = _within(home, found.folder.absolute())
        console.print(Text(f"of the project's slides, {len(slides)} not extracted into {place}: {named}", "bold red"))
    counted = f"{found.files} TFRecords, {found.records} whole tiles, {decimal(found.size)} in {seconds:.1f} s"
    bad = len({fault.path for fault in found.faults})
    whole = "what is there is whole" if missing or found.failed else "all whole"
    good = (whole, "yellow" if missing else "bold green")
    said = (f"{bad} bad file{'s' if bad > 1 else ''}", "bold red") if bad else good
    console.print(Text.assemble(said, f"; read: {counted}"))


def _fault_table(faults: Sequence[Fault], folder: Path) -> Table:
    """A row a fault, under it what to do about it; several in a row that are mended alike say it once."""
    table = Table(expand=True, box=None, header_style="bold", pad_edge=False)
    table.add_column("file", ratio=2, overflow="fold")
    table.add_column("what is wrong, and what to do", ratio=3, overflow="fold")
    for mend, group in itertools.groupby(faults, key=lambda fault: fault.mend):
        alike = list(group)
        for fault in alike:
            table.add_row(Text(str(_within(fault.path, folder)), "bold red"), Text(fault.what))
        table.add_row("", Text(f"→ {f'all {len(alike)}: ' if len(alike) > 1 else ''}{mend}", "cyan"))
    return table


def _within(path: Path, folder: Path) -> Path:
    return path.relative_to(folder) if path.is_relative_to(folder) else path
