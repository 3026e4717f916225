"""`posture devices`: the drivers, what their sensors give, and how sure we are of each.

Knows: the registry of drivers, lines of 80 letters. Must never know: radios, any one maker.
"""

import textwrap
from collections.abc import Iterator

from companion.commands.options import DevicesOptions
from companion.errors import UsageError
from companion.text import json_text
from firmware_protocol.drivers import Driver, drivers

NOT_A_DEVICE = "imported"
"""The driver of what was recorded elsewhere."""
_WIDTH = 80
_INDENT = 13
_RATE = 9


def run(options: DevicesOptions) -> None:
    """Print a table, or one JSON object a line; all of them, or the one that is named."""
    listed = [each for each in drivers() if each.name != NOT_A_DEVICE]
    if options.name is not None:
        names = ", ".join(each.name for each in listed)
        listed = [each for each in listed if each.name == options.name]
        if not listed:
            raise UsageError(f"there is no driver {options.name!r}.", f"There are: {names}.")
    if options.as_json:
        for each in listed:
            print(_as_json(each))
        return
    for line in _table(listed):
        print(line)


def _as_json(driver: Driver) -> str:
    about = driver.about
    fields = {
        "name": driver.name,
        "title": about.title,
        "gives": list(about.gives),
        "rate_hz": None if driver.usual_rate_hz is None else float(driver.usual_rate_hz),
        "rates_hz": [float(rate_hz) for rate_hz in about.rates_hz],
        "confidence": str(about.confidence),
        "notes": list(about.notes),
        "longest_interval_s": driver.longest_interval_s,
        "pairing": driver.pairing.value,
    }
    return json_text(fields)


def _table(listed: list[Driver]) -> Iterator[str]:
    """Per driver a line of name, gives and rate; under it its title, how it is known, and its notes."""
    yield f"{'driver':<{_INDENT}}{'gives':<{_WIDTH - _INDENT - _RATE}}{'rate':>{_RATE}}"
    for number, driver in enumerate(listed):
        if number:
            yield ""
        about = driver.about
        room = _WIDTH - _INDENT - _RATE
        first, *rest = textwrap.wrap(", ".join(about.gives), room - 1) or [""]
        yield f"{driver.name:<{_INDENT - 1}} {first:<{room}}{_rate_words(driver):>{_RATE}}"
        yield from (" " * _INDENT + line for line in rest)
        yield from _wrapped(f"{about.title}; known from {about.confidence}.", "")
        for note in about.notes:
            yield from _wrapped(note, "- ")


def _wrapped(text: str, mark: str) -> list[str]:
    space = " " * _INDENT
    return textwrap.wrap(
        text, _WIDTH, initial_indent=space + mark, subsequent_indent=space + " " * len(mark), break_on_hyphens=False
    )


def _rate_words(driver: Driver) -> str:
    return "its own" if driver.usual_rate_hz is None else f"{driver.usual_rate_hz:.3g} Hz"
