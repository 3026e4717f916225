"""One monitor per sensor: a lock file that ends with its process, and says which process that is.

Knows: the data directory. Must never know: what the monitor does.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from companion import host
from companion.commands.places import Places
from companion.errors import UsageError


@contextmanager
def alone(where: Places, alias: str, *, needed: bool = True) -> Iterator[None]:
    """Hold the sensor `alias` while inside; raises UsageError that names the process which holds it already.

    Where it is not `needed` (each simulated sensor has a radio of its own) nothing is held.
    """
    if not needed:
        yield
        return
    path = where.data / f"{alias}.lock"
    with suppress(FileExistsError):
        os.close(host.create_private_file(path))
    try:
        held = host.hold_lock(path)
    except OSError as error:  # a link, or no file at all: not of our making
        raise UsageError(f"{path} cannot be used: {error.strerror}.", "Move it away.") from error
    if held is None:
        pid = path.read_text(encoding="ascii", errors="replace").strip() or "unknown"
        raise UsageError(f"another monitor (process {pid}) is on the sensor {alias!r}.", "End that one first.")
    try:
        os.truncate(held, 0)
        os.write(held, str(os.getpid()).encode())
        yield
    finally:
        os.close(held)
