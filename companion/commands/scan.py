"""`posture scan`: the sensors in range, best signal first.

Knows: radios, what was found. Must never know: connections, sessions.
"""

import asyncio
import json
import sys
from typing import TYPE_CHECKING

from companion.commands.air import Act, act_of, on_air
from companion.commands.options import ScanOptions

if TYPE_CHECKING:
    from companion.link.scan import Found

_HEAD = f"{'signal':>8}  {'name':<24}  {'address':<17}  {'driver':<12}  battery"


def run(options: ScanOptions) -> None:
    """Listen, then list what was heard: data on stdout, remarks on stderr."""
    act = act_of(options.simulation)
    found = asyncio.run(_heard(act, options.timeout_s))
    if options.style == "json":
        for each in found:
            print(_as_json(each))
        return
    known = [each for each in found if each.driver is not None]
    if known:
        print(_HEAD)
    for each in known:
        print(_as_text(each))
    others = len(found) - len(known)
    if not known:
        print(f"no sensor that this program knows was seen within {options.timeout_s:g} s.", file=sys.stderr)
        print("Switch the sensor on, bring it nearer, and end what else is connected to it.", file=sys.stderr)
    if others:
        print(f"{others} other Bluetooth devices are in range; --json lists them too.", file=sys.stderr)


async def _heard(act: Act | None, timeout_s: float) -> "list[Found]":
    from companion.link.scan import scan

    async with on_air(act) as air:
        return await scan(air.radio, timeout_s)


def _as_json(found: "Found") -> str:
    fields = {
        "address": found.address,
        "name": found.name,
        "rssi_dbm": found.rssi,
        "driver": found.driver,
        "battery_pct": found.battery,
    }
    return json.dumps(fields, ensure_ascii=False)


def _as_text(found: "Found") -> str:
    signal = "–" if found.rssi is None else f"{found.rssi} dBm"
    battery = "–" if found.battery is None else f"{found.battery:.0f} %"
    return f"{signal:>8}  {found.name or '–':<24}  {found.address:<17}  {found.driver or '–':<12}  {battery}"
