"""The door to bumble, the optional package that simulates the radio: imported first, it says what to install.

Knows: that bumble may be absent, and that it talks to the log too much. Must never know: what it is used for.
"""

import logging

from companion.errors import UsageError

try:
    import bumble  # noqa: F401
except ImportError as error:
    raise UsageError(
        "A simulated sensor needs a package that is not installed.",
        'Install it with: pip install "posture-companion[simulator]"',
    ) from error

# bumble warns of every lost link; on a terminal that shows a live screen, such lines would be in the way.
logging.getLogger("bumble").addHandler(logging.NullHandler())
logging.getLogger("bumble").propagate = False
