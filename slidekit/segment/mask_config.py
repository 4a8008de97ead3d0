"""``mask_config.json``: what exported images and masks are, and of which slides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from slidekit.errors import DatasetError
from slidekit.io.atomic import atomic_write_text
from slidekit.io.user_file import parse_json, read_bytes
from slidekit.segment.differences import say_differences
from slidekit.slide.segmentation.config import SegmentMode

__all__ = ["MASK_CONFIG", "ExportedSlide", "MaskConfig", "image_file", "mask_file"]

MASK_CONFIG = "mask_config.json"

_Positive = Annotated[float, Field(gt=0)]


class ExportedSlide(BaseModel):
    """What was exported of one slide.

    Attributes
    ----------
    columns, rows
        Size of the image and of the mask.
    pixel_um
        Width and height of a pixel, µm: the whole slide is a whole number of pixels, so that it is `mpp` but nearly.
    patient
        Whose slide it is; None where nobody said.
    source
        What it was made from: identity of the slide's file, µm/px, and SHA-256 of the file of regions, as
        ``{identity} mpp={mpp} rois={digest}``.
    """

    model_config = ConfigDict(frozen=True)

    columns: int = Field(gt=0)
    rows: int = Field(gt=0)
    pixel_um: tuple[_Positive, _Positive]
    patient: str | None = None
    source: str | None = None

    @property
    def facts(self) -> dict[str, str]:
        """What training on it depends on, by the words that messages have."""
        facts = {"size": f"{self.columns} × {self.rows}", "patient": self.patient or ""}
        words = {"mpp": "µm/px", "rois": "regions"}
        for part in (self.source or "").split():
            key, _, value = part.rpartition("=")
            facts[words.get(key, "slide file")] = value
        return facts


class MaskConfig(BaseModel):
    """What a folder of images and masks holds; Slideflow's keys, and slidekit's others.

    Attributes
    ----------
    mpp
        µm/px.
    mode, labels
        As in `SegmentConfig`.
    artifact_labels
        Labels of regions whose area was taken out of all others.
    slides
        By name.
    unfinished
        Slides whose files may be here and are not in `slides`: of an export that was killed, or out of date. The next
        export replaces them.
    """

    model_config = ConfigDict(frozen=True)

    mpp: float = Field(gt=0)
    mode: SegmentMode = "binary"
    labels: tuple[str, ...] | None = None
    artifact_labels: tuple[str, ...] = ()
    slides: dict[str, ExportedSlide] = Field(default_factory=dict)
    unfinished: tuple[str, ...] = ()

    @classmethod
    def load(cls, folder: str | Path) -> MaskConfig:
        """Read the file of a folder.

        Raises
        ------
        DatasetError
            If it is missing or damaged.
        """
        path = Path(folder) / MASK_CONFIG
        mend = "Give a folder that export_thumbs_and_masks wrote."
        data = read_bytes(path, error=DatasetError, mend=mend)
        content = parse_json(
            data.decode("utf-8", errors="replace"), path=path, error=DatasetError, mend=mend, damaged="is not JSON"
        )
        try:
            return TypeAdapter(cls).validate_python(content)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            key = ".".join(map(str, problem["loc"]))[:200]
            raise DatasetError(f"key {key!r}: {problem['msg']}.", mend=mend, path=path) from None

    def save(self, folder: Path) -> None:
        """Write the file of a folder, in one step; without `slides` where these were never given."""
        content = self.model_dump(mode="json")
        if "slides" in self.model_fields_set:
            content["slides"] = dict(sorted(content["slides"].items()))
        else:
            del content["slides"]
        atomic_write_text(folder / MASK_CONFIG, json.dumps(content, indent=1, ensure_ascii=False) + "\n")

    def differences(self, other: MaskConfig) -> str:
        """In what images and masks of both do not mean the same, whatever the slides; empty where they do."""
        mine, theirs = (one.model_dump(exclude={"slides", "unfinished"}) for one in (self, other))
        return say_differences(mine, theirs)


def image_file(folder: Path, slide: str) -> Path:
    """Where the image of a slide is: ``{slide}.png``."""
    return folder / f"{slide}.png"


def mask_file(folder: Path, slide: str, mode: SegmentMode) -> Path:
    """Where its mask is.

    ``{slide}.mask.png`` of the numbers of the classes, 0 for none; for ``multilabel`` ``{slide}.mask.npz`` with the
    array ``mask`` (labels, rows, columns) of 0 and 1.
    """
    return folder / f"{slide}.mask.{'npz' if mode == 'multilabel' else 'png'}"
