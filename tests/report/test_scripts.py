from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.report.scripts import MISSING_GLYPH, display_text, printable


def test_decomposed_accents_are_composed():
    assert printable("e\u0301 か\u3099") == "é が"


@pytest.mark.parametrize(
    ("text", "expected"), [("a\nb\tc", "a b c"), ("a\x07b", f"a{MISSING_GLYPH}b"), ("a\udcffb", f"a{MISSING_GLYPH}b")]
)
def test_what_a_pdf_cannot_carry_is_replaced(text, expected):
    assert printable(text) == expected


def test_latin_and_japanese_text_is_left_alone():
    assert display_text("slide 3 (胃生検)") == "slide 3 (胃生検)"


def test_hebrew_is_drawn_from_right_to_left_inside_latin_text():
    assert display_text("HE אבג 12") == "HE גבא 12"


def test_numbers_and_brackets_inside_hebrew_keep_their_sense():
    assert display_text("אב 12 (גד)") == "(דג) 12 בא"


def test_arabic_letters_are_joined_by_their_place_in_the_word():
    # beh-beh-beh: initial, medial, final forms, drawn from the right.
    assert display_text("\u0628\u0628\u0628") == "\ufe90\ufe92\ufe91"


def test_arabic_letters_that_do_not_join_forward_end_a_joint():
    # dal joins only to the letter before it.
    assert display_text("\u0628\u062f\u0628") == "\ufe8f\ufeaa\ufe91"


def test_lam_alef_becomes_one_glyph():
    assert display_text("\u0644\u0627") == "\ufefb"


@settings(deadline=None)
@given(st.text(st.characters(whitelist_categories=("Lo", "Ll", "Nd", "Zs")), max_size=20))
def test_drawing_order_loses_and_adds_no_letter(text):
    def letters(text):
        return sorted(unicodedata.normalize("NFKC", text))

    assert letters(display_text(text).translate(str.maketrans("()", ")("))) == letters(printable(text))
