"""From a way to choose patches to a plan: what cannot be had is drawn anew, and counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slidekit.errors import SlidekitError, SpecError
from slidekit.sampling.drafts import Draft, Drawer
from slidekit.sampling.plan import Plan
from slidekit.sampling.slides import SampledSlide

__all__ = ["MOST_ATTEMPTS", "Passed", "check_steps", "plan_steps"]

MOST_ATTEMPTS = 64
"""Patches of one step that may turn out not to be had; then something is wrong that chance will not mend."""

_LAST_STEP = 2**62

Passed = dict[str, dict[str, int]]
"""Patches that could not be had: how many, by slide and reason."""


def plan_steps(
    drawer: Drawer, slides: Sequence[SampledSlide], steps: ArrayLike, attempts: ArrayLike | None
) -> tuple[Plan, Passed]:
    """Plan steps.

    Parameters
    ----------
    drawer
        Chooses patches.
    slides
        The sampler's, for their names.
    steps
        (n,) whole numbers from 0 on.
    attempts
        (n,) attempts to begin with; None for 0.

    Raises
    ------
    SpecError
        If steps or attempts are none.
    SlidekitError
        If there is no patch for a step, with the reasons.
    """
    settled = check_steps(steps)
    tried = np.zeros(settled.shape, np.int32) if attempts is None else np.atleast_1d(np.asarray(attempts))
    _check_attempts(settled, tried)
    draft = drawer.draw(settled, tried.astype(np.int32))
    passed: Passed = {}
    while len(rows := np.flatnonzero(draft.reasons != "")):
        _count(draft, rows, slides, passed)
        following = draft.plan.attempts[rows] + 1
        if following.max() >= MOST_ATTEMPTS:
            raise _exhausted(int(draft.plan.steps[rows[following.argmax()]]), passed)
        draft.put(rows, drawer.draw(draft.plan.steps[rows], following.astype(np.int32)))
    return draft.plan, passed


def _count(draft: Draft, rows: NDArray[np.int64], slides: Sequence[SampledSlide], passed: Passed) -> None:
    for row in rows.tolist():
        of_slide = passed.setdefault(slides[draft.plan.slides[row]].name, {})
        reason = str(draft.reasons[row])
        of_slide[reason] = of_slide.get(reason, 0) + 1


def check_steps(steps: ArrayLike) -> NDArray[np.int64]:
    """Bring a step or several to an array (n,).

    Raises
    ------
    SpecError
        If they are none.
    """
    settled = np.atleast_1d(np.asarray(steps))
    _check_numbers("steps", settled)
    if settled.size and int(settled.max()) > _LAST_STEP:
        raise SpecError(f"step {settled.max()} is beyond the last, {_LAST_STEP}.")
    return settled.astype(np.int64)


def _check_numbers(name: str, numbers: NDArray[Any]) -> None:
    if numbers.size and not np.issubdtype(numbers.dtype, np.integer):
        raise SpecError(f"{name} are not whole numbers, or too large.")
    if numbers.ndim != 1 or (numbers.size and numbers.min() < 0):
        raise SpecError(f"{name} must be from 0 on, in one dimension.")


def _check_attempts(steps: NDArray[np.int64], attempts: NDArray[Any]) -> None:
    _check_numbers("attempts", attempts)
    if len(steps) != len(attempts):
        raise SpecError(f"There are {len(steps)} steps and {len(attempts)} attempts.")
    if attempts.size and attempts.max() >= MOST_ATTEMPTS:
        raise _exhausted(int(steps[attempts.argmax()]), {})


def _exhausted(step: int, passed: Mapping[str, Mapping[str, int]]) -> SlidekitError:
    listed = [f"{slide}: {reason}" for slide, counts in sorted(passed.items()) for reason in counts]
    seen = f" ({'; '.join(listed[:5])}{'; …' if len(listed) > 5 else ''})" if listed else ""
    return SlidekitError(
        f"No patch could be had for step {step} in {MOST_ATTEMPTS} attempts{seen}.",
        mend="Leave out the slides that cannot be read, or ask for less tissue.",
    )
