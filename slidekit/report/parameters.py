"""The parameters of an extraction in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from slidekit.report.numerals import significant
from slidekit.report.qc_words import qc_text, threshold_text
from slidekit.slide.spec import ExtractionSpec
from slidekit.units import Magnification, parse_tile_um

__all__ = ["Parameter", "ParameterGroup", "parameter_groups"]


@dataclass(frozen=True)
class Parameter:
    """One line of the list.

    Attributes
    ----------
    label, value
        What is printed.
    fields
        Fields of `ExtractionSpec` that the line tells of.
    """

    label: str
    value: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters about one thing."""

    title: str
    parameters: tuple[Parameter, ...]


def parameter_groups(spec: ExtractionSpec) -> tuple[ParameterGroup, ...]:
    """Every field of the spec, grouped and in words.

    Parameters
    ----------
    spec
        The parameters of the run.
    """
    groups: tuple[tuple[str, Callable[[ExtractionSpec], tuple[Parameter, ...]]], ...] = (
        ("Tiles", _tiles),
        ("Reading", _reading),
        ("Regions of interest", _rois),
        ("Slide quality control", _qc),
        ("Tile filters", _filters),
        ("Stain normalisation", _normalisation),
        ("Output", _output),
        ("Run", _run),
    )
    return tuple(ParameterGroup(title, build(spec)) for title, build in groups)


def _tiles(spec: ExtractionSpec) -> tuple[Parameter, ...]:
    fields = ("tile_px", "tile_um", "tile_mpp")
    around = ", ".join(f"{_span(size)} ({significant(spec.mpp_of(size))} µm/px)" for size in spec.more_um)
    return (
        Parameter("Edge", f"{spec.tile_px} px {_edge(spec.tile_um)}", fields),
        Parameter("Resolution", f"{significant(spec.target_mpp)} µm/px", fields),
        Parameter("Concentric tiles", f"{spec.tile_px} px of {around}" if around else "none", ("more_um",)),
        *_places(spec),
        Parameter(
            "Tiles over the edge", "kept, padded white" if spec.use_edge_tiles else "left out", ("use_edge_tiles",)
        ),
        Parameter("Tiles per slide", f"at most {spec.max_tiles:,}" if spec.max_tiles else "all", ("max_tiles",)),
    )


def _places(spec: ExtractionSpec) -> tuple[Parameter, ...]:
    of_grid, of_table = ("stride_div", "randomize_origin"), ("coordinates", "coordinates_unit", "coordinates_anchor")
    if spec.coordinates is None:
        return (
            Parameter("Stride", _stride(spec.stride_div), ("stride_div", *of_table)),
            Parameter(
                "Grid origin",
                "random, seeded" if spec.randomize_origin else "corner of the slide",
                ("randomize_origin",),
            ),
        )
    anchor = "centres" if spec.coordinates_anchor == "center" else "top-left corners"
    unit = "level-0 px" if spec.coordinates_unit == "px" else "µm"
    return (Parameter("Places", f"given in {spec.coordinates}: {anchor}, {unit}", (*of_grid, *of_table)),)


def _edge(tile_um: float | str) -> str:
    size = parse_tile_um(tile_um)
    return f"{'at' if isinstance(size, Magnification) else '='} {_span(tile_um)}"


def _span(tile_um: float | str) -> str:
    size = parse_tile_um(tile_um)
    return f"{size}" if isinstance(size, Magnification) else f"{significant(size)} µm"


def _stride(divisor: float) -> str:
    if divisor == 1:
        return "one tile, no overlap"
    return f"tile edge / {significant(divisor)}" + (" (tiles overlap)" if divisor > 1 else " (gaps)")


def _reading(spec: ExtractionSpec) -> tuple[Parameter, ...]:
    resample = {
        "exact": "exact: full decode, Lanczos-3",
        "shrink": "JPEG at 1/2 where safe, then Lanczos-3",
        "fast": "JPEG at 1/2 to 1/8, then Lanczos-3",
    }
    given = f"{significant(spec.mpp)} for all slides" if spec.mpp is not None else "each slide's own"
    return (
        Parameter("µm/px", given, ("mpp",)),
        Parameter("Resampling", resample[spec.resample], ("resample",)),
        Parameter("Levels", "as suits the tiles" if spec.enable_downsample else "level 0 only", ("enable_downsample",)),
        Parameter("Reader", "chosen per slide" if spec.reader == "auto" else spec.reader, ("reader",)),
    )


def _rois(spec: ExtractionSpec) -> tuple[Parameter, ...]:
    method = {
        "auto": "inside ROIs; whole slide where none",
        "inside": "inside ROIs only",
        "outside": "outside ROIs only",
        "ignore": "ignored",
    }
    by = spec.roi_filter_method
    rule = "by its centre" if by == "center" else f"more than {_share(by)} of its area"
    origin = spec.roi_origin
    shift = "as the file says" if origin is None else f"({origin[0]:g}, {origin[1]:g}) px"
    removed = ", ".join(spec.artifact_labels) or "none"
    return (
        Parameter("Tiles taken", method[spec.roi_method], ("roi_method",)),
        Parameter("Labels removed", removed, ("artifact_labels",)),
        Parameter("A tile is inside", rule, ("roi_filter_method",)),
        Parameter("Origin of ROIs", shift, ("roi_origin",)),
    )


