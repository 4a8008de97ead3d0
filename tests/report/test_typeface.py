from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.report.scripts import MISSING_GLYPH, printable
from slidekit.report.typeface import missing_glyphs, shorten_middle, text_runs, text_width, wrap

TEXT = st.text(st.sampled_from("abcXYZ019_-. /,胃生検スキャンéß\u0301ا"), max_size=60)


def test_fonts_are_chosen_glyph_by_glyph():
    runs = text_runs("µ胃a")

    assert [run for _, run in runs] == ["µ", "胃", "a"]
    assert runs[0][0] == runs[2][0] != runs[1][0]


def test_a_character_that_no_font_has_is_a_visible_box_and_is_named():
    assert "".join(run for _, run in text_runs("a\U0001f9ecb")) == f"a{MISSING_GLYPH}b"
    assert missing_glyphs("a\U0001f9ecb\U0001f9ec胃") == ("\U0001f9ec",)


def test_a_glyph_beyond_the_basic_plane_is_drawn_by_a_code_that_a_pdf_can_hold():
    (name, run), *rest = text_runs("\U0002000b")

    assert rest == []
    assert "IPAex" in name
    assert 0xE000 <= ord(run) < 0xF900
    assert text_width("\U0002000b", 10) == pytest.approx(10)
    assert missing_glyphs("\U0002000b") == ()


@settings(deadline=None)
@given(TEXT, st.floats(30, 300))
def test_wrapped_lines_fit_and_lose_nothing_but_spaces(text, width):
    lines = wrap(text, 8, width)

    assert all(text_width(line, 8) <= width + 1e-6 or len(line) <= 3 for line in lines)
    assert "".join("".join(lines).split()) == "".join(printable(text).split())


@settings(deadline=None)
@given(TEXT, st.floats(30, 300))
def test_a_shortened_line_fits_and_keeps_both_ends(text, width):
    short = shorten_middle(text, 8, width)

    assert text_width(short, 8) <= width + 1e-6
    if short != text:
        head, _, tail = short.partition("…")
        assert text.startswith(head)
        assert text.endswith(tail)


def test_wrap_breaks_behind_separators_of_names():
    lines = wrap("TCGA-A2-A0T2-01Z-00-DX1", 8, 70)

    assert len(lines) > 1
    assert all(line.endswith("-") for line in lines[:-1])


def test_wrap_breaks_neither_numbers_nor_units():
    for width in range(64, 150):
        text = "|".join(wrap("sigma 1.508 µm/px, 1,234 of 20 %", 8, width))
        assert [part in text for part in ("1.508 µm/px,", "1,234", "20 %")] == [True] * 3


def test_wrap_keeps_to_a_number_of_lines():
    lines = wrap("word " * 100, 8, 100, lines=2)

    assert len(lines) == 2
    assert "…" in lines[1]


@pytest.mark.parametrize("text", ["", "   "])
def test_nothing_is_one_empty_line(text):
    assert wrap(text, 8, 100) == [""]
