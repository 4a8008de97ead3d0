"""The parameters of a conversion to pyramidal TIFF."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from slidekit.errors import SpecError
from slidekit.slide.spec_message import describe_mistakes

__all__ = ["ConversionSpec"]

_TIFF_UNIT = 16


class ConversionSpec(BaseModel):
    """What a converted slide is to be; without a resolution, all of the slide with a pyramid beneath it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target_mpp: tuple[float, ...] = Field(
        default=(),
        description="µm/px of the levels to write; a single one gets smaller levels beneath it, each 1/4 of the last.",
    )
    magnifications: tuple[float, ...] = Field(
        default=(), description="Levels by magnification, such as 10: 10x is 1 µm/px. As stored, if within 5 %."
    )
    levels: tuple[int, ...] = Field(default=(), description="Levels of the slide to copy, from 0.")
    tile_size: int = Field(default=512, ge=_TIFF_UNIT, le=8192, description="Edge of the TIFF's tiles, pixels.")
    compression: Literal["deflate", "jpeg", "none"] = Field(
        default="deflate",
        description="Deflate (with a predictor, which cuCIM cannot read) and none keep every pixel.",
    )
    quality: int = Field(default=85, ge=1, le=100, description="Of JPEG.")
    mpp: float | None = Field(default=None, gt=0, description="µm/px of level 0, over what the file says.")
    reader: str = Field(default="auto", description="The one reader to use.")

    @field_validator("target_mpp", "magnifications", "levels", mode="before")
    @classmethod
    def _as_tuple(cls, value: Any) -> Any:
        if value is None:
            return ()
        return (value,) if isinstance(value, int | float) else value

    @field_validator("target_mpp", "magnifications")
    @classmethod
    def _check_positive(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < value < float("inf") for value in values):
            raise ValueError("each must be more than 0")
        return values

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        given = [name for name in ("target_mpp", "magnifications", "levels") if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} say the same thing: give one of them.")
        if self.tile_size % _TIFF_UNIT:
            raise ValueError(f"tile_size={self.tile_size} cannot be stored: give a multiple of {_TIFF_UNIT}.")
        return self

    @classmethod
    def create(cls, **options: Any) -> Self:
        """Build a spec from keywords; raises `SpecError`, which names each option that is wrong."""
        if unknown := [name for name in options if name not in cls.model_fields]:
            raise SpecError(
                f"A conversion has no option {', '.join(map(repr, unknown))}.",
                mend=f"There are: {', '.join(cls.model_fields)}.",
            )
        try:
            return cls(**options)
        except ValidationError as error:
            raise SpecError(describe_mistakes(error, cls, options), mend="See `slidekit convert --help`.") from None
