"""Look at what a sampler gives before training on it: the first patches, and where on the slides they came from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from slidekit.errors import SlidekitError, SpecError
from slidekit.io.atomic import atomic_write
from slidekit.sampling.spec import LISTS

if TYPE_CHECKING:
    from slidekit.sampling.feeding.batch import Batch
    from slidekit.sampling.feeding.report import FeedReport
    from slidekit.sampling.sampler import PatchSampler

__all__ = ["Audit", "AuditPatch", "audit_patches", "write_audit"]

_CELL_PX = 160
"""Edge of a patch in the montage, at most: a thousand patches are kept in memory so."""

_BATCH = 16
_FORMATS = (".jpeg", ".jpg", ".pdf", ".png", ".svg")


@dataclass(frozen=True)
class AuditPatch:
    """A patch, small, and where it came from.

    Attributes
    ----------
    image
        (edge, edge, 3) uint8, RGB: the first image of the patch as a network sees it, made smaller.
    labels
        (edge, edge) uint8, the same of its classes; None without.
    step, slide, scale
        Its step, and the numbers of its slide and scale.
    centre
        (x, y) of what was read, level-0 pixels.
    tissue, inside
        Shares of it that are tissue, and on the slide.
    background
        Whether its place was drawn from anywhere on the slide.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8] | None
    step: int
    slide: int
    scale: int
    centre: tuple[float, float]
    tissue: float
    inside: float
    background: bool


@dataclass(frozen=True)
class Audit:
    """The patches of some steps, and what could not be had.

    Attributes
    ----------
    sampler
        Whose they are.
    patches
        In the order of their steps.
    report
        Of reading them.
    """

    sampler: PatchSampler
    patches: tuple[AuditPatch, ...]
    report: FeedReport

    @property
    def slides(self) -> Counter[int]:
        """How many patches are of each slide, by number."""
        return Counter(patch.slide for patch in self.patches)

    def frames(self, patch: AuditPatch) -> list[tuple[float, float, float, float]]:
        """What each image of a patch shows: x0, y0, x1, y1, level-0 pixels."""
        facts = self.sampler.maps.get(patch.slide).facts
        frames = []
        for view in self.sampler.spec.scales[patch.scale]:
            width, height = view.extent(facts)
            x, y = patch.centre
            frames.append((x - width / 2, y - height / 2, x + width / 2, y + height / 2))
        return frames

    def lines(self) -> list[str]:
        """What there is to say, as sentences."""
        spec, patches = self.sampler.spec, self.patches
        mask = _mask(self.sampler)
        first, last = patches[0].step, patches[-1].step
        views = f" (first of {len(spec.scales[0])} images each)" if len(spec.scales[0]) > 1 else ""
        count = "1 patch" if len(patches) == 1 else f"{len(patches)} patches"
        said = [
            f"{count}{views} of {spec.scales[0][0].tile_px} px, {_size(spec)}; steps {first} to {last},"
            f" seed {spec.seed}, mode {spec.mode}, {mask}."
        ]
        tissue = np.array([patch.tissue for patch in patches])
        beyond = sum(patch.inside < 1 for patch in patches)
        share = "" if np.isnan(tissue).all() else (
            f" Tissue in a patch: {np.nanmedian(tissue):.0%} (median), {np.nanmin(tissue):.0%} (least)."
        )  # fmt: skip
        said.append(
            f"From {len(self.slides)} of {len(self.sampler.slides)} slides.{share}"
            f" {beyond} reach beyond their slide, where they are white."
        )
        for words, counted in (("Drawn anew", self.report.redrawn), ("Left out", self.report.left_out)):
            if counted:
                each = [
                    f"{n} × {slide}: {why.rstrip('.')}"
                    for slide, by in sorted(counted.items())
                    for why, n in sorted(by.items())
                ]
                said.append(f"{words}: {sum(sum(by.values()) for by in counted.values())} ({'; '.join(each)}).")
        if without := self.report.slides_left_out:
            each = [f"{slide}: {why.rstrip('.')}" for slide, why in sorted(without.items())]
            said.append(f"Slides that give no patches: {len(each)} ({'; '.join(each)}).")
        return said if self.report.redrawn or self.report.left_out else [*said, "No patch had to be drawn anew."]


