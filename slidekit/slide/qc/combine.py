"""Algebra of QC methods: what either discards, what both discard, what one keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from slidekit.errors import QCError
from slidekit.slide.fingerprint import describe_callable
from slidekit.slide.qc.base import BoolMask, QCMethod, SlideView, refuse_class
from slidekit.slide.qc.making import make_mask, method_name, method_reason

__all__ = ["And", "Not", "Or"]

_EMPTY_SIDE = 100
"""Pixels along the longer side of a mask that is the same all over."""

Part = Callable[..., Any] | Mapping[str, Any]
"""A method, or what `parameters` says of one."""


class _Combined(QCMethod):
    """A method made of others; its name and reason are its parts'."""

    def __init__(self, methods: Iterable[Part]) -> None:
        if isinstance(methods, str | Mapping) or not isinstance(methods, Iterable):
            raise QCError(f"{methods!r} is not a list of QC methods.", mend="Combine methods: qc.Otsu() | qc.Pen().")
        self.methods = tuple(_method(one) for one in methods)
        if not self.methods:
            raise QCError("There is no QC method to combine.", mend="Combine methods: qc.Otsu() | qc.Pen().")

    def parameters(self) -> dict[str, Any]:
        """The parts, each described as in an extraction's parameters."""
        return {"methods": [describe_callable(one) for one in self.methods]}

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
        QC methods or functions; or their descriptions, as `parameters` gives them.

    Raises
    ------
    QCError
        For a description of something that is not a QC method.
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
        QC methods or functions; or their descriptions, as `parameters` gives them.

    Raises
    ------
    QCError
        For a description of something that is not a QC method.
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
        QC method or function; or its description, as `parameters` gives it.

    Raises
    ------
    QCError
        For a description of something that is not a QC method.
    """

    def __init__(self, of: Part) -> None:
        self.of = _method(of)

    @property
    def name(self) -> str:  # type: ignore[override]
        """Such as ``not_otsu``."""
        return f"not_{_bracketed(self.of, type(self))}"

    @property
    def reason(self) -> str:  # type: ignore[override]
        """Its name: what is not background is no reason that tiles are counted under."""
        return self.name

    def parameters(self) -> dict[str, Any]:
        """The method, described as in an extraction's parameters."""
        return {"of": describe_callable(self.of)}

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


def _method(part: Part) -> Callable[..., Any]:
    """A method as it is, or from its description."""
    if callable(part):
        refuse_class(part)
        return part
    if not isinstance(part, Mapping):
        raise QCError(f"{part!r} is not a QC method.", mend="Combine methods and functions, such as qc.Otsu().")
    name = part.get("method")
    kind = _kinds().get(str(name))
    if kind is None:
        raise QCError(
            f"{name!r} is not a QC method that can be made from its parameters.",
            mend="Give the method itself; functions of your own cannot be rebuilt.",
        )
    return kind(**{key: value for key, value in part.items() if key != "method"})


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
