"""Fetches from a sensor's buffer what did not come, while motion flows.

Knows: the link, that a driver's `Backfill` has scripts. Must never know: what is missing, or why.
"""

import logging

from companion.errors import LinkError
from companion.link.client import SensorLink
from firmware_protocol import ScriptRefused
from firmware_protocol.drivers import Backfill

ASK_EVERY_S = 1.0

log = logging.getLogger(__name__)


async def keep_filling(link: SensorLink, backfill: Backfill, every_s: float = ASK_EVERY_S) -> None:
    """Fetch whatever is missing, until the link is lost; what fails is tried again, or given up, by `backfill`."""
    while not await link.wait_lost(every_s):
        await _fetch(link, backfill)


async def _fetch(link: SensorLink, backfill: Backfill) -> None:
    """Script after script, as long as they succeed."""
    try:
        while (script := backfill.next()) is not None:
            await link.run(script)
    except (LinkError, ScriptRefused) as error:
        log.debug("fetching what is missing: %s", error)
