"""A network of which one class counts."""

from __future__ import annotations

from slidekit.errors import QCError
from slidekit.slide.qc.scorers.base import Images, Scorer, Scores

__all__ = ["ClassScorer"]


class ClassScorer:
    """A scorer that is found out as soon as it has scored a batch without the class that counts.

    Parameters
    ----------
    scorer
        The network.
    index
        The class's place among its scores.
    """

    def __init__(self, scorer: Scorer, index: int) -> None:
        self._scorer = scorer
        self._index = index

    @property
    def key(self) -> str:
        """The scorer's."""
        return self._scorer.key

    @property
    def window(self) -> tuple[int, int] | None:
        """The scorer's."""
        return self._scorer.window

    def __call__(self, batch: Images) -> Scores:
        """Score a batch.

        Raises
        ------
        QCError
            If there is no such class.
        """
        scores = self._scorer(batch)
        classes = scores.shape[-1] if scores.ndim > 1 else 1
        # That there is none at all is told with the shape.
        if self._index >= classes > 0:
            raise QCError(
                f"there is no class pred_idx={self._index}; the model gives {classes} classes.",
                mend=f"Use 0 to {classes - 1}." if classes > 1 else "Use 0.",
            )
        return scores
