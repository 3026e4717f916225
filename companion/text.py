"""Text from outside made fit to be shown: a name may hold escape sequences or bidirectional controls.

Pure. Knows: Unicode. Must never know: where a text comes from or where it is shown. The link uses it for names from
the air, the output for everything that it shows, the commands for messages.
"""

import json
import unicodedata
from collections.abc import Sequence
from typing import Protocol

LONGEST_NAME = 40
LONGEST_SENTENCE = 200
_REPLACEMENT = "\ufffd"


def printable(text: str, longest: int = LONGEST_NAME) -> str:
    """`text` in NFC on one line with at most `longest` characters, every one of them printable.

    Control characters (C0, C1), bidirectional and other invisible ones, surrogates and unassigned code
    points are left out; white space of any kind becomes one space. A longer text ends with an ellipsis.
    """
    # Only as much is looked at as can be shown: a hostile name may be megabytes long.
    seen = "".join(map(_shown, text[: 8 * longest]))
    kept = unicodedata.normalize("NFC", " ".join(seen.split()))
    return kept if len(kept) <= longest else kept[: longest - 1] + "…"


def _shown(char: str) -> str:
    if char.isprintable():
        return char
    return " " if char.isspace() else ""


class PathLike(Protocol):
    """A path object, without the room that paths come from."""

    def __fspath__(self) -> str:
        """The path as text."""
        ...


def printable_path(path: str | PathLike) -> str:
    """A path in full for people to read; what cannot be printed is shown as the replacement character."""
    text = path if isinstance(path, str) else path.__fspath__()
    return "".join(char if char.isprintable() else _REPLACEMENT for char in text)


def json_text(value: object) -> str:
    """`value` as JSON on one line, in real letters, with everything that is not printable escaped.

    Unlike `json.dumps(..., ensure_ascii=False)` this never puts C1, bidirectional or surrogate characters
    into the output, and still reads back as the same value. Numbers that are not finite become null.
    """
    text = json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"))
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if value - value == 0.0 else None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(item) for item in value]
    return value


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
