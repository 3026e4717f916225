"""What was found of every rule so far. Pure bookkeeping; must never know: what is checked, or how."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

Note: TypeAlias = Callable[[str, bool, str], None]
"""The rule's id, whether it held, and, where it did not, what was found instead."""


@dataclass(slots=True)
class Found:
    """How often a rule was seen to hold or to be broken; `first` is what was found when it broke first."""

    held: int = 0
    broken: int = 0
    first: str = ""


@dataclass(slots=True)
class Book:
    """A rule that was never looked at has no entry: nothing is said of it."""

    entries: dict[str, Found] = field(default_factory=dict)

    def note(self, rule: str, held: bool, found: str = "") -> None:
        """Enter one observation."""
        entry = self.entries.setdefault(rule, Found())
        if held:
            entry.held += 1
            return
        entry.broken += 1
        entry.first = entry.first or found
