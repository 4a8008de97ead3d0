"""From what became of each tile to the table and the report of a slide."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from slidekit.io.atomic import atomic_write_text
from slidekit.io.tfrecord import FurtherImage
from slidekit.pixels.source import Source
from slidekit.slide.fate import Fate, ordered_counts
from slidekit.slide.filters import TileStatistics
from slidekit.slide.report_model import QCFigures, SlideReport
from slidekit.slide.roi import union_area
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.tissue import TissueFacts, tissue_facts
from slidekit.slide.wsi import WSI

__all__ = ["TileOutcome", "kept_boxes", "lost_around", "summarise", "write_tile_table"]

_UPSAMPLED = 0.95

_TABLE = (
    *("loc_x", "loc_y", "grid_x", "grid_y", "roi_name", "label", "reason"),
    *("gray_fraction", "white_fraction", "normalized", "edge"),
)


class TileOutcome(NamedTuple):
    """What became of one tile that was read.

    Attributes
    ----------
    i, j
        Its cell.
    fate
        Kept, or why not.
    statistics
        None for a tile that could not be read; of concentric tiles, they are of the first size.
    encoded
        A complete JPEG or PNG; None unless kept.
    normalized
        Whether a normaliser changed it.
    further
        Concentric tiles of other sizes, unless dropped.
    lost_at
        Further sizes, such as ``512um``, for which the tile was dropped; none where the tile itself was the reason.
    """

    i: int
    j: int
    fate: Fate
    statistics: TileStatistics | None
    encoded: bytes | None
    normalized: bool
    further: tuple[FurtherImage, ...] = ()
    lost_at: tuple[str, ...] = ()


def lost_around(outcomes: Iterable[TileOutcome], fate: Fate) -> dict[tuple[str, ...], int]:
    """Count the tiles that were dropped under a reason for what lies around them, by the further sizes that lack."""
    return dict(sorted(Counter(o.lost_at for o in outcomes if o.lost_at and o.fate is fate).items()))


def write_tile_table(
    path: Path, wsi: WSI, outcomes: Sequence[TileOutcome], *, before: Callable[[], None] | None = None
) -> None:
    """Write ``{slide}.tiles.csv``: every tile that was read, its statistics and its fate, in raster order.

    `before` as for `slidekit.io.atomic.atomic_write`.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    cells = None if wsi.cells is None else wsi.places
    writer.writerow(_TABLE if cells is None else (*_TABLE, "cell_id"))
    for outcome in outcomes:
        roi = wsi.roi_of(outcome.i, outcome.j)
        region = ("" if roi is None else roi.name, wsi.label_of(outcome.i, outcome.j) or "")
        shares = ("", "") if outcome.statistics is None else tuple(f"{x:.5f}" for x in outcome.statistics)
        cell = (outcome.i, outcome.j)
        flags = (int(outcome.normalized), int(wsi.grid.is_edge(*cell)))
        # Given coordinates are in no column or row of a grid.
        of_grid = cell if wsi.places is None else ("", "")
        number = () if cells is None else (cells.row(*cell) + 1,)
        writer.writerow((*wsi.grid.location(*cell), *of_grid, *region, outcome.fate, *shares, *flags, *number))
    atomic_write_text(path, text.getvalue(), before=before)


def kept_boxes(wsi: WSI, outcomes: Sequence[TileOutcome]) -> npt.NDArray[np.float64]:
    """Boxes (n, 4) of kept tiles, level-0 pixels."""
    places = [wsi.grid.index(outcome.i, outcome.j) for outcome in outcomes if outcome.fate is Fate.KEPT]
    return wsi.grid.boxes()[places]


