"""`posture scan`: the sensors in range, best signal first, and what is known to be of no use to this program.

Knows: radios, what was found. Must never know: connections, sessions.
"""

import json
import sys
import textwrap
from typing import TYPE_CHECKING

from companion.commands.air import Act, act_of, carried_out, on_air
from companion.commands.options import ScanOptions
from companion.text import printable

if TYPE_CHECKING:
    from companion.link.scan import Found

_HEAD = f"{'signal':>8}  {'name':<24}  {'address':<17}  {'driver':<12}  battery"
_NAME_LETTERS = 24
_WIDTH = 80


def run(options: ScanOptions) -> None:
    """Listen, then list what was heard: data on stdout, remarks on stderr."""
    act = act_of(options.simulation)
    if sys.stderr.isatty():
        print(f"listening for {options.timeout_s:g} s ...", file=sys.stderr)
    found = carried_out(_heard(act, options.timeout_s))
    if options.style == "json":
        for each in found:
            print(_as_json(each))
        return
    for line in _table(found):
        print(line)
    if not any(each.driver for each in found):
        print(f"no sensor that this program knows was seen within {options.timeout_s:g} s.", file=sys.stderr)
        print("Switch the sensor on, bring it nearer, and end what else is connected to it.", file=sys.stderr)
    others = sum(each.driver is None and each.unusable is None for each in found)
    if others:
        print(f"{others} other Bluetooth devices are in range; --json lists them too.", file=sys.stderr)


async def _heard(act: Act | None, timeout_s: float) -> "list[Found]":
    from companion.link.scan import scan

    async with on_air(act) as air:
        return await scan(air.radio, timeout_s)


def _table(found: "list[Found]") -> list[str]:
    """What a driver takes; then what none can use, and why."""
    usable = [each for each in found if each.driver is not None]
    lines = [_HEAD, *map(_as_text, usable)] if usable else []
    for each in found:
        if each.unusable is not None:
            lines += [_as_text(each).rstrip(), *_indented(each.unusable.reason)]
    return lines


def _indented(sentence: str) -> list[str]:
    space = " " * 10
    return textwrap.wrap(sentence, _WIDTH, initial_indent=space, subsequent_indent=space)


def _as_json(found: "Found") -> str:
    fields = {
        "address": found.address,
        "name": found.name,
        "rssi_dbm": found.rssi,
        "driver": found.driver,
        "confidence": found.confidence,
        "battery_pct": found.battery,
        "unusable": None if found.unusable is None else found.unusable.reason,
    }
    return json.dumps(fields, ensure_ascii=False)


def _as_text(found: "Found") -> str:
    signal = "–" if found.rssi is None else f"{found.rssi} dBm"
    battery = "–" if found.battery is None else f"{found.battery:.0f} %"
    name = printable(found.name, _NAME_LETTERS) or "–"
    if found.unusable is not None:
        return f"{signal:>8}  {name:<24}  {found.address}  no driver"
    return f"{signal:>8}  {name:<24}  {found.address:<17}  {found.driver or '–':<12}  {battery}"
