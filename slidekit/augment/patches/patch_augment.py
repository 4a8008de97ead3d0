"""Which augmentation patches get, and doing it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import SupportsIndex, TypeAlias, overload

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from slidekit.augment.patches.checks import (
    check_labels,
    check_numbers,
    check_seeds,
    check_switches,
    check_views,
    check_widths,
)
from slidekit.augment.patches.colour import shift_colours
from slidekit.augment.patches.draws import Draw, draw_patch
from slidekit.augment.patches.warp import move_points, source_positions, warp_image, warp_labels
from slidekit.errors import SpecError

__all__ = ["PatchAugment"]

_Image: TypeAlias = NDArray[np.uint8]
_Views: TypeAlias = tuple[_Image, ...]


@dataclass(frozen=True)
class PatchAugment:
    """Augmentation of patches, seeded patch by patch; `slidekit.augment.patches` says what each part does.

    Parameters
    ----------
    probability
        Share of the patches that are augmented, 0 to 1; the others stay as they are. Either way the shape is the same.
    hue
        Standard deviation of the turn of the hue, whole turns, 0 to 0.5; 0 leaves hues alone.
    lightness
        Standard deviation of the power that L* is raised to, 0 to 0.2, around 1; 0 leaves lightness alone. Powers
        are kept within 1/2 and 2.
    warp
        Whether patches are warped.
    grid
        Points of the warp's grid along an axis, border included, 3 to 64.
    displacement
        Standard deviation of the points' displacement, as a share of the patch's height, 0 to 0.5. By default
        1 / (10 · grid), which is 3.2 pixels of 256. No point moves by more than 0.24 of a cell, so nothing folds.
    flips
        Whether left and right, top and bottom change places.
    turns
        Whether patches are turned by quarters.

    Raises
    ------
    SpecError
        If a value is not within these bounds.
    """

    probability: float = 1.0
    hue: float = 0.025
    lightness: float = 0.015
    warp: bool = True
    grid: int = 8
    displacement: float | None = None
    flips: bool = True
    turns: bool = True

    def __post_init__(self) -> None:
        check_numbers("PatchAugment", probability=(self.probability, 1), hue=(self.hue, 0.5))
        check_numbers("PatchAugment", lightness=(self.lightness, 0.2))
        if self.displacement is not None:
            check_numbers("PatchAugment", displacement=(self.displacement, 0.5))
        check_switches("PatchAugment", warp=self.warp, flips=self.flips, turns=self.turns)
        if isinstance(self.grid, bool) or not isinstance(self.grid, int | np.integer) or not 3 <= self.grid <= 64:
            raise SpecError(
                f"grid={self.grid!r} of PatchAugment is not a whole number from 3 to 64.",
                mend="Give one that is; 8 is what was published.",
            )
        # Numbers of NumPy's are not JSON, which a sampler's digest is made of.
        for name in ("probability", "hue", "lightness", "displacement"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, float(value))
        object.__setattr__(self, "grid", int(self.grid))

    @overload
    def apply(
        self, images: _Image, seed: SupportsIndex, labels: _Image | None = ..., *, widths: None = ...
    ) -> tuple[_Image, _Image | None]: ...

    @overload
    def apply(
        self,
        images: Sequence[_Image],
        seed: SupportsIndex,
        labels: _Image | None = ...,
        *,
        widths: Sequence[float] | None = ...,
    ) -> tuple[_Views, _Image | None]: ...

    def apply(
        self,
        images: _Image | Sequence[_Image],
        seed: SupportsIndex,
        labels: _Image | None = None,
        *,
        widths: Sequence[float] | None = None,
    ) -> tuple[_Image | _Views, _Image | None]:
        """Augment one patch.

        Parameters
        ----------
        images
            uint8 (h, w, 3), RGB; or several views of one patch, each such an array of any size. All views get the
            same shift of colours, and are moved alike.
        seed
            Decides everything.
        labels
            uint8 (h, w): the label image of the (first) view, of its size.
        widths
            How wide the field of each view is, in any one unit, where they differ (around one centre). The warp then
            spans the narrowest, and what wider views show of it is warped there alike. Without `widths` all views show
            the same field.

        Returns
        -------
        images
            New arrays of the shapes that were given; a tuple where several views were given.
        labels
            The label image, moved with the first view, nearest values; or None.

        Raises
        ------
        SpecError
            If they are not such arrays.
        """
        views = check_views(images, axes=3)
        label = check_labels(labels, views[0])
        zooms = check_widths(widths, len(views))
        moved, label = self._one(views, seed, label, zooms)
        return (moved[0] if isinstance(images, np.ndarray) else moved), label

    @overload
    def apply_batch(
        self, images: _Image, seeds: ArrayLike, labels: _Image | None = ..., *, widths: None = ...
    ) -> tuple[_Image, _Image | None]: ...

    @overload
    def apply_batch(
        self,
        images: Sequence[_Image],
        seeds: ArrayLike,
        labels: _Image | None = ...,
        *,
        widths: Sequence[float] | None = ...,
    ) -> tuple[_Views, _Image | None]: ...

    def apply_batch(
        self,
        images: _Image | Sequence[_Image],
        seeds: ArrayLike,
        labels: _Image | None = None,
        *,
        widths: Sequence[float] | None = None,
    ) -> tuple[_Image | _Views, _Image | None]:
        """Augment a batch, each patch by its own seed, exactly as `apply` does.

        Parameters
        ----------
        images
            uint8 (n, h, w, 3); or a sequence of views, each such an array of as many patches.
        seeds
            Integers (n,).
        labels
            uint8 (n, h, w), of the (first) view.
        widths
            As for `apply`.

        Returns
        -------
        images, labels
            New arrays of the shapes that were given.

        Raises
        ------
        SpecError
            If they are not such arrays.
        """
        views = check_views(images, axes=4)
        label = check_labels(labels, views[0])
        zooms = check_widths(widths, len(views))
        numbers = check_seeds(seeds, [len(view) for view in views])
        results = tuple(np.empty(view.shape, np.uint8) for view in views)
        label_results = None if label is None else np.empty(label.shape, np.uint8)
        for place, seed in enumerate(numbers):
            row = None if label is None else label[place]
            moved, moved_row = self._one(tuple(view[place] for view in views), seed, row, zooms)
            for result, view in zip(results, moved, strict=True):
                result[place] = view
            if label_results is not None and moved_row is not None:
                label_results[place] = moved_row
        return (results[0] if isinstance(images, np.ndarray) else results), label_results

    def _one(
        self, views: _Views, seed: SupportsIndex, labels: _Image | None, zooms: Sequence[float]
    ) -> tuple[_Views, _Image | None]:
        draw = draw_patch(seed, self.grid - 2)
        if draw.chosen >= self.probability:
            return tuple(view.copy() for view in views), None if labels is None else labels.copy()
        # OpenCV takes no array that is viewed backwards.
        views = tuple(np.ascontiguousarray(view) for view in views)
        labels = None if labels is None else np.ascontiguousarray(labels)
        gamma = min(max(1 + self.lightness * draw.lightness, 0.5), 2.0)
        if self.hue or self.lightness:
            views = tuple(shift_colours(view, self.hue * draw.hue, gamma) for view in views)
        if self.warp and self.displacement != 0:
            views, labels = self._warped(views, labels, draw, zooms)
        square = all(view.shape[0] == view.shape[1] for view in views)
        return tuple(self._turned(view, draw, square) for view in views), (
            None if labels is None else self._turned(labels, draw, square)
        )

    def _warped(
        self, views: _Views, labels: _Image | None, draw: Draw, zooms: Sequence[float]
    ) -> tuple[_Views, _Image | None]:
        share = 1 / (10 * self.grid) if self.displacement is None else self.displacement
        height, width = views[0].shape[:2]
        moves = move_points(draw.grid, share, (height, width))
        warped = []
        for place, (view, zoom) in enumerate(zip(views, zooms, strict=True)):
            positions = source_positions((view.shape[0], view.shape[1]), moves, zoom)
            warped.append(warp_image(view, positions))
            if place == 0 and labels is not None:
                labels = warp_labels(labels, positions)
        return tuple(warped), labels

    def _turned(self, image: _Image, draw: Draw, square: bool) -> _Image:
        """Flipped and turned counter-clockwise, without loss; always a new array."""
        quarters = math.floor(4 * draw.turn) if self.turns else 0
        # Two flips are a half turn.
        half = quarters >= 2
        flip_x = (self.flips and draw.flip_x < 0.5) != half
        flip_y = (self.flips and draw.flip_y < 0.5) != half
        code = {(True, False): 1, (False, True): 0, (True, True): -1}.get((flip_x, flip_y))
        flipped = image.copy() if code is None else cv2.flip(image, code)
        if square and quarters % 2:
            flipped = cv2.rotate(flipped, cv2.ROTATE_90_COUNTERCLOCKWISE)
        return np.asarray(flipped, np.uint8)
