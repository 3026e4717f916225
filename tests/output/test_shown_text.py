"""Text from outside: printable, in NFC, short; and JSON that hides nothing and shows nothing dangerous."""

import json
import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.text import json_text, printable, printable_path


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Clip", "Clip"),
        ("e\u0301", "é"),
        ("e\u200d\u0301", "é"),  # joined only after the invisible joiner is gone
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("a\x9b31mb", "a31mb"),
        ("\u202eevil\u2069", "evil"),
        ("[red]name[/red]", "[red]name[/red]"),
        ("tab\there\nline\rend", "tab here line end"),
        ("no\u00a0break\u3000space", "no break space"),
        ("  padded  ", "padded"),
        ("\ud800lone", "lone"),
        ("x" * 40, "x" * 40),
        ("x" * 41, "x" * 39 + "…"),
        ("", ""),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(), st.integers(1, 60))
def test_printable_keeps_its_promises(text: str, longest: int) -> None:
    shown = printable(text, longest)
    assert len(shown) <= longest
    assert shown.isprintable()
    assert unicodedata.is_normalized("NFC", shown)
    assert printable(shown, longest) == shown


def test_a_path_is_shown_in_full() -> None:
    assert printable_path("/tmp/" + "x" * 100) == "/tmp/" + "x" * 100
    assert printable_path("/tmp/a\x1bb\u202ec\udcff") == "/tmp/a\ufffdb\ufffdc\ufffd"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(json_values)
def test_json_reads_back_and_is_printable(value: object) -> None:
    text = json_text(value)
    assert text.isprintable()
    assert json.loads(text) == value


def test_json_keeps_letters_and_escapes_the_rest() -> None:
    assert json_text({"a": "é\u009b\u202e", "b": "\U000e0001"}) == '{"a":"é\\u009b\\u202e","b":"\\udb40\\udc01"}'
    assert json_text([math.nan, math.inf, 1.5, (True, None)]) == "[null,null,1.5,[true,null]]"
