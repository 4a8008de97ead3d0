"""Random numbers that depend on a seed and a name, and on nothing else: not on order, workers or threads."""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["slide_generator"]


def slide_generator(seed: int, slide: str, purpose: str) -> np.random.Generator:
    """Make a counter-based generator (Philox) for one purpose on one slide.

    Parameters
    ----------
    seed
        The user's seed.
    slide
        Name of the slide.
    purpose
        What the numbers are for; different purposes get independent streams.
    """
    digest = hashlib.sha256(f"{seed}\0{slide}\0{purpose}".encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))
