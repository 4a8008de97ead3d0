"""What the ``extraction.json`` beside TFRecords says about how they were made, for those who only read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["SPEC_NAME", "spec_value"]

SPEC_NAME = "extraction.json"


def spec_value(folder: Path, name: str) -> Any:
    """A parameter of the extraction that filled a folder.

    Parameters
    ----------
    folder
        Folder of TFRecords.
    name
        A field of `slidekit.ExtractionSpec`.

    Returns
    -------
    Any
        As it stands in the file; None where there is no such file, or nothing in it that can be understood.
    """
    try:
        return json.loads((folder / SPEC_NAME).read_bytes())["spec"][name]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
