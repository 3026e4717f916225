"""Whether a sensor still accepts the keys that this computer has for it, and what the system says of its bond.

Knows: what a refused key looks like through bleak; BlueZ's record of a device. Must never know: who asks, what is
remembered of a sensor, whether the user consents.

A bond is stale where one side has lost its keys: nearly always a sensor that was reset. What another device that poses
as the sensor brings about looks the same, so the keys are never thrown away without asking.
"""

from companion.errors import KeysRefused, LinkError

MEND = "If it was reset, this mends it: posture pair --forget."


def keys_refused() -> KeysRefused:
    """The sensor does not accept this computer's keys."""
    return KeysRefused(
        "The sensor does not accept the keys that this computer has for it: it was reset, or another one poses as it.",
        MEND,
    )


def is_stale_bond(error: BaseException | None) -> bool:
    """Whether an error, or what it came of, says that this computer's keys are no longer accepted.

    For who keeps a link: `SensorLink.open` raises `KeysRefused` (exit code 4, with the command that mends it as hint)
    where the bond is stale. Trying again does not mend it; only the user's `posture pair --forget` does, or
    the real sensor where another one posed as it.
    """
    while error is not None and not isinstance(error, KeysRefused):
        error = error.__cause__
    return error is not None


def names_lost_keys(error: LinkError) -> bool:
    """Whether the system itself said that the sensor has lost its keys (macOS does, in these words)."""
    return "peer removed pairing information" in str(error.__cause__).lower()
