"""The operating system: clocks, private files, directories, signals. One small room, with a fallback for each.

Functions that not every system has are named here and nowhere else. Knows: `os`, `signal`, `time`, `platformdirs`.
Must never know: sensors, posture, recordings. The edges and the commands may import it; the pure layers must not.
"""

import os
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import platformdirs

from companion.errors import UsageError

APP_NAME = "posture-companion"


def boot_ns() -> int:
    """Nanoseconds on a clock that never steps and, where the system has one, runs on through suspend."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)  # Linux; CLOCK_MONOTONIC stops in suspend there
    if clock is not None:
        return time.clock_gettime_ns(clock)
    if sys.platform == "darwin":  # runs on through sleep there, unlike time.monotonic
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    return time.perf_counter_ns()


def utc_ns() -> int:
    """Wall clock, nanoseconds since 1970 UTC: a label, never a duration."""
    return time.time_ns()


def zone_name() -> str:
    """The IANA name of the local time zone; "UTC" where the system does not tell."""
    candidates = [_without_directory(os.environ.get("TZ", "").lstrip(":")), *_zones_of_system()]
    return next((name for name in candidates if _is_zone(name)), "UTC")


def _without_directory(path: str) -> str:
    """The zone in a path to its file: TZ may name one."""
    parts = Path(path).parts
    return "/".join(parts[parts.index("zoneinfo") + 1 :]) if "zoneinfo" in parts else path


def _zones_of_system() -> Iterator[str]:
    for link in (Path("/etc/localtime"),):
        if link.is_symlink():
            yield _without_directory(str(link.resolve()))
    timezone = Path("/etc/timezone")
    if timezone.is_file():
        yield timezone.read_text(encoding="utf-8", errors="replace").strip()
    yield str(datetime.now().astimezone().tzinfo)


def _is_zone(name: str) -> bool:
    if not name or name.startswith("/"):
        return False
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def default_data_dir() -> Path:
    """Where this user's recordings live unless told otherwise."""
    return Path(platformdirs.user_data_dir(APP_NAME, appauthor=False))


def default_config_dir() -> Path:
    """Where this user's settings live unless told otherwise."""
    return Path(platformdirs.user_config_dir(APP_NAME, appauthor=False))


def private_from_now_on() -> None:
    """From here on, files that this process makes are readable by their owner only (0600, directories 0700)."""
    os.umask(0o077)


def make_private_dir(path: Path) -> Path:
    """Make a directory (and its parents) with mode 0700; one that exists is left as it is. Raises UsageError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be made: {error.strerror}.", "Choose another place.") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise UsageError(f"{path} cannot be written to.", "Choose another place, or change its permissions.")
    return path


def create_private_file(path: Path) -> int:
    """Create a new file, mode 0600, never through a link, never over an existing one; returns the descriptor.

    Raises FileExistsError where something of that name is there, OSError for the rest.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.open(path, flags, 0o600)


def hold_lock(path: Path) -> int | None:
    """Take the lock on an existing file; returns the descriptor that holds it, or None where another one holds it.

    The lock is advisory, belongs to the descriptor (`os.close` gives it back) and ends with its process, however that
    ends. It does not meet the locks that SQLite takes. Raises OSError where the file or the system gives no lock.
    """
    return _locked(path, shared=False)


def lock_is_held(path: Path) -> bool:
    """Whether someone holds the lock of `hold_lock` on an existing file. Raises OSError as it does."""
    descriptor = _locked(path, shared=True)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is None


def _locked(path: Path, shared: bool) -> int | None:
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    try:
        if _lock(descriptor, shared):
            return descriptor
    except OSError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _lock(descriptor: int, shared: bool) -> bool:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, 1 << 30, os.SEEK_SET)  # a byte beyond the contents: locks are not advisory there
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_regular_file(path: Path) -> bool:
    """Whether `path` is a plain file (a link to one counts; a directory, pipe or device does not)."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


@contextmanager
def stop_signals(handler: Callable[[], None]) -> Iterator[None]:
    """While inside, Ctrl-C, SIGTERM and a closed terminal call `handler` instead of ending the process.

    Works in the main thread only; elsewhere nothing is installed.
    """
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    earlier = {}
    try:
        for number in numbers:
            earlier[number] = signal.signal(number, lambda *_: handler())
    except ValueError:  # not the main thread
        pass
    try:
        yield
    finally:
        for number, action in earlier.items():
            signal.signal(number, action)
