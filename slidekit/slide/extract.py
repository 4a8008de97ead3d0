"""One slide from file to records: the tiles that ROIs and QC leave are read, filtered, normalised, encoded, written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial

import numpy as np

from slidekit.errors import NormalizerError, SlideReadError, SpecError
from slidekit.io.tfrecord import TileRecord
from slidekit.norm import StainNormalizer
from slidekit.pixels.image import RGBImage
from slidekit.seeding import slide_generator
from slidekit.slide.fate import Fate
from slidekit.slide.filters import filter_tile, tile_statistics
from slidekit.slide.finishing import add_further, finish_tile
from slidekit.slide.normalizing import make_normalizer, make_slide_normalizer
from slidekit.slide.parallel import map_ordered, usable_cores
from slidekit.slide.publishing import OutputFolders, publish_slide
from slidekit.slide.report_model import SlideReport
from slidekit.slide.samples import SampleKeeper, save_pictures
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.spool import RecordSpool
from slidekit.slide.summary import TileOutcome, kept_boxes, lost_around, summarise
from slidekit.slide.tiles import Strip
from slidekit.slide.wsi import WSI

__all__ = ["OutputFolders", "extract_from_wsi", "make_normalizer"]

Progress = Callable[[int, int, int], None]
"""Called with cells decided, cells to decide, tiles kept."""

_LAYOUT = (
    "tile_px",
    "tile_um",
    "more_um",
    "stride_div",
    "mpp",
    "use_edge_tiles",
    "randomize_origin",
    "resample",
    "reader",
    "enable_downsample",
    "roi_method",
    "roi_filter_method",
    "roi_origin",
    "artifact_labels",
    "coordinates",
    "coordinates_unit",
    "coordinates_anchor",
)
"""Fields that an open slide has been laid out by; the seed as well, where it moves the grid."""


def extract_from_wsi(
    wsi: WSI,
    spec: ExtractionSpec,
    folders: OutputFolders,
    *,
    on_progress: Progress | None = None,
    on_publish: Callable[[], None] | None = None,
    before_file: Callable[[], None] = lambda: None,
) -> SlideReport:
    """Extract the tiles of an open slide, QC having been run.

    Parameters
    ----------
    wsi
        The slide.
    spec
        All parameters; must have the geometry that the slide was opened with.
    folders
        Where to write.
    on_progress
        Called after each strip of tiles.
    on_publish
        Called when all is ready, before the first file takes its final name.
    before_file
        Called before each file takes its name, and before one is taken back; raises a `SlidekitError` if another
        run has taken the slide over, whose files then stay as they are.

    Raises
    ------
    NormalizerError
        If the normaliser that `spec` names cannot be had.
    SlideReadError
        If more than `spec.max_unreadable` of the tiles cannot be decoded.
    OSError
        If a file cannot be written; nothing stands under a final name then.
    """
    started = time.monotonic()
    _check_layout(wsi, spec)
    folder = None if spec.dry_run else folders.tfrecords or folders.tiles
    outcomes: list[TileOutcome] = []
    samples = SampleKeeper(spec.seed, wsi.name)
    normalizer, doubt = make_slide_normalizer(wsi, spec)
    with RecordSpool(folder, wsi.name) if folder is not None else nullcontext() as spool:
        for outcome in _outcomes(wsi, spec, normalizer, on_progress):
            if outcome.encoded is not None:
                samples.offer(outcome.i, outcome.j, outcome.encoded)
                if spool is not None:
                    spool.add(_record(wsi, outcome))
            outcomes.append(outcome._replace(encoded=None, further=()))
        _check_readable(wsi, spec, outcomes)
        order = _order(sum(outcome.fate is Fate.KEPT for outcome in outcomes), spec, wsi.name)
        outcomes = _limit(outcomes, set(order))
        # What may still fail comes before anything appears under a final name.
        report = summarise(wsi, spec, outcomes)
        facts: dict[str, object] = {} if doubt is None else {"warnings": (*report.warnings, doubt)}
        if folders.previews is not None:
            if spec.max_tiles is not None:
                kept = {(outcome.i, outcome.j) for outcome in outcomes if outcome.fate is Fate.KEPT}
                samples = samples.only(kept) if spool is None else _samples(spool, order, spec.seed, wsi.name)
            save_pictures(folders.previews, wsi.name, wsi.draw(kept_boxes(wsi, outcomes)), samples)
            facts["preview_um"] = wsi.preview_um()
        if spool is not None and folder is not None:
            if on_publish is not None:
                on_publish()
            facts["records"] = publish_slide(wsi, spec, folders, spool, order, outcomes, before_file)
            if folders.tiles is not None and order:
                facts |= {"loose_tiles": len(order), "loose_format": spec.img_format}
    return report.model_copy(update={**facts, "seconds": time.monotonic() - started})


def _check_layout(wsi: WSI, spec: ExtractionSpec) -> None:
    layout = (*_LAYOUT, "seed") if spec.randomize_origin else _LAYOUT
    changed = [name for name in layout if getattr(spec, name) != getattr(wsi.spec, name)]
    if not changed:
        return
    if sized := {"tile_px", "tile_um", "more_um"}.intersection(changed):
        names = [name for name in changed if name not in sized]
        sizes = f"The size of tiles ({wsi.spec.label}; {spec.label} was asked for)"
        raise SpecError(
            f"{', '.join([sizes, *names])} cannot change after a slide was opened.",
            mend="Leave tile_px, tile_um and tile_mpp out, or open another WSI.",
        )
    raise SpecError(f"{', '.join(changed)} cannot change after a slide was opened.", mend="Open another WSI.")


def _samples(spool: RecordSpool, order: list[int], seed: int, slide: str) -> SampleKeeper:
    """Samples of the records that are written, where those that were picked on the way may be among the left out."""
    samples = SampleKeeper(seed, slide)
    for number in sorted(order):
        # Their numbers are their order, whatever cells they are of.
        samples.offer(number, 0, spool.record(number).image_raw)
    return samples


def _outcomes(
    wsi: WSI, spec: ExtractionSpec, normalizer: StainNormalizer | None, on_progress: Progress | None
) -> Iterator[TileOutcome]:
    """Read and judge all tiles that ROIs and QC leave, in raster order."""
    cells = wsi.grid.cells()[wsi.fates().taken]

    def work(strip: Strip) -> list[TileOutcome]:
        if not wsi.further:
            return [_judge(wsi, *tile, spec, normalizer) for tile in wsi.tiles.cut(strip)]
        tiles = list(wsi.tiles.cut(strip))
        outcomes = [_judge(wsi, *tile, spec, normalizer) for tile in tiles]
        return add_further(outcomes, [image for _, _, image in tiles], wsi.further, spec, normalizer)

    decided = kept = 0
    for outcomes in map_ordered(work, wsi.tiles.strips(cells), threads=spec.threads or usable_cores()):
        yield from outcomes
        decided += len(outcomes)
        kept += sum(outcome.fate is Fate.KEPT for outcome in outcomes)
        if on_progress is not None:
            on_progress(decided, len(cells), kept)


def _judge(
    wsi: WSI,
    i: int,
    j: int,
    image: RGBImage | SlideReadError,
    spec: ExtractionSpec,
    normalizer: StainNormalizer | None,
) -> TileOutcome:
    if isinstance(image, SlideReadError):
        return TileOutcome(i, j, Fate.UNREADABLE, None, None, False)
    statistics = tile_statistics(
        image, grayspace_threshold=spec.grayspace_threshold, whitespace_threshold=spec.whitespace_threshold
    )
    fate = filter_tile(statistics, spec)
    if fate is not Fate.KEPT:
        return TileOutcome(i, j, fate, statistics, None, False)
    try:
        encoded, changed = finish_tile(image, spec, normalizer, _cut(wsi, i, j))
    except NormalizerError:
        return TileOutcome(i, j, Fate.NORMALIZER, statistics, None, False)
    return TileOutcome(i, j, Fate.KEPT, statistics, encoded, changed)


def _cut(wsi: WSI, i: int, j: int) -> Callable[[RGBImage], RGBImage] | None:
    """What blackens the surroundings of a cell; None for tiles that are not of cells."""
    if wsi.cells is None or wsi.places is None:
        return None
    x, y = wsi.grid.corner(i, j)
    box = (x, y, x + wsi.grid.tile_width, y + wsi.grid.tile_height)
    return partial(wsi.cells.cut, wsi.places.row(i, j) + 1, box)


def _record(wsi: WSI, outcome: TileOutcome) -> TileRecord:
    loc_x, loc_y = wsi.grid.location(outcome.i, outcome.j)
    roi = wsi.roi_of(outcome.i, outcome.j)
    assert outcome.encoded is not None
    return TileRecord(
        slide=wsi.name,
        image_raw=outcome.encoded,
        loc_x=loc_x,
        loc_y=loc_y,
        # Given coordinates are in no column or row of a grid.
        grid_x=outcome.i if wsi.places is None else None,
        grid_y=outcome.j if wsi.places is None else None,
        roi_name=None if roi is None else roi.name,
        label=wsi.label_of(outcome.i, outcome.j),
        edge=wsi.grid.is_edge(outcome.i, outcome.j),
        further=outcome.further,
        cell_id=None if wsi.cells is None or wsi.places is None else wsi.places.row(outcome.i, outcome.j) + 1,
    )


def _order(kept: int, spec: ExtractionSpec, slide: str) -> list[int]:
    """Numbers of the kept tiles, in the order of the final file; surplus over `max_tiles` left out by chance."""
    order = slide_generator(spec.seed, slide, "order").permutation(kept)[: spec.max_tiles]
    return [int(number) for number in (order if spec.shuffle else np.sort(order))]


def _limit(outcomes: list[TileOutcome], kept: set[int]) -> list[TileOutcome]:
    """Mark what `max_tiles` leaves out."""
    limited, number = [], 0
    for outcome in outcomes:
        if outcome.fate is Fate.KEPT:
            if number not in kept:
                outcome = outcome._replace(fate=Fate.MAX_TILES, normalized=False)
            number += 1
        limited.append(outcome)
    return limited


def _check_readable(wsi: WSI, spec: ExtractionSpec, outcomes: list[TileOutcome]) -> None:
    unreadable = sum(outcome.fate is Fate.UNREADABLE for outcome in outcomes)
    if unreadable > spec.max_unreadable * len(outcomes):
        around = lost_around(outcomes, Fate.UNREADABLE)
        at = ", ".join(f"{count} of them only at {' and '.join(sizes)}" for sizes, count in around.items())
        names = dict.fromkeys(size for sizes in around for size in sizes)
        less = f"; or leave {' and '.join(names)} out of tile_um" if names else ""
        raise SlideReadError(
            f"{unreadable} of {len(outcomes)} tiles cannot be decoded{f' ({at})' if at else ''}, more than the"
            f" {spec.max_unreadable:.0%} that are allowed.",
            mend=f"Copy or scan the slide again; or raise max_unreadable{less}.",
            path=wsi.path,
        )
