"""What `mask=` of a sampler means: methods that look at the slide, and whether regions of interest bound the tissue."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slidekit.errors import QCError, SpecError
from slidekit.sampling.masks.facts import MaskChoice
from slidekit.sampling.masks.histofetch import HistoFetch
from slidekit.slide.fingerprint import describe_callable
from slidekit.slide.qc import Otsu, resolve_methods

__all__ = ["TissueMethods", "resolve_mask"]


@dataclass(frozen=True)
class TissueMethods:
    """How tissue is found.

    Attributes
    ----------
    methods
        Callables that take a slide and return True = discard; tissue is what none of them discards.
    regions
        Whether tissue is what lies in regions of interest, too.
    """

    methods: tuple[Callable[..., Any], ...]
    regions: bool

    @property
    def lasting(self) -> bool:
        """Whether a mask may be kept on disk: a method without `parameters()` may depend on what nobody sees."""
        return all(callable(getattr(method, "parameters", None)) for method in self.methods)

    @property
    def needs_mpp(self) -> bool:
        """Whether a method may ask for µm/px."""
        return not all(isinstance(method, HistoFetch | Otsu) for method in self.methods)

    @property
    def words(self) -> str:
        """The methods by name, for messages."""
        names = [getattr(method, "name", getattr(method, "__name__", type(method).__name__)) for method in self.methods]
        return ", ".join([*names, *(["regions of interest"] if self.regions else [])])

    def describe(self) -> list[dict[str, Any]]:
        """The methods as plain JSON."""
        return [describe_callable(method) | _code_of(method) for method in self.methods]


def _code_of(method: Callable[..., Any]) -> dict[str, Any]:
    """What a class of the user's own does, which its name and parameters do not tell; nothing of slidekit's."""
    if not callable(getattr(method, "parameters", None)):
        return {}  # `describe_callable` looks at the code of those
    own = [
        kind
        for kind in type(method).__mro__
        if kind.__module__.partition(".")[0] not in ("slidekit", "builtins", "abc")
    ]
    if not own:
        return {}
    functions = {
        f"{kind.__qualname__}.{name}": describe_callable(value)["fingerprint"]
        for kind in own
        for name, value in sorted(vars(kind).items())
        if isinstance(value, types.FunctionType)
    }
    return {"class": f"{own[0].__module__}.{own[0].__qualname__}", "code": functions}


def resolve_mask(mask: MaskChoice) -> TissueMethods:
    """Turn words into methods.

    Parameters
    ----------
    mask
        ``histofetch``, ``otsu``, ``blur``, ``both``, ``focus``, ``pen``, ``fold``, ``roi``, a callable, several of
        them, or None for none.

    Raises
    ------
    SpecError
        For a word that is none.
    """
    listed = [] if mask is None else [mask] if isinstance(mask, str) or callable(mask) else list(mask)
    methods: list[Callable[..., Any]] = []
    for one in listed:
        if isinstance(one, str) and one.lower() == "histofetch":
            methods.append(HistoFetch())
        elif not (isinstance(one, str) and one.lower() == "roi"):
            try:
                methods += resolve_methods(one)
            except QCError as error:
                raise SpecError(
                    f"mask={one!r} is not a way to find tissue.",
                    mend="Use histofetch, otsu, blur, both, focus, pen, fold, roi, a callable, or None for the whole"
                    " slide.",
                ) from error
    return TissueMethods(tuple(methods), any(isinstance(one, str) and one.lower() == "roi" for one in listed))
