"""``{slide}.qc.json``: which masks there are, of which slide, and in which files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError

from slidekit.errors import QCError
from slidekit.io.url import RemotePath

__all__ = ["FOLDER", "MaskRecord", "SlideMasks", "beside", "read_record", "record_path"]

FOLDER = "qc"
"""Folder beside a slide that its masks are saved in where no other is given."""

_MEND = "Save the masks again with qc.Save."


class MaskRecord(BaseModel):
    """One mask.

    Attributes
    ----------
    name, reason, filter_threshold, parameters
        As in `QCMask`.
    mpp
        µm per pixel of the mask along x and y.
    size
        Columns and rows.
    file
        Name of its PNG, in the same folder.
    sha256
        Hash of the PNG's bytes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    filter_threshold: float = Field(ge=0, le=1)
    parameters: dict[str, Any]
    mpp: tuple[PositiveFloat, PositiveFloat]
    size: tuple[PositiveInt, PositiveInt]
    # A bare name: what is read lies in the folder that the user named.
    file: str = Field(pattern=r"^[^/\\\x00]+\.png$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class SlideMasks(BaseModel):
    """All masks that were saved of a slide.

    Attributes
    ----------
    version
        Of this format.
    slide
        Name of the slide.
    identity
        Of the slide's file, as `slide_identity` gives it.
    dimensions
        Width and height of level 0, pixels.
    masks
        In the order in which they were made.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    slide: str
    identity: str
    dimensions: tuple[PositiveInt, PositiveInt]
    masks: tuple[MaskRecord, ...]


def beside(slide: Path) -> Path:
    """Folder beside a slide for its masks.

    Raises
    ------
    QCError
        For a slide in a remote store.
    """
    if isinstance(slide, RemotePath):
        raise QCError(
            "The slide lies in a remote store, beside which no masks are kept.",
            mend="Name a folder: qc.Save(folder), qc.Load(folder).",
            path=slide,
        )
    return slide.parent / FOLDER


def record_path(folder: Path, slide: str) -> Path:
    """Where the record of a slide of that name lies."""
    return folder / f"{slide}.qc.json"


def read_record(path: Path) -> SlideMasks:
    """Read and check a record.

    Raises
    ------
    QCError
        If it cannot be read, or is not such a record.
    """
    try:
        return SlideMasks.model_validate_json(path.read_bytes())
    except OSError as error:
        raise QCError(f"cannot be read ({error}).", mend=_MEND, path=path) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise QCError(f"is not a record of masks ({where}: {first['msg']}).", mend=_MEND, path=path) from error
