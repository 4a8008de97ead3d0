"""Where a loader stands, as a dictionary that is stored beside a model, and its way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from slidekit.errors import DatasetError
from slidekit.loading.stream import TileStream

__all__ = ["Cursor", "Position", "read_state", "write_state"]

_VERSION = 1


class Position(NamedTuple):
    """The batch that comes next."""

    epoch: int
    batch: int

    def after(self, batches: int, num_batches: int) -> Position:
        """The position so many batches later, where an epoch has `num_batches`."""
        epochs, batch = divmod(self.batch + batches, num_batches)
        return Position(self.epoch + epochs, batch)


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
    """Read a position that was written for the same stream.

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
    if differing := [name for name, value in settings.items() if state.get(name) != value]:
        said = ", ".join(
            f"{name} was {state.get(name)!r}, is {settings[name]!r}" for name in differing if name != "tiles"
        )
        what = "the tiles, their labels, weights or clip are others" if "tiles" in differing else ""
        raise DatasetError(
            f"The state is of another loader: {'; '.join(filter(None, (said, what)))}.",
            mend="Make the loader of the same dataset with the same settings.",
        )
    if epoch < 0 or not 0 <= batch < stream.num_batches():
        raise DatasetError(f"The state's position, epoch {epoch}, batch {batch}, does not exist.", mend="Start anew.")
    return Position(epoch, batch)


class Cursor:
    """The position of a loader: how many batches its user got, not how many were made ahead.

    Parameters
    ----------
    stream
        The stream that is read.
    """

    def __init__(self, stream: TileStream) -> None:
        self._stream = stream
        self._position = Position(0, 0)
        self._broken_off = False

    def begin(self) -> Position:
        """Where an iteration begins: at the position that was set, or at the beginning of the next epoch."""
        if self._broken_off and self._position.batch:
            self._position = Position(self._position.epoch + 1, 0)
        self._broken_off = True
        return self._position

    def reach(self, position: Position) -> None:
        """Note that all batches before a position were handed over."""
        self._position = position

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration begin with the first batch of an epoch."""
        self._set(Position(epoch, 0))

    def state_dict(self) -> dict[str, Any]:
        """As `write_state`."""
        return write_state(self._stream, self._position)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """As `read_state`; the next iteration begins there."""
        self._set(read_state(self._stream, state))

    def _set(self, position: Position) -> None:
        self._position, self._broken_off = position, False
