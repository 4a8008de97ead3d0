from __future__ import annotations

import builtins
import sys
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from slidekit.errors import MissingExtraError
from slidekit.io.remote import RemoteError, list_remote, open_remote, read_ends, remote_state
from slidekit.io.url import RemotePath

SECRET = "https://user:pass@host/a?sig=1"


@pytest.fixture
def memory():
    store = fsspec.filesystem("memory")
    store.store.clear()
    store.pseudo_dirs[:] = [""]
    yield store
    store.store.clear()


@pytest.fixture(params=["memory", "file"])
def place(request, memory, tmp_path: Path):
    """URL of a folder, and how to write a file of it."""
    if request.param == "memory":
        return "memory://cohort", lambda name, data: memory.pipe_file(f"/cohort/{name}", data)

    def write(name: str, data: bytes) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    return tmp_path.as_uri(), write


def test_files_of_a_folder_are_listed(place) -> None:
    url, write = place
    for name in ("b.svs", "a/x y.svs", "a/b/c#1.svs", "odd?.svs", "odd::more.svs"):
        write(name, b"")

    for folder in (url, f"{url}/"):
        found = list_remote(RemotePath.of(folder))
        assert [str(file.place) for file in found] == ["a/b/c#1.svs", "a/x y.svs", "b.svs"]
        assert [str(file.path) for file in found] == [f"{url}/{file.place}" for file in found]
    assert list_remote(RemotePath.of(f"{url}/none")) == []


def test_names_do_not_lead_out_of_the_folder(memory, monkeypatch) -> None:
    names = ["/cohort/../a.svs", "/cohort//b.svs", "/other/c.svs", "/cohort2/d.svs", "/cohort/e\0.svs", "/cohort/f.svs"]
    monkeypatch.setattr(MemoryFileSystem, "find", lambda self, root: names)

    assert [str(file.place) for file in list_remote(RemotePath.of("memory://cohort"))] == ["f.svs"]


def test_a_file_is_read_from_start_to_end(place) -> None:
    url, write = place
    write("a.svs", b"0123456789")
    piece = memoryview(bytearray(4))
    data = b""

    with open_remote(RemotePath.of(f"{url}/a.svs")) as file:
        while count := file.readinto(piece):
            data += piece[:count]

    assert data == b"0123456789"


@pytest.mark.parametrize(
    ("size", "expected"), [(0, b""), (3, b"012"), (4, b"0123"), (6, b"012345"), (8, b"01234567"), (10, b"01236789")]
)
def test_both_ends_of_a_file_are_read_once(place, size: int, expected: bytes) -> None:
    url, write = place
    write("a.svs", b"0123456789"[:size])

    assert read_ends(RemotePath.of(f"{url}/a.svs"), size, 4) == expected


def test_a_store_without_ranges_is_told_from_one_with_them(memory, monkeypatch) -> None:
    memory.pipe_file("/a.svs", b"0123456789")
    monkeypatch.setattr(MemoryFileSystem, "cat_file", lambda self, path, start, end: b"0123456789")

    with pytest.raises(RemoteError, match="does not give parts"):
        read_ends(RemotePath.of("memory://a.svs"), 10, 4)


def test_a_file_that_changes_has_another_state(place) -> None:
    url, write = place
    path = RemotePath.of(f"{url}/a.svs")
    write("a.svs", b"one")
    first = remote_state(path)
    assert remote_state(path) == first

    write("a.svs", b"two")

    assert remote_state(path)[0] == first[0] == 3
    assert remote_state(path) != first


def test_what_is_no_file_is_said(place) -> None:
    url, write = place
    write("folder/a.svs", b"one")

    with pytest.raises(RemoteError, match="there is no such file"):
        remote_state(RemotePath.of(f"{url}/gone.svs"))
    with pytest.raises(RemoteError, match="not a file"):
        remote_state(RemotePath.of(f"{url}/folder"))


def test_a_file_of_unknown_size_is_not_read(memory, monkeypatch) -> None:
    monkeypatch.setattr(MemoryFileSystem, "info", lambda self, path: {"type": "file", "size": None})

    with pytest.raises(RemoteError, match="how large"):
        remote_state(RemotePath.of("memory://a.svs"))


class StrangeError(Exception):
    """As those of backends whose errors are no OSError."""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError("Access Denied."), "Access Denied"),
        (OSError(5, "Input/output error", "/host/patient.svs"), "OSError"),
        (TimeoutError(110, "Connection timed out"), "Connection timed out"),
        (PermissionError(f"403 for {SECRET}"), "PermissionError"),
        (RuntimeError("Session is closed"), "Session is closed"),
        (FileNotFoundError(SECRET), "there is no such file, or the store does not show it"),
        (StrangeError(SECRET), "StrangeError"),
        (StrangeError(), "StrangeError"),
    ],
)
def test_errors_of_stores_say_no_place(memory, monkeypatch, error: Exception, said: str) -> None:
    # Arrange: the root of a backend's errors
    def fail(self, path: str) -> dict[str, object]:
        raise error

    backend = type(sys)("botocore.exceptions")
    backend.BotoCoreError = StrangeError
    monkeypatch.setitem(sys.modules, "botocore.exceptions", backend)
    monkeypatch.setattr(MemoryFileSystem, "info", fail)

    # Act / Assert
    with pytest.raises(RemoteError) as raised:
        remote_state(RemotePath.of("memory://a.svs"))
    assert raised.value.strerror == said
    assert raised.value.__suppress_context__


def test_an_unknown_store_is_an_error() -> None:
    with pytest.raises(RemoteError, match="nonsense"):
        list_remote(RemotePath.of("nonsense://bucket"))


def test_missing_packages_are_named(monkeypatch) -> None:
    # Arrange
    real = builtins.__import__

    def without(name: str, *given, **options):
        if name.startswith(("fsspec.core", "s3fs")):
            raise ImportError(name)
        return real(name, *given, **options)

    # Act / Assert: fsspec itself
    with monkeypatch.context() as patched:
        patched.setattr(builtins, "__import__", without)
        with pytest.raises(MissingExtraError, match=r"slidekit\[remote\]"):
            list_remote(RemotePath.of("memory://cohort"))

    # Act / Assert: its package for a store
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingExtraError, match=r"for s3://\. .*s3fs"):
        list_remote(RemotePath.of("s3://bucket"))
