"""What the link is doing, as a value that a screen may read from any thread, and the words for why it went.

Pure. Must never know: bleak, sensors, who asks.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from companion.errors import (
    BluetoothBusy,
    BluetoothOff,
    KeysRefused,
    LinkError,
    PairingRefused,
    PermissionMissing,
)
from firmware_protocol import ScriptRefused

LINK_LOST = "link lost"
NO_DATA = "connected, but no data come"
SILENT = "connected but silent"
NOT_HEARD = "not heard"
NO_ANSWER = "sensor did not answer"
PAIRING = "pairing refused"
REFUSED = "sensor not accepted"
FORGOTTEN = "the sensor no longer knows this computer"
BLUETOOTH_OFF = "bluetooth is off"
ADAPTER_GONE = "the bluetooth adapter is gone"
SERVICE_STOPPED = "the bluetooth service stopped"
NOT_ALLOWED = "bluetooth is not allowed"
BUSY = "bluetooth is busy with another search"


class LinkState(Enum):
    """What the supervisor is doing."""

    SCANNING = "scanning"  # for the first time
    CONNECTING = "connecting"
    STARTING = "starting"
    STREAMING = "streaming"
    LOST = "lost"  # looking for a sensor that was there before
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """A picture of the link for a screen. Times are on the host's boot-time clock."""

    state: LinkState = LinkState.SCANNING
    since_ns: int = 0  # when this state began
    attempt: int = 0  # tries since the sensor last streamed
    cause: str = ""  # why the link went, or why the last try failed
    lost_since_ns: int | None = None  # when the link went; None while it streams
    address: str = ""
    name: str = ""
    rssi: int | None = None  # dBm, when it was found


class Reporter:
    """Keeps the status; `on_status`, where there is one, is called in the radio's thread whenever it changes.

    `clock` is the host's boot-time clock in nanoseconds.
    """

    def __init__(self, clock: Callable[[], int], on_status: Callable[[LinkStatus], None] | None) -> None:
        self._clock = clock
        self._on_status = on_status
        self.status = LinkStatus(since_ns=clock())
        """The present picture; a value, safe to read from any thread."""

    def report(self, state: LinkState | None = None, **changes: object) -> None:
        """Change the state, where it is another, and fields of the status."""
        if state is not None and state is not self.status.state:
            changes |= {"state": state, "since_ns": self._clock()}
        self.status = replace(self.status, **changes)  # type: ignore[arg-type]  # fields are checked by replace
        if self._on_status is not None:
            self._on_status(self.status)

    @property
    def looking(self) -> LinkState:
        """The state of a search: for the first time, or for a sensor that was there before."""
        return LinkState.SCANNING if self.status.lost_since_ns is None else LinkState.LOST


def cause_of(error: LinkError | ScriptRefused) -> str:
    """Why a try failed, as one short phrase for people."""
    return next((cause for kind, cause in _CAUSES if isinstance(error, kind)), NO_ANSWER)


_CAUSES: tuple[tuple[type[Exception], str], ...] = (
    (KeysRefused, FORGOTTEN),  # before what it is a kind of
    (PairingRefused, PAIRING),
    (BluetoothOff, BLUETOOTH_OFF),
    (PermissionMissing, NOT_ALLOWED),
    (BluetoothBusy, BUSY),
    (ScriptRefused, REFUSED),
)
