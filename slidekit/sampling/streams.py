"""Several unpaired streams of patches, such as the two stains of a CycleGAN: a batch of each at every step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing
from typing import TYPE_CHECKING, Any, TypeVar

from slidekit.errors import SpecError
from slidekit.loading.options import whole_number
from slidekit.sampling.feeding.faces import Batches, FaceOptions, check_feeding, split_options
from slidekit.sampling.feeding.source import SamplerSource, derived_seed
from slidekit.slide.parallel import usable_cores

if TYPE_CHECKING:
    from slidekit.sampling.feeding.batch import Batch
    from slidekit.sampling.sampler import PatchSampler

__all__ = ["Streams", "zip_samplers"]

_Batch = TypeVar("_Batch")


class Streams:
    """Streams of patches that come side by side, and have nothing to do with each other.

    Step k of each stream comes with step k of the others; one integer resumes all. Samplers that have one seed would
    draw alike, the first slide of one with the first of another: each of those gets a seed of its own, made of the
    seed and the stream's name.

    Parameters
    ----------
    samplers
        Name to sampler.
    batch_size
        Patches of a batch of each stream.

    Raises
    ------
    SpecError
        If there is no sampler, or `batch_size` is no number of patches.
    """

    def __init__(self, samplers: Mapping[str, PatchSampler], batch_size: int) -> None:
        if not isinstance(samplers, Mapping) or not samplers:
            raise SpecError("There is no stream.", mend='Give samplers by name, such as {"A": …, "B": …}.')
        seeds = Counter(sampler.spec.seed for sampler in samplers.values())
        self.batch_size = whole_number("batch_size", batch_size, 1)
        self.samplers: dict[str, PatchSampler] = {
            name: sampler.replace(seed=derived_seed(sampler.spec.seed, "stream", name))
            if seeds[sampler.spec.seed] > 1
            else sampler
            for name, sampler in samplers.items()
        }
        # The states of streams that are resized are those of the streams as they were made.
        self._made_as = self.samplers

    def batches(
        self, *, start: int = 0, steps: int | None = None, workers: int | None = None, **feeding: Any
    ) -> Batches[dict[str, Batch]]:
        """Batches as numpy has them; streams that are lists end all others.

        Parameters
        ----------
        start
            The first step of each stream: patches of it that came before.
        steps
            Patches of each stream from there on; None for all that there are.
        workers
            Processes of each stream that read, 0 for none; None divides the cores.
        **feeding
            As for `PatchSampler.batches`.

        Returns
        -------
        Batches
            An iterator of dicts, stream to batch, and a context manager that closes it.

        Raises
        ------
        SpecError
            If an option makes no sense.
        """
        options = FaceOptions(self.batch_size, start=start, steps=steps)
        check_feeding(feeding, ("start", "steps"))
        feeding["workers"] = self._workers(workers)
        return _side_by_side({name: options.open(one, **feeding) for name, one in self._sources().items()})

    def __iter__(self) -> Iterator[dict[str, Batch]]:
        return self.batches()

    def torch(self, *, steps: int | None = None, workers: int | None = None, **options: Any) -> Batches[dict[str, Any]]:
        """Batches as torch has them.

        Parameters
        ----------
        steps, workers
            As for `batches`.
        **options
            As for `PatchSampler.torch`: `start`, `scaling`, `channels`, `info`, `pin_memory`, `look_ahead`…

        Returns
        -------
        Batches
            An iterator of dicts, stream to what its sampler's `torch` gives: images, or a tuple of images and what
            belongs to them; and a context manager that closes it.

        Raises
        ------
        SpecError
            If an option makes no sense.
        """
        from slidekit.sampling.feeding.torch import PatchStream

        asked, feeding = _split({"channels": "first", **options}, self.batch_size, steps)
        pin_memory = feeding.pop("pin_memory", False)
        feeding["workers"] = self._workers(workers)
        return _side_by_side(
            {
                name: closing(iter(PatchStream(source, asked, pin_memory=pin_memory, **feeding)))
                for name, source in self._sources().items()
            }
        )

    def tensorflow(self, *, steps: int | None = None, workers: int | None = None, **options: Any) -> Any:
        """A `tf.data.Dataset` of dicts, stream to what its sampler's `tensorflow` gives.

        Parameters
        ----------
        steps, workers
            As for `batches`.
        **options
            As for `PatchSampler.tensorflow`.
        """
        from slidekit.sampling.feeding.tensorflow import patch_dataset, zip_datasets

        asked, feeding = _split(options, self.batch_size, steps)
        feeding["workers"] = self._workers(workers)
        return zip_datasets({name: patch_dataset(source, asked, **feeding) for name, source in self._sources().items()})

    def resized(self, tile_px: int, batch_size: int | None = None) -> Streams:
        """The same places and fields of view at another number of pixels, and with batches of another size."""
        other = Streams.__new__(Streams)
        other.batch_size = self.batch_size if batch_size is None else whole_number("batch_size", batch_size, 1)
        other.samplers = {name: sampler.resized(tile_px) for name, sampler in self.samplers.items()}
        other._made_as = self._made_as
        return other

    def state(self, step: int) -> dict[str, Any]:
        """Where the streams stand when `step` patches of each were used: numbers and text."""
        states = {name: sampler.state(step) for name, sampler in self._made_as.items()}
        return {"step": int(step), "streams": states}

    def check_state(self, state: Mapping[str, Any]) -> int:
        """Read the step of a state.

        Raises
        ------
        SlidekitError
            If it is of other streams.
        """
        found = state.get("streams") if isinstance(state, Mapping) else None
        if not isinstance(found, Mapping) or set(found) != set(self.samplers):
            raise SpecError(
                f"The state is not of the streams {', '.join(self.samplers)}.", mend="Give what state() returned."
            )
        steps = {sampler.check_state(found[name]) for name, sampler in self._made_as.items()}
        if len(steps) > 1:
            raise SpecError("The streams of the state stand at different steps.", mend="Give what state() returned.")
        return steps.pop()

    def _sources(self) -> dict[str, SamplerSource]:
        return {name: SamplerSource(sampler) for name, sampler in self.samplers.items()}

    def _workers(self, workers: int | None) -> int:
        """Processes of each stream: together they take no more than there are cores, but one each."""
        return max(1, usable_cores() // len(self.samplers)) if workers is None else workers


def zip_samplers(samplers: Mapping[str, PatchSampler], batch_size: int) -> Streams:
    """Put several samplers side by side; see `Streams`.

    Parameters
    ----------
    samplers
        Name to sampler, such as ``{"A": silver, "B": pas}``.
    batch_size
        Patches of a batch of each.
    """
    return Streams(samplers, batch_size)


def _side_by_side(
    streams: Mapping[str, AbstractContextManager[Iterator[_Batch]]],
) -> Batches[dict[str, _Batch]]:
    """A batch of each stream at a time; the shortest ends all, and all are closed."""
    return Batches(_zipped(streams))


def _zipped(
    streams: Mapping[str, AbstractContextManager[Iterator[_Batch]]],
) -> Generator[dict[str, _Batch], None, None]:
    with ExitStack() as stack:
        opened = {name: stack.enter_context(stream) for name, stream in streams.items()}
        for found in zip(*opened.values(), strict=False):
            yield dict(zip(opened, found, strict=True))


def _split(options: Mapping[str, Any], batch_size: int, steps: int | None) -> tuple[FaceOptions, dict[str, Any]]:
    """What is asked of a face, and how patches are read."""
    return split_options({**options, "batch_size": batch_size, "steps": steps})
