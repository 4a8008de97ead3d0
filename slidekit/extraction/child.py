"""The child process that slides are extracted in: ``python -m slidekit.extraction.child``.

It reads pickled jobs from its standard input and writes pickled events and reports to its standard output. It is
started as a program, not by ``multiprocessing``, so that a script needs no ``__main__`` guard and a daemonic parent
(a Dask worker) may start it.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
from typing import Any, BinaryIO

__all__ = ["main", "receive", "send"]

_LENGTH = struct.Struct("<Q")


def send(stream: BinaryIO, message: Any) -> None:
    """Write one message."""
    data = pickle.dumps(message)
    rest = memoryview(_LENGTH.pack(len(data)) + data)
    while rest:
        # An unbuffered pipe takes what it has room for.
        rest = rest[stream.write(rest) :]
    stream.flush()


def receive(stream: BinaryIO) -> Any:
    """Read one message.

    Raises
    ------
    EOFError
        If the other side has gone.
    """
    (length,) = _LENGTH.unpack(_read(stream, _LENGTH.size))
    return pickle.loads(_read(stream, length))  # only ever from our own process at the other end of the pipe


def _read(stream: BinaryIO, size: int) -> bytes:
    """Read exactly so many bytes: an unbuffered pipe gives them in pieces."""
    data = bytearray()
    while len(data) < size:
        piece = stream.read(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)


def main() -> None:
    """Extract slides until the parent closes the pipe."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Whatever a library prints must not get between the messages.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    import cv2

    from slidekit.extraction.one import run_job

    # Tiles are spread over threads already.
    cv2.setNumThreads(1)
    while True:
        try:
            job, spec = receive(sys.stdin.buffer)
        except EOFError:
            return
        send(replies, run_job(job, spec, lambda event: send(replies, event)))


if __name__ == "__main__":
    main()
