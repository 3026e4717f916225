"""A process that runs commands and tells, as JSON on its last line, every network socket that anything opened.

python network_watch.py DATA_DIR [naive]
"""

import json
import socket
import sys
from pathlib import Path

found: list[str] = []
NETWORK = {int(socket.AF_INET), int(socket.AF_INET6)}


def watch(event: str, arguments: tuple[object, ...]) -> None:
    """Called by Python for each audit event (https://docs.python.org/3/library/audit_events.html)."""
    if event == "socket.__new__" and arguments[1] in NETWORK:
        found.append(f"a socket of family {arguments[1]}")
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "urllib.Request", "smtplib.connect", "ftplib.connect"):
        found.append(f"{event} {arguments[0]}")
    if event in ("socket.connect", "socket.bind") and isinstance(arguments[1], tuple):
        found.append(f"{event} {arguments[1]}")


def ours(data: Path) -> None:
    from companion.cli import main

    data.mkdir()
    out = data.parent / "out"
    session = data.parent / "s.posture"
    for command in (
        f"simulate slouch --to {session} --duration 60",
        "pair belt --simulated",
        "scan --simulated --timeout 0.1",
        "monitor --simulated slouch --plain --duration 1",
        "monitor --simulated upright --json --duration 1 -v",
        f"replay {session} --speed max --plain",
        "sessions",
        "history",
        f"export {session} --out {out}",
        f"report {session} --out {data.parent / 'r.html'}",
        "devices",
        "config show",
    ):
        code = main([*command.split(), "--data-dir", str(data)] if "devices" not in command else command.split())
        assert code == 0, command


def naive() -> None:
    """Telemetry, as many programs have it, and a page that listens; both on this computer only."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        with socket.socket() as phone:
            phone.connect_ex(listener.getsockname())


sys.addaudithook(watch)
if sys.argv[2:] == ["naive"]:
    naive()
else:
    ours(Path(sys.argv[1]))
print(json.dumps(found))
