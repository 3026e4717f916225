"""How long what is shown has lasted: the time in a state, and the time since the last break.

Pure arithmetic of presentation, in session time. The figures of a session are not made from these: they are
counted in rows. Must never know: screens, how a context or a state is decided.
"""

from companion.posture.rows import Context

PAUSE_NS = 5_000_000_000
"""Interruptions of up to 5 s do not start a count anew; a slouch takes them so too."""

BREAK_NS = 60_000_000_000
"""A minute on the feet, or lying, is a break."""

AWAY_NS = 300_000_000_000
"""Five minutes without a worn sensor: the wearer has left the desk."""

_RESTING = frozenset({Context.WALKING, Context.LYING})
_AWAY = frozenset({Context.NO_DATA, Context.NOT_WORN})


class Streak:
    """How long the same context and state have lasted."""

    def __init__(self) -> None:
        self._streaks: dict[tuple[int, int], tuple[int, int]] = {}  # code: since when, last seen

    def see(self, t_ns: int, code: tuple[int, int]) -> int:
        """Count a row with this (context, state); returns since when it has lasted.

        What comes back after a short interruption goes on, except after a still moment in another state.
        """
        since, last_seen = self._streaks.get(code, (t_ns, t_ns))
        if t_ns - last_seen > PAUSE_NS:
            since = t_ns
        if code[0] == Context.STILL:
            self._streaks = {other: kept for other, kept in self._streaks.items() if other[0] != Context.STILL}
        self._streaks[code] = (since, t_ns)
        return since


class Breaks:
    """When the last break was: a minute of walking or lying, or five minutes without a worn sensor."""

    def __init__(self) -> None:
        self.last_ns = 0
        """The end of the last break so far; the start of the session counts as one."""
        self._resting = _Bout(_RESTING, BREAK_NS)
        self._away = _Bout(_AWAY, AWAY_NS)

    def see(self, t_ns: int, context: int) -> None:
        """Count a row."""
        for bout in (self._resting, self._away):
            if bout.see(t_ns, context):
                self.last_ns = t_ns


class _Bout:
    """An uninterrupted stay in some contexts; interruptions of up to 5 s belong to it."""

    def __init__(self, contexts: frozenset[Context], long_enough_ns: int) -> None:
        self._contexts, self._long_enough_ns = contexts, long_enough_ns
        self._since_ns: int | None = None
        self._seen_ns = 0

    def see(self, t_ns: int, context: int) -> bool:
        """Whether this row belongs to a bout that has lasted long enough."""
        if context not in self._contexts:
            return False
        if self._since_ns is None or t_ns - self._seen_ns > PAUSE_NS:
            self._since_ns = t_ns
        self._seen_ns = t_ns
        return t_ns - self._since_ns >= self._long_enough_ns
