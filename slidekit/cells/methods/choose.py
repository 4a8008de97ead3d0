"""Methods as people name them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slidekit.cells.methods.base import METHOD_WORDS, CellMethod, FunctionMethod
from slidekit.errors import SpecError
from slidekit.pixels.image import RGBImage

__all__ = ["resolve_method"]


def resolve_method(
    method: str | CellMethod | Callable[[RGBImage], Any] = "classical",
    diam_um: float = 8.0,
    *,
    mpp: float | None = None,
    **options: Any,
) -> CellMethod:
    """Make the method that a word or a function stands for.

    Parameters
    ----------
    method
        ``classical``, ``cellpose``, a function from an image to labels, or a `CellMethod`, which is returned as it is.
    diam_um
        Usual diameter of a cell (or nucleus), µm.
    mpp
        µm/px to work at; the method's own by default. A function must be told.
    **options
        Other parameters of the method's class, such as `weights` of ``cellpose``.

    Raises
    ------
    SpecError
        For a word that is none, a function without `mpp`, or options that the method does not have.
    MissingExtraError
        For ``cellpose`` where the package is not installed.
    CellError
        For ``cellpose`` without weights.
    """
    if not isinstance(method, str):
        # A class is callable, too, and has the methods; what is meant is an object of it.
        if isinstance(method, CellMethod) and not isinstance(method, type):
            return _unchanged(method, mpp, options)
        if not callable(method) or isinstance(method, type):
            raise SpecError(f"method={method!r} finds no cells.", mend=_MEND)
        if mpp is None:
            raise SpecError(
                "A function that finds cells does not say the µm/px of the images that it wants.",
                mend="Give mpp=, such as mpp=0.5.",
            )
        return _make(FunctionMethod, method, mpp, diam_um, **options)
    if mpp is not None:
        options["mpp"] = mpp
    word = method.lower()
    if word == "classical":
        from slidekit.cells.methods.classical import ClassicalNuclei

        return _make(ClassicalNuclei, diam_um, **options)
    if word == "cellpose":
        from slidekit.cells.methods.cellpose import Cellpose

        return _make(Cellpose, diam_um, **options)
    raise SpecError(f"method={method!r} is not a method that finds cells.", mend=_MEND)


_MEND = f"Use {', '.join(METHOD_WORDS)}, or a function from an image to labels."


def _unchanged(method: CellMethod, mpp: float | None, options: dict[str, Any]) -> CellMethod:
    given = sorted(options) + (["mpp"] if mpp is not None and mpp != method.mpp else [])
    if given:
        raise SpecError(
            f"{', '.join(given)}: given beside the method {method.name}, which has its parameters already.",
            mend="Give them to the method itself.",
        )
    return method


def _make(kind: Callable[..., CellMethod], *arguments: Any, **options: Any) -> CellMethod:
    import inspect

    names = list(inspect.signature(kind).parameters)[len(arguments) :]
    if unknown := sorted(options.keys() - set(names)):
        word = getattr(kind, "name", "a function")
        raise SpecError(
            f"{', '.join(unknown)}: {word} as a method has no such option.", mend=f"Its options are {', '.join(names)}."
        )
    return kind(*arguments, **options)
