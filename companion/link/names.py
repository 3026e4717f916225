"""Text from the air, made fit for a terminal. Pure; knows Unicode, nothing else."""

import unicodedata

MAX_NAME = 40


def printable_name(text: str | None) -> str:
    """A device's name with printable characters only: NFC, at most 40 characters, no control or direction
    marks.

    Controls, formatting and direction characters, surrogates, private and unassigned ones are left out;
    white space of any kind becomes one space. Empty where nothing is left.
    """
    kept = "".join(map(_printable, (text or "")[: MAX_NAME * 16]))
    return unicodedata.normalize("NFC", " ".join(kept.split()))[:MAX_NAME].strip()


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else ""
