"""Patches that were written down: read back by step, as streaming gave them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import DatasetError, RecordError, SpecError
from slidekit.io.record_reader import RecordReader
from slidekit.io.record_table import RecordTable
from slidekit.io.tile_image import decode_into
from slidekit.sampling.feeding.batch import Batch
from slidekit.sampling.feeding.faces import Batches, FaceOptions, check_feeding, split_options
from slidekit.sampling.patch_description import DESCRIPTION, Description
from slidekit.sampling.patch_record import decode_map, images_of
from slidekit.sampling.patch_table import PatchTable
from slidekit.sampling.slides import SampledSlide
from slidekit.slide.parallel import map_ordered, usable_cores

if TYPE_CHECKING:
    from slidekit.sampling.feeding.torch import PatchStream

__all__ = ["PLAN", "Materialised", "read_materialised"]

PLAN = "patches.npz"
"""File of the patches' table."""

_MOST_THREADS = 4


class Materialised:
    """Patches of a sampler that `materialise` wrote.

    They are read by step, and give the batches that streaming gives; a checkpoint of one is one of the other. Of the
    same folder, `slidekit.Dataset` reads the patches slide by slide, as it reads extracted tiles.

    Parameters
    ----------
    folder
        The folder of the patches, such as ``tfrecords/256px_128um``.

    Raises
    ------
    RecordError
        If there are none, they are damaged, or were not finished.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser().absolute()
        self.description = Description.read(self.folder)
        if not self.description.complete:
            raise RecordError(
                "The patches were not finished.", mend="Call materialise again: it goes on.", path=self.folder
            )
        self.table = PatchTable.read(self.folder / PLAN)
        self.slides = tuple(
            SampledSlide(Path(slide.path), slide.name, label=slide.label) for slide in self.description.slides
        )
        used = np.unique(self.table.slides)
        records = RecordTable.open([self.folder / f"{self.slides[slide].name}.tfrecords" for slide in used])
        if len(records) != len(self.table):
            raise RecordError("does not have the records of its table.", mend="Write them again.", path=self.folder)
        self._reader = RecordReader(records)
        # The records of a slide stand in the order of their steps: number in the files of each row of the table.
        self._numbers = np.empty(len(self.table), np.int64)
        self._numbers[np.argsort(self.table.slides, kind="stable")] = np.arange(len(self.table))

    def __len__(self) -> int:
        """Patches that are there."""
        return len(self.table)

    @property
    def edges(self) -> tuple[int, ...]:
        """Edge of the image of each view of a patch, pixels."""
        return self.description.edges

    @property
    def has_maps(self) -> bool:
        """Whether a label image comes with each patch."""
        return self.description.has_maps

    @property
    def is_list(self) -> bool:
        """Whether patches may be missing."""
        return self.description.is_list

    def end(self, start: int, steps: int | None) -> int:
        """The step after the last of those that are there, or of `steps`.

        Raises
        ------
        DatasetError
            If steps are asked for that were not written.
        """
        first, last = self.description.start, self.description.start + self.description.steps
        end = last if steps is None else start + steps
        if not first <= start <= end <= last:
            raise DatasetError(
                f"Steps {start} to {end} are asked for, and {first} to {last} are there.",
                mend=f"Give start= and steps= within them, {first} being the first.",
                path=self.folder,
            )
        return end

    def following(self, start: int, end: int) -> int:
        """Where the next iteration begins: there are no other patches, so they come again."""
        return start

    def count(self, start: int, steps: int | None, rank: int, num_replicas: int) -> int:
        """Patches that a replica has of some steps."""
        return len(self._rows(start, self.end(start, steps), rank, num_replicas))

    def _rows(self, start: int, end: int, rank: int, num_replicas: int) -> NDArray[np.int64]:
        """Rows of the table of each `num_replicas`-th step that is there."""
        asked = np.arange(start + rank, end, num_replicas)
        rows = np.searchsorted(self.table.steps, asked)
        there = rows < len(self.table)
        there[there] = self.table.steps[rows[there]] == asked[there]
        found: NDArray[np.int64] = rows[there]
        return found

    def state(self, step: int) -> dict[str, Any]:
        """As `PatchSampler.state` of the sampler that they are of."""
        return {"step": int(step), "seed": self.description.seed, "digest": self.description.digest}

    def check_state(self, state: Mapping[str, Any]) -> int:
        """Read the step of a state, of these patches or of their sampler; SpecError if it is of others."""
        step = state.get("step") if isinstance(state, Mapping) else None
        if not isinstance(step, int) or state.get("digest") != self.description.digest:
            raise SpecError("The state is not of the sampler of these patches.", mend="Give one of it.")
        return step

    def batches(
        self,
        batch_size: int,
        *,
        start: int | None = None,
        steps: int | None = None,
        workers: int | None = None,
        **feeding: Any,
    ) -> Batches[Batch]:
        """Batches as numpy has them.

        Parameters
        ----------
        batch_size
            Patches of a batch.
        start
            The first step; by default the first that was written.
        steps
            How many steps from there on.
        workers
            Threads that decode; None takes up to four.
        **feeding
            What says how slides are read, as for `PatchSampler.batches`, is taken and does not matter.

        Returns
        -------
        Batches
            An iterator of `Batch`, and a context manager that closes it.

        Raises
        ------
        SpecError
            If an option makes no sense.
        DatasetError
            If steps are asked for that were not written.
        """
        check_feeding(feeding, ("batch_size", "start", "steps"))
        first = self.description.start if start is None else start
        asked = FaceOptions(batch_size, start=first, steps=steps)
        return self.open(asked.batch_size, start=asked.start, steps=asked.steps, workers=workers)

    def torch(
        self, batch_size: int, *, start: int | None = None, pin_memory: bool = False, **options: Any
    ) -> PatchStream:
        """Batches as torch has them; see `PatchSampler.torch`."""
        from slidekit.sampling.feeding.torch import PatchStream

        asked, feeding = self._split(batch_size, start, {"channels": "first", **options})
        return PatchStream(self, asked, pin_memory=pin_memory, **feeding)

    def tensorflow(self, batch_size: int, *, start: int | None = None, **options: Any) -> Any:
        """Batches as a `tf.data.Dataset`; see `PatchSampler.tensorflow`."""
        from slidekit.sampling.feeding.tensorflow import patch_dataset

        asked, feeding = self._split(batch_size, start, options)
        return patch_dataset(self, asked, **feeding)

    def _split(
        self, batch_size: int, start: int | None, options: Mapping[str, Any]
    ) -> tuple[FaceOptions, dict[str, Any]]:
        """What is asked of a face, and how patches are read."""
        return split_options(
            {**options, "batch_size": batch_size, "start": self.description.start if start is None else start}
        )

    def open(
        self,
        batch_size: int,
        *,
        start: int,
        steps: int | None,
        rank: int = 0,
        num_replicas: int = 1,
        workers: int | None = None,
        **_: Any,
    ) -> Batches[Batch]:
        """Open the batches of a replica; how slides would be read does not matter."""
        rows = self._rows(start, self.end(start, steps), rank, num_replicas)
        cuts = [rows[first : first + batch_size] for first in range(0, len(rows), batch_size)]
        threads = min(_MOST_THREADS, usable_cores()) if workers is None else max(1, workers)
        return Batches(map_ordered(self._read, cuts, threads=threads))

    def _read(self, rows: NDArray[np.int64]) -> Batch:
        """The batch of some rows of the table."""
        table, count, edges = self.table, len(rows), self.edges
        views = tuple(np.empty((count, edge, edge, 3), np.uint8) for edge in edges)
        maps = np.empty((count, edges[0], edges[0]), np.uint8) if self.has_maps else None
        for place, payload in enumerate(self._reader.payloads(self._numbers[rows])):
            images, label_map = images_of(payload, len(edges), has_map=self.has_maps)
            for view, image in zip(views, images, strict=True):
                self._decode(image, view[place])
            if maps is not None and label_map is not None:
                decode_map(label_map, maps[place])
        slides = table.slides[rows]
        labels = [slide.label for slide in self.slides]
        return Batch(
            images=views if len(views) > 1 else views[0],
            steps=table.steps[rows],
            slides=[self.slides[slide].name for slide in slides],
            slide_index=slides,
            loc=table.loc[rows],
            centres=table.centres[rows],
            mpp=table.mpp[rows],
            scales=table.scales[rows],
            tissue=table.tissue[rows],
            inside=table.inside[rows],
            classes=table.classes[rows],
            background=table.background[rows],
            targets=[labels[slide] for slide in slides] if any(label is not None for label in labels) else None,
            labels=maps,
            attempts=table.attempts[rows],
        )

    def _decode(self, image: bytes, out: NDArray[np.uint8]) -> None:
        try:
            fits = decode_into(image, out) == out.shape[:2]
        except ValueError as error:
            raise RecordError(f"an image is damaged: {error}.", mend="Write it again.", path=self.folder) from error
        if not fits:
            raise RecordError("an image has another size.", mend="Write the patches again.", path=self.folder)


def read_materialised(folder: str | Path) -> Materialised:
    """Open patches that `PatchSampler.materialise` wrote.

    Parameters
    ----------
    folder
        The folder of the patches, or the one above it, where it is the only one in there.

    Raises
    ------
    RecordError
        If there are none, or several, or they were not finished.
    """
    path = Path(folder).expanduser().absolute()
    below = sorted(path.glob(f"*/{DESCRIPTION}")) if not (path / DESCRIPTION).exists() else []
    if len(below) > 1:
        names = ", ".join(one.parent.name for one in below)
        raise RecordError(f"holds several folders of patches: {names}.", mend="Give one of them.", path=path)
    return Materialised(below[0].parent if below else path)
