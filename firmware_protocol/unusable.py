"""Devices that are recognised though no driver can use them, each with the reason in one sentence.

Names and company numbers stand in the makers' documents and in other people's clients; those of BTHome's first version
in the parser of bthome-ble. Pure. Must never know: radios, what is done with a device.
"""

import struct
from collections.abc import Callable

from firmware_protocol.drivers import Unusable, drivers
from firmware_protocol.frames import Advertisement

UPRIGHT_COMPANY = 0x0735
LUMO_COMPANY = 0x0251
ESPRUINO_COMPANY = 0x0590
RUUVI_COMPANY = 0x0499
RUUVI_FORMAT = 5
"""The data format that our driver reads (RAWv2)."""
BTHOME_SERVICE = "0000fcd2-0000-1000-8000-00805f9b34fb"
BTHOME_VERSION = 2
BTHOME_1_SERVICES = ("0000181c-0000-1000-8000-00805f9b34fb", "0000181e-0000-1000-8000-00805f9b34fb")
"""What version 1 had instead, without and with encryption."""

_RUUVI_AXES = struct.Struct(">7x3h11x")
_RUUVI_MISSING = -0x8000  # "not available"
_ENCRYPTED = 1


def unusable(advertisement: Advertisement) -> Unusable | None:
    """What an advertisement is of, where it is known that no driver can use it; else None.

    A board that people program themselves is usable where it advertises a service that a driver is certain of.
    """
    name = (advertisement.name or "").casefold()
    found = _finished(name, advertisement)
    if found is not None or any(each.match(advertisement) == 1.0 for each in drivers()):
        return found
    return _programmed(name, advertisement)


def _finished(name: str, advertisement: Advertisement) -> Unusable | None:
    """A product that does what it does, whatever else it advertises."""
    if name.startswith(("uprightgo", "upright go")) or UPRIGHT_COMPANY in advertisement.manufacturer_data:
        return UPRIGHT_GO
    if LUMO_COMPANY in advertisement.manufacturer_data:
        return LUMO_LIFT
    named = next((what for prefixes, what in _FINISHED if name.startswith(prefixes)), None)
    return named or next((what for each in _RULES if (what := each(advertisement)) is not None), None)


def _programmed(name: str, advertisement: Advertisement) -> Unusable | None:
    """A board or an earable with firmware that no driver speaks."""
    if ESPRUINO_COMPANY in advertisement.manufacturer_data:
        return ESPRUINO
    return next((what for prefixes, what in _PROGRAMMED if name.startswith(prefixes)), None)


def _wit(advertisement: Advertisement) -> Unusable | None:
    """WIT's other sensors have names like those with motion, and the same service."""
    name = (advertisement.name or "").casefold()
    return WTVB if "wtvb" in name else SDCL if "wt901sdcl" in name else None


def _ruuvi(advertisement: Advertisement) -> Unusable | None:
    data = advertisement.manufacturer_data.get(RUUVI_COMPANY)
    if data is None:
        return None
    if data[:1] != bytes([RUUVI_FORMAT]):
        sends = f"sends data format {data[0]}" if data else "sends no data"
        return Unusable("Ruuvi", f"This Ruuvi sensor {sends}, and only format {RUUVI_FORMAT} (RAWv2) is read.")
    whole = len(data) == _RUUVI_AXES.size
    return RUUVI_WITHOUT_MOTION if whole and _RUUVI_MISSING in _RUUVI_AXES.unpack(data) else None


def _bthome(advertisement: Advertisement) -> Unusable | None:
    data = advertisement.service_data.get(BTHOME_SERVICE)
    if data is None:
        return _bthome_of_version(1) if any(uuid in advertisement.service_data for uuid in BTHOME_1_SERVICES) else None
    version = data[0] >> 5 if data else 0
    if version != BTHOME_VERSION:
        return _bthome_of_version(version)
    claimed = any(each.broadcasts and each.match(advertisement) > 0 for each in drivers())
    return None if claimed or data[0] & _ENCRYPTED else BTHOME_WITHOUT_MOTION


def _bthome_of_version(version: int) -> Unusable:
    return Unusable("BTHome", f"This sensor sends version {version} of BTHome, and only version 2 is read.")


UPRIGHT_GO = Unusable(
    "UPRIGHT GO",
    "The UPRIGHT GO's protocol is not published; writing to it without one can disable it, "
    "so this program leaves it alone.",
)
LUMO_LIFT = Unusable("Lumo Lift", "No protocol of the Lumo Lift has been published.")
WTVB = Unusable("WTVB", "WIT's WTVB sensors measure vibration and send no motion that a posture could be told from.")
SDCL = Unusable("WT901SDCL", "WIT's WT901SDCL is a recorder, whose frames no driver reads.")
RUUVI_WITHOUT_MOTION = Unusable("Ruuvi", "This Ruuvi sensor sends no acceleration.")
BTHOME_WITHOUT_MOTION = Unusable(
    "BTHome", "This BTHome sensor sends no motion: no acceleration with a direction, and no rotation."
)
ESPRUINO = Unusable("Espruino", "Boards with Espruino talk in text over a console, for which there is no driver yet.")

_FINISHED: tuple[tuple[tuple[str, ...], Unusable], ...] = (
    (("polar h7", "polar h9"), Unusable("Polar H7 or H9", "The Polar H7 and H9 send heart rate only, no motion.")),
    (
        ("jz-", "jiaozi-"),
        Unusable("Hipee", "The Hipee's protocol is only reverse-engineered, and there is no driver for it."),
    ),
)
_RULES: tuple[Callable[[Advertisement], Unusable | None], ...] = (_wit, _ruuvi, _bthome)
_PROGRAMMED: tuple[tuple[tuple[str, ...], Unusable], ...] = (
    (("puck.js", "bangle.js"), ESPRUINO),
    (
        ("nano33ble",),
        Unusable("Arduino Nano 33 BLE", "There is no driver yet for this sample firmware of the Arduino Nano 33 BLE."),
    ),
    (("esense",), Unusable("eSense", "There is no driver for eSense earables.")),
    (
        ("dfutarg",),
        Unusable("DfuTarg", "This sensor waits for a firmware update, as a Movesense does that is called DfuTarg."),
    ),
)
