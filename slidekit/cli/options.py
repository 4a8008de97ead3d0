"""Options of commands, made from the fields of a spec: a field more there is an option more here."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from slidekit.errors import SpecError
from slidekit.slide.spec import ExtractionSpec

__all__ = ["flags_of", "require_tile_size", "spec_options"]

_PANELS = {
    "Tile size": "tile_px tile_um tile_mpp stride_div randomize_origin use_edge_tiles",
    "Given coordinates": "coordinates coordinates_unit coordinates_anchor",
    "Reading slides": "mpp enable_downsample resample reader",
    "Regions of interest": "roi_method roi_filter_method roi_origin artifact_labels",
    "Quality control": "qc qc_filter_threshold qc_blur_radius qc_blur_threshold qc_blur_mpp",
    "Tile filters": "grayspace_fraction grayspace_threshold whitespace_fraction whitespace_threshold",
    "Stain normalisation": "normalizer normalizer_source normalizer_context",
    "Output": "img_format jpeg_quality jpeg_subsampling save_tfrecords save_tiles shuffle seed max_tiles"
    " max_unreadable",
    "Running": "workers threads time_limit memory_limit buffer buffer_gb skip_extracted verify overwrite dry_run"
    " report",
}

# Every command takes what extract takes: without these, the last of several would silently be the only one.
_KINDS: dict[str, Any] = {"tile_um": list[str], "tile_mpp": list[float]}

# Options that are not simply the field's name with dashes.
_FLAGS = {"roi_filter_method": ["--roi-filter"]}


def spec_options(
    *,
    only: Collection[str] | None = None,
    notes: Mapping[str, str] | None = None,
    model: type[BaseModel] = ExtractionSpec,
    panels: Mapping[str, str] = _PANELS,
    kinds: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the fields of a spec as options.

    The command takes them as ``**options``; only those that the user gave are in it.

    Parameters
    ----------
    only
        Fields to offer; all by default.
    notes
        What to add to the help of a field in this command.
    model
        The spec.
    panels
        Headings of the help, each with the fields that stand under it.
    kinds
        Types that typer reads, of fields whose own it does not know.
    """
    stated = (_KINDS if model is ExtractionSpec else {}) | dict(kinds or {})

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [
            parameter
            for parameter in inspect.signature(command, eval_str=True).parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        fields = [
            (name, panel) for panel, names in panels.items() for name in names.split() if only is None or name in only
        ]
        known = model.model_fields
        types_of = {name: stated.get(name) or _plain_type(known[name]) for name, _ in fields}
        offered = [
            _parameter(name, known[name], types_of[name], panel, (notes or {}).get(name, "")) for name, panel in fields
        ]

        def with_given_options(**values: Any) -> None:
            given = {name: values.pop(name) for name, _ in fields}
            off = {name for name, _ in fields if _turns_off(known[name], types_of[name])}
            # A switch that is given arrives as True, what it turns off included.
            settled = {name: name not in off if value is True else value for name, value in given.items()}
            command(**values, **{name: value for name, value in settled.items() if value is not None})

        with_given_options.__doc__ = command.__doc__
        with_given_options.__name__ = command.__name__
        with_given_options.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own] + offered
        )
        return with_given_options

    return decorate


def _parameter(name: str, field: FieldInfo, kind: Any, panel: str, note: str) -> inspect.Parameter:
    option = typer.Option(
        *flags_of(name, field, kind),
        help=f"{_help(name, field, kind)} {note}".strip(),
        metavar=_METAVARS.get(kind, "NAME" if typing.get_origin(kind) is typing.Literal else None),
        rich_help_panel=panel,
        show_default=False,
    )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


_METAVARS: dict[Any, str] = {
    bool: "",
    int: "N",
    float: "X",
    str: "TEXT",
    Path: "PATH",
    list[str]: "TEXT",
    list[int]: "N",
    list[float]: "X",
    tuple[float, float]: "X Y",
}


def require_tile_size(options: Mapping[str, Any]) -> None:
    """Make sure that the size of tiles was given.

    Parameters
    ----------
    options
        Fields of the spec that were given.

    Raises
    ------
    SpecError
        Naming the options that are missing as the user types them.
    """
    missing = [] if "tile_px" in options else ["--tile-px is missing."]
    if not options.keys() & {"tile_um", "tile_mpp"}:
        missing.append("--tile-um is missing.")
    if missing:
        raise SpecError(" ".join(missing), mend="Say how large tiles are, such as --tile-px 256 --tile-um 128.")


def flags_of(name: str, field: FieldInfo, kind: Any = None) -> list[str]:
    """Name the options of a field; a switch has the one option that turns it from its default."""
    flag = "--" + name.replace("_", "-")
    kind = kind or _plain_type(field)
    if kind is bool:
        return [f"--no-{flag[2:]}" if _turns_off(field, kind) else flag]
    return _FLAGS.get(name, [flag])


def _turns_off(field: FieldInfo, kind: Any) -> bool:
    return kind is bool and bool(field.default)


def _plain_type(field: FieldInfo) -> Any:
    """The type that typer reads from the command line; pydantic then checks the value."""
    kind = field.annotation
    if typing.get_origin(kind) is types.UnionType and type(None) in typing.get_args(kind):
        (kind,) = (one for one in typing.get_args(kind) if one is not type(None))
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return str
    if typing.get_origin(kind) is tuple and typing.get_args(kind)[-1] is Ellipsis:
        return list[str]
    return kind


# What switches do that turn something off.
_OFF = {
    "enable_downsample": "Read level 0 only.",
    "save_tfrecords": "Write no TFRecords.",
    "shuffle": "Keep tiles in raster order.",
    "skip_extracted": "Extract finished slides again.",
    "report": "Write no PDF.",
}


def _help(name: str, field: FieldInfo, kind: Any) -> str:
    text = field.description or ""
    if kind is bool:
        return _OFF[name] if field.default else text
    if typing.get_origin(kind) is typing.Literal:
        text += f" One of {', '.join(typing.get_args(kind))}."
    default = field.default
    if field.is_required() or default is None or default == ():
        return text
    return f"{text} Default {default:g}." if isinstance(default, float) else f"{text} Default {default}."
