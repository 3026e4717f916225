"""Everything a user can meet, as one tree; each error is one sentence, may carry a hint, and has an exit code.

    CompanionError
    ├─ UsageError          unknown story, device, setting or file; output that exists; missing extra          (1)
    ├─ LinkError           DeviceNotFound (2) · BluetoothOff, BluetoothBusy, PermissionMissing (3) · ConnectionLost (4)
    │                      PairingRefused, and of it KeysRefused (4)
    ├─ RecordingError      NotARecording, UnsupportedVersion                                                   (5)
    └─ SettingsError       a setting that does not exist or does not have this value                           (1)

Anything else that reaches the user is a bug and shows a traceback. Must never know: where an error comes from.
"""


class CompanionError(Exception):
    """What happened, in one sentence; `hint` says what to do about it, in one more."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(CompanionError):
    """The command cannot be carried out as it was given."""


class SettingsError(CompanionError):
    """A setting does not exist or does not take this value."""


class LinkError(CompanionError):
    """Something between this computer and the sensor."""

    exit_code = 4


class DeviceNotFound(LinkError):
    """No such sensor answers."""

    exit_code = 2


class BluetoothOff(LinkError):
    """There is no Bluetooth adapter, or it is off, or its service does not run."""

    exit_code = 3


class BluetoothBusy(LinkError):
    """Another program has this computer's Bluetooth do something that leaves no room for ours."""

    exit_code = 3


class PermissionMissing(LinkError):
    """The operating system does not let this program use Bluetooth."""

    exit_code = 3


class PairingRefused(LinkError):
    """The sensor or the system refused to pair."""


class KeysRefused(PairingRefused):
    """The sensor does not accept the keys that this computer has for it: a stale bond, or an impostor."""


class ConnectionLost(LinkError):
    """The link broke and could not be made again."""


class RecordingError(CompanionError):
    """A session file cannot be used."""

    exit_code = 5


class NotARecording(RecordingError):
    """The file is no recording of this program."""


class UnsupportedVersion(RecordingError):
    """The file was written by a newer version of this program."""
