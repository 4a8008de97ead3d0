"""The parameters of an extraction in words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from slidekit.report.numerals import significant
from slidekit.report.privacy import settings_without_paths
from slidekit.slide.fingerprint import describe_callable
from slidekit.slide.spec import ExtractionSpec
from slidekit.units import Magnification, parse_tile_um

__all__ = ["Parameter", "ParameterGroup", "parameter_groups", "qc_text"]

_SIGNS = {"Or": "|", "And": "&"}
"""Combinations of QC methods, and how they are written."""


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


def qc_text(spec: ExtractionSpec) -> str:
    """The QC methods of a spec on one line, such as ``otsu, blur``; empty where there are none."""
    return ", ".join(
        _method_text(method if isinstance(method, str) else describe_callable(method)) for method in spec.qc
    )


def _tiles(spec: ExtractionSpec) -> tuple[Parameter, ...]:
    fields = ("tile_px", "tile_um", "tile_mpp")
    around = ", ".join(f"{_edge(size)} ({significant(spec.mpp_of(size))} µm/px)" for size in spec.more_um)
    return (
        Parameter("Edge", f"{spec.tile_px} px {_edge(spec.tile_um)}", fields),
        Parameter("Resolution", f"{significant(spec.target_mpp)} µm/px", fields),
        Parameter("Concentric tiles", f"{spec.tile_px} px {around}" if around else "none", ("more_um",)),
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
    return f"at {size}" if isinstance(size, Magnification) else f"= {significant(size)} µm"


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
    mpp = spec.qc_blur_mpp
    at = f"{significant(mpp if mpp is not None else 4 * spec.target_mpp)} µm/px"
    blur = f"sigma {spec.qc_blur_radius:g} px at {at}, threshold {spec.qc_blur_threshold:g}"
    return (
        Parameter("Methods", qc_text(spec) or "none", ("qc",)),
        Parameter(
            "Tile dropped if", f"more than {_share(spec.qc_filter_threshold)} of it is masked", ("qc_filter_threshold",)
        ),
        Parameter("Blur detector", blur, ("qc_blur_radius", "qc_blur_threshold", "qc_blur_mpp")),
    )


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


def _method_text(method: Any) -> str:
    if isinstance(method, str):
        return method
    name = str(method["method"]).rsplit(".", 1)[-1]
    if name == "Not" and "of" in method:
        return f"~{_part_text(method['of'], name)}"
    if name in _SIGNS and "methods" in method:
        return f" {_SIGNS[name]} ".join(_part_text(part, name) for part in method["methods"])
    settings = {name: value for name, value in method.items() if name not in ("method", "fingerprint")}
    if not settings:
        return name
    said = ", ".join(f"{key} {_setting_text(value)}" for key, value in settings.items() if value is not None)
    return f"{name} ({said})" if said else name


def _part_text(part: Any, around: str) -> str:
    """A part of a combination, in brackets where it would read otherwise without."""
    kind = part.get("method") if isinstance(part, Mapping) else None
    text = _method_text(part)
    return f"({text})" if kind in _SIGNS and kind != around else text


def _setting_text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    # A file, or a folder for masks, is named by its last part alone: where it lies is nobody's business here.
    plain = settings_without_paths(value)
    if isinstance(plain, list) and all(isinstance(one, str | int | float) for one in plain):
        return " ".join(map(str, plain))
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
