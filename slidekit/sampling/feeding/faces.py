"""What the faces of torch and TensorFlow have in common: what can be asked for, and what a batch is made of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeAlias, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import DatasetError, SpecError
from slidekit.loading.options import whole_number

if TYPE_CHECKING:
    from slidekit.sampling.feeding.batch import Batch
    from slidekit.sampling.feeding.source import PatchSource
    from slidekit.sampling.slides import SampledSlide

__all__ = [
    "FEEDING",
    "INFO",
    "RANGES",
    "Batches",
    "Channels",
    "FaceOptions",
    "Scaling",
    "check_feeding",
    "facts_of",
    "pack",
    "split_options",
    "targets_of",
]

T = TypeVar("T")

Scaling: TypeAlias = Literal["uint8", "0..1", "-1..1", "0..255"]
Channels: TypeAlias = Literal["first", "last"]

RANGES: dict[str, tuple[float, float] | None] = {
    "uint8": None,
    "0..1": (255.0, 0.0),
    "-1..1": (127.5, 1.0),
    "0..255": (1.0, 0.0),
}
"""What a grey level is divided by, and what is then taken from it; None leaves bytes as they are."""

FEEDING = ("workers", "look_ahead", "memory", "open_slides")
"""How a feed may be told to read. Views of its memory are not for a face, whose batches outlive the next."""

INFO = ("slide", "loc_x", "loc_y", "mpp", "scale", "tissue", "inside", "step", "class")
"""What is said of each patch where `info` is asked for."""


@dataclass(frozen=True)
class FaceOptions:
    """What is asked of a face, checked.

    Attributes
    ----------
    batch_size
        Patches of a batch.
    start
        The first step; the same for all replicas.
    steps
        How many steps from there on, all replicas together; None for all that there are, or without end.
    scaling
        ``"uint8"``, or float32 of the range that is named: ``"0..1"``, ``"-1..1"`` (x / 127.5 − 1), ``"0..255"``.
    channels
        Where the colours are in the arrays' axes: ``"last"`` (n, h, w, 3), ``"first"`` (n, 3, h, w).
    info
        Give a dict of what is known of each patch, `INFO`, with the images.
    drop_last
        Leave out batches that are not full.
    rank, num_replicas
        Take each `num_replicas`-th step, from number `rank` on.

    Raises
    ------
    SpecError
        If a value makes no sense.
    """

    batch_size: int
    start: int = 0
    steps: int | None = None
    scaling: Scaling = "uint8"
    channels: Channels = "last"
    info: bool = False
    drop_last: bool = False
    rank: int = 0
    num_replicas: int = 1

    def __post_init__(self) -> None:
        for name, least in (("batch_size", 1), ("start", 0), ("rank", 0), ("num_replicas", 1)):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), least))
        if self.steps is not None:
            object.__setattr__(self, "steps", whole_number("steps", self.steps))
        if self.rank >= self.num_replicas:
            raise SpecError(f"rank={self.rank} is none of {self.num_replicas} replicas.", mend="Ranks count from 0.")
        for name, known in (("scaling", get_args(Scaling)), ("channels", get_args(Channels))):
            if getattr(self, name) not in known:
                raise SpecError(
                    f"{name}={getattr(self, name)!r} is not known.", mend=f"Give one of {', '.join(known)}."
                )

    def count(self, source: PatchSource) -> int | None:
        """Patches of this replica, at most; None where they do not end."""
        certain = source.count(self.start, self.steps, self.rank, self.num_replicas)
        if certain is not None:
            return certain
        end = source.end(self.start, self.steps)
        return None if end is None else max(0, -(-(end - self.start - self.rank) // self.num_replicas))

    def batches(self, source: PatchSource) -> int | None:
        """Batches of this replica, at most; None where they do not end."""
        count = self.count(source)
        if count is None:
            return None
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def open(self, source: PatchSource, **feeding: Any) -> AbstractContextManager[Iterator[Batch]]:
        """Open the batches of this replica."""
        return source.open(
            self.batch_size,
            start=self.start,
            steps=self.steps,
            rank=self.rank,
            num_replicas=self.num_replicas,
            **feeding,
        )


class Batches(Generic[T]):
    """Batches of one iteration: an iterator, and a context manager that closes it.

    Parameters
    ----------
    found
        What gives them.
    """

    def __init__(self, found: Generator[T, None, None]) -> None:
        self._found = found

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        return next(self._found)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, and the processes that read."""
        self._found.close()


