"""T1: whatever a device calls itself, what is shown is printable."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.link.names import MAX_NAME, printable_name

BIDI_AND_HIDDEN = "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\u061c\ufeff"


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (None, ""),
        ("", ""),
        ("Posture 1234", "Posture 1234"),
        ("  spaces  around ", "spaces around"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("\x1b]0;title\x07x", "]0;titlex"),
        ("c1 \x9b31m and \x85 next", "c1 31m and next"),
        ("nul\x00 del\x7f", "nul del"),
        ("line\nbreak\ttab\rreturn", "line break tab return"),
        (f"a{BIDI_AND_HIDDEN}b", "ab"),
        ("e\u0301", "\u00e9"),
        ("e\u200d\u0301", "\u00e9"),
        ("no\u00a0break\u3000wide\u2028line", "no break wide line"),
        ("\ud800half", "half"),
        ("private \ue000 use", "private use"),
        ("שלום 背 ü", "שלום 背 ü"),
        ("[red]markup[/red]", "[red]markup[/red]"),
        ("x" * 41, "x" * 40),
        ("x" * 39 + " y", "x" * 39),
        ("\u202e" * 10_000 + "late", ""),
    ],
)
def test_a_name_is_shown(told: str | None, shown: str):
    assert printable_name(told) == shown


@given(st.text(max_size=200))
def test_no_name_harms_a_terminal(told: str):
    shown = printable_name(told)
    assert shown.isprintable()
    assert len(shown) <= MAX_NAME
    assert unicodedata.is_normalized("NFC", shown)
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert printable_name(shown) == shown
