"""Names that look alike are the same name: of slides, patients and classes."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from slidekit.wording import cell_text

__all__ = ["settle_name", "settle_text"]

_UNSEEN = re.compile("[\u200b\u2060\ufeff]")
"""Zero-width space, word joiner, byte-order mark; joiners of letters are spelling in some scripts."""

_SPACES = re.compile("[\u00a0\u2007\u202f]")
"""Spaces at which no line is broken."""


def settle_text(text: str) -> str:
    """Write a text in one form: accents composed (NFC), unseen characters left out, spaces plain and none around it."""
    if text.isascii():
        return text.strip()
    return unicodedata.normalize("NFC", _SPACES.sub(" ", _UNSEEN.sub("", text))).strip()


def settle_name(value: Any) -> str:
    """Name that a value of a table or dict states, in one form: 7 and 7.0 are ``7``; what is missing is ``""``."""
    return settle_text(value if isinstance(value, str) else cell_text(value))
