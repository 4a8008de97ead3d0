"""The corpus of damaged slides: every way of damaging, on every source, by numbers that follow from a seed."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.robustness.slide_foreign import FOREIGN
from tests.robustness.slide_layout import read_layout
from tests.robustness.slide_mutations import ANY_FILE, TIFF_ONLY

__all__ = ["Case", "damage", "foreign_files", "plan"]

_STATED_MPP = ("absurd_resolution", "lying_xml")
"""Damage to what the file says of its µm/px, which is then not given from outside."""


@dataclass(frozen=True)
class Case:
    """One damaged slide: what was done to which source, as which file."""

    source: str
    how: str
    number: int
    path: Path

    @property
    def mpp(self) -> float | None:
        """µm/px given from outside."""
        return None if self.how in _STATED_MPP else 0.5

    def __str__(self) -> str:
        return f"{self.path.name} ({self.source}, {self.how}, {self.number})"


def plan(sources: list[str], *, rounds: int = 1, every: int = 1) -> list[tuple[str, str, int]]:
    """(source, how, number) of a corpus; `every` takes each so-manyth, in an order that mixes sources and ways."""
    picked = []
    for number in range(rounds):
        for source in sources:
            tiff_only = () if source.endswith((".png", ".jpg")) else TIFF_ONLY
            picked += [(source, how, number) for how in (*ANY_FILE, *tiff_only)]
    order = np.random.default_rng(len(picked)).permutation(len(picked))
    return [picked[place] for place in order[::every]]


def damage(original: Path, folder: Path, plan: list[tuple[str, str, int]], prefix: str) -> list[Case]:
    """Write damaged copies of a source."""
    data, layout, cases = original.read_bytes(), read_layout(original), []
    suffix = "".join(original.suffixes)
    for source, how, number in plan:
        rng = np.random.default_rng([zlib.crc32(f"{source} {how}".encode()), number])
        broken = bytearray(data)
        if how in ANY_FILE:
            broken = bytearray(ANY_FILE[how](broken, rng))
        elif layout is not None:
            TIFF_ONLY[how](broken, rng, layout)
        path = folder / f"{prefix}{len(cases):03d}{suffix}"
        path.write_bytes(broken)
        cases.append(Case(source, how, number, path))
    return cases


def foreign_files(folder: Path) -> list[Case]:
    """Write files that are no slides, under slides' suffixes."""
    cases = []
    for number, (name, (suffix, content)) in enumerate(FOREIGN.items()):
        path = folder / f"foreign{number:02d}.{suffix}"
        path.write_bytes(content())
        cases.append(Case("no slide", name, number, path))
    return cases