def check_feeding(given: Mapping[str, Any], own: Collection[str] | None = None) -> None:
    """Make sure that a face is asked for what there is.

    Parameters
    ----------
    given
        Options, without those of the face.
    own
        Names of the options of what was called, besides those of reading; None for all fields of `FaceOptions`.

    Raises
    ------
    SpecError
        If there is another option.
    """
    if unknown := [name for name in given if name not in FEEDING]:
        known = [*([field.name for field in fields(FaceOptions)] if own is None else own), *FEEDING]
        raise SpecError(f"There is no option {', '.join(map(repr, unknown))}.", mend=f"There are: {', '.join(known)}.")


def split_options(options: Mapping[str, Any]) -> tuple[FaceOptions, dict[str, Any]]:
    """Tell what is asked of a face from how patches are read, which `check_feeding` is to look at."""
    names = {field.name for field in fields(FaceOptions)}
    feeding = {name: value for name, value in options.items() if name not in names}
    return FaceOptions(**{name: value for name, value in options.items() if name in names}), feeding


def targets_of(slides: Sequence[SampledSlide]) -> NDArray[Any] | None:
    """What is to be learned of whole slides.

    Returns
    -------
    ndarray or None
        (slides,) int64, float32 or text, or (slides, k) where each has several; None where no slide has a label.

    Raises
    ------
    DatasetError
        If some slides have a label and others none, or they are not alike.
    """
    labels = [slide.label for slide in slides]
    without = [slide.name for slide in slides if slide.label is None]
    if len(without) == len(labels):
        return None
    if without:
        raise DatasetError(
            f"{len(without)} of {len(labels)} slides have no label, such as {without[0]!r}.",
            mend="Give all slides a label, or none; Dataset.sampler(labels=…) leaves out those without.",
        )
    try:
        values = np.asarray(labels)
    except ValueError as error:
        raise DatasetError("Slides have different numbers of labels.", mend="Give each slide as many.") from error
    kinds = {"b": np.int64, "i": np.int64, "u": np.int64, "f": np.float32, "U": np.object_}
    if values.dtype.kind not in kinds or values.ndim > 2:
        raise DatasetError("Labels of slides are not alike.", mend="Give numbers, texts, or lists of one length.")
    return values.astype(kinds[values.dtype.kind])


def pack(
    batch: Batch,
    images: Any,
    targets: NDArray[Any] | None,
    convert: Callable[[NDArray[Any]], Any] = np.asarray,
    *,
    info: bool = False,
) -> Any:
    """Put a batch together.

    Parameters
    ----------
    batch
        The patches.
    images
        Its images as the framework has them, or a tuple of such, one a view.
    targets
        As `targets_of` gives them.
    convert
        Makes what the framework has for an array of numbers; texts are left as lists.
    info
        Whether to give `INFO`.

    Returns
    -------
    images or tuple
        ``(images[, label maps][, targets][, info])``; images alone where that is all, but several views in a tuple
        of one element: a bare pair of images would be taken for images and labels.
    """
    parts: list[Any] = [images]
    if batch.labels is not None:
        parts.append(convert(batch.labels))
    if targets is not None:
        found = targets[batch.slide_index]
        parts.append(found.tolist() if found.dtype == object else convert(found))
    if info:
        said = facts_of(batch)
        parts.append({name: value if isinstance(value, list) else convert(value) for name, value in said.items()})
    return tuple(parts) if len(parts) > 1 or isinstance(images, tuple) else images


def facts_of(batch: Batch) -> dict[str, Any]:
    """What is known of each patch of a batch, by the names of `INFO`; arrays (n,), slides a list of str."""
    return {
        "slide": list(batch.slides),
        "loc_x": np.ascontiguousarray(batch.loc[:, 0]),
        "loc_y": np.ascontiguousarray(batch.loc[:, 1]),
        "mpp": np.asarray(batch.mpp, np.float32),
        "scale": np.asarray(batch.scales, np.int64),
        "tissue": np.asarray(batch.tissue, np.float32),
        "inside": np.asarray(batch.inside, np.float32),
        "step": np.asarray(batch.steps, np.int64),
        "class": np.asarray(batch.classes, np.int64),
    }
