"""Write the patches of a sampler into TFRecords: what streaming gives, pixel for pixel, to be read again and again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from slidekit.errors import RecordError, SpecError
from slidekit.io.atomic import atomic_write_text
from slidekit.io.record_reader import RecordReader
from slidekit.io.record_table import RecordTable
from slidekit.io.tfrecord import index_path
from slidekit.loading.options import whole_number
from slidekit.record_tools.batch import named_disk_errors
from slidekit.record_tools.destination import writing_into
from slidekit.record_tools.writing import RecordWriter
from slidekit.sampling.feeding.faces import check_feeding
from slidekit.sampling.feeding.source import SamplerSource
from slidekit.sampling.patch_description import DESCRIPTION, Description, describe_slides
from slidekit.sampling.patch_record import encode_patches, folder_name
from slidekit.sampling.patch_table import PatchTable
from slidekit.sampling.written import PLAN, Materialised, read_materialised
from slidekit.wording import some_of

if TYPE_CHECKING:
    from slidekit.sampling.sampler import PatchSampler

__all__ = ["materialise"]

logger = logging.getLogger(__name__)

_TABLE = ".patches.npz"

_CHUNKS = ".steps"
"""Folder of what is written so far, in the order of the steps; it is gone when all is finished."""


def materialise(
    sampler: PatchSampler,
    dest: str | Path,
    steps: int | None = None,
    *,
    start: int = 0,
    img_format: Literal["png", "jpg"] = "png",
    jpeg_quality: int = 95,
    chunk_steps: int = 1000,
    overwrite: bool = False,
    **feeding: Any,
) -> Materialised:
    """Write the patches of some steps as TFRecords, one file a slide.

    The records are those of an extraction, with more features beside: `slidekit.Dataset` and all loaders read them,
    as does Slideflow. The order of the steps is kept beside them: `read_materialised` gives the patches back as
    streaming does, in the same order. What was cut off goes on after the last whole chunk when it is called again.

    Parameters
    ----------
    sampler
        What to write.
    dest
        Folder for TFRecords; the patches stand in a folder of it that is named after their size, such as
        ``256px_128um``.
    steps
        How many steps; None for the rest of the epoch that `start` is in, where there are epochs.
    start
        The first.
    img_format
        ``"png"`` keeps pixels as they are; ``"jpg"`` is several times smaller, and does not.
    jpeg_quality
        Of JPEG, 1 to 100.
    chunk_steps
        Steps that are lost at most when the run is cut off.
    overwrite
        Whether patches of other parameters that were written there before are replaced.
    **feeding
        How patches are read, as for `PatchSampler.batches`: `workers`, `look_ahead`, `memory`.

    Returns
    -------
    Materialised
        What was written, to be read.

    Raises
    ------
    SpecError
        If patches do not end and `steps` is not given, or an option makes no sense.
    RecordError
        If the folder holds what is not to be replaced, or cannot be written.
    """
    check_feeding(feeding)
    first, size = whole_number("start", start), whole_number("chunk_steps", chunk_steps, 1)
    source = SamplerSource(sampler)
    if steps is None and sampler.spec.mode == "epoch":
        steps = len(sampler) - first % len(sampler)
    end = source.end(first, None if steps is None else whole_number("steps", steps, 1))
    if end is None:
        raise SpecError("The patches do not end.", mend="Give steps=, how many to write.")
    if img_format not in ("png", "jpg"):
        raise SpecError(f"img_format={img_format!r} is no format of tiles.", mend='Give "png" or "jpg".')
    if not 1 <= jpeg_quality <= 100:
        raise SpecError(f"jpeg_quality={jpeg_quality} is none.", mend="Give 1 to 100.")
    folder = Path(dest).expanduser().absolute() / folder_name(sampler.spec)
    wanted = Description(
        digest=sampler.digest,
        seed=sampler.spec.seed,
        start=first,
        steps=end - first,
        edges=source.edges,
        has_maps=source.has_maps,
        is_list=source.is_list,
        img_format=img_format if img_format == "png" else f"jpg {jpeg_quality}",
        slides=describe_slides(sampler.slides),
        complete=False,
    )
    with named_disk_errors(folder), writing_into([folder]):
        if not _prepare(folder, wanted, overwrite=overwrite):
            writing = _Writing(source, folder, wanted, jpeg_quality, feeding)
            writing.write_chunks(size)
            writing.write_slides()
        _remove_chunks(folder)
    return read_materialised(folder)


def _prepare(folder: Path, wanted: Description, *, overwrite: bool) -> bool:
    """Make the folder ready; tell whether all is there already."""
    description = folder / DESCRIPTION
    found = Description.read(folder) if description.is_file() else None
    if found is not None and found.is_of(wanted):
        return found.complete
    others = [path.name for path in folder.iterdir() if not path.name.endswith(".lock")]
    if found is None and others:
        raise RecordError("holds other files.", mend="Give another dest=.", path=folder)
    if found is not None and not overwrite and (changed := found.changed_files(wanted)):
        raise RecordError(
            f"holds patches of files that have changed since: {some_of(changed, 3)}.",
            mend="Give another dest=, or overwrite=True, which removes them.",
            path=folder,
        )
    if found is not None and not overwrite:
        raise RecordError(
            "holds patches of other slides, parameters or steps.",
            mend="Give another dest=, or overwrite=True, which removes them.",
            path=folder,
        )
    if found is not None:
        _remove(folder, found)
    atomic_write_text(description, wanted.text())
    return False


def _remove(folder: Path, found: Description) -> None:
    """Remove what a description says that it is of, and nothing else."""
    for slide in found.slides:
        path = folder / f"{slide.name}.tfrecords"
        path.unlink(missing_ok=True)
        index_path(path).unlink(missing_ok=True)
    (folder / PLAN).unlink(missing_ok=True)
    _remove_chunks(folder)
    # Last: without it, what is left would be somebody else's.
    (folder / DESCRIPTION).unlink()


def _remove_chunks(folder: Path) -> None:
    chunks = folder / _CHUNKS
    if chunks.is_dir():
        for path in chunks.iterdir():
            path.unlink()
        chunks.rmdir()


@dataclass(frozen=True)
class _Writing:
    """One run of `materialise`."""

    source: SamplerSource
    folder: Path
    wanted: Description
    quality: int
    feeding: dict[str, Any]

    def write_chunks(self, size: int) -> None:
        """Write the patches in the order of their steps, a file each `size` steps, from where it was left."""
        step = max((table.end for _, table in _chunks(self.folder)), default=self.wanted.start)
        end = self.wanted.start + self.wanted.steps
        if step > self.wanted.start:
            logger.info("%s: goes on at step %d", self.folder, step)
        if step >= end:
            return
        with ExitStack() as stack:
            feed = stack.enter_context(
                self.source.open(min(size, 64), start=step, steps=end - step, rank=0, num_replicas=1, **self.feeding)
            )
            while step < end:
                step = self._write_chunk(feed, step, min(step + size, end))

    def _write_chunk(self, feed: Iterator[Any], step: int, least: int) -> int:
        """Write batches up to a step, or a little beyond; returns the step that comes next."""
        tables = list[PatchTable]()
        path = self.folder / _CHUNKS / f"{step:012d}.tfrecords"
        end = self.wanted.start + self.wanted.steps
        reached = step
        with RecordWriter(path, overwrite=True, by_nothing=True) as writer:
            while reached < least:
                batch = next(feed, None)
                if batch is None:
                    reached = end  # what is left of a list is missing
                    break
                for payload, location in encode_patches(batch, self.source.spec, self.wanted, self.quality):
                    writer.append(payload, location)
                tables.append(PatchTable.of_batch(batch))
                reached = int(batch.steps[-1]) + 1
        # Without a record the writer leaves no folder either.
        path.parent.mkdir(exist_ok=True)
        PatchTable.joined(tables, end=reached).write(path.with_suffix(_TABLE))
        return reached

    def write_slides(self) -> None:
        """Sort the records by slide, and say that all is there."""
        chunks = _chunks(self.folder)
        if not any(len(table) for _, table in chunks):
            raise RecordError(
                f"None of the {self.wanted.steps} patches can be read.",
                mend="Look at the slides: sampler.left_out(), and the report of sampler.batches().",
                path=self.folder,
            )
        whole = PatchTable.joined([table for _, table in chunks], end=self.wanted.start + self.wanted.steps)
        reader = RecordReader(RecordTable.open([records for records, table in chunks if len(table)]))
        for slide in np.unique(whole.slides).tolist():
            path = self.folder / f"{self.wanted.slides[slide].name}.tfrecords"
            with RecordWriter(path, overwrite=True) as writer:
                for number in np.flatnonzero(whole.slides == slide).tolist():
                    x, y = whole.loc[number].tolist()
                    writer.append(reader.payloads([number])[0], (x, y))
        reader.close()
        whole.write(self.folder / PLAN)
        atomic_write_text(self.folder / DESCRIPTION, self.wanted.finished().text())
        if len(whole) < self.wanted.steps:
            missing = self.wanted.steps - len(whole)
            logger.warning("%s: %d of %d patches cannot be read", self.folder, missing, self.wanted.steps)


def _chunks(folder: Path) -> list[tuple[Path, PatchTable]]:
    """Records and tables of what is written so far, in the order of the steps."""
    tables = sorted((folder / _CHUNKS).glob(f"*{_TABLE}"))
    return [(path.with_name(path.name.removesuffix(_TABLE) + ".tfrecords"), PatchTable.read(path)) for path in tables]
