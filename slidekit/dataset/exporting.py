"""Export of a dataset's tiles into the formats of other training stacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slidekit.annotations import Annotations
from slidekit.collection.selection import Selection
from slidekit.collection.sources import PathLike
from slidekit.dataset.record_folders import further_of, size_of, spec_of
from slidekit.errors import DatasetError, RecordError
from slidekit.units import Magnification

if TYPE_CHECKING:
    from slidekit.collection.label_values import UseFloat
    from slidekit.collection.tile_labels import TileLabels
    from slidekit.export import ExportFormat, ExportResult, SlideRecords, TileSource
    from slidekit.export.base import LabelKind, OnProgress
    from slidekit.io.record_table import RecordTable

__all__ = ["Exporting", "export_records", "source_of_records"]


class Exporting(Selection):
    """What `Dataset` does for other training stacks: its tiles in their formats."""

    def export(
        self,
        to: ExportFormat,
        dest: PathLike,
        *,
        labels: Any = None,
        columns: str | Sequence[str] = (),
        use_float: UseFloat = "auto",
        shard_mb: float | None = None,
        overwrite: bool = False,
        on_progress: OnProgress | None = None,
    ) -> ExportResult:
        """Write the tiles of the TFRecords into a folder of another format.

        All tiles of the dataset's slides go out, slide after slide by name, in the order of the records; images are
        not encoded again. What `balance` and `clip` say is for loaders. The folder exists only when all is written.

        Parameters
        ----------
        to
            ``"webdataset"`` (tar files), ``"zarr"`` (version 3, decoded pixels) or ``"parquet"`` (as Hugging Face
            ``datasets`` reads it); needs ``pip install "slidekit[export]"``.
        dest
            The folder to make; the one that it lies in must exist.
        labels
            As for the loaders, one outcome: a column, slide to label, or a table of labels of tiles. What has no
            label is left out. Region and its class always go along.
        columns
            Columns of the annotations that go along with each tile.
        use_float
            Whether labels are numbers, as for the loaders.
        shard_mb
            Size (10⁶ bytes) from which a new file is begun; default 500, for zarr 64 of pixels.
        overwrite
            Replace an earlier export at `dest`.
        on_progress
            Called with the slide at work, the number of tiles done and their total; at the end with an empty name.

        Returns
        -------
        ExportResult
            How much was written, and how many tiles had no label.

        Raises
        ------
        DatasetError
            If there are no TFRecords, labels cannot be used, or there is something at `dest`.
        AnnotationsError
            If there is no such column.
        SpecError
            If there is no such format, or `shard_mb` is not a size.
        MissingExtraError
            If the format's library is not installed.
        RecordError
            If a record is damaged; nothing is written then.
        """
        records = self.tfrecords()
        if not records:
            raise self._say_no_records()
        tile_um, *more_um = (f"{size}" if isinstance(size, Magnification) else size for size in self.tile_sizes)
        return export_records(
            records,
            self.label_rows(),
            to,
            dest,
            labels=labels,
            columns=columns,
            use_float=use_float,
            further=self.more_names or None,
            facts={"tile_px": self.tile_px, "tile_um": tile_um} | ({"more_um": more_um} if more_um else {}),
            shard_mb=shard_mb,
            overwrite=overwrite,
            on_progress=on_progress,
        )


def export_records(
    paths: Sequence[Path],
    annotations: Annotations,
    to: ExportFormat,
    dest: PathLike,
    *,
    shard_mb: float | None = None,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
    **about: Any,
) -> ExportResult:
    """Write the tiles of TFRecords into a folder of another format.

    Parameters
    ----------
    paths, annotations, **about
        As for `source_of_records`.
    to, dest, shard_mb, overwrite, on_progress
        As for `Exporting.export`, which also says what is raised.
    """
    from slidekit.export import ExportOptions, export_tiles

    options = ExportOptions(shard_mb=shard_mb, overwrite=overwrite)
    source = source_of_records(paths, annotations, **about)
    return export_tiles(source, to, Path(dest), options, on_progress=on_progress)


def source_of_records(
    paths: Sequence[Path],
    annotations: Annotations,
    *,
    labels: Any = None,
    columns: str | Sequence[str] = (),
    use_float: UseFloat = "auto",
    facts: Mapping[str, Any] | None = None,
    further: Sequence[str] | None = None,
) -> TileSource:
    """Find what is known about the tiles of TFRecords, for an export.

    Parameters
    ----------
    paths
        The files, in the order in which they are to be written.
    annotations
        Patients, labels and columns; a slide that is not there is its own patient.
    labels, columns, use_float
        As for `Exporting.export`.
    facts
        What is to stand beside the tiles; by default the size of tile that the files' folders are named after. The
        spec of the extraction is added where it is known.
    further
        Further sizes of concentric tiles that each record must have, ``512um``; by default those that the files'
        folder is named after, else those of the first record.

    Raises
    ------
    DatasetError
        If labels cannot be used, or are several outcomes.
    AnnotationsError
        If there is no such column.
    RecordError
        If an index cannot be used.
    """
    from slidekit.collection.tile_labels import settle_labels
    from slidekit.export import TileSource
    from slidekit.io.record_table import RecordTable

    names = (columns,) if isinstance(columns, str) else tuple(columns)
    cells = {name: annotations.column(name) for name in names}
    table = RecordTable.open(paths)
    try:
        found = settle_labels(labels, table, annotations, use_float=use_float)
    except DatasetError as error:
        _explain_merged(error, paths, annotations)
        raise
    kind: LabelKind | None = None
    classes: tuple[str, ...] = ()
    if found is not None:
        if found.values.ndim > 1:
            raise DatasetError(
                f"An export has one outcome, and {', '.join(found.outcomes)} were given.",
                mend="Give one as labels, and the others as columns.",
            )
        classes = found.classes or ()
        kind = "class" if found.classes is not None else "number" if found.values.dtype.kind == "f" else "index"
    slides = _labeled_slides(table, found)
    return TileSource(
        slides,
        label_kind=kind,
        classes=classes,
        patients=annotations.patients,
        annotations=cells,
        facts={**(size_of(paths) if facts is None else facts), **spec_of(paths)},
        left_out=len(table) - sum(slide.count for slide in slides),
        further=further_of(paths) if further is None else tuple(further),
    )


def _explain_merged(error: DatasetError, paths: Sequence[Path], annotations: Annotations) -> None:
    """Say so if labels are not found because a file holds the tiles of other slides than its name says.

    Raises
    ------
    DatasetError
        Instead of `error`.
    """
    from slidekit.io.tfrecord import TileRecord, iter_records

    for path in paths:
        try:
            payload = next((payload for _, payload in iter_records(path)), None)
            slide = path.stem if payload is None else TileRecord.decode(payload, path=path).slide
        except RecordError:
            continue  # it is named when its tiles are read
        if slide != path.stem and path.stem not in annotations.slides:
            raise DatasetError(
                f"{error.message} The file is merged: labels go by the names of files, and it holds tiles of {slide}.",
                mend="Export the files that it was merged of, or give a label for its name.",
                path=path,
            ) from error


def _labeled_slides(table: RecordTable, labels: TileLabels | None) -> list[SlideRecords]:
    """Files of a table with the labels of their tiles, but those in which no tile has one."""
    from slidekit.export import SlideRecords

    slides = []
    for file, path in enumerate(table.paths):
        start, end = int(table.starts[file]), int(table.starts[file + 1])
        rows = slice(start, end) if labels is not None and labels.per_tile else file
        values = None if labels is None else labels.values[rows]
        used = None if labels is None or labels.used is None else labels.used[rows]
        if used is None or used.any():
            places = table.locations[start:end] if labels is not None and labels.per_tile else None
            one_a_tile = used if used is not None and used.ndim else None
            slides.append(SlideRecords(path, end - start, values, one_a_tile, places))
    return slides
