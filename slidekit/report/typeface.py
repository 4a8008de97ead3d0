"""Fonts of the PDF: DejaVu Sans, and IPAex Gothic for what it lacks, chosen glyph by glyph and embedded.

Both come with packages that slidekit needs anyway (matplotlib, matplotlib-fontja); their files are found without
importing the packages.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from slidekit.errors import ReportError
from slidekit.report.scripts import MISSING_GLYPH, display_text, printable

__all__ = ["base_font", "missing_glyphs", "shorten_middle", "text_runs", "text_width", "wrap"]

Run = tuple[str, str]

_REGULAR = "slidekit-DejaVuSans"
_BOLD = "slidekit-DejaVuSans-Bold"
_JAPANESE = "slidekit-IPAexGothic"
_LAST_PLAIN = 0xFFFF
_FILES = {
    _REGULAR: ("matplotlib", "mpl-data/fonts/ttf/DejaVuSans.ttf"),
    _BOLD: ("matplotlib", "mpl-data/fonts/ttf/DejaVuSans-Bold.ttf"),
    _JAPANESE: ("matplotlib_fontja", "fonts/ipaexg.ttf"),
}

# A line may end behind a space, a separator as names of slides have them, or any ideograph; not within a number,
# between it and its unit, nor within µm/px.
_ATOM = re.compile(
    r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]"
    r"|(?:[^\s_\-./,;\u2e80-\u9fff]|(?<=\d)[.,](?=\d)|(?<=\d) (?=%|µm|px)|(?<=µm)/(?=px))*[_\-./,;]*\s*|."
)


@cache
def _font(name: str) -> Any:
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFError, TTFont

    package, relative = _FILES[name]
    spec = find_spec(package)
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise ReportError(
            f"The package {package} with a font of the report is not installed.", mend="Install slidekit again."
        )
    path = Path(places[0]) / relative
    try:
        font = TTFont(name, str(path), shapable=False)
    except (OSError, TTFError) as error:
        raise ReportError(f"The font cannot be read: {error}", mend=f"Install {package} again.", path=path) from error
    _add_stand_ins(font.face)
    pdfmetrics.registerFont(font)
    return font


def _add_stand_ins(face: Any) -> None:
    """Give glyphs beyond U+FFFF a code in the private use area as well.

    reportlab writes five hex digits into the font's table of characters for them, which is no valid PDF. Codes are
    given in order, so that a PDF's bytes do not depend on what was drawn before.
    """
    free = (code for code in range(0xE000, 0xF900) if code not in face.charToGlyph)
    high = sorted(code for code in face.charToGlyph if code > _LAST_PLAIN)
    face.stand_ins = dict(zip(high, free, strict=False))
    for code, stand_in in face.stand_ins.items():
        face.charToGlyph[stand_in] = face.charToGlyph[code]
        face.charWidths[stand_in] = face.charWidths[code]


def _drawable(name: str, char: str) -> str:
    return char if ord(char) <= _LAST_PLAIN else chr(_font(name).face.stand_ins[ord(char)])


def base_font() -> str:
    """Name under which reportlab knows the regular face."""
    _font(_REGULAR)
    return _REGULAR


def _has(name: str, char: str) -> bool:
    face, code = _font(name).face, ord(char)
    return code in (face.charToGlyph if code <= _LAST_PLAIN else face.stand_ins)


@cache
def _font_of(char: str, bold: bool) -> str | None:
    first = _BOLD if bold else _REGULAR
    # The bold face has fewer glyphs than the regular one; a regular glyph is better than a box.
    return next((name for name in (first, _REGULAR, _JAPANESE) if _has(name, char)), None)


# Bounded: the sentences of ten thousand slides would otherwise stay in memory.
@lru_cache(maxsize=4096)
def _text_runs(text: str, bold: bool) -> tuple[Run, ...]:
    runs: list[Run] = []
    for char in display_text(text):
        name = _font_of(char, bold)
        if name is None:
            # A mark without glyph would be a box in the air: leave it out; anything else is shown as missing.
            if unicodedata.category(char) == "Mn":
                continue
            name, char = (_BOLD if bold else _REGULAR), MISSING_GLYPH
        char = _drawable(name, char)
        if runs and runs[-1][0] == name:
            runs[-1] = (name, runs[-1][1] + char)
        else:
            runs.append((name, char))
    return tuple(runs)


def text_runs(text: str, *, bold: bool = False) -> tuple[Run, ...]:
    """Split one line into stretches of one font each.

    Parameters
    ----------
    text
        One line in reading order.
    bold
        Use the bold face where it has the glyph.

    Returns
    -------
    tuple of (font name, characters)
        In drawing order; characters that no font has are `MISSING_GLYPH`.
    """
    return _text_runs(text, bold)


def missing_glyphs(text: str) -> tuple[str, ...]:
    """Characters of `text` that no font has, each once, in their order."""
    lacking = [c for c in printable(text) if _font_of(c, False) is None]
    return tuple(dict.fromkeys(lacking))


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Width of one line in points."""
    return float(sum(_font(name).stringWidth(run, size) for name, run in text_runs(text, bold=bold)))


def shorten_middle(text: str, size: float, width: float, *, bold: bool = False) -> str:
    """Shorten a line in its middle to fit `width` points: the ends of a slide's name tell it apart."""
    if text_width(text, size, bold=bold) <= width:
        return text
    fits, low, high = "…", 1, len(text) - 1
    while low <= high:
        keep = (low + high) // 2
        head = (keep + 1) // 2
        candidate = text[:head] + "…" + text[len(text) - (keep - head) :]
        if text_width(candidate, size, bold=bold) <= width:
            fits, low = candidate, keep + 1
        else:
            high = keep - 1
    return fits


def wrap(text: str, size: float, width: float, *, bold: bool = False, lines: int | None = None) -> list[str]:
    """Break text into lines no wider than `width` points.

    Parameters
    ----------
    text
        Text in reading order; line breaks in it are spaces.
    size
        Font size in points.
    width
        Width of the column in points.
    bold
        Measure with the bold face.
    lines
        At most so many lines; what is left is shortened in the middle of the last one.
    """
    out: list[str] = []
    rest = printable(text).strip()
    while rest:
        if lines is not None and len(out) == lines - 1:
            out.append(shorten_middle(rest, size, width, bold=bold))
            break
        line = _head_that_fits(rest, size, width, bold)
        out.append(line.rstrip())
        rest = rest[len(line) :].lstrip()
    return out or [""]


def _head_that_fits(text: str, size: float, width: float, bold: bool) -> str:
    if text_width(text, size, bold=bold) <= width:
        return text
    line = ""
    for match in _ATOM.finditer(text):
        longer = line + match[0]
        if text_width(longer.rstrip(), size, bold=bold) > width:
            break
        line = longer
    if line:
        return line
    # One word wider than the column: cut it where it must be.
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(text[:middle], size, bold=bold) <= width:
            low = middle
        else:
            high = middle - 1
    # A mark stays with its letter.
    while low < len(text) - 1 and unicodedata.combining(text[low]):
        low += 1
    return text[:low]
