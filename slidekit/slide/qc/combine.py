"""Algebra of QC methods: what either discards, what both discard, what one keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from slidekit.errors import QCError
from slidekit.slide.fingerprint import describe_callable
from slidekit.slide.qc.base import BoolMask, QCMethod, SlideView
from slidekit.slide.qc.making import make_mask, method_name, method_reason
from slidekit.slide.qc.mask import own_threshold
from slidekit.slide.spec_values import describe_value, refuse_class

__all__ = ["And", "Not", "Or"]

_EMPTY_SIDE = 100
"""Pixels along the longer side of a mask that is the same all over."""

Part = str | Callable[..., Any] | Mapping[str, Any]
"""A word, a method, or what `parameters` says of one."""

_ITSELF = "Give the method itself; functions of your own cannot be rebuilt."

_COMBINE = "Combine methods, functions and words: qc.Otsu() | qc.Pen()."


class _Combined(QCMethod):
    """A method made of others; its name and reason are its parts'."""

    def __init__(self, methods: Iterable[Part], filter_threshold: float | None = None) -> None:
        if isinstance(methods, str | Mapping) or not isinstance(methods, Iterable):
            raise QCError(f"{describe_value(methods)} is not a list of QC methods.", mend=_COMBINE)
        self.methods = tuple(_method(one) for one in methods)
        if not self.methods:
            raise QCError("There is no QC method to combine.", mend=_COMBINE)
        self.filter_threshold = own_threshold(filter_threshold)

    def parameters(self) -> dict[str, Any]:
        """The parts, each described as in an extraction's parameters; and `filter_threshold`, where there is one."""
        return {"methods": [describe_callable(one) for one in self.methods], **_threshold_of(self)}

    def content(self, slide: Path) -> str:
        """What the parts read besides pixels."""
        return "".join(one.content(slide) for one in self.methods if isinstance(one, QCMethod))

    @property
    def reason(self) -> str:  # type: ignore[override]
        """The reason of its parts where they have one in common, else its own name."""
        reasons = {method_reason(one) for one in self.methods}
        return reasons.pop() if len(reasons) == 1 else self.name

    def _masks(self, wsi: SlideView) -> list[BoolMask | None]:
        """The parts' masks, all at the finest resolution among them; None where a part discards nothing."""
        made = [make_mask(one, wsi, 1.0) for one in self.methods]
        shapes = [mask.mask.shape for mask in made if mask is not None]
        rows, columns = max((shape[0] for shape in shapes), default=0), max((shape[1] for shape in shapes), default=0)
        return [None if mask is None else mask.resized(columns, rows) for mask in made]


class Or(_Combined):
    """What any of several methods discards: ``a | b``.

    Parameters
    ----------
    methods
        QC methods, functions or words; or their descriptions, as `parameters` gives them. Words stand for methods with
        the parameters that these have by default.
    filter_threshold
        A tile is dropped if more than this share of it is masked; None takes the run's `qc_filter_threshold`. Those of
        the parts do not count.

    Raises
    ------
    QCError
        For something that is not a QC method, or a description of that; or one that only writes files (`Save`).
    """

    @property
    def name(self) -> str:  # type: ignore[override]
        """Such as ``otsu_or_pen``: fit for files and columns."""
        return "_or_".join(_bracketed(one, type(self)) for one in self.methods)

    def __call__(self, wsi: SlideView) -> BoolMask | None:
        """Compute the mask at the finest resolution of the parts; None where no part discards anything."""
        masks = [mask for mask in self._masks(wsi) if mask is not None]
        return np.logical_or.reduce(masks) if masks else None


class And(_Combined):
    """What all of several methods discard: ``a & b``.

    Parameters
    ----------
    methods
        QC methods, functions or words; or their descriptions, as `parameters` gives them. Words stand for methods with
        the parameters that these have by default.
    filter_threshold
        A tile is dropped if more than this share of it is masked; None takes the run's `qc_filter_threshold`. Those of
        the parts do not count.

    Raises
    ------
    QCError
        For something that is not a QC method, or a description of that; or one that only writes files (`Save`).
    """

    @property
    def name(self) -> str:  # type: ignore[override]
        """Such as ``otsu_and_blur``: fit for files and columns."""
        return "_and_".join(_bracketed(one, type(self)) for one in self.methods)

    def __call__(self, wsi: SlideView) -> BoolMask | None:
        """Compute the mask at the finest resolution of the parts; None where a part discards nothing."""
        masks = self._masks(wsi)
        held = [mask for mask in masks if mask is not None]
        return np.logical_and.reduce(held) if held and len(held) == len(masks) else None


