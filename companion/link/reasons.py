"""Why a link went, and what keeps it from coming back, in words: from what the system tells, and from what failed.

Knows: conditions, the link's errors, BlueZ's ways to fail. Must never know: when to try again, who is told.
"""

import asyncio

from companion.errors import BluetoothOff, LinkError
from companion.link.client import SensorLink
from companion.link.conditions import Conditions
from companion.link.status import FORGOTTEN, LINK_LOST, SERVICE_STOPPED, cause_of
from firmware_protocol import ScriptRefused

TELL_S = 0.5
"""BlueZ tells of the link first and of the adapter 30 ms later (5.66, in a slow virtual machine)."""

MAX_DEATHS = 2  # of BlueZ while it connects to a sensor that it has keys for


class Reasons:
    """Keeps the newest reason; `conditions` is what the system says of its Bluetooth."""

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self._newest = ""  # the system's troubles aside
        self._deaths = 0  # of BlueZ in a row, each while it connected

    @property
    def in_the_way(self) -> str:
        """What keeps this computer from the sensor now."""
        return self._newest if self._newest == FORGOTTEN else self._conditions.trouble or self._newest

    def went(self, cause: str) -> None:
        """The link went for this reason; where that was the system, it is a lost one once the system works again."""
        self._newest = LINK_LOST if cause == self._conditions.trouble else cause

    def failed(self, error: LinkError | ScriptRefused) -> None:
        """An attempt failed with this; that Bluetooth does not work is known already where the system says why."""
        if not (isinstance(error, BluetoothOff) and self._conditions.trouble):
            self._newest = cause_of(error)

    async def of_loss(self) -> str:
        """Why the link has just been lost; where the system tells more than that, after a moment."""
        at_first = self._conditions.trouble
        if self._conditions.known:
            await asyncio.sleep(TELL_S)
        return self._conditions.trouble or at_first or LINK_LOST

    def are_keys(self, link: SensorLink) -> bool:
        """Whether BlueZ died of a sensor that refuses its keys, as 5.66 does, when this attempt failed.

        Once may be chance.
        """
        died = self._conditions.trouble == SERVICE_STOPPED and link.is_bonded
        self._deaths = self._deaths + 1 if died else 0
        return self._deaths >= MAX_DEATHS