def _qc(spec: ExtractionSpec) -> tuple[Parameter, ...]:
    of_mask, of_blur = ("qc_filter_threshold",), ("qc_blur_radius", "qc_blur_threshold", "qc_blur_mpp")
    if not spec.qc:
        return (Parameter("Methods", "none", ("qc", *of_mask, *of_blur)),)
    methods, dropped = (
        Parameter("Methods", qc_text(spec), ("qc",)),
        Parameter("Tile dropped if", threshold_text(spec), of_mask),
    )
    # The words alone: a blur detector that was given as an object has its own settings.
    if not {"blur", "gaussian", "both"} & {method for method in spec.qc if isinstance(method, str)}:
        return (replace(methods, fields=("qc", *of_blur)), dropped)
    mpp = spec.qc_blur_mpp
    at = f"{significant(mpp if mpp is not None else 4 * spec.target_mpp)} µm/px"
    blur = f"sigma {spec.qc_blur_radius:g} px at {at}, threshold {spec.qc_blur_threshold:g}"
    return (methods, dropped, Parameter("Blur detector", blur, of_blur))


def _filters(spec: ExtractionSpec) -> tuple[Parameter, ...]:
    gray = f"> {_share(spec.grayspace_fraction)} of pixels with saturation < {spec.grayspace_threshold:g}"
    white = f"> {_share(spec.whitespace_fraction)} of pixels brighter than {spec.whitespace_threshold:g}"
    return (
        Parameter(
            "Dropped as gray",
            "off" if spec.grayspace_fraction == 1 else gray,
            ("grayspace_fraction", "grayspace_threshold"),
        ),
        Parameter(
            "Dropped as white",
            "off" if spec.whitespace_fraction == 1 else white,
            ("whitespace_fraction", "whitespace_threshold"),
        ),
    )


def _normalisation(spec: ExtractionSpec) -> tuple[Parameter, ...]:
    if spec.normalizer is None:
        return (Parameter("Method", "none", ("normalizer", "normalizer_source", "normalizer_context")),)
    # An image is named by its file alone: its folder is nobody's business here.
    source = re.split(r"[/\\]", spec.normalizer_source or "v3")[-1]
    return (
        Parameter("Method", spec.normalizer, ("normalizer",)),
        Parameter("Normalised to", source, ("normalizer_source",)),
        Parameter("Statistics", "of the slide" if spec.normalizer_context else "of each tile", ("normalizer_context",)),
    )


def _output(spec: ExtractionSpec) -> tuple[Parameter, ...]:
    jpeg = f"JPEG, quality {spec.jpeg_quality}, {':'.join(spec.jpeg_subsampling)}"
    written = [name for on, name in ((spec.save_tfrecords, "TFRecords"), (spec.save_tiles, "single tiles")) if on]
    order = f"shuffled, seed {spec.seed}" if spec.shuffle else f"raster; seed {spec.seed}"
    return (
        Parameter(
            "Tile images",
            "PNG (lossless)" if spec.img_format == "png" else jpeg,
            ("img_format", "jpeg_quality", "jpeg_subsampling"),
        ),
        Parameter(
            "Written",
            "nothing: dry run" if spec.dry_run else " and ".join(written) or "nothing",
            ("save_tfrecords", "save_tiles", "dry_run"),
        ),
        Parameter("Order of tiles", order, ("shuffle", "seed")),
    )


def _run(spec: ExtractionSpec) -> tuple[Parameter, ...]:
    before = "replaced" if spec.overwrite else "left alone" if spec.skip_extracted else "made again"
    if before == "left alone" and spec.verify:
        before = "left alone if whole"
    workers = "one per core" if spec.workers is None else str(spec.workers)
    threads = "cores / slides" if spec.threads is None else str(spec.threads)
    memory = "its share" if spec.memory_limit is None else f"{significant(spec.memory_limit)} GB"
    return (
        Parameter("Slide fails if", f"> {_share(spec.max_unreadable)} of tiles unreadable", ("max_unreadable",)),
        Parameter("Finished slides", before, ("skip_extracted", "verify", "overwrite")),
        # Where copies lie for the time of a run changes nothing, and is nobody's business here.
        Parameter("At a time", f"slides: {workers}; threads: {threads}", ("workers", "threads", "buffer", "buffer_gb")),
        Parameter(
            "Slide is given up",
            f"after {significant(spec.time_limit)} min without progress; memory: {memory}",
            ("time_limit", "memory_limit"),
        ),
        Parameter("PDF report", "yes" if spec.report else "no", ("report",)),
    )


def _share(share: float) -> str:
    return f"{significant(share * 100)} %"
