"""The picture of an audit: a montage of patches, and maps of slides with the frames of their patches."""

from __future__ import annotations

import math
import textwrap
import warnings
from typing import IO, TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from slidekit.errors import SlidekitError
from slidekit.pixels.overview import read_overview
from slidekit.pixels.readers import open_slide
from slidekit.sampling.audit import Audit, AuditPatch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["draw_audit", "save_figure"]

_THUMB_PX = 700
_BORDER, _GAP = 5, 4
"""Pixels of the montage around each patch: in the colour of its slide, and white."""

# Okabe and Ito's palette (jfly.uni-koeln.de/color), which colour-blind readers can tell apart, without its yellow.
_COLOURS = ("#0072B2", "#009E73", "#D55E00", "#E69F00", "#56B4E9", "#CC79A7")
_OTHER = "#8a8a8a"
_MASK = "#111111"
_CLASSES = np.array([(255, 255, 255), (0, 0, 0), (255, 230, 0), (0, 255, 255)], np.uint8)
_WIDTH_IN, _MONTAGE_SHARE = 15.0, 0.58
_TEXT_COLUMNS, _LEGEND_COLUMNS = 175, 4
_BAR_SHARE = 0.3
"""Of the width of a slide: the longest scale bar."""


def draw_audit(audit: Audit, *, maps: int = 6) -> Figure:
    """Draw an audit.

    Parameters
    ----------
    audit
        What to draw.
    maps
        Slides to show, at most: those with the most patches.

    Returns
    -------
    Figure
        Made without pyplot: no window, no state left behind.
    """
    from matplotlib.figure import Figure

    shown = [slide for slide, _ in audit.slides.most_common(min(max(maps, 1), len(_COLOURS)))]
    shown.sort()
    colours = dict(zip(shown, _COLOURS, strict=False))
    montage = _montage(audit, colours)
    lines = [piece for line in audit.lines() for piece in textwrap.wrap(line, _TEXT_COLUMNS)][:12]
    height = max(5.0, _WIDTH_IN * _MONTAGE_SHARE * montage.shape[0] / montage.shape[1])
    footer = 0.2 + 0.19 * (len(lines) + -(-(len(colours) + 4) // _LEGEND_COLUMNS))
    figure = Figure(figsize=(_WIDTH_IN, height + footer), layout="constrained", facecolor="white")
    upper: Any
    lower: Any
    upper, lower = figure.subfigures(2, 1, height_ratios=[height, footer])  # type: ignore[misc]
    left, right = upper.subfigures(1, 2, width_ratios=[_MONTAGE_SHARE, 1 - _MONTAGE_SHARE])
    axes = left.add_subplot()
    axes.imshow(montage, interpolation="none")
    axes.set_axis_off()
    _draw_maps(right, audit, colours)
    _draw_footer(lower, audit, colours, lines)
    return figure


def save_figure(figure: Figure, file: IO[bytes], kind: str) -> None:
    """Write a figure; signs that no font has are shown as boxes, without a warning each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure.savefig(file, format=kind, dpi=110)


def _montage(audit: Audit, colours: dict[int, str]) -> NDArray[np.uint8]:
    """All patches row by row, each framed in the colour of its slide."""
    from matplotlib.colors import to_rgb

    patches = audit.patches
    columns = max(1, math.ceil(math.sqrt(len(patches))))
    rows = -(-len(patches) // columns)
    edge = max(patch.image.shape[0] for patch in patches)
    pitch = edge + 2 * _BORDER + _GAP
    montage = np.full((rows * pitch - _GAP, columns * pitch - _GAP, 3), 255, np.uint8)
    for number, patch in enumerate(patches):
        y, x = (place * pitch for place in divmod(number, columns))
        colour = np.rint(np.array(to_rgb(colours.get(patch.slide, _OTHER))) * 255).astype(np.uint8)
        montage[y : y + edge + 2 * _BORDER, x : x + edge + 2 * _BORDER] = colour
        y, x = y + _BORDER, x + _BORDER
        image = _with_labels(patch)
        montage[y : y + edge, x : x + edge] = cv2.resize(image, (edge, edge), interpolation=cv2.INTER_NEAREST)
    return montage


def _with_labels(patch: AuditPatch) -> NDArray[np.uint8]:
    """The patch with its classes outlined."""
    if patch.labels is None:
        return patch.image
    image = patch.image.copy()
    for value in np.unique(patch.labels[patch.labels > 0]).tolist():
        outlines, _ = cv2.findContours((patch.labels == value).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(image, outlines, -1, _CLASSES[(value - 1) % len(_CLASSES)].tolist(), 2)
    return image


def _draw_maps(figure: SubFigure, audit: Audit, colours: dict[int, str]) -> None:
    across = 1 if len(colours) <= 2 else 2
    grid: Any = figure.subplots(-(-len(colours) // across), across, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (slide, colour) in zip(grid.flat, colours.items(), strict=False):
        _draw_map(axes, audit, slide, colour)


def _draw_map(axes: Axes, audit: Audit, slide: int, colour: str) -> None:
    """A thumbnail, the outline of the mask, and the frames of the slide's patches."""
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    sampler = audit.sampler
    slide_map = sampler.maps.get(slide)
    width, height = slide_map.facts.dimensions
    extent = (0, width, height, 0)
    axes.imshow(_thumbnail(audit, slide, (width, height)), extent=extent, interpolation="antialiased")
    if (tissue := slide_map.tissue) is not None and tissue.any() and not tissue.all():
        rows, columns = tissue.shape
        x, y = (np.arange(columns) + 0.5) * width / columns, (np.arange(rows) + 0.5) * height / rows
        axes.contour(x, y, tissue, levels=[0.5], colors=_MASK, linewidths=0.7)
    for patch in audit.patches:
        if patch.slide != slide:
            continue
        for number, (x0, y0, x1, y1) in enumerate(audit.frames(patch)):
            style = ":" if patch.background else "--" if number else "-"
            weight = 1.4 if number == 0 else 0.6
            frame = Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, ec=colour, lw=weight, ls=style)
            if number == 0:
                # Coloured lines are lost on stained tissue without a white rim.
                frame.set_path_effects([withStroke(linewidth=weight + 1.6, foreground="white")])
            axes.add_patch(frame)
    axes.set(xlim=(0, width), ylim=(height, 0))
    mpp = slide_map.facts.mpp
    if not math.isnan(mpp[0]):
        axes.set_aspect(mpp[1] / mpp[0])
        _scale_bar(axes, width, height, mpp[0])
    name = textwrap.shorten(sampler.slides[slide].name, 40, placeholder="…") or sampler.slides[slide].name[:40]
    count = audit.slides[slide]
    said = f"{name}: {count} patch{'es' if count > 1 else ''}"
    axes.set_title(said, color=colour, fontsize=10, parse_math=False, family=_family())
    axes.set_axis_on()
    axes.set(xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set_color("#cccccc")


def _scale_bar(axes: Axes, width: int, height: int, mpp: float) -> None:
    from matplotlib.patheffects import withStroke

    most = width * mpp * _BAR_SHARE
    length = max((10**k * step for k in range(-1, 6) for step in (1, 2, 5) if 10**k * step <= most), default=None)
    if length is None:
        return
    x, y, px = 0.03 * width, 0.96 * height, length / mpp
    rim = [withStroke(linewidth=4, foreground="white")]
    axes.plot([x, x + px], [y, y], color=_MASK, lw=2.5, solid_capstyle="butt", path_effects=rim)
    text = f"{length / 1000:g} mm" if length >= 1000 else f"{length:g} µm"
    box = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1}
    axes.text(x, y - 0.015 * height, text, fontsize=8, va="bottom", color=_MASK, bbox=box)


def _thumbnail(audit: Audit, slide: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    pixel = max(1.0, max(size) / _THUMB_PX)
    try:
        with open_slide(audit.sampler.slides[slide].path, audit.sampler.spec.reader) as reader:
            return read_overview(reader, pixel, pixel)
    except SlidekitError:
        # The patches could be read: the picture is worth having without this part of it.
        return np.full((max(1, round(size[1] / pixel)), max(1, round(size[0] / pixel)), 3), 235, np.uint8)


def _draw_footer(figure: SubFigure, audit: Audit, colours: dict[int, str], lines: list[str]) -> None:
    from matplotlib.lines import Line2D

    entries = [
        Line2D([], [], color=colour, lw=2, label=f"patch of {_name(audit, slide)}") for slide, colour in colours.items()
    ]
    if len(audit.slides) > len(colours):
        entries.append(Line2D([], [], color=_OTHER, lw=2, label="patch of another slide"))
    if any(patch.background for patch in audit.patches):
        entries.append(Line2D([], [], color=_MASK, lw=1.4, ls=":", label="drawn from anywhere"))
    if len(audit.sampler.spec.scales[0]) > 1:
        entries.append(Line2D([], [], color=_MASK, lw=0.8, ls="--", label="further images"))
    if audit.sampler.spec.mask is not None:
        entries.append(Line2D([], [], color=_MASK, lw=0.7, label="outline of the mask"))
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.legend(
        handles=entries,
        loc="upper left",
        ncols=_LEGEND_COLUMNS,
        frameon=False,
        fontsize=9,
        borderaxespad=0,
        prop={"family": _family()},
    )
    text = "\n".join(lines)
    axes.text(0, 0, text, fontsize=9, va="bottom", parse_math=False, family=_family(), transform=axes.transAxes)


def _name(audit: Audit, slide: int) -> str:
    name = audit.sampler.slides[slide].name
    # A legend's text is mathematics between dollars, and nothing if it begins with an underscore.
    return (name if len(name) <= 32 else f"{name[:15]}…{name[-16:]}").replace("$", r"\$")


def _family() -> list[str]:
    """Fonts for names of slides; the second has Japanese."""
    from importlib.util import find_spec
    from pathlib import Path

    from matplotlib import font_manager

    found = find_spec("matplotlib_fontja")
    if found is None or found.origin is None:
        return ["DejaVu Sans"]
    path = Path(found.origin).parent / "fonts" / "ipaexg.ttf"
    if not any(Path(entry.fname) == path for entry in font_manager.fontManager.ttflist):
        font_manager.fontManager.addfont(str(path))
    return ["DejaVu Sans", "IPAexGothic"]
