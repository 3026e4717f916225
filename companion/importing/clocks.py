"""What wall clocks without an offset showed, as time that only goes on: over changes of clocks too.

Pure. Knows: zones. Must never know: files, columns. A change of clocks is believed where the readings follow it; where
they go on as if there were none, the clock that was read was not changed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from companion.tables.calendar import zone_of

Times = npt.NDArray[np.int64]

_S_NS = 10**9
_HOUR_NS, _DAY_NS = 3600 * _S_NS, 86_400 * _S_NS
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_DAYS = 400  # of readings in which changes of clocks are looked for


@dataclass(frozen=True, slots=True)
class _Change:
    """An instant from which clocks show another time; offsets are what they are ahead of UTC."""

    utc_ns: int
    before_ns: int
    after_ns: int


def utc_of(shown_ns: Times, zone: str) -> tuple[Times, int]:
    """UTC (N,) of readings (N,) that were taken in this order, and how many changes of clocks lie within them.

    The hour that comes twice is its second pass from where readings jump back in it, or where they go on from it
    without having jumped; else its first.
    """
    if not len(shown_ns):
        return shown_ns, 0
    offset_ns = np.full(len(shown_ns), _first_offset_ns(shown_ns, zone), dtype=np.int64)
    followed = 0
    for change in _changes(shown_ns, zone):
        place = _place(change, shown_ns)
        if place is not None and offset_ns[place] == change.before_ns:
            offset_ns[place:] = change.after_ns
            followed += 1
    return shown_ns - offset_ns, followed


def _offset_ns(utc_ns: int, zone: str) -> int:
    offset = (_EPOCH + timedelta(microseconds=utc_ns // 1000)).astimezone(zone_of(zone)).utcoffset()
    return 0 if offset is None else round(offset.total_seconds()) * _S_NS


def _first_offset_ns(shown_ns: Times, zone: str) -> int:
    first_ns = int(shown_ns[0])
    moment = (_EPOCH + timedelta(microseconds=first_ns // 1000)).replace(tzinfo=zone_of(zone))
    offsets = [
        round(offset.total_seconds()) * _S_NS if offset is not None else 0
        for offset in (moment.utcoffset(), moment.replace(fold=1).utcoffset())
    ]
    back_ns = offsets[0] - offsets[1]
    if back_ns <= 0:
        return offsets[0]
    runs_back = (np.diff(shown_ns) <= -back_ns // 2).any()
    end_ns = next((change.utc_ns + offsets[0] for change in _changes(shown_ns, zone)), first_ns)
    return offsets[0] if runs_back or int(shown_ns.max()) < end_ns else offsets[1]


def _changes(shown_ns: Times, zone: str) -> Iterator[_Change]:
    """The changes of clocks around readings, in order."""
    at_ns, end_ns = int(shown_ns.min()) - _DAY_NS, int(shown_ns.max()) + _DAY_NS
    end_ns = min(end_ns, at_ns + _LONGEST_DAYS * _DAY_NS)
    while at_ns < end_ns:
        next_ns = at_ns + _HOUR_NS * 6
        before_ns, after_ns = _offset_ns(at_ns, zone), _offset_ns(next_ns, zone)
        if before_ns != after_ns:
            yield _Change(_instant_of(at_ns, next_ns, zone), before_ns, after_ns)
        at_ns = next_ns


def _instant_of(early_ns: int, late_ns: int, zone: str) -> int:
    """The whole second between two instants from which clocks show what they show at the later one."""
    late_offset_ns, early_s, late_s = _offset_ns(late_ns, zone), early_ns // _S_NS, -(-late_ns // _S_NS)
    while late_s - early_s > 1:
        middle_s = (early_s + late_s) // 2
        if _offset_ns(middle_s * _S_NS, zone) == late_offset_ns:
            late_s = middle_s
        else:
            early_s = middle_s
    return late_s * _S_NS


def _place(change: _Change, shown_ns: Times) -> int | None:
    """The first reading after a change that the readings follow; None where they do not, or never reach it."""
    by_ns = change.after_ns - change.before_ns
    if by_ns > 0:  # forward: nothing is shown between
        after = shown_ns >= change.utc_ns + change.after_ns
        between = (shown_ns >= change.utc_ns + change.before_ns) & ~after
        return int(after.argmax()) if after.any() and not after[0] and not between.any() else None
    first_ns, end_ns = change.utc_ns + change.after_ns, change.utc_ns + change.before_ns
    back = np.concatenate([[False], np.diff(shown_ns) <= by_ns // 2])
    back &= (shown_ns >= first_ns - _S_NS) & (shown_ns < end_ns)
    return int(back.argmax()) if back.any() else None
