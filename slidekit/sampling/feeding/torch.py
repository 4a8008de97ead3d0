"""Patches as torch tensors: batches that other processes have read come through shared memory, and become tensors."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch  # type: ignore[import-not-found, unused-ignore]
from numpy.typing import NDArray
from torch import Tensor  # type: ignore[import-not-found, unused-ignore]
from torch.utils import data  # type: ignore[import-not-found, unused-ignore]

from slidekit.errors import SpecError
from slidekit.loading.options import whole_number
from slidekit.sampling.feeding.faces import RANGES, FaceOptions, check_feeding, pack, targets_of
from slidekit.sampling.feeding.source import PatchSource, as_source

if TYPE_CHECKING:
    from slidekit.sampling.feeding.batch import Batch
    from slidekit.sampling.sampler import PatchSampler

__all__ = ["PatchStream"]


class PatchStream(data.IterableDataset[Any]):  # type: ignore[misc, unused-ignore]
    """Batches of patches as tensors, as `slidekit.sampling.PatchSampler.torch` describes them.

    The first iteration begins at `options.start`, and each one behind the last: with `options.steps` it has the next so
    many, of a list it is the next epoch, and without end it goes on where the last was left. Patches that were written
    are the same each time. `load_state_dict` goes on where another stream stood; what follows is as it was there.

    Parameters
    ----------
    source
        What gives the patches.
    options
        What is asked for.
    pin_memory
        Put tensors into memory that a GPU copies from quickly; without a GPU nothing is done.
    **feeding
        How patches are read, as for `slidekit.sampling.feeding.feed.Feed`: `workers`, `look_ahead`, `memory`.

    Notes
    -----
    The processes that read are the stream's own. Give it to a `torch.utils.data.DataLoader` only with
    ``batch_size=None, num_workers=0``.
    """

    def __init__(
        self, source: PatchSampler | PatchSource, options: FaceOptions, *, pin_memory: bool = False, **feeding: Any
    ) -> None:
        super().__init__()
        check_feeding(feeding)
        self.source = as_source(source)
        self.options = options
        self.report: Any = None
        self._pin = pin_memory and torch.cuda.is_available()
        self._feeding = feeding
        self._targets = targets_of(self.source.slides)
        self._position = options.start
        self._next: int | None = options.start
        self._version = 0

    def __len__(self) -> int:
        """Batches of the next iteration, in this replica; TypeError where they do not end."""
        begin, end = self._span(self._begin())
        if end is None:
            raise TypeError("The patches do not end: give steps= to have a length.")
        count = replace(self.options, start=begin, steps=end - begin).batches(self.source)
        assert count is not None
        return count

    @property
    def position(self) -> int:
        """The step that comes next, counting the batches that were taken; the same for all replicas."""
        return self._position

    def __iter__(self) -> Generator[Any, None, None]:
        if data.get_worker_info() is not None:
            raise SpecError(
                "The stream has processes of its own, and is iterated over in a worker of a DataLoader.",
                mend="Iterate over it as it is, or take DataLoader(stream, batch_size=None, num_workers=0).",
            )
        # Set now and not at the first batch, when another start may have been set.
        begin, end = self._span(self._begin())
        self._position = begin
        self._next = None if end is None else self.source.following(self.options.start, end)
        return self._iterate(begin, end)

    def _begin(self) -> int:
        return self._position if self._next is None else self._next

    def _span(self, position: int) -> tuple[int, int | None]:
        """First step of an iteration that begins at a position, or where nothing is left there, and behind its last."""
        options, end = self.options, self._end_of(position)
        if end is not None and options.steps != 0 and position > options.start:
            # Of rank 0, so that all replicas go on to the next iteration, or none.
            left = -(-(end - position) // options.num_replicas)
            if left <= 0 or (options.drop_last and left < options.batch_size):
                position = self.source.following(options.start, end)
                end = self._end_of(position)
        return position, end

    def _end_of(self, position: int) -> int | None:
        """The end of the iteration that a position is in."""
        start, steps = self.options.start, self.options.steps
        if not steps:
            return start if steps == 0 else self.source.end(position, None)
        # A position at the end of patches that go on is the beginning of the next.
        before = max(0, position - start) // steps
        return self.source.following(start, start + before * steps) + steps if before else start + steps

    def _iterate(self, position: int, end: int | None) -> Generator[Any, None, None]:
        while True:
            version = self._version
            steps = None if end is None else max(0, end - position)
            options = replace(self.options, start=position, steps=steps)
            with options.open(self.source, **self._feeding) as feed:
                for batch in feed:
                    # Of a list, what cannot be read is missing: the last patch says where the next is looked for.
                    position = self._position = int(batch.steps[-1]) - options.rank + options.num_replicas
                    self.report = getattr(feed, "report", None)
                    if len(batch.steps) == options.batch_size or not options.drop_last:
                        yield self._make(batch)
                    if self._version != version:
                        break
                else:
                    if end is not None:
                        self._position = end
                    return

    def configure(self, *, tile_px: int | None = None, batch_size: int | None = None) -> None:
        """Change the patches' size or number while they come; the next batch is of the new ones.

        The steps go on, and each step has the place and the field of view that it would have had. What was read
        ahead is lost.

        Parameters
        ----------
        tile_px
            Edge of the patches, pixels, over the same field of view.
        batch_size
            Patches of a batch.

        Raises
        ------
        SpecError
            If a value makes no sense, or the patches are written down and have the size that they have.
        """
        if batch_size is not None:
            self.options = replace(self.options, batch_size=batch_size)
        if tile_px is not None:
            resized = getattr(self.source, "resized", None)
            if resized is None:
                raise SpecError("Patches that were written have one size.", mend="Stream them from the slides.")
            self.source = resized(tile_px)
        self._version += 1

    def state_dict(self) -> dict[str, Any]:
        """Where the stream stands, counting the batches that were taken from it: numbers and text."""
        return self.source.state(self._position)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration begin where another stream of the same patches stood, of any rank.

        Raises
        ------
        SpecError
            If the state is of other patches.
        """
        self._next = self._position = whole_number("step", self.source.check_state(state))

    def _make(self, batch: Batch) -> Any:
        views = batch.images if isinstance(batch.images, tuple) else (batch.images,)
        images = tuple(self._finish(view) for view in views)
        given = images if isinstance(batch.images, tuple) else images[0]
        return pack(batch, given, self._targets, self._tensor, info=self.options.info)

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        tensor = torch.from_numpy(array)
        return tensor.pin_memory() if self._pin else tensor

    def _finish(self, array: NDArray[Any]) -> Tensor:
        images = torch.from_numpy(array)
        if self.options.channels == "first":
            # A view: the memory stays as it is, which torch calls channels_last.
            images = images.permute(0, 3, 1, 2)
        if (scale := RANGES[self.options.scaling]) is not None:
            images = images.to(torch.float32).div_(scale[0]).sub_(scale[1])
        return images.pin_memory() if self._pin else images
