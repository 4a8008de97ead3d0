"""A patch classifier as a QC method."""

from __future__ import annotations

import operator
from numbers import Real
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from slidekit.errors import QCError, SpecError
from slidekit.slide.fingerprint import fingerprint, users_classes
from slidekit.slide.qc.base import BoolMask, QCMethod, SlideView
from slidekit.slide.qc.class_scorer import ClassScorer
from slidekit.slide.qc.scorers.base import Images
from slidekit.slide.qc.scorers.files import FileScorer
from slidekit.slide.qc.scorers.plain import PlainScorer
from slidekit.slide.qc.scorers.resolve import resolve_scorer
from slidekit.slide.score_map import ScoreMap, WindowLayout, score_map
from slidekit.units import Magnification, parse_tile_um

__all__ = ["StridedDL", "StridedDL_V2"]

_NEAR = 0.05
"""A level is of a magnification if its µm/px differs by less, as for tiles."""

_FINEST = 0.05
"""µm/px: less is no slide's."""

_OWN = frozenset(("_scorer", "_size", "batch_size", "buffer", "model", "reason", "tile_um"))
"""Attributes that say nothing of the mask, or are described apart."""


class StridedDL(QCMethod):
    """A network that looks at the slide patch by patch; patches that it scores above a threshold are discarded.

    Patches cover the slide evenly, from edge to edge (`slidekit.slide.score_map`). A subclass may override
    `preprocess`; its name is then the method's, unless it has a `name` of its own.

    Parameters
    ----------
    model
        A Keras model, a module of torch, the path of a file (``.keras``, ``.h5``, ``.pt2``, ``.pt``, ``.onnx``), or any
        callable from a batch (n, tile_px, tile_px, 3) to scores (n, classes).
    pred_idx
        The class whose score counts.
    tile_px
        Edge of a patch, pixels.
    tile_um
        Edge of a patch, µm; or a magnification (``"40x"`` is 0.25 µm/px), at which a level within 5 % is read as it is.
    buffer
        Patches are read in squares of `buffer` × `buffer`.
    pred_threshold
        Patches that score more are discarded.
    overlap
        Pixels that neighbouring patches share; what they say is blended there.
    batch_size
        Patches that are scored together.
    name
        Its word in reports, and what tiles that it drops are counted as.

    Raises
    ------
    QCError
        If parameters make no sense, or there is no such model.
    """

    name = "strided_dl"
    reason = "strided_dl"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in vars(cls):
            cls.name = cls.__name__
        if "reason" not in vars(cls):
            cls.reason = cls.name

    def __init__(
        self,
        model: Any,
        pred_idx: int,
        tile_px: int,
        tile_um: float | str | Magnification,
        buffer: int = 8,
        pred_threshold: float = 0.5,
        *,
        overlap: int = 0,
        batch_size: int = 64,
        name: str | None = None,
    ) -> None:
        if name is not None:
            if not isinstance(name, str) or not name.strip():
                raise QCError(f"name={name!r} is no name of a QC method.", mend="Give a word, or leave it out.")
            # Of this instance alone.
            vars(self).update(name=name, reason=name)
        try:
            self._size = parse_tile_um(tile_um)
        except SpecError as error:
            raise QCError(f"{self.name}: {error.message}", mend=error.mend) from error
        pred_idx, tile_px, buffer, overlap, batch_size = (
            _checked_integer(value, word, self.name)
            for word, value in (
                *(("pred_idx", pred_idx), ("tile_px", tile_px), ("buffer", buffer)),
                *(("overlap", overlap), ("batch_size", batch_size)),
            )
        )
        if not (pred_idx >= 0 and tile_px >= 1 and 0 <= overlap < tile_px and buffer >= 1 and batch_size >= 1):
            raise QCError(
                f"{self.name} cannot work with pred_idx={pred_idx}, tile_px={tile_px}, overlap={overlap},"
                f" buffer={buffer}, batch_size={batch_size}.",
                mend="Use positive numbers, and an overlap less than a patch.",
            )
        mpp = self._size.mpp if isinstance(self._size, Magnification) else self._size / tile_px
        if mpp < _FINEST:
            raise QCError(
                f"{self.name} would see the slide at {mpp:.3g} µm/px (tile_um={tile_um!r}, tile_px={tile_px}).",
                mend=f"tile_um is the edge of a patch in µm: {_FINEST} µm/px is the finest there is.",
            )
        self.model = model
        self.pred_idx = pred_idx
        self.tile_px = tile_px
        self.tile_um = tile_um
        self.buffer = buffer
        self.overlap = overlap
        self.batch_size = batch_size
        self.pred_threshold = _checked_threshold(pred_threshold, self.name)
        self._scorer = resolve_scorer(model)

    def preprocess(self, images: npt.NDArray[np.uint8]) -> Images:
        """What the network gets of patches.

        Parameters
        ----------
        images
            uint8 (n, tile_px, tile_px, 3), RGB.

        Returns
        -------
        ndarray (n, tile_px, tile_px, 3)
            float32, 0–1, unless a subclass says otherwise. The order of axes that a framework has is not its concern.
        """
        return images.astype(np.float32) / np.float32(255)

    def __call__(  # type: ignore[override]  # a raw map is not a mask
        self, wsi: SlideView, threshold: float | Literal[False] | None = None
    ) -> BoolMask | npt.NDArray[np.float32]:
        """Compute the mask of a slide, or its map of scores.

        Parameters
        ----------
        wsi
            The slide.
        threshold
            Instead of `pred_threshold`; False gives the map.

        Returns
        -------
        ndarray (rows, columns)
            bool, True = discard; or float32, the scores of class `pred_idx`. Covers the whole slide.

        Raises
        ------
        QCError
            If the scores are not finite, or not of the shape or number that they have to be.
        SlideReadError
            If more than 5 % of the slide cannot be decoded; less is shown to the network as white.
        """
        least = self.pred_threshold if threshold is None or threshold is False else threshold
        least = _checked_threshold(least, self.name)
        chosen = np.ascontiguousarray(self.scores(wsi).values[..., self.pred_idx])
        return chosen if threshold is False else chosen > least

    def scores(self, wsi: SlideView) -> ScoreMap:
        """Scores of all classes over the slide.

        Raises
        ------
        QCError, SlideReadError
            As when it is called.
        """
        return score_map(
            wsi,
            ClassScorer(self._scorer, self.pred_idx),
            WindowLayout(self._mpp(wsi), self.tile_px, self.overlap, batch=self.batch_size, buffer=self.buffer),
            preprocess=self.preprocess,
            dense=False,
            name=self.name,
        )

    def parameters(self) -> dict[str, Any]:
        """Everything that the mask depends on, as plain JSON values; of the model its name and digest.

        Of a subclass of the user's the code of its methods and the values of its attributes are in ``fingerprint``.
        """
        held = {
            key: value
            for key, value in sorted(vars(self).items())
            # `buffer` and `batch_size` change how fast it is; what a subclass keeps may change what it sees.
            if key not in _OWN and not key.startswith("_") and _is_plain(value)
        }
        kept = {key: value for key, value in vars(self).items() if key not in _OWN and key not in held}
        kinds = users_classes(type(self))
        if kinds or kept:
            # The innermost has the others' code in it.
            held["fingerprint"] = fingerprint((kinds[:1], kept))
        return {"model": self._scorer.key, **held, "tile_um": str(self._size)}

    def __getstate__(self) -> dict[str, Any]:
        if not isinstance(self._scorer, FileScorer | PlainScorer):
            raise TypeError(
                f"{self.name}: a {type(self.model).__name__} is not sent to other processes; give the path of its file."
            )
        return vars(self)

    def _mpp(self, wsi: SlideView) -> float | tuple[float, float]:
        """µm/px that the network sees."""
        if not isinstance(self._size, Magnification):
            return self._size / self.tile_px
        mpp = self._size.mpp
        for level in wsi.levels:
            stored = (wsi.mpp_x * level.downsample_x, wsi.mpp_y * level.downsample_y)
            if all(abs(one / mpp - 1) <= _NEAR for one in stored):
                return stored
        return mpp


StridedDL_V2 = StridedDL
"""Slideflow's name for the one with `overlap`."""


def _checked_integer(value: Any, word: str, name: str) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError as error:
        raise QCError(f"{name}: {word}={value!r} is no whole number.", mend="Give an int.") from error


def _checked_threshold(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real | np.number) or not np.isfinite(float(value)):
        raise QCError(f"{name}: {value!r} is not a threshold.", mend="Give a number; threshold=False gives the map.")
    return float(value)


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)
