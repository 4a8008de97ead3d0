"""Work on one slide of many: the only place of this room where a slide's failure is caught, whatever it is."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from slidekit.errors import MissingExtraError, SlidekitError

__all__ = ["Failure", "attempt"]

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Failure:
    """Why a slide failed."""

    reason: str


def attempt(slide: str, work: Callable[[], T]) -> T | Failure:
    """Do a slide's work; a failure is told, and the other slides go on, as in an extraction.

    Parameters
    ----------
    slide
        Its name.
    work
        What is to be done.

    Returns
    -------
    T or Failure
        What `work` gives. An error that nobody foresaw, in somebody's own segmenter perhaps, is named with its type
        and where it arose.

    Raises
    ------
    MissingExtraError
        If a package is not installed: no slide would fare better.
    """
    try:
        return work()
    except MissingExtraError:
        raise
    except (SlidekitError, OSError) as error:
        return Failure(str(error))
    except Exception as error:
        # A slide must never take others with it, whatever happens in it.
        logger.debug("slide %s failed", slide, exc_info=True)
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}, line {last.lineno}, in {last.name}"
        return Failure(f"{type(error).__name__}: {error} ({place})")
