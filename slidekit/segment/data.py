"""Exported images and masks: what a folder holds, and whether it is what a config asks for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from slidekit.errors import DatasetError
from slidekit.io.tile_image import image_shape
from slidekit.segment.mask_config import MASK_CONFIG, ExportedSlide, MaskConfig, image_file, mask_file
from slidekit.slide.segmentation.config import SegmentConfig

__all__ = ["Part", "SegmentData"]

_SAME_MPP = 0.01


@dataclass(frozen=True)
class Part:
    """A rectangle of a slide's image that crops are taken from.

    Attributes
    ----------
    slide
        Name of the slide.
    box
        x0, y0, x1, y1, pixels of the image.
    """

    slide: str
    box: tuple[int, int, int, int]

    @property
    def area(self) -> int:
        """Pixels."""
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])


@dataclass(frozen=True)
class SegmentData:
    """Images and masks, or a part of them; nothing of them is in memory.

    Attributes
    ----------
    folder
        Where they lie.
    config
        What they are.
    parts
        What is used of them.
    """

    folder: Path
    config: MaskConfig
    parts: tuple[Part, ...]

    @classmethod
    def open(cls, folder: str | Path, config: SegmentConfig | None = None) -> SegmentData:
        """Open a folder that `export_thumbs_and_masks` wrote, or one of the same make.

        Parameters
        ----------
        folder
            With ``mask_config.json`` (`mpp`, `mode`, `labels`; where `slides` is missing, all images that have a mask
            are taken), and for each slide ``{slide}.png`` and ``{slide}.mask.png`` or ``.mask.npz``.
        config
            What the network expects.

        Raises
        ------
        DatasetError
            If there are no images, or they are not what `config` says.
        """
        place = Path(folder).expanduser().absolute()
        if not place.is_dir():
            raise DatasetError("is not a folder.", mend="Give a folder of export_thumbs_and_masks.", path=place)
        found = MaskConfig.load(place)
        if config is not None:
            _check(found, config, place)
        # A list that is empty is that of an export that was killed: what lies there may be of other parameters.
        slides = found.slides if "slides" in found.model_fields_set else _look_for_slides(place, found)
        for name in slides:
            for file in (image_file(place, name), mask_file(place, name, found.mode)):
                if not file.is_file():
                    raise DatasetError("is missing.", mend="Export the slides again.", path=file)
        if not slides:
            raise DatasetError("holds no image that has a mask.", mend="Export slides into it.", path=place)
        parts = tuple(Part(name, (0, 0, one.columns, one.rows)) for name, one in sorted(slides.items()))
        return cls(place, found.model_copy(update={"slides": slides}), parts)

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Labels in the order of the classes; None where all regions are one class."""
        return self.config.labels

    @property
    def slides(self) -> tuple[str, ...]:
        """Names of the slides, sorted."""
        return tuple(sorted({part.slide for part in self.parts}))

    @property
    def area(self) -> int:
        """Pixels of all parts."""
        return sum(part.area for part in self.parts)

    @property
    def fingerprint(self) -> str:
        """Tells these data from others: other slides, regions, parameters or parts. 16 hexadecimal digits."""
        content = repr((self.used_config.model_dump_json(), self.parts))
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    @property
    def used_config(self) -> MaskConfig:
        """`config` with only the slides that are used: what else lies in the folder changes nothing."""
        used = {name: self.config.slides[name] for name in self.slides}
        return self.config.model_copy(update={"slides": used, "unfinished": ()})

    def patients(self) -> dict[str, str]:
        """Slide to patient; a slide of which nobody said so is its own."""
        return {name: self.config.slides[name].patient or f"slide {name}" for name in self.slides}

    def subset(self, slides: Iterable[str]) -> SegmentData:
        """The same of some slides only."""
        chosen = set(slides)
        return replace(self, parts=tuple(part for part in self.parts if part.slide in chosen))


def _check(found: MaskConfig, config: SegmentConfig, folder: Path) -> None:
    wrong = []
    if abs(found.mpp / config.mpp - 1) > _SAME_MPP:
        wrong.append(f"mpp is {found.mpp:g}, not {config.mpp:g}")
    if found.mode != config.mode:
        wrong.append(f"mode is {found.mode}, not {config.mode}")
    elif config.labels is not None and found.labels != config.labels:
        wrong.append(f"labels are {_listed(found.labels)}, not {_listed(config.labels)}")
    if wrong:
        raise DatasetError(
            f"does not hold what the network is told to expect: {'; '.join(wrong)}.",
            mend="Train with what it holds, or export the slides again.",
            path=folder / MASK_CONFIG,
        )


def _listed(labels: tuple[str, ...] | None) -> str:
    return "none" if labels is None else ", ".join(labels)


def _look_for_slides(folder: Path, config: MaskConfig) -> dict[str, ExportedSlide]:
    """Slides of a folder that somebody else filled."""
    slides = {}
    for path in sorted(folder.glob("*.png")):
        name = path.name.removesuffix(".png")
        if name.endswith(".mask") or not mask_file(folder, name, config.mode).is_file():
            continue
        with path.open("rb") as file:
            head = file.read(64)
        try:
            rows, columns = image_shape(head)
        except ValueError as error:
            raise DatasetError(f"cannot be read: {error}.", mend="Export the slide again.", path=path) from None
        slides[name] = ExportedSlide(columns=columns, rows=rows, pixel_um=(config.mpp, config.mpp))
    return slides
