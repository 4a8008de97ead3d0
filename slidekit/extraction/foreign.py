"""What can be found out about TFRecords that slidekit did not make."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from slidekit.errors import RecordError, SlidekitError
from slidekit.io.tfrecord import RecordIndex, TileRecord, index_path, iter_records, read_index, read_record_at
from slidekit.pixels.image import RGBImage
from slidekit.seeding import slide_generator
from slidekit.slide.fate import Fate
from slidekit.slide.report_model import SlideReport
from slidekit.slide.samples import SAMPLES, SampleKeeper, save_pictures
from slidekit.slide.wsi import WSI

__all__ = ["describe_foreign"]

_LABEL = re.compile(r"(\d+)px_(\d+(?:\.\d+)?um|\d+(?:\.\d+)?x)(?:\+.+)?")
"""Further sizes of concentric tiles are passed over: the first is that of the grid."""


def describe_foreign(path: Path, slide: Path | None, pictures: Path) -> SlideReport:
    """Describe a TFRecord file of Slideflow's, and make its pictures.

    Parameters
    ----------
    path
        The file, in a folder that is named after the size of its tiles.
    slide
        The slide it was made from, if it is at hand: for the picture and µm/px.
    pictures
        Folder for the pictures.
    """
    try:
        index = _index(path)
        samples = _samples(path, index)
    except RecordError as error:
        return SlideReport(slide=path.stem, status="failed", reason=str(error.message))
    report = SlideReport(
        slide=path.stem,
        status="done" if len(index) else "empty",
        reason="" if len(index) else "The file holds no tiles.",
        candidates=len(index),
        counts={Fate.KEPT.value: len(index)} if len(index) else {},
    )
    preview, facts = _draw(path, slide, index)
    save_pictures(pictures, path.stem, preview, samples)
    return report.model_copy(update=facts)


def _index(path: Path) -> RecordIndex:
    index_file = index_path(path)
    if index_file.is_file():
        return read_index(index_file)
    extents, locations = [], []
    for offset, payload in iter_records(path):
        record = TileRecord.decode(payload, path=path)
        extents.append((offset, len(payload) + 16))
        locations.append((record.loc_x, record.loc_y))
    return RecordIndex(np.array(extents, np.int64).reshape(-1, 2), np.array(locations, np.int64).reshape(-1, 2))


def _samples(path: Path, index: RecordIndex) -> SampleKeeper:
    samples = SampleKeeper(0, path.stem)
    picked = slide_generator(0, path.stem, "records").permutation(len(index))[:SAMPLES]
    for place, number in enumerate(np.sort(picked)):
        samples.offer(place, 0, read_record_at(path, int(index.extents[number, 0])).image_raw)
    return samples


def _draw(path: Path, slide: Path | None, index: RecordIndex) -> tuple[RGBImage | None, dict[str, object]]:
    """Draw the tiles over the slide, if both the slide and the size of tiles are known."""
    size = _LABEL.fullmatch(path.parent.name)
    if slide is None or size is None or index.locations is None:
        return None, {}
    try:
        with WSI(slide, int(size[1]), size[2].removesuffix("um")) as wsi:
            half = np.array([wsi.grid.tile_width, wsi.grid.tile_height]) / 2
            boxes = np.concatenate([index.locations - half, index.locations + half], axis=1)
            width, height = wsi.dimensions
            facts: dict[str, object] = {
                "width": width,
                "height": height,
                "mpp_x": wsi.mpp_x,
                "mpp_y": wsi.mpp_y,
                "mpp_source": wsi.mpp_source,
                "vendor": wsi.vendor,
                "tile_px": wsi.grid.tile_px,
                "preview_um": wsi.preview_um(),
            }
            return wsi.draw(boxes), facts
    except SlidekitError as error:
        return None, {"warnings": (f"No picture: {error.message}",)}
