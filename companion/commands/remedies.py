"""How a trouble with Bluetooth is mended, on each operating system: one sentence each.

Pure. Knows: what systems call their settings and commands. Must never know: how a trouble was found.
"""

from dataclasses import dataclass
from enum import Enum

from companion.link.diagnosis import Trouble


class System(Enum):
    """The systems that differ in how things are mended."""

    SYSTEMD = "Linux with systemd"
    LINUX = "Linux without systemd"
    MACOS = "macOS"
    WINDOWS = "Windows"
    OTHER = "another system"

    @property
    def is_linux(self) -> bool:
        """Whether Bluetooth there is BlueZ."""
        return self in (System.SYSTEMD, System.LINUX)


def system_of(platform: str, has_systemd: bool) -> System:
    """The system, by `sys.platform` and by whether systemd runs."""
    if platform == "linux":
        return System.SYSTEMD if has_systemd else System.LINUX
    return {"darwin": System.MACOS, "win32": System.WINDOWS}.get(platform, System.OTHER)


@dataclass(frozen=True, slots=True)
class _Remedy:
    """One trouble's remedies; where one is empty, that of `systemd` holds for Linux, and `other` for the rest."""

    systemd: str = ""
    linux: str = ""
    macos: str = ""
    windows: str = ""
    other: str = "Look into the system's Bluetooth settings."


_PLUG = "Plug in a Bluetooth adapter with Low Energy (4.0 or later); until then, try --simulated."
_REMEDIES = {
    Trouble.NO_BUS: _Remedy(
        systemd="sudo systemctl start dbus; a container needs the host's /run/dbus/system_bus_socket.",
        linux="sudo service dbus start; a container needs the host's /run/dbus/system_bus_socket.",
    ),
    Trouble.NOT_INSTALLED: _Remedy(
        systemd="Install the package bluez (sudo apt install bluez, or sudo dnf install bluez).",
    ),
    Trouble.STOPPED: _Remedy(
        systemd="sudo systemctl enable --now bluetooth",
        linux="sudo service bluetooth start (or start the program bluetoothd as root).",
        windows="Start the Bluetooth Support Service (as administrator: Start-Service bthserv).",
    ),
    Trouble.NO_ANSWER: _Remedy(
        systemd="sudo systemctl restart bluetooth",
        linux="sudo service bluetooth restart",
    ),
    Trouble.DENIED: _Remedy(
        systemd='sudo usermod -aG bluetooth "$USER", then log out and in; /etc/dbus-1/system.d/bluetooth.conf decides.',
        macos="Allow Bluetooth for your terminal: System Settings, Privacy & Security, Bluetooth; then start it anew.",
        windows="Let desktop apps use Bluetooth: Settings, Privacy & security, Radios.",
    ),
    Trouble.NO_ADAPTER: _Remedy(
        systemd=f"{_PLUG} A virtual machine or a container must be given one.",
        macos="Switch Bluetooth on in System Settings; where it is not listed there, start the Mac anew.",
        windows=f"{_PLUG} The Device Manager lists it under Bluetooth once its driver works.",
        other=_PLUG,
    ),
    Trouble.HARD_BLOCK: _Remedy(
        systemd="Turn radios on with this computer's switch or key for them (or in its firmware setup).",
    ),
    Trouble.SOFT_BLOCK: _Remedy(systemd="rfkill unblock bluetooth (or leave flight mode)."),
    Trouble.OFF: _Remedy(
        systemd="bluetoothctl power on",
        macos="Switch Bluetooth on: System Settings, Bluetooth.",
        windows="Switch Bluetooth on: Settings, Bluetooth & devices.",
    ),
    Trouble.BUSY: _Remedy(
        systemd="End other programs that search for Bluetooth devices, then try again.",
        other="End other programs that search for Bluetooth devices, then try again.",
    ),
    Trouble.OTHER: _Remedy(
        systemd="sudo systemctl restart bluetooth; `posture scan -v` says more.",
        linux="sudo service bluetooth restart; `posture scan -v` says more.",
        other="Switch Bluetooth off and on in the system's settings; `posture scan -v` says more.",
    ),
}


def remedy(trouble: Trouble, system: System) -> str:
    """What to do about it there."""
    found = _REMEDIES[trouble]
    of_system = {
        System.SYSTEMD: found.systemd,
        System.LINUX: found.linux or found.systemd,
        System.MACOS: found.macos,
        System.WINDOWS: found.windows,
        System.OTHER: "",
    }
    return of_system[system] or found.other


def installing(system: System, what: str) -> str:
    """How packages of Python are installed."""
    return f"{'py' if system is System.WINDOWS else 'python3'} -m pip install {what}"
