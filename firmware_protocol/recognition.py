"""Which driver a device is for: by its advertisement at first, by the services it offers once it is connected.

Pure. A name can be anybody's, so what is connected is known by its services. Must never know: links, radios.
"""

from collections.abc import Iterable

from firmware_protocol.drivers import Driver, drivers
from firmware_protocol.frames import Advertisement
from firmware_protocol.scripts import ScriptRefused
from firmware_protocol.unusable import unusable


def best_match(advertisement: Advertisement) -> Driver | None:
    """The driver that is surest of an advertisement; None where none claims it, or none could use the device."""
    if unusable(advertisement) is not None:
        return None
    best = max(drivers(), key=lambda candidate: candidate.match(advertisement), default=None)
    return best if best is not None and best.match(advertisement) > 0 else None


def drivers_for(services: Iterable[str]) -> tuple[Driver, ...]:
    """The drivers whose services a connected sensor offers, those that need the most of them first."""
    offered = {uuid.lower() for uuid in services}
    fitting = [each for each in drivers() if each.services and offered.issuperset(each.services)]
    return tuple(sorted(fitting, key=lambda each: -len(each.services)))


def recognised(services: Iterable[str], claimed: Driver | None = None) -> Driver:
    """The driver of a connected sensor that offers these services; `claimed` is the one its advertisement promised.

    Raises ScriptRefused, which says what is missing, where no driver's services are there.
    """
    offered = frozenset(uuid.lower() for uuid in services)
    if claimed is not None and offered.issuperset(claimed.services):
        return claimed
    fitting = drivers_for(offered)
    if fitting:
        return fitting[0]
    if claimed is None:
        raise ScriptRefused("This device offers no service that this program knows.")
    missing = next(uuid for uuid in claimed.services if uuid not in offered)
    raise ScriptRefused(lacking(claimed, f"the service {missing}"))


def lacking(driver: Driver, missing: str) -> str:
    """One sentence for people about a sensor without something that its driver needs ("the service ...")."""
    return driver.lacking or f"The sensor does not offer {missing}, which {driver.name} needs."
