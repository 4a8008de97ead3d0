"""`MaskedSlide`: a slide with the masks of quality control, and what they leave of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Self

from slidekit.slide.image import SlideImage
from slidekit.slide.qc import BoolMask, QCMask, check_mask, join_masks, make_masks, resolve_methods
from slidekit.slide.qc.making import number_names
from slidekit.slide.qc.mask import check_share
from slidekit.slide.spec import ExtractionSpec

__all__ = ["MaskedSlide"]


class MaskedSlide(SlideImage, ABC):
    """An open slide that QC can be run on.

    Attributes
    ----------
    spec
        All parameters; its `qc` is not run.
    qc_masks
        Masks in the order in which they were made, each under a name of its own.
    """

    spec: ExtractionSpec
    qc_masks: list[QCMask]

    @property
    @abstractmethod
    def target_mpp(self) -> float:
        """µm/px of tiles."""

    @abstractmethod
    def _forget_fates(self) -> None:
        """What was decided about cells no longer holds: there are other masks."""

    def qc(
        self,
        method: str | Callable[..., Any] | Sequence[str | Callable[..., Any]],
        *,
        blur_radius: float | None = None,
        blur_threshold: float | None = None,
        blur_mpp: float | None = None,
        filter_threshold: float | None = None,
    ) -> Self:
        """Run QC and discard what it masks; masks add up over calls.

        Parameters
        ----------
        method
            ``otsu``, ``blur``, ``both``, ``focus``, ``pen``, ``fold``, a callable on a `WSI`, or several of them.
        blur_radius, blur_threshold, blur_mpp
            Sigma, threshold and µm/px of ``blur``, instead of the spec's.
        filter_threshold
            A tile is dropped if more than this share of it is masked, 0–1; instead of the spec's. Methods that have
            a `filter_threshold` of their own keep it, as ``pen`` and ``fold`` do (0.2).

        Raises
        ------
        QCError
            For an unknown word, a threshold that is no share, or a callable that does not return a mask of this
            slide; no mask is added then.

        Notes
        -----
        Masks have names of their own: the second ``otsu`` is ``otsu_2``. Its tiles are counted under the same reason.
        """
        spec = self.spec
        methods = resolve_methods(
            method,
            blur_radius=spec.qc_blur_radius if blur_radius is None else blur_radius,
            blur_threshold=spec.qc_blur_threshold if blur_threshold is None else blur_threshold,
            blur_mpp=spec.qc_blur_mpp if blur_mpp is None else blur_mpp,
        )
        drop_above = spec.qc_filter_threshold if filter_threshold is None else filter_threshold
        check_share(drop_above)
        before = len(self.qc_masks)
        try:
            for one in methods:
                # At once, because a method may be about those before it: to save them.
                made = make_masks(one, self, drop_above)
                self.qc_masks.extend(number_names(made, {mask.name for mask in self.qc_masks}))
                self._forget_fates()
        except BaseException:
            del self.qc_masks[before:]
            self._forget_fates()
            raise
        return self

    def apply_qc_mask(
        self, mask: BoolMask | QCMask, filter_threshold: float | None = None, *, name: str = "mask"
    ) -> Self:
        """Discard what a mask of yours says.

        Parameters
        ----------
        mask
            (rows, columns) of bool over the whole slide, True = discard; or a `QCMask`, with a name of its own.
        filter_threshold
            A tile is dropped if more than this share of it is masked; by default 0.6, or the `QCMask`'s own.
        name
            What dropped tiles are counted as.

        Raises
        ------
        QCError
            If it is not a mask of this slide.
        """
        given = mask if isinstance(mask, QCMask) else QCMask(check_mask(mask, self, name), name, name)
        made = given if filter_threshold is None else replace(given, filter_threshold=filter_threshold)
        return self.qc(lambda _: made)

    @property
    def qc_mask(self) -> BoolMask | None:
        """What any QC mask discards, at the resolution of the smallest mask; None where no QC was run.

        It is for pictures: tiles are dropped by each mask at its own resolution and with its own threshold.
        """
        if not self.qc_masks:
            return None
        rows, columns = min((mask.mask.shape for mask in self.qc_masks), key=lambda shape: shape[0] * shape[1])
        return join_masks(self.qc_masks, columns, rows)

    def remove_qc(self) -> Self:
        """Forget all QC masks."""
        self.qc_masks.clear()
        self._forget_fates()
        return self

    def area(self) -> float:
        """Area that is not discarded by QC, mm²; the whole slide's where no QC was run."""
        width_um, height_um = self.size_um
        total = width_um * height_um / 1e6
        if not self.qc_masks:
            return total
        rows = max(mask.mask.shape[0] for mask in self.qc_masks)
        columns = max(mask.mask.shape[1] for mask in self.qc_masks)
        return float(total * (~join_masks(self.qc_masks, columns, rows)).mean())