class Not(QCMethod):
    """What a method keeps: ``~a``.

    Parameters
    ----------
    of
        QC method, function or word; or its description, as `parameters` gives it.
    filter_threshold
        A tile is dropped if more than this share of it is masked; None takes the run's `qc_filter_threshold`. That of
        the method does not count.

    Raises
    ------
    QCError
        For something that is not a QC method, or a description of that; or one that only writes files (`Save`).
    """

    def __init__(self, of: Part, filter_threshold: float | None = None) -> None:
        self.of = _method(of)
        self.filter_threshold = own_threshold(filter_threshold)

    @property
    def name(self) -> str:  # type: ignore[override]
        """Such as ``not_otsu``."""
        return f"not_{_bracketed(self.of, type(self))}"

    @property
    def reason(self) -> str:  # type: ignore[override]
        """Its name: what is not background is no reason that tiles are counted under."""
        return self.name

    def parameters(self) -> dict[str, Any]:
        """The method, described as in an extraction's parameters; and `filter_threshold`, where there is one."""
        return {"of": describe_callable(self.of), **_threshold_of(self)}

    def content(self, slide: Path) -> str:
        """What the method reads besides pixels."""
        return self.of.content(slide) if isinstance(self.of, QCMethod) else ""

    def __call__(self, wsi: SlideView) -> BoolMask:
        """Compute the mask; all of the slide where the method discards nothing."""
        mask = make_mask(self.of, wsi, 1.0)
        if mask is not None:
            return ~mask.mask
        width, height = wsi.dimensions
        scale = _EMPTY_SIDE / max(width, height)
        return np.ones((max(1, round(height * scale)), max(1, round(width * scale))), np.bool_)


def _bracketed(method: Callable[..., Any], around: type[QCMethod]) -> str:
    """Name of a part, in brackets where it would read otherwise without."""
    name = method_name(method)
    return f"({name})" if isinstance(method, _Combined) and not isinstance(method, around) else name


def _threshold_of(method: QCMethod) -> dict[str, float]:
    """Left out where there is none: what has the tiles of earlier versions has their hash."""
    return {} if method.filter_threshold is None else {"filter_threshold": method.filter_threshold}


def _method(part: Part) -> Callable[..., Any]:
    """A method as it is, or from its word or description."""
    if isinstance(part, str):
        from slidekit.slide.qc.words import resolve_methods

        meant = resolve_methods(part)
        return meant[0] if len(meant) == 1 else Or(meant)
    if isinstance(part, Mapping):
        part = _rebuilt(part)
    if not callable(part):
        raise QCError(f"{describe_value(part)} is not a QC method.", mend=_COMBINE)
    refuse_class(part)
    if isinstance(part, QCMethod) and not part.changes_tiles:
        raise QCError(
            f"{type(part).__name__} discards nothing, so it cannot be combined.",
            mend="Give it beside the others: qc=[a | b, qc.Save()].",
        )
    return part


def _rebuilt(description: Mapping[str, Any]) -> QCMethod:
    name = description.get("method")
    kind = _kinds().get(str(name))
    if kind is None:
        raise QCError(
            f"{describe_value(name)} is not a QC method that can be made from its parameters.",
            mend=_ITSELF,
        )
    given = {key: value for key, value in description.items() if key not in ("method", "filter_threshold")}
    try:
        made = kind(**given)
    except TypeError as error:
        raise QCError(f"{name} cannot be made from its parameters ({error}).", mend=_ITSELF) from error
    if "filter_threshold" in description:
        # Set, because it is a parameter of few methods and an attribute of all.
        made.filter_threshold = own_threshold(description["filter_threshold"])
    return made


def _kinds() -> dict[str, type[QCMethod]]:
    """All classes of methods that are loaded, by name; those of slidekit itself last, so that they win."""
    from slidekit.slide import qc

    found: list[type[QCMethod]] = []
    waiting: list[Any] = [QCMethod]
    while waiting:
        below: list[type[QCMethod]] = waiting.pop().__subclasses__()
        found += below
        waiting += below
    named = {kind.__name__: kind for kind in found}
    own = {name: getattr(qc, name) for name in qc.__all__}
    return named | {name: kind for name, kind in own.items() if isinstance(kind, type) and issubclass(kind, QCMethod)}
