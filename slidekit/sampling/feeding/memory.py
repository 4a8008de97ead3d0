"""Memory that processes share, and that leaves nothing behind: it has no name from the beginning."""

from __future__ import annotations

import logging
import mmap
import os
import tempfile
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PatchLayout", "SharedPatches", "share", "shared_bytes", "shared_file", "slots_within"]

_log = logging.getLogger("slidekit")

_ALIGNED = 64


@dataclass(frozen=True)
class PatchLayout:
    """Slots for patches, view after view.

    Attributes
    ----------
    slots
        How many patches there is room for.
    edges
        Edge of each view's image, pixels.
    labels
        Whether a label image of the first view's size goes with each.
    """

    slots: int
    edges: tuple[int, ...]
    labels: bool

    @property
    def patch_bytes(self) -> int:
        """Bytes of one slot."""
        return sum(edge * edge * 3 for edge in self.edges) + (self.edges[0] ** 2 if self.labels else 0)

    @property
    def total_bytes(self) -> int:
        """Bytes of all slots."""
        return self.slots * self.patch_bytes + _ALIGNED * (len(self.edges) + 1)

    def arrays(self, buffer: mmap.mmap) -> tuple[list[NDArray[np.uint8]], NDArray[np.uint8] | None]:
        """Lay arrays over memory: (slots, edge, edge, 3) uint8, one a view; and (slots, edge, edge) of labels."""
        shapes: list[tuple[int, ...]] = [(self.slots, edge, edge, 3) for edge in self.edges]
        if self.labels:
            shapes.append((self.slots, self.edges[0], self.edges[0]))
        laid, start = [], 0
        for shape in shapes:
            count = int(np.prod(shape))
            laid.append(np.frombuffer(buffer, np.uint8, count, start).reshape(shape))
            start += -(-count // _ALIGNED) * _ALIGNED
        return (laid[:-1], laid[-1]) if self.labels else (laid, None)


class SharedPatches:
    """Slots for patches in memory that other processes can have, too.

    Parameters
    ----------
    layout
        The slots.
    descriptor
        The memory, as another process made it; None makes it. It is closed with this object.

    Attributes
    ----------
    views, labels
        As `PatchLayout.arrays` gives them.
    """

    def __init__(self, layout: PatchLayout, descriptor: int | None = None) -> None:
        self.layout = layout
        self.descriptor = shared_file(layout.total_bytes) if descriptor is None else descriptor
        # Unmapped when the last array over it is gone, of which a consumer may still have some.
        self.views, self.labels = layout.arrays(mmap.mmap(self.descriptor, layout.total_bytes))

    def close(self) -> None:
        """Let go of the memory; arrays that are still in use stay as they are."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
        self.views, self.labels = [], None


def shared_file(size: int) -> int:
    """Make memory that is a file without a name: whatever becomes of the processes, the system takes it back.

    Unlike ``multiprocessing.shared_memory`` it is not limited by the size of ``/dev/shm``, 64 MB in Docker. Where the
    system has no such memory, it is a file in the folder for temporary files, which has lost its name.

    Parameters
    ----------
    size
        Bytes.

    Returns
    -------
    int
        A file descriptor; the caller closes it.
    """
    if hasattr(os, "memfd_create"):
        try:
            return _sized(os.memfd_create("slidekit-patches"), size)
        except OSError as error:
            _log.info("no shared memory of %d MB (%s): a temporary file is used for it", size >> 20, error.strerror)
    with tempfile.TemporaryFile(prefix="slidekit-patches-") as file:
        return _sized(os.dup(file.fileno()), size)


def share(data: bytes) -> int:
    """Put bytes into such a file, from which any process can have them with `shared_bytes`; the caller closes it."""
    descriptor = shared_file(len(data))
    with mmap.mmap(descriptor, len(data)) as memory:
        memory[:] = data
    return descriptor


def shared_bytes(descriptor: int) -> bytes:
    """All that is in such a file."""
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as memory:
        return memory[:]


def _sized(descriptor: int, size: int) -> int:
    try:
        os.ftruncate(descriptor, size)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def slots_within(memory: int, batch_size: int, look_ahead: int, patch_bytes: int) -> int:
    """How many slots to have: whole batches, two at least, so that one is filled while another is taken.

    Parameters
    ----------
    memory
        Bytes to use, unless two batches need more.
    batch_size
        Patches of a batch.
    look_ahead
        Patches that are planned together; twice as many slots let one window be read while the other is taken.
    patch_bytes
        Bytes of a slot.
    """
    batches = min(-(-2 * look_ahead // batch_size), memory // max(1, patch_bytes * batch_size))
    return max(2, batches) * batch_size
