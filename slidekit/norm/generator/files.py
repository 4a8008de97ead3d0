"""Files of generators: which there are, whether they are still the same, and how they become networks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from slidekit.errors import MissingExtraError, NormalizerError
from slidekit.norm.generator.base import Generator

__all__ = ["SUFFIXES", "GeneratorFile", "check_unchanged", "describe_file", "load_generator"]

SUFFIXES: Mapping[str, str] = {
    ".h5": "keras",
    ".keras": "keras",
    ".pt": "torch",
    ".pt2": "torch",
    ".pth": "torch",
    ".ts": "torch",
}
"""Suffixes of generators' files, each with the module that loads it, which is named for its framework."""

_EXTRAS = {"keras": "tensorflow", "torch": "torch"}


class GeneratorFile(NamedTuple):
    """A file that holds a generator, by place and content."""

    path: str
    """Absolute."""
    sha256: str
    """Of its bytes, hexadecimal."""


def describe_file(path: str | Path) -> GeneratorFile:
    """Place and content of a generator's file, which is not loaded.

    Parameters
    ----------
    path
        The file; its suffix says what it is.

    Raises
    ------
    NormalizerError
        If it is missing or has none of the `SUFFIXES`.
    MissingExtraError
        If the framework that it needs is not installed.
    """
    path = Path(path)
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise NormalizerError(
            f"{str(path)!r} is not the file of a generator.", mend=f"Give one that ends in {', '.join(SUFFIXES)}."
        )
    if find_spec(kind) is None:
        raise _missing(kind, path)
    return GeneratorFile(str(path.absolute()), _digest(path))


def check_unchanged(file: GeneratorFile) -> None:
    """Make sure that a file is there, and holds what it did.

    Raises
    ------
    NormalizerError
        If not.
    """
    if describe_file(file.path).sha256 != file.sha256:
        raise NormalizerError(
            f"This is another generator than the one that was used (SHA-256 {file.sha256}).",
            mend="Put that file back; or give this one as the source, to normalise with it from now on.",
            path=file.path,
        )


def load_generator(file: GeneratorFile) -> Generator:
    """Load the network of a file. The file may hold code, which then runs: load only what you trust.

    Raises
    ------
    NormalizerError
        If the file is missing, not the same as it was, damaged, or no network of RGB images.
    MissingExtraError
        If its framework cannot be imported.
    """
    check_unchanged(file)
    kind = SUFFIXES[Path(file.path).suffix.lower()]
    try:
        module = import_module(f"slidekit.norm.generator.{kind}")
    except ImportError as error:
        # Such as Keras without the framework that it works with.
        raise _missing(kind, file.path) from error
    generator: Generator = module.load(file.path)
    return generator


def _missing(kind: str, path: str | Path) -> MissingExtraError:
    return MissingExtraError(
        f"The generator needs {kind}, which is not installed, or not with all that it needs.",
        mend=f"Install it with: pip install 'slidekit[{_EXTRAS[kind]}]'.",
        path=path,
    )


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise NormalizerError(
            f"The generator cannot be read: {error.strerror}.",
            mend="Give the path of a generator that is there; one that has been moved, as a new source.",
            path=path,
        ) from error
