"""A trained segmentation network on whole slides: windows that overlap, blended into one map of probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import numpy.typing as npt

from slidekit.errors import MissingExtraError, QCError, SpecError
from slidekit.pixels.image import RGBImage
from slidekit.slide.qc.scorers.base import Images, Scorer, Scores
from slidekit.slide.qc.scorers.files import FileScorer
from slidekit.slide.score_map import ScoreMap, WindowLayout, score_map
from slidekit.slide.segmentation.config import SegmentConfig

if TYPE_CHECKING:
    from slidekit.slide.qc.base import SlideView

__all__ = ["MODEL", "Segmenter", "load_model_and_config"]

MODEL = "model.keras"
"""Name of the network's file in the folder of a model."""

_MEND = "Give the folder of a model that slidekit trained, or the .keras file in it."

_MOST_CELLS = 1 << 23
"""Cells of a map: 32 MiB for each class."""

_FAINT = np.float32(1e-6)
"""Weight of what a network says near the border of a window, where another window says it better."""


class Segmenter:
    """A segmentation network; a copy in another process knows its file alone, and loads it itself.

    Parameters
    ----------
    path
        Folder of the model, or its ``.keras`` file with ``segment_config.json`` beside it. The network is loaded when
        it is first used; the file holds no code that would run.

    Raises
    ------
    QCError
        If there is no such model, or its config is damaged or foreign.
    MissingExtraError
        If Keras is not installed.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = _model_file(path)
        self.config = _load_config(self.path)
        self._scorer: Scorer = FileScorer(self.path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Open a model; as the constructor."""
        return cls(path)

    @property
    def key(self) -> str:
        """Name and content of the network's file."""
        return self._scorer.key

    def scores(self, wsi: SlideView, *, overlap: int | None = None, batch_size: int = 8) -> ScoreMap:
        """Probabilities of the classes over a slide.

        Parameters
        ----------
        wsi
            The slide.
        overlap
            Pixels, at the config's µm/px, that neighbouring windows share; a quarter of a window by default. It is
            rounded down to a multiple of ``2 ** depth``: then all windows see the network's halvings of the
            resolution alike.
        batch_size
            Windows that are scored together.

        Returns
        -------
        ScoreMap
            float32 (rows, columns, classes), 0–1, over the whole slide, at the config's µm/px; coarser by a power of
            two where it would have more than 8 million cells. In the order of ``config.class_names``; of
            ``multiclass`` they add up to 1. What is within half of `overlap` of a window's border is taken from its
            neighbour: where that is as far as the network sees (`reach`), windows leave no trace.

        Raises
        ------
        QCError
            If the model is damaged, not of its config, gives no finite numbers, or `overlap` is no part of a window.
        SlideReadError
            If more than 5 % of the slide cannot be decoded.
        """
        config, unit = self.config, 1 << self.config.depth
        if overlap is None:
            overlap = config.size // 4
        if not 0 <= overlap < config.size:
            raise QCError(
                f"overlap={overlap} is no part of windows of {config.size} px.",
                mend=f"Give 0 to {config.size - 1}.",
            )
        overlap = overlap // unit * unit
        view = _EvenView(wsi, config, overlap)
        padded = score_map(
            cast("SlideView", view),
            _Probabilities(self._scorer, config, min(self.reach, overlap // 2)),
            WindowLayout(1.0, config.size, overlap, batch=batch_size, buffer=4, thin=view.thin),
            classes=(config.out_classes or 0) + 1,
            dense=True,
            name="segment",
        ).values
        rows, columns = view.rows // view.thin, view.columns // view.thin
        weighed = padded[:rows, :columns]
        values = np.clip(weighed[..., :-1] / weighed[..., -1:], 0, 1)
        return ScoreMap(values, wsi.dimensions, (wsi.mpp_x, wsi.mpp_y))

    @property
    def reach(self) -> int:
        """How far, in pixels, the network sees at most: two convolutions of 3 × 3 a stage, and what halving joins."""
        return 7 * (1 << self.config.depth) - 4

    def __repr__(self) -> str:
        return f"Segmenter({str(self.path)!r})"


def load_model_and_config(path: str | Path) -> tuple[Any, SegmentConfig]:
    """Load a network as Keras has it, to go on with it in one's own way.

    Parameters
    ----------
    path
        As for `Segmenter`.

    Returns
    -------
    keras.Model
        From float32 (n, h, w, 3), RGB 0–255, with h and w multiples of ``2 ** depth``, to logits (n, h, w, classes).
    SegmentConfig
        What it was trained with.

    Raises
    ------
    QCError
        If the model or its config is missing, damaged or foreign.
    MissingExtraError
        If Keras is not installed.
    """
    file = _model_file(path)
    config = _load_config(file)
    try:
        from slidekit.slide.qc.scorers.keras import load_model
    except ImportError as error:
        raise MissingExtraError(
            "The model needs Keras, which is not installed, or not with what it works on.",
            mend="Install it with: pip install 'slidekit[tensorflow]'.",
            path=file,
        ) from error
    return load_model(str(file)), config


class _EvenView:
    """A slide at a network's µm/px, with white to its right and below it, so that windows divide it evenly.

    They then begin at multiples of their distance, which is one of ``2 ** depth``.
    """

    def __init__(self, wsi: SlideView, config: SegmentConfig, overlap: int) -> None:
        self._wsi = wsi
        width, height = wsi.dimensions
        columns, rows = width * wsi.mpp_x / config.mpp, height * wsi.mpp_y / config.mpp
        most = 1 << config.depth
        self.thin = 1
        while self.thin < most and columns * rows > _MOST_CELLS * self.thin**2:
            self.thin *= 2
        # In whole cells.
        self.columns, self.rows = (max(1, round(length / self.thin)) * self.thin for length in (columns, rows))
        stride = config.size - overlap
        self.dimensions = tuple(
            config.size + max(0, -(-(length - config.size) // stride)) * stride for length in (self.columns, self.rows)
        )
        self.name = wsi.name
        self.mpp_x = self.mpp_y = 1.0

    def overview_window(
        self, columns: float, rows: float, *, corner: tuple[int, int], size: tuple[int, int]
    ) -> RGBImage:
        return self._wsi.overview_window(self.columns, self.rows, corner=corner, size=size)


class _Probabilities:
    """Probabilities from logits, each times its weight, and the weights themselves as one class more.

    The engine blends by weights of its own, which know nothing of how far a network sees: quotients of the two do.
    """

    window = None

    def __init__(self, scorer: Scorer, config: SegmentConfig, margin: int) -> None:
        self.key = scorer.key
        self._scorer = scorer
        self._config = config
        line = np.ones(config.size, np.float32)
        line[:margin] = line[config.size - margin :] = _FAINT
        self._weights = np.minimum(line[:, None], line)[..., None]

    def __call__(self, batch: Images) -> Scores:
        logits = self._scorer(batch)
        wanted = (len(batch), self._config.size, self._config.size, self._config.out_classes)
        if logits.shape != wanted:
            raise QCError(f"The model gives scores of shape {logits.shape}, and its config says {wanted}.", mend=_MEND)
        weights = np.broadcast_to(self._weights, (*logits.shape[:3], 1))
        return np.concatenate([_probabilities(logits, self._config.mode) * weights, weights], axis=-1)


def _probabilities(logits: npt.NDArray[np.float32], mode: str) -> npt.NDArray[np.float32]:
    if mode == "multiclass":
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
    # The logistic function, without exponentials that overflow.
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), np.float32)


def _model_file(path: str | Path) -> Path:
    place = Path(path).expanduser()
    file = place / MODEL if place.is_dir() else place
    if file.suffix.lower() != ".keras":
        raise QCError("is not a model for segmentation.", mend=_MEND, path=file)
    if not file.is_file():
        raise QCError("There is no such model.", mend=_MEND, path=file)
    return file.absolute()


def _load_config(file: Path) -> SegmentConfig:
    try:
        return SegmentConfig.load(file.parent)
    except SpecError as error:
        raise QCError(error.message, mend=_MEND, path=error.path) from error
