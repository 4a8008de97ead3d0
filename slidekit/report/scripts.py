"""Text as it is drawn: composed accents, Arabic letters joined, right-to-left words in their visual order.

reportlab draws code points one after the other from left to right. What a reader expects beyond that is prepared
here: the joining of Arabic letters (Unicode Standard, section 9.2, by the presentation forms) and the visual order
of right-to-left words inside left-to-right text (a subset of Unicode Annex 9 that is enough for names of slides).
"""

from __future__ import annotations

import unicodedata
from functools import cache

__all__ = ["MISSING_GLYPH", "display_text", "printable"]

MISSING_GLYPH = "\u25a1"
"""White square, drawn where a character cannot be."""

_RIGHT_TO_LEFT = frozenset({"R", "AL"})
_NUMBER = frozenset({"EN", "AN", "ES", "ET", "CS"})
_CLOSING = {")": "(", "]": "[", "}": "{"}
_LAM = "\u0644"
_FORMS = ("isolated", "final", "initial", "medial")


def printable(text: str) -> str:
    """Text without what a PDF cannot carry: composed (NFC), one line, control characters visible.

    Parameters
    ----------
    text
        Any string; names of files that are not valid UTF-8 hold lone surrogates.

    Returns
    -------
    str
        Line breaks and tabs become spaces; control characters and lone surrogates become `MISSING_GLYPH`; invisible
        format characters are left out, but for the joiners that some scripts need to be read aright.
    """
    kept = []
    for char in unicodedata.normalize("NFC", text):
        kind = unicodedata.category(char)
        if char in "\t\n\r\u2028\u2029":
            kept.append(" ")
        elif kind in ("Cc", "Cs"):
            kept.append(MISSING_GLYPH)
        elif kind != "Cf" and not "\ufe00" <= char <= "\ufe0f":
            kept.append(char)
    return "".join(kept)


def display_text(text: str) -> str:
    """The characters to draw, from left to right, for one line of text in reading order.

    Parameters
    ----------
    text
        One line, as it is stored.
    """
    text = printable(text)
    if text.isascii() or not any(unicodedata.bidirectional(char) in _RIGHT_TO_LEFT for char in text):
        return text
    return _visual_order(_join_arabic(text))


@cache
def _arabic_forms() -> dict[str, dict[str, str]]:
    """Letter (or lam-alef pair) to its presentation forms, from the Unicode database."""
    forms: dict[str, dict[str, str]] = {}
    for code in (*range(0xFB50, 0xFBFF), *range(0xFE70, 0xFEFD)):
        kind, *letters = unicodedata.decomposition(chr(code)).split() or [""]
        name = kind.strip("<>")
        plain = "".join(chr(int(letter, 16)) for letter in letters)
        if name in _FORMS and plain and (len(plain) == 1 or plain[0] == _LAM) and " " not in plain:
            forms.setdefault(plain, {}).setdefault(name, chr(code))
    return forms


def _join_arabic(text: str) -> str:
    forms = _arabic_forms()
    letters: list[str] = []
    for char in text:
        pair = letters[-1] + char if letters else ""
        if pair[:1] == _LAM and pair in forms:
            letters[-1] = pair
        else:
            letters.append(char)
    joined = []
    for place, letter in enumerate(letters):
        before = "initial" in forms.get(_neighbour(letters, place, -1), {})
        after = "final" in forms.get(_neighbour(letters, place, 1), {})
        own = forms.get(letter, {})
        left = after and "initial" in own
        right = before and "final" in own
        form = "medial" if left and right else "initial" if left else "final" if right else "isolated"
        joined.append(own.get(form, letter))
    return "".join(joined)


def _neighbour(letters: list[str], place: int, step: int) -> str:
    place += step
    # Marks sit on a letter and do not part it from the next.
    while 0 <= place < len(letters) and unicodedata.category(letters[place][0]) == "Mn":
        place += step
    return letters[place] if 0 <= place < len(letters) else ""


def _visual_order(text: str) -> str:
    drawn = []
    place = 0
    while place < len(text):
        if unicodedata.bidirectional(text[place]) not in _RIGHT_TO_LEFT:
            drawn.append(text[place])
            place += 1
            continue
        end = _end_of_words(text, place)
        drawn.append(_reverse(text[place:end]))
        place = end
    return "".join(drawn)


def _end_of_words(text: str, start: int) -> int:
    """Where a stretch of right-to-left words ends: after its last right-to-left letter before a Latin one."""
    end = start + 1
    for place in range(start, len(text)):
        kind = unicodedata.bidirectional(text[place])
        if kind == "L":
            break
        if kind in _RIGHT_TO_LEFT or (kind == "NSM" and place == end):
            end = place + 1
    # A closing bracket belongs to the words if its opening one stands among them (Annex 9, rule N0).
    while text[end : end + 1] in _CLOSING and _is_open(text[start:end], text[end]):
        end += 1
    return end


def _is_open(text: str, closing: str) -> bool:
    return text.count(_CLOSING[closing]) > text.count(closing)


def _reverse(text: str) -> str:
    """Reverse a right-to-left stretch, keeping numbers, and marks behind their letters, as they are."""
    pieces: list[str] = []
    for char in text:
        kind = unicodedata.bidirectional(char)
        in_number = pieces and kind in _NUMBER and unicodedata.bidirectional(pieces[-1][-1]) in _NUMBER
        if pieces and (kind == "NSM" or in_number):
            pieces[-1] += char
        else:
            pieces.append(char)
    mirrored = str.maketrans("()[]{}<>", ")(][}{><")
    return "".join(piece.translate(mirrored) for piece in reversed(pieces))
