"""How many tiles slides have, as a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["tiles_figure"]

_BINS = 20


def tiles_figure(groups: Mapping[str, Sequence[int]], *, binrange: tuple[float, float] | None = None) -> Figure:
    """Draw histograms of the number of tiles a slide, one below the other, all with the same bins.

    Parameters
    ----------
    groups
        Title of each histogram to the number of tiles of each slide in it.
    binrange
        From which to which number of tiles; by default all. What lies outside is not drawn.

    Returns
    -------
    matplotlib.figure.Figure
        Not one of pyplot's: ``figure.savefig("tiles.png")`` writes it.
    """
    import numpy as np
    from matplotlib.figure import Figure

    counts = [count for group in groups.values() for count in group]
    low, high = binrange if binrange is not None else (0.0, float(max(counts, default=1)))
    edges = np.linspace(low, max(high, low + 1), _BINS + 1)
    figure = Figure(figsize=(6, 1 + 2 * max(1, len(groups))), layout="constrained")
    axes = figure.subplots(max(1, len(groups)), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (title, group) in zip(axes, groups.items(), strict=False):
        axis.hist(group, bins=edges, color="#2b6cb0", edgecolor="white")
        axis.set_title(f"{title} ({len(group)} slides)" if title else f"{len(group)} slides", fontsize=10)
        axis.set_ylabel("slides")
    axes[-1].set_xlabel("tiles per slide")
    return figure
