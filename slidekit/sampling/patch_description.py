"""What a folder of patches holds, as a file beside them says it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from slidekit.errors import RecordError, SpecError
from slidekit.sampling.slides import SampledSlide
from slidekit.slide.identity import slide_identity

__all__ = ["DESCRIPTION", "Description", "WrittenSlide", "describe_slides"]

DESCRIPTION = "patches.json"
"""Name of the file."""


class WrittenSlide(BaseModel):
    """A slide of the sampler: its name, its file, and its label, where that is a number, a text or several.

    `files` says which bytes the patches were made of: of the slide, its masks and its regions, by what they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    path: str
    label: int | float | str | list[int | float | str] | None = None
    files: dict[str, str] = {}


class Description(BaseModel):
    """What a folder of patches holds.

    Attributes
    ----------
    digest, seed
        Of the sampler.
    start, steps
        Which steps.
    edges
        Pixels of the image of each view.
    has_maps, is_list
        Whether there are label images; whether patches may be missing.
    img_format
        ``png``, or ``jpg`` and its quality.
    slides
        Those of the sampler, in its order.
    complete
        Whether all is written.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    digest: str
    seed: int
    start: int
    steps: int
    edges: tuple[int, ...]
    has_maps: bool
    is_list: bool
    img_format: str
    slides: tuple[WrittenSlide, ...]
    complete: bool

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the description of a folder.

        Raises
        ------
        RecordError
            If there is none, or it is damaged.
        """
        path = folder / DESCRIPTION
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not what materialise writes"
            raise RecordError(
                f"cannot be read: {why}.", mend="Give a folder that sampler.materialise() wrote.", path=path
            ) from error

    def text(self) -> str:
        """JSON as it stands in the file."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"

    def is_of(self, other: Description) -> bool:
        """Whether the two are of the same patches, finished or not, wherever the slides lie."""
        left_out: Any = {"complete": True, "slides": {"__all__": {"path"}}}
        return self.model_dump(exclude=left_out) == other.model_dump(exclude=left_out)

    def changed_files(self, other: Description) -> list[str]:
        """Slides whose files are not what they were, such as ``s1 (mask)``; none where anything else differs."""
        if len(self.slides) != len(other.slides):
            return []
        there = self.model_copy(update={"slides": other.slides})
        pairs = list(zip(self.slides, other.slides, strict=True))
        if not there.is_of(other) or any((a.name, a.label) != (b.name, b.label) for a, b in pairs):
            return []
        changed = {a.name: sorted({kind for kind, _ in a.files.items() ^ b.files.items()}) for a, b in pairs}
        return [f"{name} ({', '.join(kinds)})" for name, kinds in changed.items() if kinds]

    def finished(self) -> Self:
        """The same, when all is written."""
        return self.model_copy(update={"complete": True})


def describe_slides(slides: Sequence[SampledSlide]) -> tuple[WrittenSlide, ...]:
    """Slides as they stand in a description.

    Raises
    ------
    SpecError
        If a label is neither a number nor a text, nor a list of such, or a name cannot be that of a file.
    """
    described = []
    for slide in slides:
        if slide.name in ("", ".", "..") or set(slide.name) & set("/\\\0"):
            raise SpecError(
                f"{slide.name!r} is the name of a slide, and cannot be that of a file.",
                mend="Give the SampledSlide a name without slashes.",
            )
        label = None if slide.label is None else np.asarray(slide.label).tolist()
        try:
            described.append(WrittenSlide(name=slide.name, path=str(slide.path), label=label, files=_files(slide)))
        except ValidationError as error:
            raise SpecError(
                f"The label of slide {slide.name}, a {type(slide.label).__name__}, cannot be written down.",
                mend="Give numbers or texts.",
            ) from error
    return tuple(described)


def _files(slide: SampledSlide) -> dict[str, str]:
    """Identities of a slide's files by what they are; those that cannot be read are none."""
    files = {"slide": slide.path, "mask": slide.mask, "label mask": slide.label_mask, "regions": slide.rois}
    found = {}
    for kind, path in files.items():
        if isinstance(path, Path):
            with suppress(OSError):
                found[kind] = slide_identity(path)
    return found
