"""Options of commands, made from the fields of `ExtractionSpec`: a field more there is an option more here."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Collection
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo

from slidekit.slide.spec import ExtractionSpec

__all__ = ["FLAGS", "spec_options"]

_PANELS = {
    "Tile size": "tile_px tile_um tile_mpp stride_div randomize_origin use_edge_tiles",
    "Reading slides": "mpp enable_downsample resample reader",
    "Regions of interest": "roi_method roi_filter_method roi_origin",
    "Quality control": "qc qc_filter_threshold qc_blur_radius qc_blur_threshold qc_blur_mpp",
    "Tile filters": "grayspace_fraction grayspace_threshold whitespace_fraction whitespace_threshold",
    "Stain normalisation": "normalizer normalizer_source",
    "Output": "img_format jpeg_quality jpeg_subsampling save_tfrecords save_tiles shuffle seed max_tiles"
    " max_unreadable",
    "Running": "workers threads skip_extracted overwrite dry_run report",
}

FLAGS = {"roi_filter_method": ["--roi-filter", "--roi-filter-method"]}
"""Options that are not simply the field's name with dashes."""


def spec_options(*, only: Collection[str] | None = None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the fields of `ExtractionSpec` as options.

    The command takes them as ``**options``; only those that the user gave are in it.

    Parameters
    ----------
    only
        Fields to offer; all by default.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [
            parameter
            for parameter in inspect.signature(command, eval_str=True).parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        fields = [
            (name, panel) for panel, names in _PANELS.items() for name in names.split() if only is None or name in only
        ]
        offered = [_parameter(name, ExtractionSpec.model_fields[name], panel) for name, panel in fields]

        def with_given_options(**values: Any) -> None:
            given = {name: values.pop(name) for name, _ in fields}
            command(**values, **{name: value for name, value in given.items() if value is not None})

        with_given_options.__doc__ = command.__doc__
        with_given_options.__name__ = command.__name__
        with_given_options.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own] + offered
        )
        return with_given_options

    return decorate


def _parameter(name: str, field: FieldInfo, panel: str) -> inspect.Parameter:
    flag = "--" + name.replace("_", "-")
    kind = _plain_type(field)
    flags = FLAGS.get(name, [f"{flag}/--no-{flag[2:]}" if kind is bool else flag])
    option = typer.Option(*flags, help=_help(field), rich_help_panel=panel, show_default=False)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


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


def _help(field: FieldInfo) -> str:
    text = field.description or ""
    default = field.default
    if field.is_required() or default is None or default == ():
        return text
    shown = {True: "on", False: "off"}.get(default, default) if isinstance(default, bool) else default
    return f"{text} [default: {shown:g}]" if isinstance(shown, float) else f"{text} [default: {shown}]"
