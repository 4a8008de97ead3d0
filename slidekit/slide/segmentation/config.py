"""`SegmentConfig`: all that a segmentation network and its training are told, as one frozen value."""

from __future__ import annotations

import json
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from slidekit.errors import SpecError
from slidekit.io.atomic import atomic_write_text
from slidekit.io.user_file import parse_json, read_bytes

__all__ = ["ARCHITECTURES", "CONFIG_FILE", "SegmentConfig", "SegmentLoss", "SegmentMode"]

ARCHITECTURES = ("unet",)
"""Networks that there are."""

SegmentMode = Literal["binary", "multiclass", "multilabel"]
SegmentLoss = Literal["dice", "bce", "ce"]

_MOST_LABELS = 254
"""Classes that a mask of 8 bits has numbers for, beside background and 255."""

CONFIG_FILE = "segment_config.json"
"""Name of the config in the folder of a model."""


def _read_arch(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _read_labels(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class SegmentConfig(BaseModel):
    """What a segmentation network is, what it is trained on and how; Slideflow's names where it has them.

    `arch` may be given without its name, as the first argument. Mistakes are reported as `SpecError` in words.

    Attributes
    ----------
    arch
        ``unet`` (Ronneberger, Fischer, Brox: *U-Net*, MICCAI 2015).
    size
        Edge of the crops that it is trained on and of the windows that it is applied to, pixels at `mpp`; a multiple
        of ``2 ** depth``.
    in_channels
        3, red, green and blue.
    out_classes
        Channels of its output: 1 for ``binary``, one for each label for ``multilabel``, and one more, the first, for
        what has no label, for ``multiclass``. Follows from `mode` and `labels`; None where these are still to be found
        in the data.
    train_batch_size, val_batch_size
        Crops in a batch.
    epochs
        Most epochs.
    steps_per_epoch
        Batches of an epoch; None for as many as the training images have crops of `size`, and 32 at least.
    mpp
        µm/px that slides are seen at.
    lr
        Learning rate at the start.
    loss
        ``dice``; ``bce``, binary cross-entropy, for ``binary`` and ``multilabel``; ``ce``, cross-entropy, for
        ``multiclass``.
    mode
        ``binary``: regions or not. ``multiclass``: one label a pixel, or none. ``multilabel``: any number of labels.
    labels
        Labels of regions of interest that count, in the order of the classes. None for ``binary``: all regions; else:
        those of the data.
    filters, depth
        Channels of the network's first stage, doubled at each of `depth` halvings of the resolution.
    patience
        Epochs without a better Dice on the validation data after which training ends.
    val_fraction
        Share of the patients that validate, where no validation data are given.
    augment
        Whether crops are flipped, turned, scaled and changed in colour.
    seed
        Of all that is drawn.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    arch: Annotated[Literal["unet"], BeforeValidator(_read_arch)] = "unet"
    size: int = Field(default=256, ge=16, le=4096)
    in_channels: Literal[3] = 3
    out_classes: int | None = None
    train_batch_size: int = Field(default=8, ge=1)
    val_batch_size: int = Field(default=16, ge=1)
    epochs: int = Field(default=30, ge=1)
    steps_per_epoch: int | None = Field(default=None, ge=1)
    mpp: float = Field(default=10.0, ge=0.05, le=200)
    lr: float = Field(default=1e-3, gt=0, le=1)
    loss: SegmentLoss = "dice"
    mode: SegmentMode = "binary"
    labels: Annotated[tuple[str, ...] | None, BeforeValidator(_read_labels)] = None
    filters: int = Field(default=16, ge=1, le=256)
    depth: int = Field(default=4, ge=1, le=7)
    patience: int = Field(default=8, ge=1)
    val_fraction: float = Field(default=0.2, gt=0, lt=1)
    augment: bool = True
    seed: int = 0

    def __init__(self, arch: str = "unet", encoder_name: str | None = None, **options: Any) -> None:
        if encoder_name is not None:
            raise SpecError(
                f"encoder_name={encoder_name!r}: the networks here have no encoder that was trained before.",
                mend="Leave encoder_name out; filters= and depth= set the size of the network.",
            )
        try:
            super().__init__(arch=arch, **options)
        except ValidationError as error:
            raise SpecError(_describe(error), mend="See the documentation of SegmentConfig.") from None

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.size % (1 << self.depth):
            raise ValueError(f"size={self.size} is no multiple of {1 << self.depth}, which depth={self.depth} needs")
        if self.labels is not None:
            _check_labels(self.labels)
        if self.loss == ("bce" if self.mode == "multiclass" else "ce"):
            fitting = "dice or ce" if self.mode == "multiclass" else "dice or bce"
            raise ValueError(f"loss={self.loss!r} is not for mode={self.mode!r}, which has {fitting}")
        needed = _channels(self.mode, self.labels)
        if self.out_classes is None:
            # Frozen: the one value that follows from others is set while the object is made.
            object.__setattr__(self, "out_classes", needed)
        elif needed is not None and self.out_classes != needed:
            raise ValueError(f"out_classes={self.out_classes}, and mode={self.mode!r} with these labels has {needed}")
        elif self.out_classes < (2 if self.mode == "multiclass" else 1):
            raise ValueError(f"out_classes={self.out_classes} is too few for mode={self.mode!r}")
        return self

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the output channels.

        The first of ``multiclass`` is ``background``; the only one of ``binary`` is its label, or ``tissue`` where it
        has none or several.
        """
        labels = self.labels or ()
        if self.mode == "binary":
            return labels if len(labels) == 1 else ("tissue",)
        return ("background", *labels) if self.mode == "multiclass" else labels

    def with_labels(self, labels: tuple[str, ...] | None) -> SegmentConfig:
        """The same with the labels of the data, where this has none of its own.

        Raises
        ------
        SpecError
            If there are none for a mode that needs them, or not as many as `out_classes` was given for.
        """
        if self.mode == "binary" or self.labels is not None:
            return self
        if not labels:
            raise SpecError(f"mode={self.mode!r} needs labels.", mend="Give labels=, or label the regions.")
        return SegmentConfig(**{**self.model_dump(), "labels": labels})

    def save(self, path: str | Path) -> None:
        """Write the config as JSON; into a folder as ``segment_config.json``. An existing file is replaced.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        text = json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
        atomic_write_text(_file(path), text)

    @classmethod
    def load(cls, path: str | Path) -> SegmentConfig:
        """Read a config that `save` wrote.

        Parameters
        ----------
        path
            The file, or the folder of a model with ``segment_config.json``.

        Raises
        ------
        SpecError
            If it is missing, damaged, or of another program's network.
        """
        file = _file(path)
        mend = "Give the folder of a model that slidekit trained."
        data = read_bytes(file, error=SpecError, mend=mend)
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise SpecError("is not UTF-8 text.", mend=mend, path=file) from None
        content = parse_json(text, path=file, error=SpecError, mend=mend, damaged="is not JSON")
        if not isinstance(content, dict):
            raise SpecError("is not a config of a segmentation network.", mend=mend, path=file)
        try:
            return cls(**{str(key): value for key, value in content.items()})
        except SpecError as error:
            raise SpecError(error.message, mend=mend, path=file) from None


def _file(path: str | Path) -> Path:
    place = Path(path)
    return place / CONFIG_FILE if place.is_dir() else place


def _channels(mode: str, labels: tuple[str, ...] | None) -> int | None:
    if mode == "binary":
        return 1
    if labels is None:
        return None
    return len(labels) + (mode == "multiclass")


def _check_labels(labels: tuple[str, ...]) -> None:
    if not labels or any(not label.strip() for label in labels):
        raise ValueError("labels holds nothing, or an empty label")
    if len(set(labels)) < len(labels):
        raise ValueError(f"labels names one twice: {', '.join(labels)}")
    if len(labels) > _MOST_LABELS:
        raise ValueError(f"{len(labels)} labels are more than the {_MOST_LABELS} that a mask has numbers for")


def _describe(error: ValidationError) -> str:
    """Each mistake once, by the name of its option."""
    sentences = []
    for problem in error.errors(include_url=False):
        name = str(problem["loc"][0]) if problem["loc"] else ""
        if name == "arch":
            sentences.append(f"arch={problem['input']!r} is no network here; there is {', '.join(ARCHITECTURES)}.")
        elif problem["type"] == "extra_forbidden":
            near = get_close_matches(name, SegmentConfig.model_fields, n=1)
            sentences.append(f"{name} is not a parameter of SegmentConfig{f'; {near[0]} is' if near else ''}.")
        elif name:
            what = problem["msg"].removeprefix("Value error, ")
            sentences.append(f"{name}={problem['input']!r}: {what[:1].lower()}{what[1:]}.")
        else:
            sentences.append(problem["msg"].removeprefix("Value error, ") + ".")
    return " ".join(dict.fromkeys(sentences))
