"""Reads the tables of golden bytes in `vectors/`: one file for each driver, with the same shape for all.

    names           short names of characteristics, used below in place of UUIDs
    vectors         name, source, frames, expected
    scripts         name, script ("start", "stop" or "battery"), rate_hz, steps with the answers given, refused
    advertisements  name, advertisement, match

A frame is ["notification" | "reading" | "written", characteristic, hex], ["link up"], ["link down"] or
["advertisement", {...}]. A step is ["write", characteristic, hex], ["subscribe", characteristic], or
["read" | "await", characteristic, hex of the answer]. In an advertisement, `manufacturer` is {"0x000D": hex},
`service_data` {uuid: hex}, `services` a list of UUIDs.

`expected`: acc_g, acc_mg or acc_mps2; gyr_dps or gyr_radps; t_device_ns, index, flags: each a list with an entry for
every sample, or {place: entry} for some of them. samples: how many. gyroscope: false. segments_hz: the rates of the
segments that began. battery_pct, volts. malformed, lost, duplicates: counts, 0 where they are not given. Values agree
to 2 in a million.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import firmware_protocol as fp

FOLDER = Path(__file__).parent / "vectors"
STEP_NS = 10_000_000
_KINDS = {"notification": fp.Notification, "reading": fp.Reading, "written": fp.Written}


def table(driver: str) -> dict[str, Any]:
    """The table of a driver; empty where there is none."""
    file = FOLDER / f"{driver}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def names() -> list[str]:
    """The drivers that have a table."""
    return sorted(file.stem for file in FOLDER.glob("*.json"))


def every(kind: str) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each entry of this kind of every table: an id, the table, the entry."""
    for name in names():
        whole = table(name)
        for entry in whole.get(kind, ()):
            yield f"{name}: {entry['name']}", whole, entry


def frames(whole: dict[str, Any], listed: list[Any], t_host_ns: int = 0) -> list[fp.Frame]:
    """The frames of a vector, 10 ms apart from `t_host_ns` on."""
    return [_frame(whole, each, t_host_ns + k * STEP_NS) for k, each in enumerate(listed)]


def sound_frames(driver: str, seed: int) -> list[fp.Frame]:
    """Frames that the driver's sensor might send: its vectors without anything malformed, some of them, in turn."""
    whole, made = table(driver), list[fp.Frame]()
    sound = [each for each in whole.get("vectors", ()) if not each["expected"].get("malformed", 0)]
    for k in range(1 + seed % 5 if sound else 0):
        made.append(fp.LinkUp(t_host_ns=len(made) * STEP_NS, address=""))
        made += frames(whole, sound[(seed // 7 + k) % len(sound)]["frames"], len(made) * STEP_NS)
    return made


def _frame(whole: dict[str, Any], listed: list[Any], t_host_ns: int) -> fp.Frame:
    kind = listed[0]
    if kind == "link up":
        return fp.LinkUp(t_host_ns=t_host_ns, address="")
    if kind == "link down":
        return fp.LinkDown(t_host_ns=t_host_ns, cause="")
    if kind == "advertisement":
        return advertisement(listed[1], t_host_ns)
    data = bytes.fromhex(listed[2])
    made: fp.Frame = _KINDS[kind](t_host_ns=t_host_ns, characteristic=uuid(whole, listed[1]), data=data)
    return made


def advertisement(given: dict[str, Any], t_host_ns: int = 0) -> fp.Advertisement:
    """An advertisement: address, name, manufacturer_data {"0x0499": hex}, service_data {uuid: hex}, service_uuids."""
    return fp.Advertisement(
        t_host_ns=t_host_ns,
        address=given.get("address", "C0:00:00:00:00:01"),
        name=given.get("name"),
        manufacturer_data={int(key, 16): bytes.fromhex(value) for key, value in given.get("manufacturer", {}).items()},
        service_data={key: bytes.fromhex(value) for key, value in given.get("service_data", {}).items()},
        service_uuids=tuple(given.get("services", ())),
    )


def uuid(whole: dict[str, Any], name: str) -> str:
    """The UUID of a characteristic's short name."""
    found: str = whole["names"].get(name, name)
    return found
