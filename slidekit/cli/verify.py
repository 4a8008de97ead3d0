"""``slidekit verify``: whether everything that was extracted is there and whole."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

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
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        expand=True,
        transient=True,
        disable=not console.is_terminal,
    )
    task = progress.add_task("slides", total=None)
    try:
        with progress:
            found = verify_folder(
                folder, fast=fast, on_file=lambda _, done, total: progress.update(task, completed=done, total=total)
            )
    except KeyboardInterrupt:
        Console(stderr=True).print("Interrupted. Nothing was changed.")
        raise typer.Exit(_INTERRUPTED) from None
    _show(console, found, seconds=time.monotonic() - started)
    if not found.is_whole:
        raise typer.Exit(1)


def _show(console: Console, found: Verification, *, seconds: float) -> None:
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
    counted = f"{found.files} TFRecords, {found.records} whole tiles, {decimal(found.size)} in {seconds:.1f} s"
    bad = len({fault.path for fault in found.faults})
    said = ("all whole", "bold green") if not bad else (f"{bad} bad file{'s' if bad > 1 else ''}", "bold red")
    console.print(Text.assemble(said, f"; read: {counted}"))


def _fault_table(faults: Sequence[Fault], folder: Path) -> Table:
    """A row a fault, under each what to do about it; several in a row that are mended alike say it once."""
    table = Table(expand=True, box=None, header_style="bold", pad_edge=False)
    table.add_column("file", ratio=2, overflow="fold")
    table.add_column("what is wrong, and what to do", ratio=3, overflow="fold")
    for fault, following in zip(faults, (*faults[1:], None), strict=True):
        table.add_row(Text(str(_within(fault.path, folder)), "bold red"), Text(fault.what))
        if following is None or following.mend != fault.mend:
            table.add_row("", Text(f"→ {fault.mend}", "cyan"))
    return table


def _within(path: Path, folder: Path) -> Path:
    return path.relative_to(folder) if path.is_relative_to(folder) else path
