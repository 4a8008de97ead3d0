"""Any callable as a scorer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from slidekit.slide.fingerprint import describe_callable
from slidekit.slide.qc.scorers.base import Images, Scores, to_scores

__all__ = ["PlainScorer"]


class PlainScorer:
    """A function from a batch of images to scores.

    Parameters
    ----------
    function
        Takes (n, h, w, 3), gives (n, classes) or (n, h', w', classes): an array, a tensor of any framework, or lists.
    """

    window: tuple[int, int] | None = None

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    @property
    def key(self) -> str:
        """Name and fingerprint of the function as it is now."""
        about = describe_callable(self._function)
        return " ".join(str(value) if isinstance(value, str) else json.dumps(value) for value in about.values())

    def __call__(self, batch: Images) -> Scores:
        """Scores of a batch; see `slidekit.slide.qc.scorers.base.Scorer`."""
        return to_scores(self._function(batch))
