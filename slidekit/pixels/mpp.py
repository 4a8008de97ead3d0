"""The µm/px of a slide: who said it, and whether it can be true."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from slidekit.errors import MissingMPPError
from slidekit.pixels.metadata import SlideMetadata

__all__ = ["MPP_MEND", "MPP_RANGE", "SlideMPP", "settle_mpp"]

MPP_RANGE = (0.05, 20.0)
"""µm/px that a whole-slide image can have; 0.05 is beyond any light microscope, 20 is a flat-bed scanner."""

_CONTRADICTION = 0.05
_OBJECTIVE_FACTOR = 1.6

MPP_MEND = "Give it in the annotations column `mpp`, or for all slides by mpp= (--mpp)."
"""What can be done where a slide does not state its µm/px, or states one that cannot be true."""


@dataclass(frozen=True)
class SlideMPP:
    """µm/px of level 0, settled.

    Attributes
    ----------
    x, y
        Microns per pixel.
    source
        Who said so: ``annotations``, ``mpp=``, a header field, or ``objective``.
    doubt
        A sentence for the reviewer where something contradicts it; else None.
    """

    x: float
    y: float
    source: str
    doubt: str | None = None


def settle_mpp(
    path: Path,
    metadata: SlideMetadata,
    *,
    annotated: float | None = None,
    given: float | None = None,
    from_objective: bool = False,
) -> SlideMPP:
    """Decide the µm/px of a slide: annotations before `given` before the file.

    Parameters
    ----------
    path
        The slide, for messages.
    metadata
        What the file says.
    annotated
        Value in the annotations column ``mpp``.
    given
        Value of ``mpp=``.
    from_objective
        Whether 10 / objective power may stand in for a missing value; so for tile sizes that are themselves
        magnifications.

    Raises
    ------
    MissingMPPError
        If nobody says it, or what is said lies outside `MPP_RANGE`.
    """
    stated = metadata.mpp
    override = annotated if annotated is not None else given
    if override is not None:
        source = "annotations" if annotated is not None else "mpp="
        _check(path, override, override, source)
        return SlideMPP(override, override, source, _contradiction(override, metadata))
    if stated is not None:
        _check(path, stated.x, stated.y, stated.source)
        return SlideMPP(stated.x, stated.y, stated.source, _implausible(stated.x, stated.y, metadata))
    power = metadata.objective_power
    if power is not None and from_objective:
        _check(path, 10 / power, 10 / power, "objective")
        doubt = f"The file states no µm/px; {10 / power:.4g} was taken from its objective power {power:g}x."
        return SlideMPP(10 / power, 10 / power, "objective", doubt)
    hint = f" Its objective power {power:g}x would be about {10 / power:.4g} µm/px." if power else ""
    raise MissingMPPError(f"The slide does not state its µm/px.{hint}", mend=MPP_MEND, path=path)


def _check(path: Path, x: float, y: float, source: str) -> None:
    low, high = MPP_RANGE
    if not (low <= x <= high and low <= y <= high):
        value = f"{x:.4g}" if x == y else f"{x:.4g} × {y:.4g}"
        raise MissingMPPError(
            f"{source} says {value} µm/px, which cannot be true of a slide ({low:g}–{high:g}).",
            mend=MPP_MEND,
            path=path,
        )


def _contradiction(override: float, metadata: SlideMetadata) -> str | None:
    stated = metadata.mpp
    if stated is None:
        return None
    if abs(override / stated.x - 1) <= _CONTRADICTION and abs(override / stated.y - 1) <= _CONTRADICTION:
        return None
    absurd = "" if MPP_RANGE[0] <= stated.x <= MPP_RANGE[1] else ", which cannot be true"
    return f"{override:.4g} µm/px was given, but the file says {stated.x:.4g} ({stated.source}){absurd}."


def _implausible(x: float, y: float, metadata: SlideMetadata) -> str | None:
    if abs(x / y - 1) > _CONTRADICTION:
        return f"µm/px differs between x ({x:.4g}) and y ({y:.4g})."
    power = metadata.objective_power
    if power is not None and not 1 / _OBJECTIVE_FACTOR <= x * power / 10 <= _OBJECTIVE_FACTOR:
        return f"{x:.4g} µm/px does not fit the objective power {power:g}x, which would be about {10 / power:.4g}."
    return None
