"""What a folder of patches holds, as a file beside them says it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from slidekit.errors import RecordError, SpecError
from slidekit.sampling.slides import SampledSlide

__all__ = ["DESCRIPTION", "Description", "WrittenSlide", "describe_slides"]

DESCRIPTION = "patches.json"
"""Name of the file."""


class WrittenSlide(BaseModel):
    """A slide of the sampler: its name, its file, and its label, where that is a number, a text or several."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    path: str
    label: int | float | str | list[int | float | str] | None = None


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

    def finished(self) -> Self:
        """The same, when all is written."""
        return self.model_copy(update={"complete": True})


def describe_slides(slides: Sequence[SampledSlide]) -> tuple[WrittenSlide, ...]:
    """Slides as they stand in a description.

    Raises
    ------
    SpecError
        If a label is neither a number nor a text, nor a list of such.
    """
    described = []
    for slide in slides:
        label = None if slide.label is None else np.asarray(slide.label).tolist()
        try:
            described.append(WrittenSlide(name=slide.name, path=str(slide.path), label=label))
        except ValidationError as error:
            raise SpecError(
                f"The label of slide {slide.name}, a {type(slide.label).__name__}, cannot be written down.",
                mend="Give numbers or texts.",
            ) from error
    return tuple(described)
