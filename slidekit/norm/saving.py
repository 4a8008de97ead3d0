"""A fitted normaliser as a JSON file, and the normaliser of a model's ``params.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slidekit.errors import NormalizerError
from slidekit.norm.base import StainNormalizer
from slidekit.norm.methods import autoselect

__all__ = ["PARAMS_NAME", "from_params", "load", "normalizer_of_params", "read_json_object", "save_normalizer"]

_FORMAT = "slidekit.normalizer"
_VERSION = 1
_MEND = "Write the file again with normalizer.save(path)."

# Slideflow's two ways to the same stains.
_SLIDEFLOW_NAMES = {"vahadane_spams": "vahadane", "vahadane_sklearn": "vahadane"}

PARAMS_NAME = "params.json"
"""Name of the file of parameters in the folder of a model."""


def save_normalizer(normalizer: StainNormalizer, path: Path) -> Path:
    """Write a normaliser to a JSON file, in one step.

    Parameters
    ----------
    normalizer
        Its method and fit are written; the context of a slide is not.
    path
        The file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    from slidekit.io.atomic import atomic_write_text

    preset, tiles = normalizer.fitted_to
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "method": normalizer.method,
        "preset": preset,
        "tiles": None if tiles is None else tiles._asdict(),
        "fit": normalizer.get_fit(as_list=True),
    }
    atomic_write_text(path, json.dumps(content, indent=2) + "\n")
    return path


def load(path: str | Path, backend: str | None = None) -> StainNormalizer:
    """Make the normaliser that `StainNormalizer.save` wrote.

    Parameters
    ----------
    path
        The file.
    backend
        As for `autoselect`.

    Returns
    -------
    StainNormalizer
        With the very numbers of the fit that was saved; for ``cyclegan`` with the very generators.

    Raises
    ------
    NormalizerError
        If the file is missing or damaged, not of a normaliser, or of a later version of slidekit; if a generator
        is missing, or another than it was.
    MissingExtraError
        If the framework of `backend` is not installed.
    """
    path = Path(path)
    content = read_json_object(path, mend=_MEND)
    if content.get("format") != _FORMAT:
        raise NormalizerError(
            "is not a file of a stain normaliser.", mend=f"{_MEND} For a model's params.json: from_params.", path=path
        )
    if content.get("version") != _VERSION:
        raise NormalizerError(
            f"is of version {content.get('version')!r}, not {_VERSION}.", mend="Update slidekit.", path=path
        )
    return _make(content.get("method"), content.get("fit"), None, path, backend)


def from_params(path: str | Path, backend: str | None = None) -> StainNormalizer | None:
    """Make the normaliser that a model was trained with.

    Parameters
    ----------
    path
        ``params.json`` of a model, slidekit's or Slideflow's, or the folder that it lies in.
    backend
        As for `autoselect`.

    Returns
    -------
    StainNormalizer or None
        With the fit that stands in the file or, in a file without one, fitted to the source that it names; None
        if the model was trained without a normaliser.

    Raises
    ------
    NormalizerError
        If the file is missing or damaged, or what it says cannot be used.
    MissingExtraError
        If the framework of `backend` is not installed.
    """
    path = Path(path)
    path = path / PARAMS_NAME if path.is_dir() else path
    return normalizer_of_params(read_json_object(path, mend="Give a model's params.json."), path, backend)


def normalizer_of_params(
    content: Mapping[str, Any], path: Path | None, backend: str | None = None
) -> StainNormalizer | None:
    """Make the normaliser of the content of a ``params.json``, as `from_params` does.

    Parameters
    ----------
    content
        ``hp`` with ``normalizer`` and ``normalizer_source``, and ``norm_fit`` beside it.
    path
        The file, for messages.
    backend
        As for `autoselect`.
    """
    hp = content.get("hp")
    if not isinstance(hp, dict):
        raise NormalizerError("has no object 'hp' of parameters.", mend="Give a model's params.json.", path=path)
    method, source = hp.get("normalizer"), hp.get("normalizer_source")
    if method is None:
        return None
    if source is not None and not isinstance(source, str):
        raise NormalizerError(
            "hp.normalizer_source is not text.", mend="Correct it, or remove it to use norm_fit.", path=path
        )
    return _make(method, content.get("norm_fit"), source, path, backend)


def read_json_object(path: Path, *, mend: str) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Parameters
    ----------
    path
        The file, UTF-8.
    mend
        What the user can do about a file that is damaged.

    Raises
    ------
    NormalizerError
        If it is missing, not UTF-8, or not such JSON.
    """
    from slidekit.io.user_file import parse_json, read_bytes

    data = read_bytes(path, error=NormalizerError, limit=1 << 24)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise NormalizerError("is not UTF-8 text.", mend=mend, path=path) from problem
    content = parse_json(text, path=path, error=NormalizerError, mend=mend)
    if not isinstance(content, dict):
        raise NormalizerError("is not a JSON object.", mend=mend, path=path)
    return content


def _make(method: Any, fit: Any, source: str | None, path: Path | None, backend: str | None) -> StainNormalizer:
    """A normaliser of values that were read from a file."""
    if not isinstance(method, str):
        raise NormalizerError(f"The method {method!r} is not text.", mend="Name one of norm.METHODS.", path=path)
    if fit is not None and not isinstance(fit, dict):
        raise NormalizerError("The fit is not an object of numbers by name.", mend="Restore the file.", path=path)
    try:
        method = _SLIDEFLOW_NAMES.get(method, method)
        if not fit:
            return autoselect(method, source, backend)
        return StainNormalizer(method).use_backend(backend).set_fit(**fit)
    except NormalizerError as error:
        if error.path is not None:
            raise
        raise NormalizerError(error.message, mend=error.mend, path=path) from error
