"""Where a loader stands, as a dictionary that is stored beside a model, and its way back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from slidekit.errors import DatasetError
from slidekit.loading.options import whole_number
from slidekit.loading.stream import TileStream

__all__ = ["Cursor", "Position", "Positions", "Track", "iterate", "read_state", "write_state"]

_VERSION = 1


class Position(NamedTuple):
    """The batch that comes next."""

    epoch: int
    batch: int

    def after(self, batches: int, num_batches: int) -> Position:
        """The position so many batches later, where an epoch has `num_batches`."""
        epochs, batch = divmod(self.batch + batches, num_batches)
        return Position(self.epoch + epochs, batch)


def iterate(stream: TileStream, start: Position, first: int = 0, step: int = 1) -> Iterator[Position]:
    """Positions of an iteration: to the end of its epoch, or without end if the stream is infinite.

    Parameters
    ----------
    stream
        The stream.
    start
        Where the iteration begins.
    first, step
        Of W workers, worker w begins `first` = w batches later and takes each W-th, `step`.
    """
    position = start.after(first, stream.num_batches())
    while stream.options.infinite or position.epoch == start.epoch:
        yield position
        position = position.after(step, stream.num_batches())


class Positions:
    """Positions of the batches, one after another: a sampler for torch's DataLoader.

    Parameters
    ----------
    stream
        The stream.
    """

    def __init__(self, stream: TileStream) -> None:
        self._stream = stream
        self._start = Position(0, 0)

    def begin_at(self, position: Position) -> None:
        """Let the next iteration begin at a position."""
        self._start = position

    def __iter__(self) -> Iterator[Position]:
        # No generator itself: that would look where to begin at the first batch, when another may have been set.
        return iterate(self._stream, self._start)


def write_state(stream: TileStream, position: Position) -> dict[str, Any]:
    """Write a position down, with all that it depends on.

    Parameters
    ----------
    stream
        The stream that it is a position of.
    position
        The batch that comes next.

    Returns
    -------
    dict
        Text and numbers only: JSON, YAML, pickle and `torch.save` take it.
    """
    return {"version": _VERSION, "epoch": position.epoch, "batch": position.batch, **stream.settings()}


def read_state(stream: TileStream, state: Mapping[str, Any]) -> Position:
    """Read a position that was written for the same stream, or for another shard of it.

    Parameters
    ----------
    stream
        The stream that is to go on there.
    state
        What `write_state` returned.

    Raises
    ------
    DatasetError
        If it is none, or of another stream: the message names what differs.
    """
    epoch, batch = (state.get(name) if isinstance(state, Mapping) else None for name in ("epoch", "batch"))
    if not isinstance(epoch, int) or not isinstance(batch, int) or state.get("version") != _VERSION:
        raise DatasetError("This is not the state of a loader.", mend="Give what state_dict() of a loader returned.")
    settings = stream.settings()
    # All shards stand at the same batch: the state of one, which is often all that is kept, is that of the others.
    compared = [name for name in settings if name != "shard_index"]
    if differing := [name for name in compared if state.get(name) != settings[name]]:
        said = ", ".join(
            f"{name} was {state.get(name)!r}, is {settings[name]!r}" for name in differing if name != "tiles"
        )
        what = "the tiles, which of them have labels, weights or clip are others" if "tiles" in differing else ""
        raise DatasetError(
            f"The state is of another loader: {'; '.join(filter(None, (said, what)))}.",
            mend="Make the loader of the same dataset with the same settings.",
        )
    if batch == stream.num_batches() and state.get("shard_index") != settings["shard_index"]:
        return Position(epoch + 1, 0)  # that shard has one batch more
    if epoch < 0 or not 0 <= batch < stream.num_batches():
        raise DatasetError(f"The state's position, epoch {epoch}, batch {batch}, does not exist.", mend="Start anew.")
    return Position(epoch, batch)


@dataclass
class Track:
    """Iterations that count on from a position that was set, and that no later setting changes.

    Attributes
    ----------
    next
        Where the next one begins.
    """

    next: Position


class Cursor:
    """The position of a loader: how many batches its user got, not how many were made ahead.

    Each iteration is of the epoch after that of the one before, also while that one still goes on. It counts from its
    first batch on, for some libraries make iterators that they do not use.

    Parameters
    ----------
    stream
        The stream that is read.
    """

    def __init__(self, stream: TileStream) -> None:
        self._stream = stream
        self._position = Position(0, 0)
        self._track = Track(self._position)

    @property
    def track(self) -> Track:
        """What an iterator that is made now is to begin by."""
        return self._track

    def begin(self, track: Track) -> Position:
        """Where an iteration begins: at the position that was set, or at the beginning of the next epoch."""
        start, track.next = track.next, Position(track.next.epoch + 1, 0)
        if track is self._track:
            self._position = start
        return start

    def reach(self, track: Track, position: Position) -> None:
        """Note that all batches of an iteration before a position were handed over."""
        # One without end has gone through several epochs.
        track.next = max(track.next, Position(position.epoch + (position.batch > 0), 0))
        # Iterators from before a position was set say nothing about where the next begins.
        if track is self._track:
            self._position = position

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration begin with the first batch of an epoch.

        Raises
        ------
        SpecError
            If there is no such epoch.
        """
        self._set(Position(whole_number("epoch", epoch), 0))

    def state_dict(self) -> dict[str, Any]:
        """As `write_state`."""
        return write_state(self._stream, self._position)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """As `read_state`; the next iteration begins there."""
        self._set(read_state(self._stream, state))

    def _set(self, position: Position) -> None:
        self._position, self._track = position, Track(position)
