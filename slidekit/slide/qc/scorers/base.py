"""What a scorer is: anything that gives a batch of RGB images their scores."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from slidekit.errors import QCError

__all__ = ["FAILURES", "Images", "Scorer", "Scores", "first_line", "in_batches", "sentence", "to_scores"]

Images = npt.NDArray[np.uint8] | npt.NDArray[np.float32]
"""(n, h, w, 3), RGB: uint8, 0–255, or what a method's `preprocess` made of it."""

Scores = npt.NDArray[np.float32]
"""(n, classes) of a patch classifier, (n, h', w', classes) of a dense network."""

FAILURES = (
    *(ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, NameError, OSError, RuntimeError),
    *(TypeError, ValueError),
)
"""What networks and functions raise on images that they do not take, or where there is a mistake in them."""

_LONGEST = 300
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Scorer(Protocol):
    """A network that was loaded, or a function."""

    @property
    def key(self) -> str:
        """What its scores depend on, such as a file's name and digest; part of a method's parameters."""

    @property
    def window(self) -> tuple[int, int] | None:
        """Height and width of the images that it takes; None if it takes any, or does not say."""

    def __call__(self, batch: Images) -> Scores:
        """Scores of a batch of images.

        Raises
        ------
        QCError
            If it cannot work on such images.
        """


def to_scores(output: Any) -> Scores:
    """What a framework returned, as an array of numpy.

    Parameters
    ----------
    output
        A tensor of torch or TensorFlow, an array, or nested lists of numbers.

    Raises
    ------
    QCError
        If it is none of these, such as a tuple of several outputs.
    """
    if hasattr(output, "detach"):
        # A tensor of torch: part of a graph, on any device, of a precision that numpy may not have.
        output = output.detach().float().cpu().numpy()
    try:
        return np.asarray(output, dtype=np.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise QCError(
            f"The model returned {type(output).__name__}, which is no array of numbers ({first_line(error)}).",
            mend="Give a model with one output: scores (n, classes), or (n, h, w, classes).",
        ) from error


def in_batches(run: Callable[[Any], Scores], images: npt.NDArray[np.float32], size: int | None) -> Scores:
    """Scores of images by a network that takes batches of one size only; the last one is filled up.

    Parameters
    ----------
    run
        The network.
    images
        float32 (n, …).
    size
        Of its batches; None takes any.
    """
    if size is None or size == len(images):
        return run(images)
    scores = []
    for first in range(0, len(images), size):
        part = images[first : first + size]
        filled = np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)])
        scores.append(run(filled)[: len(part)])
    return np.concatenate(scores)


def first_line(error: BaseException) -> str:
    """What an error of a framework says, in one line."""
    text = _COLOURS.sub("", str(error.args[0] if error.args else error)).strip().partition("\n")[0].strip()
    if not text or isinstance(error, KeyError | NameError | AttributeError | ArithmeticError | AssertionError):
        # These say little by themselves: the name that is not there.
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST].rpartition(' ')[0] or text[:_LONGEST]} …"
    return text


def sentence(error: BaseException) -> str:
    """As `first_line`, with a full stop, so that more may be said after it."""
    text = first_line(error).rstrip(" :;,")
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
