"""Damage that can be named and done again: to any file, and to files of one kind. Nothing here depends on chance."""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from tests.robustness.file_hostile import hostile
from tests.robustness.file_hostile_records import hostile_records
from tests.robustness.file_samples import samples

__all__ = ["Case", "corpus", "share"]

BINARY = ("tfrecord", "index")


@dataclass(frozen=True)
class Case:
    """One damaged file.

    Attributes
    ----------
    kind
        What the file was, as in `samples`.
    damage
        What was done to it.
    file
        Its name.
    content
        Its bytes, made when they are asked for: some are large.
    """

    kind: str
    damage: str
    file: str
    content: Callable[[], bytes]

    def __str__(self) -> str:
        return f"{self.kind}: {self.damage}"


def corpus(*, large: bool = False) -> list[Case]:
    """All damaged files; with `large` also those that take seconds."""
    cases = []
    for kind, (file, whole) in samples().items():
        damages = [*_anywhere(kind, whole), *(() if kind in BINARY else _text(whole))]
        cases += [Case(kind, damage, file, partial(bytes, content)) for damage, content in damages]
    for kind, damage, make, big in (*hostile(), *hostile_records()):
        if large or not big:
            cases.append(Case(kind, damage, samples()[kind][0], make))
    return cases


def share(cases: list[Case], count: int) -> list[Case]:
    """An even part of the cases."""
    step = len(cases) / count
    return [cases[int(number * step)] for number in range(count)]


def _anywhere(kind: str, whole: bytes) -> Iterator[tuple[str, bytes]]:
    """Damage as disks and networks do it, to bytes of any meaning."""
    chance = random.Random(zlib.crc32(kind.encode()))
    size = len(whole)
    for percent in (1, 20, 50, 80, 97):
        yield f"cut off at {percent} %", whole[: size * percent // 100]
    yield "the last byte is gone", whole[:-1]
    for number in range(10):
        place, bit = chance.randrange(size), chance.randrange(8)
        yield f"bit {bit} of byte {place} flipped ({number})", _flip(whole, [(place, bit)])
    for number in range(3):
        places = [(chance.randrange(size), chance.randrange(8)) for _ in range(20)]
        yield f"twenty bits flipped ({number})", _flip(whole, places)
    for number in range(3):
        start = chance.randrange(size)
        end = start + chance.randrange(1, 60)
        yield f"bytes {start} to {end} missing ({number})", whole[:start] + whole[end:]
        yield f"bytes {start} to {end} twice ({number})", whole[:end] + whole[start:]
        yield f"bytes {start} to {end} zero ({number})", whole[:start] + bytes(len(whole[start:end])) + whole[end:]
    yield "empty", b""
    yield "zeros", bytes(size)
    yield "noise", random.Random(size).randbytes(size)
    yield "noise behind", whole + random.Random(size).randbytes(100)
    yield "the file twice", whole + whole
    yield "back to front", whole[::-1]


def _flip(whole: bytes, places: list[tuple[int, int]]) -> bytes:
    damaged = bytearray(whole)
    for place, bit in places:
        damaged[place] ^= 1 << bit
    return bytes(damaged)


def _text(whole: bytes) -> Iterator[tuple[str, bytes]]:
    """Damage as programs and people do it to texts."""
    text = whole.decode("utf-8-sig")
    lines = text.split("\n")
    chance = random.Random(zlib.crc32(whole))
    yield "UTF-16 with its mark", text.encode("utf-16")
    yield "UTF-16 without its mark", text.encode("utf-16-le")
    yield "UTF-32", text.encode("utf-32")
    yield "Latin-1", f"{text}\n".replace("a", "ä").encode("latin-1")
    yield "a mark in front", b"\xef\xbb\xbf" + whole
    yield "a NUL in front", b"\0" + whole
    yield "a NUL within", whole[: len(whole) // 2] + b"\0" + whole[len(whole) // 2 :]
    yield "a blank page", b" \r\n\t\n" * 50
    yield "line ends of old Macs", text.replace("\n", "\r").encode()
    for number in range(4):
        at = chance.randrange(len(lines))
        yield f"line {at + 1} missing ({number})", "\n".join(lines[:at] + lines[at + 1 :]).encode()
        yield f"line {at + 1} twice ({number})", "\n".join(lines[: at + 1] + lines[at:]).encode()
    yield "lines shuffled", "\n".join(chance.sample(lines, len(lines))).encode()
    yield "commas are semicolons", text.replace(",", ";").encode()
    yield "decimal commas", text.replace(".", ",").encode()
    yield "quotes are gone", text.replace('"', "").encode()
    for word in ("nan", "inf", "-1e308", "9" * 400, "9" * 6000, "true", "0x1F", "1_0"):
        yield f"numbers are {word[:8]}", _renumber(text, word).encode()


def _renumber(text: str, word: str) -> str:
    """Put a word in the place of every seventh number."""
    count = 0

    def change(found: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return word if count % 7 == 3 else found[0]

    return re.sub(r"-?\d+(?:\.\d+)?", change, text)
