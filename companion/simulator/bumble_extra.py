"""The door to bumble, the optional package that simulates the radio: it says what to install where it is missing.

`radio.py` takes what it needs of bumble from here, so that this is imported before any other module that needs it.
Knows: that bumble may be absent, and that it talks to the log too much. Must never know: what it is used for.
"""

import logging

from companion.errors import UsageError

try:
    from bumble.device import Device
    from bumble.link import LocalLink
    from bumble.transport import open_transport
    from bumble.transport.common import Transport
except ImportError as error:
    raise UsageError(
        "A simulated sensor needs a package that is not installed.",
        'Install it with: pip install "posture-companion[simulator]"',
    ) from error

__all__ = ["Device", "LocalLink", "Transport", "new_air", "open_transport"]

# bumble warns of every lost link; on a terminal that shows a live screen, such lines would be in the way.
logging.getLogger("bumble").addHandler(logging.NullHandler())
logging.getLogger("bumble").propagate = False


def new_air() -> LocalLink:
    """A virtual air with nobody on it yet."""
    return LocalLink()  # type: ignore[no-untyped-call]  # bumble left this constructor without types
