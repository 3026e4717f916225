"""bleak's exceptions, translated in this one place into errors for people.

Knows: what bleak, D-Bus and the operating system raise. Must never know: what was being done for whom.
A bleak exception that is not in these tables fails a test.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakCharacteristicNotFoundError,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
    BleakGATTProtocolErrorCode,
)

from companion.errors import (
    BluetoothBusy,
    BluetoothOff,
    ConnectionLost,
    DeviceNotFound,
    LinkError,
    PairingRefused,
    PermissionMissing,
)
from companion.link.status import BLUETOOTH_OFF
from companion.text import printable

Maker: TypeAlias = Callable[[], LinkError]


_NEARER = (
    "Bring the sensor nearer, or switch it off and on; if it has been reset, "
    "remove it from the system's Bluetooth settings and run: posture pair."
)


def no_bluetooth() -> LinkError:
    """Bluetooth cannot be reached at all."""
    return BluetoothOff(
        "Bluetooth cannot be used on this computer: there is no adapter, or its service is not running.",
        "Plug in an adapter and start the Bluetooth service (on Linux: sudo systemctl start bluetooth), "
        "or try a simulated sensor with --simulated.",
    )


def _switched_off() -> LinkError:
    return BluetoothOff("Bluetooth is switched off.", "Switch it on in the system's settings, then try again.")


def unusable(trouble: str) -> LinkError:
    """What the system says is in the way, in the words of `status.py`, as an error."""
    return _switched_off() if trouble == BLUETOOTH_OFF else no_bluetooth()


def _no_central() -> LinkError:
    return BluetoothOff("This computer's Bluetooth adapter has no Low Energy.", "Plug in another adapter.")


def _not_allowed() -> LinkError:
    return PermissionMissing(
        "The operating system does not let this program use Bluetooth.",
        "Allow Bluetooth for your terminal in the system's privacy settings; "
        "on Linux, your user may have to be in the group bluetooth.",
    )


def lost() -> LinkError:
    """The link went while something was being done on it."""
    return ConnectionLost("The link to the sensor was lost.", _NEARER)


def no_answer() -> LinkError:
    """The sensor, or the system, took longer than it may."""
    return ConnectionLost("The sensor did not answer in time.", _NEARER)


def pairing_refused() -> LinkError:
    """Pairing failed, or one side no longer has the keys of an earlier pairing."""
    return PairingRefused(
        "The sensor and this computer could not agree on pairing.",
        "Remove the sensor from the system's Bluetooth settings, then run: posture pair.",
    )


def _busy() -> LinkError:
    return BluetoothBusy("Bluetooth is busy with another search.", "Close other Bluetooth programs, then try again.")


def _vanished() -> LinkError:
    return DeviceNotFound("The sensor is no longer in range.", "Bring it nearer and make sure that it is on.")


def _lacks() -> LinkError:
    return LinkError(
        "The sensor does not offer what its driver needs.", "It may be another model, or need other firmware."
    )


_Reason = BleakBluetoothNotAvailableReason
BY_REASON: Mapping[BleakBluetoothNotAvailableReason, Maker] = {
    _Reason.NO_BLUETOOTH: no_bluetooth,
    _Reason.NO_BLE_CENTRAL_ROLE: _no_central,
    _Reason.POWERED_OFF: _switched_off,
    _Reason.DENIED_BY_USER: _not_allowed,
    _Reason.DENIED_BY_SYSTEM: _not_allowed,
    _Reason.DENIED_BY_UNKNOWN: _not_allowed,
    _Reason.UNKNOWN: no_bluetooth,
}

_BLUEZ, _DBUS = "org.bluez.Error.", "org.freedesktop.DBus.Error."
BY_DBUS_NAME: Mapping[str, Maker] = {
    _BLUEZ + "NotReady": _switched_off,
    _BLUEZ + "NoSuchAdapter": no_bluetooth,
    _BLUEZ + "InProgress": _busy,
    _BLUEZ + "AuthenticationFailed": pairing_refused,
    _BLUEZ + "AuthenticationCanceled": pairing_refused,
    _BLUEZ + "AuthenticationRejected": pairing_refused,
    _BLUEZ + "AuthenticationTimeout": pairing_refused,
    _BLUEZ + "NotAuthorized": pairing_refused,
    _BLUEZ + "DoesNotExist": _vanished,
    _BLUEZ + "NotConnected": lost,
    _BLUEZ + "ConnectionAttemptFailed": lost,
    _BLUEZ + "NotAvailable": lost,
    _BLUEZ + "Failed": lost,
    _BLUEZ + "NotSupported": _lacks,
    _BLUEZ + "NotPermitted": _lacks,
    _BLUEZ + "InvalidArguments": _lacks,
    _DBUS + "UnknownObject": _vanished,
    _DBUS + "UnknownMethod": _vanished,  # what a device that BlueZ has forgotten answers
    _DBUS + "ServiceUnknown": no_bluetooth,
    _DBUS + "NameHasNoOwner": no_bluetooth,
    _DBUS + "Disconnected": no_bluetooth,
    _DBUS + "NoServer": no_bluetooth,
    _DBUS + "NoReply": no_answer,
    _DBUS + "Timeout": no_answer,
    _DBUS + "TimedOut": no_answer,
    _DBUS + "AccessDenied": _not_allowed,
    _DBUS + "AuthFailed": _not_allowed,
}

_Code = BleakGATTProtocolErrorCode
_SECURITY_CODES = frozenset(
    {
        _Code.INSUFFICIENT_AUTHENTICATION,
        _Code.INSUFFICIENT_AUTHORIZATION,
        _Code.INSUFFICIENT_ENCRYPTION,
        _Code.INSUFFICIENT_ENCRYPTION_KEY_SIZE,
    }
)


_NOT_PAIRED = "Not paired"  # how BlueZ words the same, as org.bluez.Error.NotPermitted


def asks_for_pairing(error: LinkError) -> bool:
    """Whether a request was refused because the link is not encrypted, as far as the system tells.

    BlueZ answers a protected read on a link that nobody has paired with "Unlikely Error" at times.
    """
    cause = error.__cause__
    if isinstance(cause, BleakGATTProtocolError):
        return cause.code in _SECURITY_CODES or cause.code is _Code.UNLIKELY_ERROR
    if isinstance(cause, BleakDBusError) and _NOT_PAIRED in (cause.dbus_error_details or ""):
        return True
    return isinstance(error, PairingRefused)


def _of_availability(error: BleakError) -> LinkError:
    assert isinstance(error, BleakBluetoothNotAvailableError)
    return BY_REASON[error.reason]()


def _of_dbus(error: BleakError) -> LinkError:
    assert isinstance(error, BleakDBusError)
    name = error.dbus_error
    if name.startswith(_DBUS + "Spawn."):  # the bus tried to start bluetoothd
        return no_bluetooth()
    return BY_DBUS_NAME.get(name, lost)()


def _of_gatt(error: BleakError) -> LinkError:
    assert isinstance(error, BleakGATTProtocolError)
    if error.code in _SECURITY_CODES:
        return pairing_refused()
    reason = printable(str(error.args[1]).removeprefix("GATT Protocol Error: "))
    return LinkError(f"The sensor refused a request ({reason}).", "Switch the sensor off and on, then try again.")


BY_TYPE: Mapping[type[BleakError], Callable[[BleakError], LinkError]] = {
    BleakError: lambda _: lost(),
    BleakBluetoothNotAvailableError: _of_availability,
    BleakCharacteristicNotFoundError: lambda _: _lacks(),
    BleakDeviceNotFoundError: lambda _: _vanished(),
    BleakDBusError: _of_dbus,
    BleakGATTProtocolError: _of_gatt,
}


def translated(error: Exception) -> LinkError | None:
    """What an exception means to the user; None where it is no affair of the link's, that is a bug of ours.

    Knows bleak's exceptions, time-outs, and what the operating system and its bus raise (`OSError`,
    `EOFError`, anything of dbus_fast).
    """
    if isinstance(error, LinkError):
        return error
    if isinstance(error, BleakError):
        return next(BY_TYPE[kind] for kind in type(error).__mro__ if kind in BY_TYPE)(error)
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return no_answer()
    if isinstance(error, PermissionError):
        return _not_allowed()
    if isinstance(error, OSError | EOFError) or _of_the_bus(error):
        return no_bluetooth()
    return lost() if _from_within(error) else None


def _of_the_bus(error: Exception) -> bool:
    """Whether dbus_fast raised it; asked by name, because only Linux has that package."""
    return any(kind.__module__.partition(".")[0] == "dbus_fast" for kind in type(error).__mro__)


def _from_within(error: Exception) -> bool:
    """Whether bleak or dbus_fast stumbled in their own code: over a link or a service that went under their hands.

    bleak asserts that there is a bus, and looks up what a signal has just removed.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__", ""))
    return where.partition(".")[0] in ("bleak", "dbus_fast")


@contextmanager
def link_errors() -> Iterator[None]:
    """Inside, what bleak and the system raise leaves as a `LinkError`; bugs leave as they are."""
    try:
        yield
    except Exception as error:
        meant = translated(error)
        if meant is None or meant is error:
            raise
        raise meant from error
