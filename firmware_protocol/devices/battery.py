"""The standard Battery Service, which many sensors have beside their own.

Pure. Must never know: whose battery it is.
"""

from firmware_protocol.drivers import Battery, Malformed
from firmware_protocol.scripts import Read, Script, Subscribe

BATTERY_LEVEL = "00002a19-0000-1000-8000-00805f9b34fb"
"""Battery Level, one byte: per cent (Bluetooth SIG, assigned numbers)."""


def ask_battery() -> Script:
    """Subscribe to the level and read it; a sensor without one is let pass."""
    yield Subscribe(BATTERY_LEVEL, optional=True)
    yield Read(BATTERY_LEVEL, optional=True)


def battery_level(data: bytes, t_host_ns: int) -> Battery | Malformed | None:
    """What a value of Battery Level says; None: an optional read that was not answered."""
    if not data:
        return None
    if len(data) != 1 or data[0] > 100:
        return Malformed("a battery level is one byte from 0 to 100", data)
    return Battery(float(data[0]), t_host_ns=t_host_ns)
