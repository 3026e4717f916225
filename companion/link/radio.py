"""Which Bluetooth to use: the system's own, or one that somebody brings (the simulator does).

Knows: that bleak takes classes for its backends. Must never know: whose they are. Imports nothing heavy.
"""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bleak.backends.adapter import BaseBleakAdapter
    from bleak.backends.client import BaseBleakClient
    from bleak.backends.scanner import BaseBleakScanner


@dataclass(frozen=True, slots=True)
class Radio:
    """Backends for bleak; None is the system's own. One object per adapter: it also keeps scans apart."""

    scanner_backend: "type[BaseBleakScanner] | None" = None
    client_backend: "type[BaseBleakClient] | None" = None
    adapter_backend: "type[BaseBleakAdapter] | None" = None
    scanning: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False, compare=False)
    """Held while scanning: a system allows one scan per process."""

    @property
    def is_system(self) -> bool:
        """Whether it is this computer's own Bluetooth."""
        return self.scanner_backend is None

    @property
    def knows_connected(self) -> bool:
        """Whether the adapter can be asked which sensors are connected already."""
        return self.adapter_backend is not None or self.is_system
