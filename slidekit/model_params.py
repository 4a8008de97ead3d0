"""`ModelParams`: what a model was trained on, in the ``params.json`` beside it."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from slidekit.augment import parse_augment
from slidekit.errors import NormalizerError, SpecError
from slidekit.io.atomic import atomic_write_text
from slidekit.norm import StainNormalizer, autoselect
from slidekit.norm.saving import PARAMS_NAME, normalizer_of_params, read_json_object
from slidekit.slide.spec_sizes import check_sizes
from slidekit.slide.spec_values import read_sizes

__all__ = ["ModelParams"]

_SIZES = {"tile_px", "tile_um"}
_TAKEN = {"hp": {*_SIZES, "normalizer", "normalizer_source", "augment"}, "facts": {*_SIZES, "hp", "norm_fit"}}
"""What stands in the file on its own account."""

_MEND = "Give the params.json of a model, or the folder that it lies in."


class ModelParams(BaseModel):
    """Parameters of a model that say what its images are; Slideflow's names, and its file.

    Build one by keywords, or with `load`. What else stands in a file (epochs, layers, the project) is kept in
    `hp` and `facts`, and written again by `save`.

    Parameters
    ----------
    tile_px
        Edge of a tile in output pixels.
    tile_um
        Edge of a tile in microns, or a magnification (``"10x"``). Of several, for a model that takes concentric tiles,
        a tuple in their order; a list in the file.
    normalizer
        One of `slidekit.norm.METHODS`; None for no normalisation.
    normalizer_source
        What it is fitted to: a preset or the path of an image; None is the method's default preset.
    augment
        Letters: x, y flip · r rotate · j JPEG · b blur · n stain augmentation, which needs a normaliser ·
        d colour distortion · s sharpen · p posterise · c colour profile; `slidekit.augment` says what each does.
        True is ``xyrjb``, as in Slideflow, False is none.
    norm_fit
        Numbers of the fit; go before `normalizer_source`. `save` writes them.
    hp
        Further parameters of the model, as they stand under ``hp`` in the file.
    facts
        Further facts, as they stand beside ``hp`` in the file.

    Raises
    ------
    SpecError
        Naming each parameter that is wrong.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    tile_px: int = Field(ge=2, le=16384)
    tile_um: Annotated[float | str | tuple[float | str, ...], BeforeValidator(read_sizes)]
    normalizer: str | None = None
    normalizer_source: str | None = None
    augment: str = ""
    norm_fit: dict[str, Any] | None = None
    hp: dict[str, Any] = {}
    facts: dict[str, Any] = {}

    def __init__(self, **parameters: Any) -> None:
        try:
            super().__init__(**parameters)
        except ValidationError as error:
            problems = "; ".join(_describe(problem) for problem in error.errors(include_url=False))
            raise SpecError(f"These are not parameters of a model: {problems}.", mend="Correct them.") from None

    @field_validator("augment", mode="before")
    @classmethod
    def _read_augment(cls, value: Any) -> Any:
        try:
            return parse_augment(value)
        except SpecError as error:
            raise ValueError(f"{error.message} {error.mend}") from None

    @field_validator("normalizer_source", mode="before")
    @classmethod
    def _read_source(cls, value: Any) -> Any:
        return str(value) if isinstance(value, Path) else value

    @field_validator("hp", "facts")
    @classmethod
    def _check_values(cls, values: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if taken := sorted(values.keys() & _TAKEN[str(info.field_name)]):
            raise ValueError(f"{', '.join(taken)} would be written twice; give them as parameters of their own")
        for name, value in values.items():
            try:
                json.dumps(value, allow_nan=False)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{name!r} cannot be written as JSON: {error}") from None
        return values

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        check_sizes(self.tile_px, self.tile_um if isinstance(self.tile_um, tuple) else (self.tile_um,))
        if self.normalizer is None and "n" in self.augment:
            raise ValueError("augment has n, which perturbs a stain normaliser, but there is no normalizer")
        return self

    def build_normalizer(self, backend: str | None = None) -> StainNormalizer | None:
        """Make the normaliser; None if there is none.

        Parameters
        ----------
        backend
            As for `slidekit.norm.autoselect`.

        Raises
        ------
        NormalizerError
            If there is no such method, or its fit or source cannot be used.
        MissingExtraError
            If the framework of `backend` is not installed.
        """
        if self.normalizer is not None and self.norm_fit is None:
            return autoselect(self.normalizer, self.normalizer_source, backend)
        return normalizer_of_params(self._content(self.norm_fit), None, backend)

    def save(self, path: str | Path, *, normalizer: StainNormalizer | None = None) -> Path:
        """Write the parameters, the numbers of the fit with them, so that the model always sees the same colours.

        Parameters
        ----------
        path
            ``params.json``, or the folder of the model; replaced in one step if it exists.
        normalizer
            The fitted normaliser that the model was trained with, if it is not the one that `build_normalizer`
            makes, such as one that was fitted to a dataset.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        NormalizerError
            If the normaliser cannot be made, or the one that is given is of another method.
        OSError
            If the file cannot be written.
        """
        path = Path(path)
        path = path / PARAMS_NAME if path.is_dir() else path
        if not path.parent.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "there is no such folder; make it first", str(path.parent))
        if normalizer is not None and normalizer.method != self.normalizer:
            raise NormalizerError(
                f"The normaliser is {normalizer.method}, the parameters name {self.normalizer}.",
                mend="Give ModelParams(normalizer=…) the method that the model was trained with.",
            )
        normalizer = normalizer or self.build_normalizer()
        fit = None if normalizer is None else normalizer.get_fit(as_list=True)
        content = self._content(fit)
        atomic_write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        return path

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read ``params.json``, slidekit's or Slideflow's.

        Parameters
        ----------
        path
            The file, or the folder that it lies in.

        Raises
        ------
        NormalizerError
            If the file is missing, not JSON, or has no ``hp``.
        SpecError
            If a parameter is wrong; the file is named.
        """
        path = Path(path)
        path = path / PARAMS_NAME if path.is_dir() else path
        content = read_json_object(path, mend=_MEND)
        hp = content.pop("hp", None)
        if not isinstance(hp, dict):
            raise NormalizerError("has no object 'hp' of parameters.", mend=_MEND, path=path)
        sizes = {name: hp.pop(name, None) or content.pop(name, None) for name in ("tile_px", "tile_um")}
        size = {name: value for name, value in sizes.items() if value is not None}
        known = {name: hp.pop(name, None) for name in ("normalizer", "normalizer_source", "augment")}
        fit = content.pop("norm_fit", None)
        facts = {name: value for name, value in content.items() if name not in sizes}
        try:
            return cls(**size, **known, norm_fit=fit or None, hp=hp, facts=facts)
        except SpecError as error:
            raise SpecError(error.message, mend=error.mend, path=path) from None

    def _content(self, fit: dict[str, Any] | None) -> dict[str, Any]:
        """What stands in the file."""
        edges = list(self.tile_um) if isinstance(self.tile_um, tuple) else self.tile_um
        size = {"tile_px": self.tile_px, "tile_um": edges}
        known = {
            "normalizer": self.normalizer,
            "normalizer_source": self.normalizer_source,
            "augment": self.augment,
        }
        return {**self.facts, **size, "hp": {**self.hp, **size, **known}, "norm_fit": fit}


def _describe(problem: Any) -> str:
    where = ".".join(map(str, problem["loc"]))
    what = problem["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{where}: {what}" if where else what
