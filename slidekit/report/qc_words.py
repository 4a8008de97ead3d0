"""QC methods in words: which ran, how they were combined, and what of theirs is not as it comes."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any, cast

from slidekit.errors import SlidekitError
from slidekit.report.numerals import significant
from slidekit.report.privacy import settings_without_paths
from slidekit.slide.fingerprint import describe_callable
from slidekit.slide.spec import ExtractionSpec

__all__ = ["qc_text", "threshold_text"]

_UNTOLD = ("method", "fingerprint", "filter_threshold")
"""Of a method's description, what is no setting; `threshold_text` tells of the last."""


def qc_text(spec: ExtractionSpec) -> str:
    """The QC methods of a spec on one line, such as ``otsu, Pen (margin_um 20) or Fold``; empty where there are none.

    Settings of slidekit's own methods stand there only where they are not the default.
    """
    return ", ".join(_text(method) for method in spec.qc)


def threshold_text(spec: ExtractionSpec) -> str:
    """From which share of it on a tile is dropped, and by which methods from another one."""
    own: dict[float, list[str]] = {}
    for method in spec.qc:
        share = _own_threshold(method)
        if share is not None and share != spec.qc_filter_threshold:
            own.setdefault(share, []).append(_text(method))
    others = [f"{', '.join(names)}: {_share(share)}" for share, names in own.items()]
    return "; ".join([f"more than {_share(spec.qc_filter_threshold)} of it is masked", *others])


def _share(share: float) -> str:
    return f"{significant(share * 100)} %"


def _own_threshold(method: Any) -> float | None:
    from slidekit.slide.qc import QC_WORDS, QCMethod, resolve_methods

    if isinstance(method, str) and hasattr(method, "filter_threshold"):
        return cast("float | None", method.filter_threshold)
    if isinstance(method, str):
        # What stands beside records may name a class whose settings are not known any more.
        (method, *more) = resolve_methods(method) if method in QC_WORDS else [method]
        if more:
            return None
    return method.filter_threshold if isinstance(method, QCMethod) else None


def _text(method: Any) -> str:
    from slidekit.slide.qc import And, Not, Or

    if isinstance(method, str):
        return method
    if isinstance(method, Not):
        return f"not {_part(method.of, Not)}"
    if isinstance(method, And | Or):
        return (" and " if isinstance(method, And) else " or ").join(
            _part(part, type(method)) for part in method.methods
        )
    described = describe_callable(method)
    name = str(described["method"]).rsplit(".", 1)[-1]
    usual = _defaults(type(method))
    said = ", ".join(
        f"{key} {_setting(value)}"
        for key, value in described.items()
        if key not in _UNTOLD and value is not None and not (key in usual and usual[key] == value)
    )
    return f"{name} ({said})" if said else name


def _part(part: Any, around: type[Any]) -> str:
    """A part of a combination, in brackets where it would read otherwise without."""
    from slidekit.slide.qc import And, Or

    text = _text(part)
    return f"({text})" if isinstance(part, And | Or) and not isinstance(part, around) else text


def _defaults(kind: type[Any]) -> Mapping[str, Any]:
    """How a method of slidekit is described that was made without settings; empty for one that cannot be."""
    if not kind.__module__.startswith("slidekit."):
        return {}
    given = inspect.signature(kind).parameters.values()
    if any(one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD) for one in given):
        return {}
    try:
        return describe_callable(kind())
    except SlidekitError:
        return {}


def _setting(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    # A file, or a folder for masks, is named by its last part alone: where it lies is nobody's business here.
    plain = settings_without_paths(value)
    if isinstance(plain, list) and all(isinstance(one, str | int | float) for one in plain):
        return " ".join(map(str, plain))
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
