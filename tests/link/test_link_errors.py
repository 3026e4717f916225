"""Every exception of bleak, D-Bus and the system becomes one sentence with a hint and an exit code."""

import inspect
from collections.abc import Iterator

import bleak.exc
import dbus_fast.errors
import pytest
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakCharacteristicNotFoundError,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
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
from companion.link.errors import BY_DBUS_NAME, BY_REASON, BY_TYPE, link_errors, translated

Reason = BleakBluetoothNotAvailableReason


def kinds_of(kind: type[BleakError]) -> Iterator[type[BleakError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from kinds_of(narrower)


def test_every_kind_that_bleak_has_is_in_the_table():
    known = {member for _, member in inspect.getmembers(bleak.exc, inspect.isclass) if issubclass(member, Exception)}
    assert set(kinds_of(BleakError)) | known == set(BY_TYPE)


def test_every_reason_for_no_bluetooth_is_in_the_table():
    assert set(BY_REASON) == set(Reason)


def dbus(name: str, *details: str) -> BleakDBusError:
    return BleakDBusError(name, list(details))


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (BleakBluetoothNotAvailableError("x", Reason.NO_BLUETOOTH), BluetoothOff, 3),
        (BleakBluetoothNotAvailableError("x", Reason.NO_BLE_CENTRAL_ROLE), BluetoothOff, 3),
        (BleakBluetoothNotAvailableError("x", Reason.POWERED_OFF), BluetoothOff, 3),
        (BleakBluetoothNotAvailableError("x", Reason.DENIED_BY_USER), PermissionMissing, 3),
        (BleakBluetoothNotAvailableError("x", Reason.DENIED_BY_SYSTEM), PermissionMissing, 3),
        (BleakBluetoothNotAvailableError("x", Reason.DENIED_BY_UNKNOWN), PermissionMissing, 3),
        (BleakBluetoothNotAvailableError("x", Reason.UNKNOWN), BluetoothOff, 3),
        (BleakDeviceNotFoundError("AA:BB"), DeviceNotFound, 2),
        (BleakCharacteristicNotFoundError("1234"), LinkError, 4),
        (BleakError("Service Discovery has not been performed yet"), ConnectionLost, 4),
        (BleakError("Not connected"), ConnectionLost, 4),
        (BleakGATTProtocolError(0x05), PairingRefused, 4),
        (BleakGATTProtocolError(0x08), PairingRefused, 4),
        (BleakGATTProtocolError(0x0C), PairingRefused, 4),
        (BleakGATTProtocolError(0x0F), PairingRefused, 4),
        (BleakGATTProtocolError(0x0E), LinkError, 4),
        (BleakGATTProtocolError(0x77), LinkError, 4),
        (dbus("org.bluez.Error.AuthenticationFailed"), PairingRefused, 4),
        (dbus("org.bluez.Error.Failed", "br-connection-canceled"), ConnectionLost, 4),
        (dbus("org.bluez.Error.Failed", "Input/output error"), ConnectionLost, 4),
        (dbus("org.bluez.Error.InProgress"), BluetoothBusy, 3),
        (dbus("org.bluez.Error.NotReady"), BluetoothOff, 3),
        (dbus("org.bluez.Error.DoesNotExist"), DeviceNotFound, 2),
        (dbus("org.bluez.Error.SomethingNew", "of a later version"), ConnectionLost, 4),
        (dbus("org.freedesktop.DBus.Error.ServiceUnknown"), BluetoothOff, 3),
        (dbus("org.freedesktop.DBus.Error.Spawn.ExecFailed"), BluetoothOff, 3),
        (dbus("org.freedesktop.DBus.Error.Spawn.ServiceNotFound"), BluetoothOff, 3),
        (dbus("org.freedesktop.DBus.Error.AccessDenied"), PermissionMissing, 3),
        (dbus("org.freedesktop.DBus.Error.NoReply"), ConnectionLost, 4),
        (dbus("org.freedesktop.DBus.Error.UnknownObject"), DeviceNotFound, 2),
        (TimeoutError(), ConnectionLost, 4),
        (FileNotFoundError(2, "No such file or directory"), BluetoothOff, 3),
        (ConnectionRefusedError(111, "Connection refused"), BluetoothOff, 3),
        (ConnectionResetError(104, "Connection reset by peer"), BluetoothOff, 3),
        (EOFError(), BluetoothOff, 3),
        (OSError(-2147020577, "The device is not ready for use"), BluetoothOff, 3),
        (PermissionError(13, "Permission denied"), PermissionMissing, 3),
        (dbus_fast.errors.InvalidAddressError("no bus"), BluetoothOff, 3),
        (dbus_fast.errors.AuthError("refused"), BluetoothOff, 3),
    ],
)
def test_an_exception_is_translated(error: Exception, kind: type[LinkError], code: int):
    meant = translated(error)
    assert type(meant) is kind
    assert meant.exit_code == code
    assert_reads_well(meant)


@pytest.mark.parametrize("name", sorted(BY_DBUS_NAME))
def test_every_d_bus_name_in_the_table_reads_well(name: str):
    meant = translated(dbus(name, "details"))
    assert meant is not None
    assert_reads_well(meant)


def assert_reads_well(meant: LinkError) -> None:
    sentence = str(meant)
    assert sentence.endswith(".")
    assert sentence[0].isupper()
    assert sentence.count(". ") == 0
    assert sentence.isprintable()
    assert meant.hint.endswith(".")
    assert len(sentence) <= 120


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyError("k"), RuntimeError("r"), NotImplementedError()])
def test_a_bug_stays_a_bug(error: Exception):
    assert translated(error) is None
    with pytest.raises(type(error)), link_errors():
        raise error


def test_inside_the_guard_the_cause_is_kept_and_link_errors_pass():
    with pytest.raises(ConnectionLost) as caught, link_errors():
        raise BleakError("Not connected")
    assert isinstance(caught.value.__cause__, BleakError)
    ours = PairingRefused("No.", "Try again.")
    with pytest.raises(PairingRefused) as again, link_errors():
        raise ours
    assert again.value is ours


def test_what_a_sensor_says_in_a_refusal_is_named():
    assert str(translated(BleakGATTProtocolError(0x0E))) == "The sensor refused a request (Unlikely Error)."
