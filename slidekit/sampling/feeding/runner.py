"""Who turns the engine of a feed: a thread beside the consumer, or the consumer himself."""

from __future__ import annotations

import os
import threading

import numpy as np
from numpy.typing import NDArray

from slidekit.sampling.feeding.crew import Crew
from slidekit.sampling.feeding.engine import FeedEngine
from slidekit.sampling.feeding.stream import PatchStream

__all__ = ["EngineRunner"]

_SECONDS_TO_END = 30.0


class EngineRunner:
    """Turns an engine until it is stopped.

    Parameters
    ----------
    engine, crew, stream
        What belongs together.
    threaded
        Whether a thread turns the engine; else the consumer does, when a batch is asked for.

    Attributes
    ----------
    pid
        The process that it belongs to.
    threaded
        Whether a thread turns the engine.
    """

    def __init__(self, engine: FeedEngine, crew: Crew, stream: PatchStream, *, threaded: bool) -> None:
        self.pid = os.getpid()
        self._engine = engine
        self._crew = crew
        self._stream = stream
        self._error: BaseException | None = None
        self._stopping = False
        self._turned = threading.Condition()
        self.threaded = threaded
        self._thread: threading.Thread | None = None
        if threaded:
            self._thread = threading.Thread(target=self._run, name="slidekit-feed", daemon=True)
            self._thread.start()

    def next_batch(self, size: int) -> tuple[NDArray[np.int64], int]:
        """Wait for the next batch: its positions, and the one behind it.

        Raises
        ------
        SlidekitError
            As `FeedEngine.turn` does.
        """
        if self._thread is None:
            while (found := self._stream.next_batch(size)) is None:
                self._engine.turn(block=False)
            return found
        with self._turned:
            while (found := self._stream.next_batch(size)) is None:
                if self._error is not None:
                    raise self._error
                self._turned.wait()
            return found

    def take_to(self, position: int) -> None:
        """Let go of all patches before a position."""
        with self._turned:
            self._stream.take_to(position)
        if self._thread is not None:
            self._crew.wake()

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._engine.turn(block=True)
                with self._turned:
                    self._turned.notify_all()
        except BaseException as error:  # noqa: BLE001 - raised where a batch is asked for
            with self._turned:
                self._error = error
                self._turned.notify_all()
        finally:
            self._crew.close()

    def note_left_out(self) -> None:
        """Have the report say which slides have no patch."""
        self._engine.note_left_out()

    def stop(self) -> None:
        """End the workers; waits until they are gone."""
        self._stopping = True
        if self._thread is None:
            self._crew.close()
            return
        self._crew.wake()
        # The thread itself may be who lets go of the last reference to a feed.
        if self._thread is not threading.current_thread():
            self._thread.join(_SECONDS_TO_END)

    def peak_memory(self) -> int | None:
        """Bytes, at most, that this process and its workers held; shared memory counted once. None if unknown."""
        return self._crew.peak_memory()
