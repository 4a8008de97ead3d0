"""What a sampler is used for: one patch, batches, tensors, records; each made where it is asked for."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, overload

from slidekit.errors import SlideReadError, SpecError

if TYPE_CHECKING:
    import tensorflow as tf  # type: ignore[import-not-found, import-untyped, unused-ignore]

    from slidekit.sampling.audit import Audit
    from slidekit.sampling.bags import Bags
    from slidekit.sampling.feeding.batch import Batch
    from slidekit.sampling.feeding.faces import FaceOptions
    from slidekit.sampling.feeding.feed import Feed
    from slidekit.sampling.feeding.torch import PatchStream
    from slidekit.sampling.patch import Patch
    from slidekit.sampling.sampler import PatchSampler
    from slidekit.sampling.written import Materialised

__all__ = ["SamplerUses"]

_AT_ONCE = 16
"""Patches that are read together for who takes them one by one."""


class SamplerUses:
    """Ways to use a sampler; `PatchSampler` has them."""

    @overload
    def __getitem__(self, step: int) -> Patch: ...

    @overload
    def __getitem__(self, step: slice) -> Batch: ...

    def __getitem__(self, step: int | slice) -> Patch | Batch:
        """Read the patch of a step, or a batch of those of some steps (``sampler[10:20]``), in this process.

        Raises
        ------
        SlideReadError
            If the place of a list (modes ``grid`` and ``points``) cannot be read.
        IndexError
            If the sampler has an end, and the step is beyond it; steps of further epochs are had with `batches`.
        SpecError
            If it is not a step, or a slice not of steps that follow one another, from 0 on.
        """
        from slidekit.sampling.patch import Patch

        if not isinstance(step, slice):
            return Patch.of(self._read(self._one_step(step), 1), 0)
        start = step.start or 0
        if step.stop is None or step.step not in (None, 1) or start < 0 or step.stop <= start:
            raise SpecError(f"{step} are not steps that follow one another.", mend="Give them as sampler[10:20].")
        return self._read(start, step.stop - start)

    def __iter__(self) -> Iterator[Patch]:
        """Read patches one after another, in this process: of one epoch or list, or, in mode ``random``, without end.

        What cannot be read of a list is missing.
        """
        from slidekit.sampling.patch import Patch

        steps = None if self._sampler.spec.mode == "random" else len(self._sampler)
        with self.batches(_AT_ONCE, steps=steps, workers=0, look_ahead=_AT_ONCE) as feed:
            for batch in feed:
                yield from (Patch.of(batch, row) for row in range(len(batch)))

    def _one_step(self, step: object) -> int:
        try:
            number = operator.index(step)  # type: ignore[arg-type]
        except TypeError:
            raise SpecError(f"{step!r} is not a step.", mend="Give a whole number, or a slice.") from None
        if self._sampler.spec.mode != "random" and number >= len(self._sampler):
            raise IndexError(f"step {number} is beyond the end: there are {len(self._sampler)}.")
        return number

    def _read(self, start: int, count: int) -> Batch:
        if start < 0:
            raise SpecError(f"step {start} is less than 0.")
        with self.batches(count, start=start, steps=count, workers=0) as feed:
            for batch in feed:
                return batch
            left_out = {slide: list(reasons) for slide, reasons in feed.report.left_out.items()}
        raise SlideReadError(f"No patch of steps {start} to {start + count - 1} can be read: {left_out}.")

    def batches(self, batch_size: int, *, start: int = 0, steps: int | None = None, **feeding: Any) -> Feed:
        """Read batches, of arrays in this process's memory.

        Parameters
        ----------
        batch_size
            Patches of a batch.
        start
            The first step.
        steps
            How many; None goes on without end in mode ``random``, and else to the end of the epoch.
        **feeding
            How patches are read, as for `slidekit.sampling.feeding.feed.Feed`: `workers` (processes; 0 reads in this
            one), `look_ahead` (coming patches that are sorted by place, so that each stored tile is decoded once),
            `memory`, `copy`. None of it changes what comes.

        Returns
        -------
        Feed
            An iterator of `Batch`. Close it, or use it as a context manager; its `report` says what came of it.
        """
        from slidekit.sampling.feeding.faces import check_feeding
        from slidekit.sampling.feeding.feed import Feed

        check_feeding({name: value for name, value in feeding.items() if name != "copy"}, ("start", "steps", "copy"))
        return Feed(self._sampler, batch_size, start=start, steps=steps, **feeding)

    def torch(self, batch_size: int, *, pin_memory: bool = False, **options: Any) -> PatchStream:
        """Batches as torch tensors.

        Parameters
        ----------
        batch_size
            Patches of a batch.
        pin_memory
            Put tensors into memory that a GPU copies from quickly.
        **options
            ``start``, ``steps``; ``scaling`` (``"uint8"``, or float32 of the range named: ``"0..1"``, ``"-1..1"``,
            ``"0..255"``); ``channels`` (``"first"`` by default, or ``"last"``); ``info=True`` for a dict of what is
            known of each patch; ``drop_last``; ``rank``, ``num_replicas``; and what `batches` takes for feeding.

        Returns
        -------
        PatchStream
            An iterable dataset of ``(images[, label maps][, targets][, info])``, or of images alone; several views
            are a tuple, by themselves ``((a, b),)``. It reads in processes of its own: a `DataLoader` around it is to
            have none.

        Raises
        ------
        SpecError
            If an option makes no sense.
        """
        from slidekit.sampling.feeding.torch import PatchStream

        face, feeding = _split({"channels": "first", **options, "batch_size": batch_size})
        return PatchStream(self._sampler, face, pin_memory=pin_memory, **feeding)

    def tensorflow(self, batch_size: int, **options: Any) -> tf.data.Dataset:
        """Batches as a `tf.data.Dataset` with static shapes.

        Parameters
        ----------
        batch_size
            Patches of a batch.
        **options
            As for `torch`; ``channels`` is ``"last"`` by default.

        Returns
        -------
        tf.data.Dataset
            Of ``(images[, label maps][, targets][, info])``, or of images alone; several views are a tuple, by
            themselves ``((a, b),)``. The first iteration begins at ``start``; where iterations end, each goes on behind
            the last.

        Raises
        ------
        SpecError
            If an option makes no sense.
        """
        from slidekit.sampling.feeding.tensorflow import patch_dataset

        face, feeding = _split({**options, "batch_size": batch_size})
        return patch_dataset(self._sampler, face, **feeding)

    def bags(self, bag_size: int, *, rank: int = 0, num_replicas: int = 1) -> Bags:
        """Bags of patches of one slide each, for learning from labels of whole slides.

        Parameters
        ----------
        bag_size
            Patches of a bag.
        rank, num_replicas
            Take each `num_replicas`-th bag, from number `rank` on.
        """
        from slidekit.sampling.bags import Bags

        return Bags(self._sampler, bag_size, rank=rank, num_replicas=num_replicas)

    def materialise(self, dest: str | Path, steps: int | None = None, **options: Any) -> Materialised:
        """Write the patches of some steps as TFRecords, pixel for pixel what streaming gives.

        Parameters
        ----------
        dest
            Folder.
        steps
            How many; by default those of an epoch or a list.
        **options
            As for `slidekit.sampling.materialise.materialise`: ``start``, ``img_format``, ``overwrite`` and more.
        """
        from slidekit.sampling.materialise import materialise

        return materialise(self._sampler, dest, steps, **options)

    def audit(self, dest: str | Path, n: int = 64, *, start: int = 0, maps: int = 6) -> Audit:
        """Draw the first patches, and where on the slides they came from.

        Parameters
        ----------
        dest
            Picture to write: .png, .jpg, .pdf or .svg.
        n
            How many patches.
        start
            The first step.
        maps
            Slides to show, at most.

        Returns
        -------
        Audit
            What is in the picture.
        """
        from slidekit.sampling.audit import write_audit

        return write_audit(self._sampler, dest, n, start=start, maps=maps)

    @property
    def _sampler(self) -> PatchSampler:
        return cast("PatchSampler", self)


def _split(options: dict[str, Any]) -> tuple[FaceOptions, dict[str, Any]]:
    """What is asked of a face, and how patches are read."""
    from slidekit.sampling.feeding.faces import FaceOptions

    names = {field.name for field in fields(FaceOptions)}
    feeding = {name: value for name, value in options.items() if name not in names}
    return FaceOptions(**{name: value for name, value in options.items() if name in names}), feeding
