"""A network's answers, checked before anything is made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from slidekit.errors import QCError
from slidekit.pixels.image import WHITE

if TYPE_CHECKING:
    from slidekit.slide.qc.scorers.base import Scorer

__all__ = ["CheckedScorer", "Preprocess"]

Preprocess = Callable[[npt.NDArray[np.uint8]], Any]
"""Makes of images uint8 (n, h, w, 3) what a network takes."""

_FAILURES = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, NameError, OSError, RuntimeError),
    *(TypeError, ValueError),
)
"""What mistakes in a user's function raise."""


class CheckedScorer:
    """Asks a network, and checks its answers.

    Parameters
    ----------
    scorer
        The network.
    preprocess
        Makes of images uint8 (n, h, w, 3) what it takes; None hands them on as they are.
    what
        Method and slide, for messages.
    window
        Edge of the images, pixels.
    dense
        Whether scores are (n, h', w', classes) or (n, classes).
    classes
        Number of classes that it is to give; None takes what it gives first.

    Raises
    ------
    QCError
        If it takes images of another size.
    """

    def __init__(
        self,
        scorer: Scorer,
        preprocess: Preprocess | None,
        what: str,
        window: int,
        *,
        dense: bool,
        classes: int | None = None,
    ) -> None:
        self._scorer = scorer
        self._preprocess = preprocess
        self._what = what
        self._window = window
        self._dense = dense
        self._shape: tuple[int, ...] | None = None
        self._classes = classes
        if scorer.window not in (None, (window, window)):
            raise QCError(
                f"{what}: the model takes images of {scorer.window} px, and is to see windows of {window} px.",
                mend=f"Set the size of the windows to {scorer.window[0] if scorer.window else window}.",
            )

    def probe(self) -> int:
        """Pixels of a window to a pixel of a dense network's output.

        Raises
        ------
        QCError
            If that is no whole number.
        """
        shape: tuple[int, ...] = self(np.full((1, self._window, self._window, 3), WHITE, np.uint8)).shape
        if shape[1] != shape[2] or self._window % shape[1]:
            raise QCError(
                f"{self._what}: the model gives {shape[2]} × {shape[1]} scores for windows of {self._window} px.",
                mend="Give a network whose output is as large as its input, or a whole fraction of it.",
            )
        return self._window // shape[1]

    def __call__(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Scores of images uint8 (n, h, w, 3).

        Raises
        ------
        QCError
            If they are not finite, or not of the shape or number that they have to be, or the function fails; it names
            method and slide.
        """
        scores = self._ask(images)
        if not self._dense:
            # One score for each image, and those of networks that end with a convolution.
            scores = scores[:, None] if scores.ndim == 1 else scores
            scores = scores[:, 0, 0] if scores.ndim == 4 and scores.shape[1:3] == (1, 1) else scores
        if scores.ndim != (4 if self._dense else 2) or len(scores) != len(images) or scores.shape[-1] == 0:
            wanted = "(n, h, w, classes)" if self._dense else "(n, classes)"
            raise QCError(
                f"{self._what}: the model gives scores of shape {scores.shape} for {len(images)} images.",
                mend=f"It must give {wanted}.",
            )
        classes = scores.shape[-1]
        if self._classes not in (None, classes) or self._shape not in (None, scores.shape[1:]):
            raise QCError(
                f"{self._what}: the model gives {classes} classes, shape {scores.shape}, where {self._classes} are"
                " expected.",
                mend="Give the model that the parameters are for.",
            )
        if not np.isfinite(scores).all():
            raise QCError(
                f"{self._what}: the model gives scores that are not finite (NaN or infinite).",
                mend="See whether it gets what it was trained on, such as values 0–1 where it takes 0–255.",
            )
        self._classes, self._shape = classes, scores.shape[1:]
        return scores

    def _ask(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        doing = "preprocess"
        try:
            batch = images if self._preprocess is None else self._preprocess(images)
            doing = "the model"
            return self._scorer(batch)
        except QCError as error:
            raise QCError(f"{self._what}: {error.message}", mend=error.mend, path=error.path) from error
        except _FAILURES as error:
            said = f"{type(error).__name__}: {error}".rstrip(" .:")
            raise QCError(
                f"{self._what}: {doing} failed on images of shape {images.shape}: {said}.",
                mend="Mend it, and try it on one such batch first.",
            ) from error
