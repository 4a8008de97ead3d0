"""``slidekit segment``: train a network on regions of interest, and let it draw such regions on other slides."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from slidekit.cli.bars import make_progress
from slidekit.cli.segment_spelling import EXPORT_OPTIONS, ROI_OPTIONS, TRAIN_OPTIONS, spell, spelled
from slidekit.wording import some_of

if TYPE_CHECKING:
    from slidekit.dataset import Dataset
    from slidekit.segment.progress import SlideProgress, SlidesReport
    from slidekit.segment.training import EpochResult, TrainedModel
    from slidekit.slide.segmentation.config import SegmentConfig

__all__ = ["rois", "segment_export", "train"]

Project = Annotated[
    Path, typer.Argument(help="Folder of the project.", metavar="PROJECT", exists=True, file_okay=False)
]
MPP = Annotated[float, typer.Option("--mpp", help="µm/px that the network sees; 8 to 20 is usual.", metavar="X")]
Mode = Annotated[str, typer.Option("--mode", help="binary, multiclass or multilabel.", metavar="NAME")]
Labels = Annotated[
    list[str] | None,
    typer.Option("--label", help="Label of regions that counts; default all. Repeatable.", metavar="TEXT"),
]
Slides = Annotated[
    list[str] | None, typer.Option("--slide", help="Only this slide, by name. Repeatable.", metavar="TEXT")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", metavar="", help="Replace what is there already.")]
Generated = Annotated[
    bool,
    typer.Option("--include-generated", metavar="", help="Take regions that a network drew for truth as well."),
]


def segment_export(
    project: Project,
    dest: Annotated[Path, typer.Option("--dest", help="Folder of images and masks.", metavar="PATH")],
    mpp: MPP = 10.0,
    mode: Mode = "binary",
    labels: Labels = None,
    slides: Slides = None,
    include_generated: Generated = False,
    overwrite: Overwrite = False,
) -> None:
    """Write an image and a mask of each slide that has regions of interest."""
    console = Console()
    options: dict[str, Any] = {"mode": mode, "labels": labels, "overwrite": overwrite}
    with make_progress(console) as progress, spelled(EXPORT_OPTIONS):
        report = _dataset(project, slides).export_thumbs_and_masks(
            mpp, dest, include_generated=include_generated, on_slide=_on_slide(progress), **options
        )
    _show_slides(console, report, [f"exported: {report.folder}"], EXPORT_OPTIONS)


def train(
    project: Annotated[
        Path,
        typer.Argument(
            help="Folder of the project, or of images and masks.", metavar="FOLDER", exists=True, file_okay=False
        ),
    ],
    dest: Annotated[Path, typer.Option("--dest", help="Folder of the model.", metavar="PATH")],
    mpp: MPP = 10.0,
    mode: Mode = "binary",
    labels: Labels = None,
    validate: Annotated[
        list[str] | None,
        typer.Option("--validate", help="Slide to validate on; default some patients. Repeatable.", metavar="TEXT"),
    ] = None,
    val_fraction: Annotated[
        float, typer.Option("--val-fraction", help="Share of patients that validate, without --validate.", metavar="X")
    ] = 0.2,
    size: Annotated[int, typer.Option("--size", help="Edge of crops and windows, pixels.", metavar="N")] = 256,
    epochs: Annotated[int, typer.Option("--epochs", help="Most epochs.", metavar="N")] = 30,
    patience: Annotated[
        int, typer.Option("--patience", help="Epochs without a better Dice until the end.", metavar="N")
    ] = 8,
    batch_size: Annotated[int, typer.Option("--batch-size", help="Crops of a batch.", metavar="N")] = 8,
    steps: Annotated[
        int | None, typer.Option("--steps", help="Batches of an epoch; default as data need.", metavar="N")
    ] = None,
    filters: Annotated[int, typer.Option("--filters", help="Channels of the first stage.", metavar="N")] = 16,
    depth: Annotated[int, typer.Option("--depth", help="Halvings of the resolution.", metavar="N")] = 4,
    lr: Annotated[float, typer.Option("--lr", help="Learning rate at the start.", metavar="X")] = 1e-3,
    loss: Annotated[str, typer.Option("--loss", help="dice, bce or ce.", metavar="NAME")] = "dice",
    seed: Annotated[int, typer.Option("--seed", help="Of all that is drawn.", metavar="N")] = 0,
    include_generated: Generated = False,
    overwrite: Overwrite = False,
) -> None:
    """Train a U-Net to find the regions of interest; goes on where it stopped."""
    from slidekit.segment import SegmentConfig

    network: dict[str, Any] = {"size": size, "filters": filters, "depth": depth, "mpp": mpp}
    network |= {"mode": mode, "labels": tuple(labels) if labels else None, "loss": loss}
    network |= {"epochs": epochs, "patience": patience, "train_batch_size": batch_size, "steps_per_epoch": steps}
    network |= {"lr": lr, "seed": seed, "val_fraction": val_fraction}
    options = {"dest": dest, "overwrite": overwrite, "include_generated": include_generated}
    console = Console()
    _quiet_tensorflow()
    with make_progress(console) as progress, spelled(TRAIN_OPTIONS):
        model = _train(project, SegmentConfig(**network), validate, progress, options)
    _show_model(console, model)


def rois(
    project: Project,
    model: Annotated[Path, typer.Option("--model", help="Folder of the model.", metavar="PATH", exists=True)],
    dest: Annotated[
        Path | None, typer.Option("--dest", help="Folder of regions; default the project's.", metavar="PATH")
    ] = None,
    slides: Slides = None,
    threshold: Annotated[
        float, typer.Option("--threshold", help="Probability from which a pixel is inside.", metavar="X")
    ] = 0.5,
    min_area: Annotated[
        float, typer.Option("--min-area", help="Smaller regions are left out, mm².", metavar="X")
    ] = 0.01,
    mpp: Annotated[
        float | None, typer.Option("--slide-mpp", help="µm/px of level 0, over what files say.", metavar="X")
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", metavar="", help="Also where somebody drew regions; these are kept as .backup."),
    ] = False,
) -> None:
    """Draw regions of interest by a network: CSV for extract, GeoJSON for QuPath."""
    from slidekit.segment.roi_files import GENERATED

    console = Console()
    _quiet_tensorflow()
    with make_progress(console) as progress, spelled(ROI_OPTIONS):
        report = _dataset(project, slides).generate_rois(
            model,
            dest=dest,
            overwrite=overwrite,
            mpp=mpp,
            threshold=threshold,
            min_area_mm2=min_area,
            on_slide=_on_slide(progress),
        )
    last = ["regions of interest"]
    if report.folder is not None:
        last = [f"for QuPath: {report.folder / GENERATED}", f"regions of interest: {report.folder}"]
    _show_slides(console, report, last, ROI_OPTIONS)


def _train(
    folder: Path, config: SegmentConfig, validate: list[str] | None, progress: Progress, options: dict[str, Any]
) -> TrainedModel:
    from slidekit.segment import train as train_network

    options |= {"on_slide": _on_slide(progress), **_on_training(progress, config)}
    if not (folder / "settings.json").is_file():
        if validate:
            raise typer.BadParameter("images and masks have no project; give one", param_hint="--validate")
        return train_network(config, data_source=folder, **options)
    dataset = _dataset(folder, None)
    if not validate:
        return train_network(config, dataset, **options)
    names = [name for name in dataset.paths() if name not in validate]
    return train_network(config, _only(dataset, names), _only(dataset, validate), **options)


def _dataset(project: Path, slides: list[str] | None) -> Dataset:
    from slidekit.project import load_project

    dataset = load_project(project).dataset()
    return _only(dataset, slides) if slides else dataset


def _only(dataset: Dataset, slides: Iterable[str]) -> Dataset:
    wanted = list(slides)
    if unknown := sorted(set(wanted) - set(dataset.paths())):
        raise typer.BadParameter(f"there is no slide {', '.join(unknown)}", param_hint="--slide, --validate")
    return dataset.filter({"slide": wanted})


def _on_slide(progress: Progress) -> Callable[[SlideProgress], None]:
    task = progress.add_task("slides", total=None)
    return lambda settled: progress.update(task, completed=settled.done, total=settled.total)


def _on_training(progress: Progress, config: SegmentConfig) -> dict[str, Any]:
    epochs = progress.add_task("epochs", total=config.epochs, visible=False)
    batches = progress.add_task("batches", total=None, visible=False)

    def on_batch(epoch: int, batch: int, total: int) -> None:
        progress.update(epochs, completed=epoch - 1, visible=True)
        progress.update(batches, completed=batch, total=total, visible=True)

    def on_epoch(result: EpochResult) -> None:
        progress.update(epochs, completed=result.epoch, description=f"epochs (Dice {result.dice:.3f})")
        if not progress.console.is_terminal:
            # A log has no bars.
            told = f"epoch {result.epoch} of at most {config.epochs}: loss {result.loss:.3f}, Dice {result.dice:.3f}"
            progress.console.print(Text(told))

    return {"on_batch": on_batch, "on_epoch": on_epoch}


def _show_slides(console: Console, report: SlidesReport, last: list[str], options: Mapping[str, str]) -> None:
    for status in ("done", "finished before", "empty", "skipped", "failed"):
        if names := [name for name, one in report.status.items() if one == status]:
            console.print(Text(f"{status}: {len(names)} slide{'' if len(names) == 1 else 's'}"))
    for name, reason in sorted(report.reasons.items()):
        console.print(Text(f"{name}: {spell(reason, options)}", "yellow"), soft_wrap=True)
    for line in last:
        # One line, however long: it is there to be copied.
        console.print(Text(line), soft_wrap=True)
    if report.failed:
        raise typer.Exit(1)


def _show_model(console: Console, model: TrainedModel) -> None:
    table = Table("class", box=None, pad_edge=False)
    table.add_column("Dice", justify="right")
    for name, dice in model.dice_by_class.items():
        table.add_row(Text(name), "nowhere" if math.isnan(dice) else f"{dice:.3f}")
    console.print(table)
    slides = f"{len(model.validation)} slide{'' if len(model.validation) == 1 else 's'}"
    mean = ", the mean without background," if model.config.mode == "multiclass" else ""
    told = f"Dice {model.dice:.3f}{mean} on {slides} for validation, epoch {model.best.epoch} of {len(model.history)}"
    console.print(Text(told), soft_wrap=True)
    if model.shared_patients:
        names = some_of(model.shared_patients)
        console.print(Text(f"Too good a Dice: patients who validate also train ({names}).", "yellow"), soft_wrap=True)
    console.print(Text.assemble(("model:", "bold"), f" {model.path}"), soft_wrap=True)


def _quiet_tensorflow() -> None:
    """Keep TensorFlow from telling of its start, before it is imported; ``--debug``, or the variable, lets it."""
    if not logging.getLogger("slidekit").isEnabledFor(logging.DEBUG):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
