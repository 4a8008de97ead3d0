"""`ExtractionSpec`: all parameters of an extraction, validated once and carried as one frozen value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from slidekit.errors import SpecError
from slidekit.slide.fingerprint import describe_callable
from slidekit.slide.spec_message import describe_mistakes
from slidekit.slide.spec_sizes import check_sizes, gather_sizes, merge_options, mpp_of
from slidekit.slide.spec_values import (
    QC_WORDS,
    Anchor,
    Unit,
    read_center_or_fraction,
    read_coordinates,
    read_folder,
    read_labels,
    read_methods,
    read_more_um,
    read_tile_um,
)
from slidekit.units import (
    Magnification,
    Microns,
    TileSize,
    parse_tile_um,
    size_name,
    tile_size_label,
)

__all__ = ["QC_WORDS", "ExtractionSpec", "ImageFormat", "ROIMethod", "ReaderName", "Resample"]

ROIMethod = Literal["auto", "inside", "outside", "ignore"]
ReaderName = Literal["auto", "native", "vips", "openslide", "cucim"]
Resample = Literal["exact", "shrink", "fast"]
ImageFormat = Literal["jpg", "png"]
Subsampling = Literal["444", "422", "420"]

_SLIDEFLOW_NAMES = {"mpp_override": "mpp", "num_threads": "threads"}


class ExtractionSpec(BaseModel):
    """Parameters of an extraction; Slideflow's names and defaults where it has them.

    Every field is an option of ``slidekit extract`` as well. Build one with `ExtractionSpec.create`, which reports
    mistakes as `SpecError` in words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False)

    # How a run is organised, not what it writes: left out of the hash and of ``extraction.json``.
    RUN_ONLY: ClassVar[frozenset[str]] = frozenset(
        {
            *("workers", "threads", "time_limit", "memory_limit", "buffer", "buffer_gb"),
            *("skip_extracted", "verify", "overwrite", "dry_run", "report"),
        }
    )

    tile_px: int = Field(ge=2, le=16384, description="Edge of a tile in pixels.")
    tile_um: Annotated[float | str, BeforeValidator(read_tile_um)] = Field(
        description='Edge of a tile in microns (128), or a magnification ("20x").'
    )
    more_um: Annotated[tuple[float | str, ...], BeforeValidator(read_more_um)] = Field(
        default=(), description="Further sizes of concentric tiles, which make one record with the first."
    )
    tile_mpp: float | None = Field(default=None, gt=0, description="Microns per pixel of a tile, instead of --tile-um.")
    stride_div: float = Field(
        default=1.0,
        ge=0.01,
        le=1000,
        description="Stride is the tile's edge divided by this; 2 overlaps by half.",
    )
    randomize_origin: bool = Field(
        default=False, description="Shift each slide's grid by a seeded random part of a stride."
    )
    use_edge_tiles: bool = Field(
        default=False, description="Keep cells that reach over the slide's edge, padded with white."
    )
    coordinates: Annotated[str | None, BeforeValidator(read_coordinates)] = Field(
        default=None,
        description="Cut tiles at the places that a CSV or parquet file lists (slide, x, y, label), not on a grid.",
    )
    coordinates_unit: Unit = Field(
        default="px", description="What x and y count: level-0 pixels, or microns on the slide."
    )
    coordinates_anchor: Anchor = Field(
        default="center", description="What of a tile lies at x and y: its center, or its top-left corner."
    )
    mpp: float | None = Field(
        default=None,
        ge=0.05,
        le=20,
        description="Microns per pixel of all slides, over what their files say.",
    )
    enable_downsample: bool = Field(default=True, description="Read pyramid levels; otherwise level 0 only.")
    resample: Resample = Field(
        default="shrink", description="How stored pixels become tiles; shrink decodes JPEG at 1/2 where safe."
    )
    reader: ReaderName = Field(default="auto", description="Force one reader instead of choosing for each slide.")
    roi_method: ROIMethod = Field(default="auto", description="Which tiles to take where there are ROIs.")
    roi_filter_method: Annotated[
        Literal["center"] | Annotated[float, Field(ge=0, lt=1)], BeforeValidator(read_center_or_fraction)
    ] = Field(default="center", description="A tile is in an ROI by its center, or by this share of its area.")
    roi_origin: tuple[float, float] | None = Field(
        default=None, description="Level-0 x,y to add to ROI coordinates, over what the format says."
    )
    artifact_labels: Annotated[tuple[str, ...], BeforeValidator(read_labels)] = Field(
        default=(),
        description="Remove tiles in regions with this label, whatever other regions say; may be given more than once.",
    )
    qc: Annotated[tuple[str | Callable[..., Any], ...], BeforeValidator(read_methods)] = Field(
        default=(),
        description="Slide-level QC: otsu, blur, both (= blur, otsu), focus, pen, fold; may be given more than once.",
    )
    qc_filter_threshold: float = Field(
        default=0.6, ge=0, le=1, description="Drop a tile if a QC method masks more than this share; pen, fold: 0.2."
    )
    qc_blur_radius: float = Field(default=3.0, gt=0, description="Sigma of the blur detector, in its pixels.")
    qc_blur_threshold: float = Field(default=0.02, ge=0, description="Below this the blur detector says blurred.")
    qc_blur_mpp: float | None = Field(
        default=None, gt=0, description="Microns per pixel for the blur detector; default 4x the tile's."
    )
    grayspace_fraction: float = Field(
        default=0.6, ge=0, le=1, description="Drop a tile if more than this share of it is gray; 1 is off."
    )
    grayspace_threshold: float = Field(default=0.05, ge=0, le=1, description="A pixel less saturated is gray.")
    whitespace_fraction: float = Field(
        default=1.0, ge=0, le=1, description="Drop a tile if more than this share of it is white; 1 is off."
    )
    whitespace_threshold: float = Field(
        default=230.0, ge=0, le=255, description="A pixel whose mean of R, G and B is above is white."
    )
    normalizer: str | None = Field(
        default=None,
        description=(
            "Stain normaliser: macenko, macenko_fast, reinhard, reinhard_fast, reinhard_mask, reinhard_fast_mask, "
            "vahadane (by default to its v2); cyclegan, a generator from a file; or augment, which shifts colours "
            "at random."
        ),
    )
    normalizer_source: str | None = Field(
        default=None,
        description="What to normalise to: v1, v2, v3 or an image file; default v3. For cyclegan: its generator.",
    )
    normalizer_context: bool = Field(
        default=False, description="Normalise by the statistics of the whole slide instead of each tile's."
    )
    img_format: ImageFormat = Field(default="jpg", description="Encoding of tiles.")
    jpeg_quality: int = Field(default=95, ge=1, le=100, description="Quality of JPEG tiles.")
    jpeg_subsampling: Subsampling = Field(default="420", description="Chroma subsampling of JPEG tiles.")
    save_tfrecords: bool = Field(default=True, description="Write TFRecords.")
    save_tiles: bool = Field(default=False, description="Write every tile as a file of its own, too.")
    shuffle: bool = Field(default=True, description="Seeded random order within a TFRecord; else raster order.")
    seed: int = Field(default=0, ge=0, lt=2**63, description="Seed of everything that is random.")
    max_tiles: int | None = Field(default=None, ge=1, description="Keep at most this many tiles of a slide.")
    max_unreadable: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="A slide fails if more than this share of its tiles is unreadable.",
    )
    workers: int | None = Field(default=None, ge=1, description="Slides at a time; default: one per core.")
    threads: int | None = Field(default=None, ge=1, description="Threads in a slide; default: cores / workers.")
    time_limit: float = Field(
        default=60.0,
        gt=0,
        description="Minutes without any progress after which the process of a slide is ended.",
    )
    memory_limit: float | None = Field(
        default=None,
        gt=0,
        description="Most GB of memory for a slide; default: what there is, and its share when memory runs out.",
    )
    buffer: Annotated[Path | None, BeforeValidator(read_folder)] = Field(
        default=None, description="Folder on a fast disk that the next slides are copied to, and read from."
    )
    buffer_gb: float | None = Field(
        default=None, gt=0, description="Most GB of copies at a time; default leaves a tenth of that disk free."
    )
    skip_extracted: bool = Field(default=True, description="Leave slides alone that are finished.")
    verify: bool = Field(default=False, description="Check the SHA-256 of finished records before leaving them alone.")
    overwrite: bool = Field(
        default=False, description="Replace what was extracted into the same folder with other parameters."
    )
    dry_run: bool = Field(default=False, description="Do everything but write tiles; the report is real.")
    report: bool = Field(default=True, description="Write the PDF report.")

    @model_validator(mode="before")
    @classmethod
    def _settle_tile_size(cls, data: Any) -> Any:
        return gather_sizes(data) if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.normalizer_source is not None and self.normalizer is None:
            raise ValueError("normalizer_source is given without normalizer: name the method, e.g. macenko.")
        if self.normalizer_context and self.normalizer is None:
            raise ValueError("normalizer_context is given without normalizer: name the method, e.g. macenko.")
        if self.buffer_gb is not None and self.buffer is None:
            raise ValueError("buffer_gb is given without buffer: name the folder that slides are copied to.")
        check_sizes(self.tile_px, self.sizes)
        self._check_coordinates()
        if self.overwrite and self.dry_run:
            raise ValueError("overwrite and dry_run exclude each other: a dry run writes no tiles.")
        return self

    def _check_coordinates(self) -> None:
        if self.coordinates is None:
            if (self.coordinates_unit, self.coordinates_anchor) != ("px", "center"):
                raise ValueError("coordinates_unit or coordinates_anchor is given without coordinates.")
        elif self.stride_div != 1 or self.randomize_origin:
            raise ValueError(
                "coordinates and a grid exclude each other: stride_div and randomize_origin have no meaning here."
            )

    @classmethod
    def create(cls, **options: Any) -> Self:
        """Build a spec from keywords, Slideflow's spellings included.

        Parameters
        ----------
        **options
            Fields of the spec; ``mpp_override`` stands for `mpp` and ``num_threads`` for `threads`.

        Raises
        ------
        SpecError
            Naming each option that is wrong, and how.
        """
        named = {_SLIDEFLOW_NAMES.get(name, name): value for name, value in options.items()}
        if isinstance(named.get("normalizer_source"), Path):
            named["normalizer_source"] = str(named["normalizer_source"])
        try:
            return cls(**named)
        except ValidationError as error:
            raise SpecError(describe_mistakes(error, cls, named), mend="See `slidekit extract --help`.") from None

    def with_options(self, **options: Any) -> Self:
        """The spec with other options.

        Parameters
        ----------
        **options
            As for `create`; a `tile_um` or `tile_mpp` among them stands for all sizes that there were.

        Raises
        ------
        SpecError
            As `create` does.
        """
        return self.create(**merge_options(self.model_dump(), options))

    @property
    def label(self) -> str:
        """Folder name for tiles of this size, such as ``256px_128um``, or ``256px_128um+512um``."""
        return tile_size_label(self.tile_px, self.sizes)

    @property
    def sizes(self) -> tuple[float | str, ...]:
        """`tile_um` and `more_um`: the sizes of concentric tiles, the one that the grid is of first."""
        return (self.tile_um, *self.more_um)

    @property
    def more_names(self) -> tuple[str, ...]:
        """`more_um` as it stands in the names of features, such as ``512um``."""
        return tuple(map(size_name, self.more_um))

    @property
    def tile_size(self) -> Microns | Magnification:
        """`tile_um`, parsed."""
        return parse_tile_um(self.tile_um)

    @property
    def target_mpp(self) -> float:
        """µm/px that tiles are meant to have; of concentric ones, the first."""
        return self.mpp_of(self.tile_um)

    def mpp_of(self, tile_um: TileSize) -> float:
        """µm/px that tiles of one of the `sizes` are meant to have."""
        return mpp_of(self.tile_px, tile_um)

    def canonical(self) -> dict[str, Any]:
        """What changes bytes, as plain JSON values: the content of ``extraction.json`` and of the hash."""
        fields = self.model_dump(mode="python", exclude=set(self.RUN_ONLY) | {"tile_mpp", "qc"})
        if not self.artifact_labels:
            # Tiles that were extracted before there was this field were made with the same parameters.
            del fields["artifact_labels"]
        if not self.more_um:
            del fields["more_um"]
        if self.coordinates is None:
            for name in ("coordinates", "coordinates_unit", "coordinates_anchor"):
                del fields[name]
        # What masks nothing makes no other tiles, such as a method that saves the masks of others.
        methods = [method for method in self.qc if getattr(method, "changes_tiles", True)]
        fields["qc"] = [method if isinstance(method, str) else describe_callable(method) for method in methods]
        return fields

    def digest(self) -> str:
        """SHA-256 of the canonical form; the bytes of a `normalizer_source` that is a file are included."""
        fields = self.canonical()
        source = self.normalizer_source
        if source is not None and (file := Path(source)).is_file():
            fields["normalizer_source"] = hashlib.sha256(file.read_bytes()).hexdigest()
        text = json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
