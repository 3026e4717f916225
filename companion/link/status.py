"""What the link is doing, as a value that a screen may read from any thread, and the words for why it went.

Pure. Must never know: bleak, sensors, who asks.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from companion.errors import BluetoothOff, LinkError, PairingRefused, PermissionMissing
from firmware_protocol import ScriptRefused

LINK_LOST = "link lost"
SILENT = "connected but silent"
NOT_HEARD = "not heard"
NO_ANSWER = "sensor did not answer"
PAIRING = "pairing refused"
REFUSED = "sensor not accepted"
BLUETOOTH_OFF = "bluetooth is off"


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
    if isinstance(error, PairingRefused):
        return PAIRING
    if isinstance(error, BluetoothOff | PermissionMissing):
        return BLUETOOTH_OFF
    return REFUSED if isinstance(error, ScriptRefused) else NO_ANSWER
