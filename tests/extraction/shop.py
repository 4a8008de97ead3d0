"""A remote store for tests: fsspec's store in memory, with a password in its URLs, and faults on demand."""

from __future__ import annotations

from typing import Any, ClassVar

import fsspec
from fsspec.implementations.memory import MemoryFileSystem

USER = "user:secret@"
QUERY = "?signature=secret"


class Shop(MemoryFileSystem):
    protocol = "shop"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    faults: ClassVar[dict[str, Exception | int]] = {}
    opened: ClassVar[list[str]] = []

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        inside = path.removeprefix("shop://").partition("?")[0].rpartition("@")[2]
        return super()._strip_protocol(f"/{inside}")

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        file = super()._open(path, mode, **options)
        if mode != "rb":
            return file
        self.opened.append(path.rpartition("/")[2])
        return Faulty(file, self.faults.get(path.rpartition("/")[2]))


class Faulty:
    """A file that raises after half of it, or ends after so many bytes."""

    def __init__(self, file: Any, fault: Exception | int | None) -> None:
        self.data, self.place, self.fault = file.getvalue(), 0, fault

    def read(self, size: int) -> bytes:
        end = len(self.data)
        if isinstance(self.fault, int):
            end = self.fault
        elif self.fault is not None:
            end = len(self.data) // 2
            if self.place >= end:
                raise self.fault
        piece = self.data[self.place : min(end, self.place + size)]
        self.place += len(piece)
        return piece

    def close(self) -> None:
        pass


def open_shop() -> Shop:
    """An empty one."""
    fsspec.register_implementation("shop", Shop, clobber=True)
    for kept in (Shop.store, Shop.faults, Shop.opened):
        kept.clear()
    Shop.pseudo_dirs[:] = [""]
    return Shop()
