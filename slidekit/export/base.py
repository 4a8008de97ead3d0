"""What an exporter is given: the tiles of TFRecords, one after the other, with all that is known about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from slidekit.errors import RecordError
from slidekit.io.record_file import check_place
from slidekit.io.tfrecord import TileRecord, iter_records

__all__ = ["ExportOptions", "ExportTile", "Label", "LabelKind", "OnProgress", "SlideRecords", "TileSource"]

Label = str | int | float
"""The name of a class, the index of one, or a number."""

LabelKind = Literal["class", "index", "number"]

OnProgress = Callable[[str, int, int], None]
"""Called with the slide at work, the number of tiles done, and their total; at the end with an empty name."""

_TILES_A_CALL = 100
_MEND_SIZES = (
    "Export records of one extraction, with the same sizes, at a time; slidekit verify names files that lack some."
)
_SIGNATURES = ((b"\xff\xd8\xff", "jpg"), (b"\x89PNG\r\n\x1a\n", "png"))


@dataclass(frozen=True)
class ExportTile:
    """One tile on its way into another format.

    Attributes
    ----------
    record
        The tile as it stands in the TFRecord; its image stays the bytes that they are.
    file
        Number of the TFRecord file, from 0.
    patient
        Whom the slide is of.
    suffix
        ``jpg`` or ``png``, by the bytes.
    label
        What a network shall say about the tile; None if the export has no labels.
    annotations
        Columns of the annotations that were asked for.
    further
        Of concentric tiles, the name of each further size (``512um``), and ``jpg`` or ``png``.
    """

    record: TileRecord
    file: int
    patient: str
    suffix: str
    label: Label | None
    annotations: Mapping[str, str]
    further: Mapping[str, str] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """What is known about the tile beside its image, by the names under which it is written."""
        record = self.record
        facts: dict[str, Any] = {
            "slide": record.slide,
            "patient": self.patient,
            "loc_x": record.loc_x,
            "loc_y": record.loc_y,
            "grid_x": record.grid_x,
            "grid_y": record.grid_y,
            "roi_name": record.roi_name,
            "roi_label": record.label,
        }
        if self.label is not None:
            facts["label"] = self.label
        return facts | dict(self.annotations)


@dataclass(frozen=True)
class SlideRecords:
    """A TFRecord file, and the labels of its tiles.

    Attributes
    ----------
    path
        The file; its stem is the slide's name.
    count
        Number of its records.
    labels
        What `TileSource.classes` turns into labels: one value for all tiles, or (count,), one a tile in the order of
        the file: int64 indices or float32. None if the export has no labels.
    used
        (count,) bool: False for tiles that have no label, and are left out. None: all are exported.
    locations
        (count, 2) int64: where the index says that the tiles are, if their labels were found by that. A record that
        says another place is an error.
    """

    path: Path
    count: int
    labels: npt.NDArray[np.int64] | npt.NDArray[np.float32] | None = None
    used: npt.NDArray[np.bool_] | None = None
    locations: npt.NDArray[np.int64] | None = None

    @property
    def slide(self) -> str:
        """Name of the slide."""
        return self.path.stem


@dataclass(frozen=True)
class TileSource:
    """All tiles of an export.

    Attributes
    ----------
    slides
        The TFRecord files, in the order in which they are written.
    label_kind
        Whether labels are classes with names, indices without, or numbers; None if there are none.
    classes
        Names of the classes, sorted; their places are their indices.
    patients
        Slide to patient; a slide that is not there is its own. By the slide that a record names, for files may have
        been merged.
    annotations
        Column of the annotations that goes along to slide to text.
    facts
        Size of the tiles and the extraction's spec, to stand beside the tiles.
    left_out
        Number of tiles of slides that have no label, and are not in `slides`.
    further
        Further sizes of concentric tiles that each record has, such as ``512um``; they are exported as well.
    """

    slides: Sequence[SlideRecords]
    label_kind: LabelKind | None = None
    classes: tuple[str, ...] = ()
    patients: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    left_out: int = 0
    further: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Number of records, those without labels included."""
        return sum(slide.count for slide in self.slides)

    def tiles(self, on_progress: OnProgress | None = None) -> Iterator[ExportTile]:
        """Read the tiles, file after file in the order of their records; every CRC is checked.

        Raises
        ------
        RecordError
            At the first record that is damaged, holds neither JPEG nor PNG, or is of another place than its label;
            or if a file has not as many records as was said.
        """
        done, total = 0, self.total
        for file, slide in enumerate(self.slides):
            found = 0
            for found, (offset, payload) in enumerate(iter_records(slide.path), start=1):
                if found > slide.count:
                    break
                if slide.used is None or slide.used[found - 1]:
                    record = TileRecord.decode(payload, path=slide.path)
                    if slide.locations is not None:
                        x, y = slide.locations[found - 1].tolist()
                        check_place(record, (x, y), slide.path)
                    record.check_sizes(self.further, offset=offset, mend=_MEND_SIZES, path=slide.path)
                    suffix = _suffix(record.image_raw, slide.path, offset)
                    further = {
                        image.name: _suffix(image.image_raw, slide.path, offset, image.name) for image in record.further
                    }
                    label = self._label(slide, found - 1)
                    name = record.slide if record.slide in self.patients else slide.slide
                    cells = {column: texts.get(name, "") for column, texts in self.annotations.items()}
                    yield ExportTile(record, file, self.patients.get(name, name), suffix, label, cells, further)
                if on_progress is not None and found % _TILES_A_CALL == 0:
                    on_progress(slide.slide, done + found, total)
            if found != slide.count:
                what = f"has {'more' if found > slide.count else found} records, and its index {slide.count}."
                raise RecordError(what, mend="Remove the index: it is made again; or extract again.", path=slide.path)
            done += found
            if on_progress is not None:
                on_progress(slide.slide, done, total)
        if on_progress is not None:
            on_progress("", done, total)

    def _label(self, slide: SlideRecords, place: int) -> Label | None:
        if slide.labels is None:
            return None
        value = slide.labels[place] if slide.labels.ndim else slide.labels[()]
        if self.label_kind == "number":
            return float(str(value))  # the digits of a float32, and not those of its float64
        return self.classes[int(value)] if self.label_kind == "class" else int(value)


def _suffix(image: bytes, path: Path, offset: int, size: str = "") -> str:
    for signature, suffix in _SIGNATURES:
        if image.startswith(signature):
            return suffix
    raise RecordError(
        f"the record at byte {offset} holds neither a JPEG nor a PNG{size and f' of {size}'}.",
        mend="Extract the slide again; slidekit verify names all that is damaged.",
        path=path,
    )


@dataclass(frozen=True)
class ExportOptions:
    """How an export is written.

    Attributes
    ----------
    shard_mb
        Size (10⁶ bytes) from which a new file is begun; None is the format's default. One of zarr's is in memory
        as pixels while it is filled.
    overwrite
        Replace an earlier export at the destination.
    """

    shard_mb: float | None = None
    overwrite: bool = False
