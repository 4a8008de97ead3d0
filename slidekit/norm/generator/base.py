"""What a generator is: a network that takes a batch of RGB images, and gives them back in other colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import NormalizerError

__all__ = ["Generator", "InputShape", "check_channels", "check_output"]


class InputShape(NamedTuple):
    """The shapes that a generator takes; None where any length will do."""

    batch: int | None = None
    height: int | None = None
    width: int | None = None


class Generator(Protocol):
    """A network that was loaded; threads may share it."""

    @property
    def shape(self) -> InputShape:
        """What it takes."""

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Images in other colours.

        Parameters
        ----------
        batch
            float32 (n, h, w, 3), RGB, -1 (black) to 1 (white), C-contiguous; n, h and w as in `shape`.

        Returns
        -------
        numpy.ndarray
            float32, the same shape and range.

        Raises
        ------
        NormalizerError
            If the network cannot work on such a batch, or gives something else.
        """


def check_channels(path: str, shape: Sequence[int | None], *, channel_axis: int) -> None:
    """Make sure that a network takes batches of RGB images.

    Parameters
    ----------
    path
        Its file.
    shape
        Of its input; None where any length will do.
    channel_axis
        Where its framework has the channels.

    Raises
    ------
    NormalizerError
        If the shape has not four axes, or not three channels there.
    """
    if len(shape) == 4 and shape[channel_axis] in (3, None):
        return
    wanted = "(n, 3, h, w)" if channel_axis == 1 else "(n, h, w, 3)"
    raise NormalizerError(
        f"The generator takes {tuple(shape)}, not {wanted}.", mend="Give a generator of RGB images.", path=path
    )


def check_output(path: str, output: Any, wanted: tuple[int, ...]) -> NDArray[np.float32]:
    """Make sure that a network gave what it is to give.

    Parameters
    ----------
    path
        Its file.
    output
        Any array of numbers.
    wanted
        The shape (n, h, w, 3) of what it was given.

    Raises
    ------
    NormalizerError
        If the shape is another.
    """
    if output.shape != wanted:
        raise NormalizerError(
            f"The generator made {output.shape} of {wanted}.",
            mend="Give a generator whose images are as large as what it is given, in RGB.",
            path=path,
        )
    result: NDArray[np.float32] = np.asarray(output, np.float32)
    return result
