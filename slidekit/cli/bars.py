"""The bar that commands show while they work; nothing where the output is no terminal."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["make_progress"]


def make_progress(console: Console) -> Progress:
    """Bars that say how many of how many are done and how long the rest takes, and are gone in the end.

    Parameters
    ----------
    console
        Where the command writes.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        expand=True,
        transient=True,
        disable=not console.is_terminal,
    )
