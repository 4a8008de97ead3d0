"""``slidekit sample`` and ``slidekit bench-sampler``: look at patches before training on them, and time them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from slidekit.cli.sampling_options import LabelMasks, Masks, ROIs, SlideList, make_sampler, sampling_options

__all__ = ["bench_sampler", "sample"]


def _check_output(output: Path) -> Path:
    if output.suffix.lower() not in (".png", ".jpg", ".jpeg", ".pdf", ".svg"):
        raise typer.BadParameter(f"{output.name} does not end in .png, .jpg, .pdf or .svg.")
    if not output.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {str(output.parent)!r}.")
    return output


@sampling_options
def sample(
    slides: SlideList,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Picture to write.", metavar="PATH", dir_okay=False, callback=_check_output
        ),
    ],
    n: Annotated[int, typer.Option("--n", help="Patches to show.", metavar="N", min=1, max=4096)] = 64,
    start: Annotated[int, typer.Option("--start", help="The first step.", metavar="N", min=0)] = 0,
    maps: Annotated[int, typer.Option("--maps", help="Slides to show, 1 to 6.", metavar="N", min=1, max=6)] = 6,
    rois: ROIs = None,
    masks: Masks = None,
    label_masks: LabelMasks = None,
    **options: Any,
) -> None:
    """Draw the patches that a training would get, and where they come from."""
    from slidekit.sampling.audit import write_audit

    sampler = make_sampler(slides, rois, masks, label_masks, options)
    audit = write_audit(sampler, output, n, start=start, maps=maps)
    console = Console()
    for line in [*audit.lines(), str(output)]:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


@sampling_options
def bench_sampler(
    slides: SlideList,
    patches: Annotated[int, typer.Option("--patches", help="How many each time.", metavar="N", min=1)] = 1024,
    batch_size: Annotated[int, typer.Option("--batch-size", help="Patches of a batch.", metavar="N", min=1)] = 32,
    workers: Annotated[
        list[int] | None,
        typer.Option("--workers", help="Processes; 0 is the own one. Repeatable; default 0, 1, 2.", metavar="N"),
    ] = None,
    look_ahead: Annotated[
        list[int] | None,
        typer.Option("--look-ahead", help="Patches sorted together. Repeatable; default 1, 256, 1024.", metavar="N"),
    ] = None,
    rois: ROIs = None,
    masks: Masks = None,
    label_masks: LabelMasks = None,
    **options: Any,
) -> None:
    """Time how fast patches come, by workers and look-ahead."""
    from slidekit.sampling.bench import measure_feeds

    console = Console()
    sampler = make_sampler(slides, rois, masks, label_masks, options)
    with console.status("making masks …"):
        left_out = sampler.left_out()
    for name, reason in left_out.items():
        console.print(f"left out: {name}: {reason}", highlight=False, markup=False, soft_wrap=True)
    with console.status("reading patches once, so that all are measured on files in memory …") as status:
        measured = measure_feeds(
            sampler,
            patches=patches,
            batch_size=batch_size,
            workers=workers or (0, 1, 2),
            look_aheads=look_ahead or (1, 256, 1024),
            on_start=lambda of, ahead: status.update(f"{of} workers, look-ahead {ahead} …"),
        )
    console.print(measured)