def summarise(wsi: WSI, spec: ExtractionSpec, outcomes: Sequence[TileOutcome]) -> SlideReport:
    """Make the report of a slide whose tiles are all decided; it does not say yet what was written."""
    fates = wsi.fates()
    counts = ordered_counts([*fates.reasons[~fates.taken].tolist(), *(str(outcome.fate) for outcome in outcomes)])
    kept = [outcome for outcome in outcomes if outcome.fate is Fate.KEPT]
    labels = Counter(label for o in kept if (label := wsi.label_of(o.i, o.j)) is not None)
    width, height = wsi.dimensions
    slide_mm2 = width * wsi.mpp_x * height * wsi.mpp_y / 1e6
    artifacts_mm2 = union_area(wsi.artifacts, wsi.dimensions) * wsi.mpp_x * wsi.mpp_y / 1e6 if wsi.artifacts else None
    facts = tissue_facts(wsi)
    methods = _qc_figures(wsi, facts, slide_mm2)
    um_x, um_y = wsi.grid.tile_um
    return SlideReport(
        slide=wsi.name,
        path=str(wsi.path),
        status="done" if kept else "empty",
        reason="" if kept else _why_empty(counts, given=wsi.places is not None),
        width=width,
        height=height,
        mpp_x=wsi.mpp_x,
        mpp_y=wsi.mpp_y,
        mpp_source=wsi.mpp_source,
        mpp_doubt=wsi.plan.mpp.doubt,
        vendor=wsi.vendor,
        reader=wsi.reader.name,
        level=wsi.plan.source.level,
        level_downsample=wsi.levels[wsi.plan.source.level].downsample_x,
        resampling="; ".join((wsi.plan.resampling, *(f"{plan.name}: {plan.resampling}" for plan in wsi.plan.further))),
        tile_px=spec.tile_px,
        tile_um_x=um_x,
        tile_um_y=um_y,
        further=tuple(further.name for further in wsi.plan.further),
        candidates=len(wsi.grid),
        counts=counts,
        unnormalized=sum(not outcome.normalized for outcome in kept) if spec.normalizer else 0,
        labels=dict(sorted(labels.items())),
        coordinates=None if wsi.places is None else len(wsi.places),
        rois=len(wsi.rois),
        roi_problems=tuple(str(problem) for problem in wsi.roi_set.problems),
        artifacts=len(wsi.artifacts),
        artifacts_mm2=artifacts_mm2,
        tissue_share=facts.share,
        tissue_mm2=None if facts.share is None else facts.share * slide_mm2,
        blur_burden=facts.blur_burden,
        tissue_doubt=facts.doubt,
        qc_shares={figures.method: figures.share_of_slide for figures in methods},
        qc_tissue_shares={
            figures.method: figures.share_of_tissue for figures in methods if figures.share_of_tissue is not None
        },
        qc_methods=methods,
        warnings=_warnings(wsi, outcomes),
    )


def _qc_figures(wsi: WSI, facts: TissueFacts, slide_mm2: float) -> tuple[QCFigures, ...]:
    """What each QC mask of a slide of that area says about it, in their order."""
    dropped_by = wsi.fates().mask_index
    return tuple(
        QCFigures(
            method=mask.name,
            reason=str(mask.reason),
            share_of_slide=mask.share,
            share_of_tissue=of_tissue,
            area_mm2=mask.share * slide_mm2,
            tiles_dropped=int(np.count_nonzero(dropped_by == place)),
            parameters=dict(mask.parameters),
        )
        for place, (mask, of_tissue) in enumerate(zip(wsi.qc_masks, facts.masked, strict=True))
    )


def _why_empty(counts: dict[str, int], *, given: bool) -> str:
    from slidekit.slide.fate import reason_text

    if not counts:
        return "No coordinates are given for it." if given else "The slide is smaller than one tile."
    total = sum(counts.values())
    parts = [f"{count} {reason_text(reason)}" for reason, count in counts.items()]
    return f"None of {total} candidates was kept: {', '.join(parts)}."


_LOST = {Fate.UNREADABLE: "cannot be read", Fate.NORMALIZER: "cannot be normalised"}


def _warnings(wsi: WSI, outcomes: Sequence[TileOutcome]) -> tuple[str, ...]:
    warnings = [
        f"Concentric tiles of {further.name} are enlarged {factor}."
        for further in wsi.plan.further
        if (factor := _enlargement(further.source))
    ]
    for fate, what in _LOST.items():
        for sizes, count in lost_around(outcomes, fate).items():
            warnings.append(f"Tiles left out because {' and '.join(sizes)} around them {what}: {count}.")
    if factor := _enlargement(wsi.plan.source):
        stored = dict.fromkeys(f"{mpp:.4g}" for mpp in (wsi.mpp_x, wsi.mpp_y))
        warnings.append(
            f"Tiles are enlarged {factor}: the slide has {' × '.join(stored)} µm/px,"
            f" {wsi.target_mpp:.4g} were asked for."
        )
    if wsi.places is not None and (number := wsi.places.contradictions):
        warnings.append(
            f"Coordinates that were given twice differ in their labels ({number}): one label each was taken."
        )
    return tuple(warnings)


def _enlargement(source: Source) -> str:
    """How much more pixels tiles have than what they are made from, by axis where that differs; empty if no more."""
    done = source.shrink * source.average
    by_axis = {"x": 1 / (source.scale_x * done), "y": 1 / (source.scale_y * done)}
    enlarged = {axis: by for axis, by in by_axis.items() if 1 / by < _UPSAMPLED}
    texts = [f"{by:.3g}×" for by in enlarged.values()]
    if len(set(texts)) == 1 and len(texts) == len(by_axis):
        return texts[0]
    return " and ".join(f"{text} along {axis}" for text, axis in zip(texts, enlarged, strict=True))
