"""What a child process and its parent send each other: pickled values, each with its length before it."""

from __future__ import annotations

import pickle
import struct
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["LogMessage", "Readable", "Writable", "receive", "send"]

_LENGTH = struct.Struct("<Q")


class Readable(Protocol):
    """What can be read from."""

    def read(self, size: int, /) -> bytes | None:
        """Read at most so many bytes; none when the other side has gone."""


class Writable(Protocol):
    """What can be written to."""

    def write(self, data: memoryview, /) -> int | None:
        """Write what there is room for; how many bytes that was."""

    def flush(self) -> None:
        """Pass on what was written."""


@dataclass(frozen=True)
class LogMessage:
    """What a child logs, for its parent to log.

    Attributes
    ----------
    level
        As in `logging`.
    text
        With the traceback, if there is one.
    """

    level: int
    text: str


def send(stream: Writable, message: Any) -> None:
    """Write one message."""
    data = pickle.dumps(message)
    rest = memoryview(_LENGTH.pack(len(data)) + data)
    while rest:
        # An unbuffered pipe takes what it has room for.
        rest = rest[stream.write(rest) or 0 :]
    stream.flush()


def receive(stream: Readable) -> Any:
    """Read one message.

    Raises
    ------
    EOFError
        If the other side has gone.
    """
    (length,) = _LENGTH.unpack(_read(stream, _LENGTH.size))
    return pickle.loads(_read(stream, length))  # only ever from our own process at the other end of the pipe


def _read(stream: Readable, size: int) -> bytes:
    """Read exactly so many bytes: an unbuffered pipe gives them in pieces."""
    data = bytearray()
    while len(data) < size:
        piece = stream.read(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)