def audit_patches(sampler: PatchSampler, n: int = 64, *, start: int = 0) -> Audit:
    """Read the patches of some steps.

    Parameters
    ----------
    sampler
        What to look at.
    n
        How many, at most.
    start
        The first step.

    Raises
    ------
    SpecError
        If `n` is less than 1.
    SlidekitError
        If there is no patch.
    """
    if n < 1:
        raise SpecError(f"n={n} patches cannot be looked at.", mend="Give 1 or more.")
    patches: list[AuditPatch] = []
    if sampler.spec.mode in LISTS:
        # Beyond the end of a list it begins anew.
        n = min(n, len(sampler) - start)
        if n < 1:
            raise SlidekitError(
                f"There is no patch from step {start} on: the list has {len(sampler)}.",
                mend="Begin with an earlier step.",
            )
    with sampler.batches(min(n, _BATCH), start=start, steps=n, workers=0) as feed:
        for batch in feed:
            patches += [_shrink(batch, row) for row in range(len(batch))]
    if not patches:
        raise SlidekitError(f"There is no patch from step {start} on.", mend="Begin with an earlier step.")
    return Audit(sampler, tuple(patches), feed.report)


def write_audit(sampler: PatchSampler, dest: str | Path, n: int = 64, *, start: int = 0, maps: int = 6) -> Audit:
    """Draw the first patches of a sampler, and where they came from.

    Parameters
    ----------
    sampler
        What to look at.
    dest
        Picture to write: .png, .jpg, .pdf or .svg; an existing one is replaced.
    n
        How many patches.
    start
        The first step.
    maps
        Slides to show, at most: those with the most patches.

    Returns
    -------
    Audit
        What is in the picture.

    Raises
    ------
    SpecError
        If `n` or the suffix makes no sense, or there is no such folder.
    """
    from slidekit.sampling.audit_picture import draw_audit, save_figure

    dest = Path(dest)
    if not dest.parent.is_dir():
        raise SpecError("There is no such folder.", mend="Make it, or give another place.", path=dest.parent)
    if dest.suffix.lower() not in _FORMATS:
        raise SpecError(f"{dest.name} is not a picture.", mend=f"End its name in {', '.join(_FORMATS)}.")
    audit = audit_patches(sampler, n, start=start)
    figure = draw_audit(audit, maps=maps)
    with atomic_write(dest) as file:
        save_figure(figure, file, dest.suffix[1:].lower())
    return audit


def _mask(sampler: PatchSampler) -> str:
    """Where tissue is, in words: masks of the slides' own go before that of the spec."""
    spec, own = sampler.spec, sum(slide.mask is not None for slide in sampler.slides)
    if spec.mask is None:
        return "the whole slide"
    made = f"mask {spec.mask if isinstance(spec.mask, str) else 'own'}"
    if not own:
        return made
    given = "masks that were given"
    return given if own == len(sampler.slides) else f"{given} of {own} slides, {made} of the others"


def _shrink(batch: Batch, row: int) -> AuditPatch:
    image: Any = batch.images[0][row] if isinstance(batch.images, tuple) else batch.images[row]
    labels: Any = None if batch.labels is None else batch.labels[row]
    if image.shape[0] > _CELL_PX:
        image = cv2.resize(image, (_CELL_PX, _CELL_PX), interpolation=cv2.INTER_AREA)
        if labels is not None:
            labels = cv2.resize(labels, (_CELL_PX, _CELL_PX), interpolation=cv2.INTER_NEAREST)
    return AuditPatch(
        image=image,
        labels=labels,
        step=int(batch.steps[row]),
        slide=int(batch.slide_index[row]),
        scale=int(batch.scales[row]),
        centre=(float(batch.centres[row, 0]), float(batch.centres[row, 1])),
        tissue=float(batch.tissue[row]),
        inside=float(batch.inside[row]),
        background=bool(batch.background[row]),
    )


def _size(spec: Any) -> str:
    """The size of patches in words."""
    for stated, words in (
        (spec.tile_um, "{} µm"),
        (spec.tile_mpp, "{} µm/px"),
        (spec.downsample, "1/{} of level 0"),
        (spec.level, "level {}"),
    ):
        if stated is not None:
            sizes = stated if isinstance(stated, tuple) else (stated,)
            text = " or ".join(size if isinstance(size, str) else f"{size:g}" for size in sizes)
            return text if isinstance(sizes[0], str) else words.format(text)
    return "of any size"
