"""Whether a sensor still accepts the keys that this computer has for it, and what the system says of its bond.

Knows: what a refused key looks like through bleak; BlueZ's record of a device. Must never know: who asks, what is
remembered of a sensor, whether the user consents.

A bond is stale where one side has lost its keys: nearly always a sensor that was reset. What another device that poses
as the sensor brings about looks the same, so the keys are never thrown away without asking.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from bleak.backends.device import BLEDevice

from companion.errors import BluetoothOff, KeysRefused, LinkError
from companion.link.agent import properties_of

MEND = "If it was reset, this mends it: posture pair --forget"


def keys_refused() -> KeysRefused:
    """The sensor does not accept this computer's keys."""
    return KeysRefused(
        "The sensor does not accept the keys that this computer has for it: it was reset, or another one poses as it.",
        MEND,
    )


def service_died(*, bonded: bool) -> BluetoothOff:
    """BlueZ ended while it connected; `bonded`: to a sensor that it has keys for.

    That can be the keys' fault: with Linux 6.1.192 of Debian 12, a refused key makes the kernel stumble and BlueZ die.
    """
    start = "Start it again (on Linux: sudo systemctl start bluetooth)"
    forget = "; if the sensor was reset, then: posture pair --forget" if bonded else ", then try again."
    return BluetoothOff(
        "The Bluetooth service of this computer stopped while it connected to the sensor.", start + forget
    )


def is_stale_bond(error: BaseException | None) -> bool:
    """Whether an error, or what it came of, says that this computer's keys are no longer accepted.

    For who keeps a link: `SensorLink.open` raises `KeysRefused` (exit code 4, with the command that mends it as hint)
    where the bond is stale. Trying again does not mend it; only the user's `posture pair --forget` does, or
    the real sensor where another one posed as it.
    """
    while error is not None and not isinstance(error, KeysRefused):
        error = error.__cause__
    return error is not None


class Bond(Enum):
    """What the system says of its keys for a device."""

    BONDED = "bonded"  # it has them, and keeps them
    PAIRED = "paired"  # it has them for this connection
    OPEN = "open"  # it has none: the link is in the clear
    UNKNOWN = "unknown"  # it does not tell


async def bond_with(device: BLEDevice) -> Bond:
    """What the system says now; only BlueZ tells, and not whether the keys came by LE Secure Connections.

    Raises LinkError where it tells and cannot be reached.
    """
    path = bluez_path(device)
    if path is None:
        return Bond.UNKNOWN
    known = await properties_of(path)
    if not known.get("Paired", False):
        return Bond.OPEN
    return Bond.BONDED if known.get("Bonded", True) else Bond.PAIRED  # older ones have no Bonded


def is_bonded(device: BLEDevice) -> bool:
    """Whether the system had keys for a device when it was seen; False where it does not tell (all but Linux)."""
    known = _of_bluez(device).get("props", {})
    return bool(known.get("Bonded", known.get("Paired", False)))


def bluez_path(device: BLEDevice) -> str | None:
    """The device's path on D-Bus; None where it was not seen by BlueZ."""
    path = _of_bluez(device).get("path")
    return path if isinstance(path, str) else None


def _of_bluez(device: BLEDevice) -> Mapping[str, Any]:
    """What bleak keeps of a device on Linux; elsewhere these details are something else."""
    return device.details if isinstance(device.details, dict) else {}


def names_lost_keys(error: LinkError) -> bool:
    """Whether the system itself said that the sensor has lost its keys (macOS does, in these words)."""
    return "peer removed pairing information" in str(error.__cause__).lower()
