"""Functions and clocks that not every system has are named in companion/host.py and nowhere else.

A name counts wherever it is spelled: `os.umask`, `from os import umask`, `getattr(os, "umask")`.
"""

import ast
from collections.abc import Iterator

import pytest

HOST = "companion/host.py"

UNIX_MODULES = frozenset(
    {
        "ctypes",
        "curses",
        "fcntl",
        "grp",
        "msvcrt",
        "pty",
        "pwd",
        "resource",
        "signal",
        "termios",
        "tty",
        "winreg",
    }
)
OS_NAMES = frozenset(
    """O_NOFOLLOW O_BINARY O_CLOEXEC O_DIRECTORY O_NOATIME O_SYNC O_DSYNC chflags chown chroot ctermid
    fchdir fchmod fchown fork forkpty fstatvfs getegid geteuid getgid getgroups getloadavg getpgid
    getpgrp getpriority getsid getuid initgroups kill killpg lchown mkfifo mknod nice openpty
    posix_spawn register_at_fork sched_getaffinity setegid seteuid setgid setpgid setpriority setsid
    setuid statvfs sync uname umask wait3 wait4 waitid""".split()  # noqa: SIM905
)
"""Names of `os` that some system lacks, or that act on the whole process."""

CLOCKS = frozenset({"clock_gettime", "clock_gettime_ns", "clock_settime", "time", "time_ns"})
"""Names of `time` that read the wall clock or a clock of some systems; `monotonic` and `sleep` are free."""

LOOP_METHODS = frozenset({"add_signal_handler", "remove_signal_handler"})


def platform_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of everything in a module that belongs in the host's room."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, each.name) for each in node.names if each.name in UNIX_MODULES)
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{each.name}" for each in node.names]
            yield from ((node.lineno, name) for name in names if _is_named(name))
        elif isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if node.attr in LOOP_METHODS or _is_named(f"{owner}.{node.attr}"):
                yield node.lineno, f"{owner}.{node.attr}".lstrip(".")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
            yield from ((node.lineno, name) for name in _fetched(node) if _is_named(name))


def _fetched(call: ast.Call) -> Iterator[str]:
    match call.args:
        case [ast.Name(id=owner), ast.Constant(value=str(name)), *_]:
            yield f"{owner}.{name}"


def _is_named(name: str) -> bool:
    owner, _, last = name.partition(".")
    if owner == "os":
        return last in OS_NAMES
    if owner == "time":
        return last in CLOCKS or last.startswith("CLOCK_")
    return owner in UNIX_MODULES


def violations(path: str, source: str) -> list[str]:
    """Everything in one module that belongs in the host's room, one sentence each."""
    if path == HOST:
        return []
    found = sorted(set(platform_names(ast.parse(source))))
    return [f"{path}:{line}: {name} belongs in {HOST}" for line, name in found]


def test_only_the_host_room_knows_the_system(modules: dict[str, str]) -> None:
    found = [sentence for path, source in modules.items() for sentence in violations(path, source)]
    assert not found, "\n".join(found)


def test_the_host_room_is_not_empty(modules: dict[str, str]) -> None:
    names = {name for _, name in platform_names(ast.parse(modules[HOST]))}
    assert {"signal", "time.CLOCK_BOOTTIME", "os.O_NOFOLLOW", "os.umask"} <= names


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import signal", "signal"),
        ("def f():\n    import fcntl", "fcntl"),
        ("from signal import SIGTERM", "signal.SIGTERM"),
        ("from os import umask", "os.umask"),
        ("import os\nos.umask(0o77)", "os.umask"),
        ("flags = os.O_CREAT | os.O_NOFOLLOW", "os.O_NOFOLLOW"),
        ("flags = getattr(os, 'O_NOFOLLOW', 0)", "os.O_NOFOLLOW"),
        ("clock = getattr(time, 'CLOCK_BOOTTIME', None)", "time.CLOCK_BOOTTIME"),
        ("t = time.clock_gettime_ns(7)", "time.clock_gettime_ns"),
        ("t = time.time()", "time.time"),
        ("loop.add_signal_handler(2, stop)", "loop.add_signal_handler"),
        ("asyncio.get_running_loop().add_signal_handler(2, stop)", "add_signal_handler"),
    ],
)
def test_a_violation_is_seen(source: str, name: str) -> None:
    line = source.count("\n") + 1
    assert violations("companion/link/x.py", source) == [f"companion/link/x.py:{line}: {name} belongs in {HOST}"]


def test_portable_functions_are_not_reported() -> None:
    source = "import os, time\nos.fsync(3)\nos.replace(a, b)\ntime.sleep(1)\ntime.monotonic()\nloop.time()"
    assert violations("companion/link/x.py", source) == []
