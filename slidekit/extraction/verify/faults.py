"""What is wrong with a file, and how that is said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["MEND_ACCESS", "MEND_FOREIGN", "MEND_OURS", "Fault", "Tally"]

MEND_ACCESS = "Check the disk, and who may read it."

MEND_OURS = "Run the same `slidekit extract` again with --verify."
"""True of every fault that `slidekit.extraction.verify.slide.check_slide` finds without decoding images."""

MEND_FOREIGN = "Move it away, with its index, and extract the slide again."
"""Of files that slidekit did not make, or no longer knows: it never replaces them."""


@dataclass(frozen=True)
class Fault:
    """Something that is wrong with a file.

    Attributes
    ----------
    path
        The file.
    what
        What is wrong, one or two sentences, with byte offset and number of the record where there are such.
    mend
        What to do about it.
    """

    path: Path
    what: str
    mend: str


class Tally:
    """Counts things of one kind, and keeps the first: a file of a million bad records must not fill memory."""

    def __init__(self) -> None:
        self.count = 0
        self.first = ""

    def add(self, text: str) -> None:
        """Count one."""
        if not self.count:
            self.first = text
        self.count += 1

    def say(self, total: int, what: str) -> str:
        """Make a sentence of it, such as ``2 of 9 images cannot be decoded; first record 3 at byte 99: …``."""
        thing, _, rest = what.partition(" ")
        return f"{self.count} of {total} {thing} {rest}; first {self.first.removesuffix('.')}."
