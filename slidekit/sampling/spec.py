"""`SamplingSpec`: everything that decides about patches but the slides, validated once and carried as one value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from slidekit.errors import SpecError
from slidekit.sampling.spec_checks import check_together, idle_options
from slidekit.sampling.spec_values import (
    describe,
    read_augment,
    read_classes,
    read_mask,
    read_normalizer,
    read_numbers,
    read_points,
    read_tuple,
    read_um,
    read_weights,
    refuse_unknown,
)
from slidekit.sampling.views import Scale, SizeUnit, View
from slidekit.slide.spec import ReaderName, ROIMethod
from slidekit.slide.spec_message import describe_mistakes
from slidekit.slide.spec_values import read_center_or_fraction, read_folder, read_methods
from slidekit.units import Magnification, parse_tile_um

__all__ = ["LISTS", "SamplingSpec"]

Sizes = Annotated[Any, BeforeValidator(read_numbers)]
Numbers = Annotated[tuple[float, ...] | None, BeforeValidator(read_tuple)]
Pixels = Annotated[int, Field(ge=2, le=16384)]

LISTS = ("grid", "points")
"""Modes whose places are a list, each of which comes once, or is missing where it cannot be read."""


class SamplingSpec(BaseModel):
    """Parameters of a sampler. Build one with `SamplingSpec.create`, which reports mistakes in words.

    A size is a number, or a list of them, one of which is drawn for each patch: a list of scales.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False)

    # Where things are kept, which changes no patch.
    RUN_ONLY: ClassVar[frozenset[str]] = frozenset({"cache"})

    tile_px: Pixels = Field(description="Edge of a patch in pixels.")
    tile_um: Annotated[Any, BeforeValidator(read_um)] = Field(
        default=None, description='Edge in microns (128), or a magnification ("20x").'
    )
    tile_mpp: Sizes = Field(default=None, description="Microns per pixel, instead of --tile-um.")
    downsample: Sizes = Field(default=None, description="Level-0 pixels per pixel, instead of --tile-um.")
    level: Sizes = Field(default=None, description="Pyramid level, instead of --tile-um; 0 is the largest.")
    field_px: Pixels | None = Field(
        default=None, description="Pixels that the size per pixel counts, if not tile-px: the field of view stays."
    )
    scale_weights: Numbers = Field(default=None, description="How often each size comes; default: alike.")
    views: Annotated[tuple[tuple[Pixels, Annotated[float, Field(gt=0)]], ...], BeforeValidator(read_tuple)] = Field(
        default=(),
        description="More images of each patch's centre: pixels, and by what the field of view is enlarged.",
    )
    stack: Annotated[tuple[Pixels, ...], BeforeValidator(read_tuple)] = Field(
        default=(), description="Images of the same field of view at these numbers of pixels, in place of the patch."
    )
    seed: int = Field(default=0, ge=0, lt=2**63, description="Seed of everything that is random.")
    mode: Literal["random", "epoch", "grid", "points"] = Field(
        default="random",
        description="At random; all of the tissue once an epoch; the cells of a grid; given points.",
    )
    mask: Annotated[Any, BeforeValidator(read_mask)] = Field(
        default="histofetch",
        description="What tissue is: histofetch, otsu, blur, both, focus, pen, fold, roi, or nothing.",
    )
    min_tissue: float = Field(default=0.0, ge=0, le=1, description="Least share of a patch that is tissue.")
    background: float = Field(default=0.0, ge=0, le=1, description="Share of patches from anywhere on the slide.")
    classes: Annotated[tuple[str, ...] | tuple[int, ...] | None, BeforeValidator(read_classes)] = Field(
        default=None, description="Labels of ROIs, or values of label masks, each as often as the others."
    )
    class_weights: Numbers = Field(default=None, description="How often each class comes; default: alike.")
    min_class: float = Field(
        default=0.5, gt=0, le=1, description="Least share of the patch, or of a smaller structure, of its class."
    )
    per: Literal["area", "structure"] = Field(
        default="area", description="Whether places of a class are by area, or its structures alike."
    )
    region: Literal["whole", "foreground", "mask", "section"] = Field(
        default="whole", description="Box that centres come from: of the slide, its tissue, the mask, one label."
    )
    margin_um: float = Field(default=0.0, ge=0, description="Microns to add around that box.")
    edges: Literal["pad", "shift"] = Field(
        default="pad", description="Mode random, beyond the slide: white, or move the patch until it lies on the slide."
    )
    weights: Annotated[Any, BeforeValidator(read_weights)] = Field(
        default="slide", description="How often slides come: slide (alike), area, or columns of the annotations."
    )
    stride_div: float = Field(default=1.0, ge=0.01, le=1000, description="Mode grid: stride is the edge by this.")
    use_edge_tiles: bool = Field(default=False, description="Mode grid: keep cells that reach over the edge.")
    roi_method: ROIMethod = Field(default="auto", description="Mode grid: which cells to take where there are ROIs.")
    roi_filter_method: Annotated[
        Literal["center"] | Annotated[float, Field(ge=0, lt=1)], BeforeValidator(read_center_or_fraction)
    ] = Field(default="center", description="Mode grid: a cell is in an ROI by its center, or this share.")
    roi_origin: tuple[float, float] | None = Field(
        default=None, description="Level-0 x,y to add to ROI coordinates, over what the format says."
    )
    qc: Annotated[tuple[Any, ...], BeforeValidator(read_methods)] = Field(
        default=(), description="Mode grid: slide-level QC: otsu, blur (= gaussian), both, focus, pen, fold."
    )
    filter_threshold: float = Field(
        default=0.6, ge=0, le=1, description="Mode grid: drop a cell if more than this share is masked by QC."
    )
    shuffle: bool = Field(default=True, description="Modes grid and points: another order each epoch.")
    points: Annotated[tuple[tuple[str, float, float], ...], BeforeValidator(read_points)] = Field(
        default=(), description="Mode points: slide, x, y (level-0 pixels) of each centre."
    )
    augment: Annotated[Any, BeforeValidator(read_augment)] = Field(
        default=None, description="Flips, quarter turns, colour shifts and warps of patches."
    )
    label_images: bool = Field(default=False, description="Give an image of classes with each patch.")
    normalizer: Annotated[Any, BeforeValidator(read_normalizer)] = Field(
        default=None, description="Stain normaliser, by name, or one that was fitted."
    )
    reader: ReaderName = Field(default="auto", description="Force one reader instead of choosing for each slide.")
    resample: Literal["auto", "exact", "shrink", "fast"] = Field(
        default="auto",
        description="How stored pixels become patches: in full (exact), decoded smaller (shrink, fast), or the fastest "
        "that stays near exact (auto).",
    )
    mpp: float | None = Field(
        default=None, ge=0.05, le=20, description="Microns per pixel of all slides, over what their files say."
    )
    cache: Annotated[Path | None, BeforeValidator(read_folder)] = Field(
        default=None, description="Folder of tissue masks; default: $SLIDEKIT_CACHE or ~/.cache/slidekit/masks."
    )

    @model_validator(mode="before")
    @classmethod
    def _settle(cls, data: Any) -> Any:
        # A list of places is taken as it is: a mask would be made only where somebody asks for one.
        if isinstance(data, dict) and data.get("mode") in LISTS and "mask" not in data:
            return {**data, "mask": None}
        return data

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        check_together(self)
        return self

    @classmethod
    def create(cls, **options: Any) -> Self:
        """Build a spec from keywords.

        Parameters
        ----------
        **options
            Fields of the spec.

        Raises
        ------
        SpecError
            Naming each option that is wrong, and how.
        """
        refuse_unknown(options, cls.model_fields)
        try:
            return cls(**options)
        except ValidationError as error:
            raise SpecError(describe_mistakes(error, cls, options)) from None

    def replace(self, **changes: Any) -> Self:
        """The same with other values of some fields; what another `mode` has no use for goes.

        Raises
        ------
        SpecError
            As `create` does.
        """
        given = {name: getattr(self, name) for name in self.model_fields_set}
        if self.mode in LISTS and self.mask is None:
            # It is so because of the mode, which may be among the changes.
            given.pop("mask", None)
        if changes.get("mode", self.mode) != self.mode:
            for name in idle_options(changes["mode"], {**given, **changes}):
                given.pop(name, None)
        return self.create(**{**given, **changes})

    @cached_property
    def scales(self) -> tuple[Scale, ...]:
        """What a patch may be: images that come together, by scale."""
        unit, sizes = self._sizes()
        return tuple(self._scale(unit, size) for size in sizes)

    def _sizes(self) -> tuple[Literal["um", "mpp", "downsample", "level"], tuple[Any, ...]]:
        """How sizes are stated, and the size of each scale."""
        for unit, stated in (
            ("um", self.tile_um),
            ("mpp", self.tile_mpp),
            ("downsample", self.downsample),
            ("level", self.level),
        ):
            if stated is not None:
                return unit, stated if isinstance(stated, tuple) else (stated,)  # type: ignore[return-value]
        raise AssertionError("a spec without a size")

    def _scale(self, unit: Literal["um", "mpp", "downsample", "level"], size: float | str) -> Scale:
        settled = parse_tile_um(size) if unit == "um" else float(size)
        kind: SizeUnit = "x" if isinstance(settled, Magnification) else unit
        number = settled.power if isinstance(settled, Magnification) else settled
        field_px = self.field_px or self.tile_px
        images = [(px, 1.0) for px in self.stack] or [(self.tile_px, 1.0), *self.views]
        return tuple(View(px, kind, number, field_px, factor) for px, factor in images)

    def canonical(self) -> dict[str, Any]:
        """What decides about patches, as plain JSON values."""
        names = sorted(set(type(self).model_fields) - self.RUN_ONLY)
        return {name: describe(getattr(self, name)) for name in names}

    def digest(self) -> str:
        """SHA-256 of the canonical form."""
        text = json.dumps(self.canonical(), ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def shares(self, weights: tuple[float, ...] | None, count: int) -> tuple[float, ...]:
        """Weights of `count` things as shares that add up to 1; alike where there are none."""
        given = weights or (1.0,) * count
        return tuple(weight / sum(given) for weight in given)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes as text, in their order; none where none are asked for."""
        return tuple(str(name) for name in self.classes or ())

    @property
    def quotas(self) -> Mapping[str, Any] | tuple[str, ...] | None:
        """`weights`, where they are by columns of the annotations."""
        by_column = isinstance(self.weights, Mapping) and any(isinstance(v, Mapping) for v in self.weights.values())
        return self.weights if by_column or isinstance(self.weights, tuple) else None
