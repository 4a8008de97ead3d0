"""What `slidekit sample` and `slidekit bench-sampler` share: slides, and the fields of `SamplingSpec` as options."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slidekit.cli.options import spec_options
from slidekit.errors import DatasetError, SpecError
from slidekit.wording import some_of

if TYPE_CHECKING:
    from slidekit.sampling import PatchSampler, SampledSlide

__all__ = ["KINDS", "LabelMasks", "Masks", "ROIs", "SlideList", "make_sampler", "sampling_options"]

SlideList = Annotated[
    list[Path], typer.Argument(help="Slides, folders of slides, or one project.", metavar="SLIDES", exists=True)
]
ROIs = Annotated[
    Path | None,
    typer.Option(
        "--rois", help="Folder of regions of interest, by slide.", metavar="PATH", exists=True, file_okay=False
    ),
]
Masks = Annotated[
    Path | None,
    typer.Option("--masks", help="Folder of images of tissue, by slide.", metavar="PATH", exists=True, file_okay=False),
]
LabelMasks = Annotated[
    Path | None,
    typer.Option(
        "--label-masks", help="Folder of images of classes, by slide.", metavar="PATH", exists=True, file_okay=False
    ),
]

_PANELS = {
    "Size": "tile_px tile_um tile_mpp downsample level field_px scale_weights views stack",
    "Where": "mask min_tissue background region margin_um edges",
    "Classes": "classes class_weights min_class per label_images roi_origin",
    "How often": "mode seed weights",
    "Grid and points": "stride_div use_edge_tiles roi_method roi_filter_method qc filter_threshold shuffle points",
    "Pixels": "augment normalizer reader resample mpp cache",
}

KINDS: dict[str, Any] = {
    "tile_um": list[str],
    "tile_mpp": list[float],
    "downsample": list[float],
    "level": list[int],
    "scale_weights": list[float],
    "class_weights": list[float],
    "views": list[str],
    "stack": list[int],
    "mask": list[str],
    "classes": list[str],
    "weights": list[str],
    "points": list[str],
    "qc": list[str],
    "augment": bool,
    "field_px": int,
    "normalizer": str,
}
"""What typer reads for fields of the spec whose own type it does not know."""

_NOTES = {
    "tile_px": "Default 256.",
    "tile_um": "Repeatable.",
    "tile_mpp": "Repeatable.",
    "downsample": "Repeatable.",
    "level": "Repeatable.",
    "views": "As PX:TIMES. Repeatable.",
    "stack": "Repeatable.",
    "mask": "Repeatable.",
    "classes": "Repeatable.",
    "weights": "Repeatable.",
    "points": "As SLIDE,X,Y. Repeatable.",
    "qc": "Repeatable.",
    "shuffle": "Modes grid and points.",
}

_SIZES = ("tile_um", "tile_mpp", "downsample", "level")


def sampling_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command all fields of `SamplingSpec`; it takes those that were given as ``**options``."""
    from slidekit.sampling.spec import SamplingSpec

    @functools.wraps(command)
    def settled(**values: Any) -> None:
        own = {name: value for name, value in values.items() if name not in SamplingSpec.model_fields}
        command(**own, **_settle({name: values[name] for name in values.keys() - own.keys()}))

    return spec_options(model=SamplingSpec, panels=_PANELS, kinds=KINDS, notes=_NOTES)(settled)


def _settle(given: Mapping[str, Any]) -> dict[str, Any]:
    """Words of the command line as values of the spec."""
    options = {"tile_px": 256, **given}
    if not options.keys() & set(_SIZES):
        raise SpecError("--tile-um is missing.", mend="Say how large patches are, such as --tile-px 256 --tile-um 128.")
    for name in (*_SIZES, "mask"):
        if len(options.get(name) or ()) == 1:
            options[name] = options[name][0]
    if options.get("mask") in ("nothing", "none"):
        options["mask"] = None
    if options.get("weights") in (["slide"], ["area"]):
        options["weights"] = options["weights"][0]
    if all(text.isascii() and text.isdigit() for text in options.get("classes") or ["no"]):
        # Values of label masks; labels of regions are words.
        options["classes"] = [int(text) for text in options["classes"]]
    options.update(
        {name: [_split(name, text) for text in options[name]] for name in ("views", "points") if name in options}
    )
    return options


def _split(name: str, text: str) -> tuple[Any, ...]:
    parts = text.rsplit(":", 1) if name == "views" else text.rsplit(",", 2)
    try:
        if name == "views":
            px, times = parts
            return int(px), float(times)
        slide, x, y = parts
        return slide, float(x), float(y)
    except ValueError as error:
        form = "PX:TIMES, such as 256:4" if name == "views" else "SLIDE,X,Y, such as slide-1,20000,14000"
        raise SpecError(f"{text!r} is not {form}.", mend=f"See --{name} in the help.") from error


def make_sampler(
    slides: list[Path], rois: Path | None, masks: Path | None, label_masks: Path | None, options: Mapping[str, Any]
) -> PatchSampler:
    """Make the sampler that a command is about.

    Raises
    ------
    SpecError, DatasetError
        If slides or options make no sense.
    """
    from slidekit.sampling import PatchSampler

    return PatchSampler(_find(slides, rois, masks, label_masks), **options)


def _find(given: list[Path], rois: Path | None, masks: Path | None, label_masks: Path | None) -> list[SampledSlide]:
    from slidekit.pixels.discovery import find_slides
    from slidekit.project import load_project
    from slidekit.sampling.slides import settle_slides
    from slidekit.slide.roi import find_roi_file

    if len(given) == 1 and (given[0] / "settings.json").is_file():
        slides = load_project(given[0]).dataset().slides_and_masks()
    else:
        paths = [path for one in given for path in (find_slides(one) if one.is_dir() else [one])]
        slides = list(settle_slides(paths))
    names = {slide.name for slide in slides}
    tissue, classes = _images(masks, names), _images(label_masks, names)
    return [
        replace(
            slide,
            rois=slide.rois if rois is None else find_roi_file(rois, slide.name),
            mask=tissue.get(slide.name, slide.mask),
            label_mask=classes.get(slide.name, slide.label_mask),
        )
        for slide in slides
    ]


def _images(folder: Path | None, names: set[str]) -> dict[str, Path]:
    """Slide to the image of a folder that is called {slide} or {slide}_mask."""
    from slidekit.pixels.discovery import has_slide_suffix, slide_name

    if folder is None:
        return {}
    files = [path for path in sorted(folder.iterdir()) if has_slide_suffix(path, images=True)]
    by_name = {slide_name(path): path for path in files}
    found = {name: by_name.get(name, by_name.get(f"{name}_mask")) for name in names}
    images = {name: path for name, path in found.items() if path is not None}
    if not images:
        raise DatasetError(
            f"holds no image named after a slide, such as {some_of(sorted(names), 3)}.",
            mend="Name them {slide}.png or {slide}_mask.png.",
            path=folder,
        )
    return images
