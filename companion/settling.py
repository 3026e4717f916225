"""What came late in a session, and where it belongs: from the order of arrival to the order in which it was taken.

A run of the session as it was lived gathers what its decoder flags BACKFILLED (`Lateness`). Out of that follows, once
the session is known to its end, when each of those samples would have come had it come when due (`Settlement`); a
second run over the same frames takes them there. The packets themselves are decoded in the order in which they came,
both times, so that what counts as lost, double or malformed cannot depend on the view.

Pure. Knows: samples, the times of packets. Must never know: bytes, devices, postures.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from companion.posture.stage import Array, runs
from firmware_protocol.samples import SAMPLES, SampleFlag

_LATE = np.uint32(SampleFlag.BACKFILLED)
_S = 1_000_000_000
_FOREVER = np.iinfo(np.int64).max
_CLOCK_SHARE, _CLOCK_SLACK_NS = 50, _S  # clock and counter agree within one part in 50 and a second
_BUFFERED_NS = 2 * _S  # so long may a packet have waited in a queue

PACKETS = np.dtype(
    [
        ("segment", "<i8"),
        ("first", "<i8"),  # number of the sample at the hole's edge: a packet's last before it, its first behind it
        ("last", "<i8"),  # number of the packet's last sample
        ("t_host_ns", "<i8"),
        ("t_device_ns", "<i8"),  # of `first`
    ]
)
"""A packet beside a hole: what came when due."""


def late(samples: Array) -> Array:
    """Which of SAMPLES (N,) came after their time."""
    return np.asarray((samples["flags"] & _LATE) != 0)


def _packets(samples: Array, places: Array, last: Array) -> Array:
    made = np.empty(len(places), dtype=PACKETS)
    made["segment"], made["first"] = samples["segment"][places], samples["index"][places]
    made["last"] = samples["index"][last]
    made["t_host_ns"], made["t_device_ns"] = samples["t_host_ns"][places], samples["t_device_ns"][places]
    return made


@dataclass(slots=True)
class Lateness:
    """What came late in a session as it was lived, and between which packets something is missing.

    False as long as nothing came late: the session is then its own settled view.
    """

    late: list[Array] = field(default_factory=list)  # SAMPLES, in order of arrival
    befores: list[Array] = field(default_factory=list)  # PACKETS before each hole, in order
    behinds: list[Array] = field(default_factory=list)  # and behind it; the first has none before it
    newest: Array | None = None  # PACKETS (1,): the last that came when due
    links: list[tuple[int, bool]] = field(default_factory=list)  # when a link came (True) or went
    periods_ns: dict[int, int] = field(default_factory=dict)  # nominal, by segment

    def __bool__(self) -> bool:
        return bool(self.late)

    def see(self, samples: Array) -> None:
        """Take the SAMPLES of some frames, in order of arrival, packets whole."""
        if len(samples) == 0:
            return
        too_late = late(samples)
        if too_late.any():
            self.late.append(samples[too_late])
            samples = samples[~too_late]
        if len(samples) and samples["index"][0] >= 0:  # without a counter nothing has a place but its arrival
            self._see_prompt(samples)

    def _see_prompt(self, samples: Array) -> None:
        index, segment, t_host_ns = samples["index"], samples["segment"], samples["t_host_ns"]
        broken = np.ones(len(samples), dtype=np.bool_)
        broken[1:] = (index[1:] != index[:-1] + 1) | (segment[1:] != segment[:-1])
        newest, end = self.newest, len(samples) - 1
        if newest is not None:
            broken[0] = newest["segment"][0] != segment[0] or newest["last"][0] + 1 != index[0]
        places = np.flatnonzero(broken)
        if len(places):
            last = np.searchsorted(t_host_ns, t_host_ns[places], side="right") - 1
            self.behinds.append(_packets(samples, places, np.minimum(last, end)))
            if newest is not None and places[0] == 0:
                self.befores.append(newest)
            inside = places[places > 0] - 1
            self.befores.append(_packets(samples, inside, inside))
        self.newest = _packets(samples, np.array([end]), np.array([end]))


@dataclass(frozen=True, slots=True)
class Settlement:
    """Where everything that came late belongs."""

    samples: Array  # SAMPLES that have a place, in their order, with `t_host_ns` as if they had come when due
    is_placed: Array  # (L,) which of all late samples, in order of arrival, these are
    unbroken_ns: frozenset[int]  # times at which links came and went whose gaps were filled to the last sample
    periods_ns: dict[int, int]

    @classmethod
    def of(cls, found: Lateness, t0_ns: int) -> "Settlement":
        """The settlement of a session that was lived to its end; t0_ns: when it began."""
        samples = np.concatenate([np.empty(0, dtype=SAMPLES), *found.late])
        holes = _Holes.of(found, t0_ns)
        places = holes.places(samples)
        placed = samples[places.order]
        placed["t_host_ns"], placed["segment"] = places.due_ns, places.segment
        placed["flags"] &= ~_LATE
        is_placed = np.zeros(len(samples), dtype=np.bool_)
        is_placed[places.order] = True
        unbroken = frozenset(holes.unbroken(found.links, places.hole))
        return cls(placed, is_placed, unbroken, dict(found.periods_ns))

    def merged(self, samples: Array, seen: int, first: int, end: int) -> Array:
        """SAMPLES of some frames without the late ones that have a place, and with those that are due among them.

        `seen`: how many late ones came in frames before; `first`, `end`: which of `self.samples` are due.
        """
        too_late = late(samples)
        if too_late.any():
            kept = ~too_late
            kept[too_late] = ~self.is_placed[seen : seen + int(too_late.sum())]
            samples = samples[kept]
        if first == end:
            return samples
        merged = np.concatenate([samples, self.samples[first:end]])
        return merged[np.argsort(merged["t_host_ns"], kind="stable")]


class _Places(NamedTuple):
    """Late samples that have a place, in their order: which they are, their hole and segment, when they were due."""

    order: Array
    hole: Array
    segment: Array
    due_ns: Array


@dataclass(frozen=True, slots=True)
class _Holes:
    """The holes between packets that came when due: hole k lies between `before[k]` and `behind[k]`.

    The first has the session's begin before it, the last the end of time behind it.
    """

    before: Array  # PACKETS (E,)
    behind: Array  # PACKETS (E,)
    goes_on: Array  # (E,) bool: whether one count of samples goes on over the hole
    has_room: Array  # (E,) bool: whether what is missing there can have been taken meanwhile, by the host's clock
    periods_ns: dict[int, int]

    @classmethod
    def of(cls, found: Lateness, t0_ns: int) -> "_Holes":
        begin, end = np.zeros(1, dtype=PACKETS), np.zeros(1, dtype=PACKETS)
        begin["segment"], begin["t_host_ns"] = -1, t0_ns
        end["segment"], end["t_host_ns"] = _FOREVER, _FOREVER
        newest = [] if found.newest is None else [found.newest]
        before, behind = np.concatenate([begin, *found.befores, *newest]), np.concatenate([*found.behinds, end])
        goes_on, has_room = _goes_on(before, behind, found.periods_ns), _has_room(before, behind, found.periods_ns)
        return cls(before, behind, goes_on, has_room, found.periods_ns)

    def places(self, samples: Array) -> _Places:
        """Where late SAMPLES belong, in the order in which they came; those of no known count have no place."""
        nothing = np.empty(0, dtype=np.int64)
        found = [_Places(nothing, nothing, nothing, nothing)]
        breaks = np.flatnonzero(~self.goes_on)
        owner = np.searchsorted(self.behind["segment"][breaks], samples["segment"], side="right") - 1
        owner[samples["segment"] > self.before["segment"][breaks][np.minimum(owner + 1, len(breaks) - 1)]] = -1
        floor_ns = int(self.before["t_host_ns"][0])
        for count, (head, tail) in enumerate(pairwise(breaks.tolist())):  # nearly always one or two
            here = np.flatnonzero(owner == count)
            here = here[np.argsort(samples["index"][here], kind="stable")]
            for each in self._in_count(samples, here, head, tail, floor_ns):
                found.append(each)
                floor_ns = max(floor_ns, int(each.due_ns[-1]))
        return _Places(*map(np.concatenate, zip(*found, strict=True)))

    def _in_count(self, samples: Array, here: Array, head: int, tail: int, floor_ns: int) -> Iterator[_Places]:
        """Those of one count, which lies between the holes `head` and `tail`; `here`: their places, by index."""
        index = samples["index"][here]
        hole = head + np.searchsorted(self.behind["first"][head:tail], index, side="right")
        missing = (hole == head) | ((index > self.before["first"][hole]) & self.has_room[hole])
        here, hole = here[missing], hole[missing]
        for first, end in runs(hole):
            k = int(hole[first])
            segment = self.behind["segment"][k] if k == head else self.before["segment"][k]
            order = _once(samples, here[first:end], segment)
            bounds = np.array(runs(samples["t_host_ns"][order]), dtype=np.int64)  # of packets
            arrived_ns, last = samples["t_host_ns"][order[bounds[:, 0]]], samples["index"][order[bounds[:, 1] - 1]]
            due_ns, after_ns = self._due_ns(k, last, arrived_ns, head, tail), int(self.before["t_host_ns"][k])
            if k == head:  # some may have been taken before anybody listened
                after_ns = max(after_ns, floor_ns)
                kept = due_ns > after_ns
                due_ns, bounds = due_ns[kept], bounds[kept]
            if len(bounds):
                due_ns = _between(due_ns, after_ns, int(self.behind["t_host_ns"][k]))
                order = order[bounds[0, 0] :]
                yield _Places(order, *_all(k, segment, len(order)), np.repeat(due_ns, bounds[:, 1] - bounds[:, 0]))

    def _due_ns(self, k: int, last: Array, arrived_ns: Array, head: int, tail: int) -> Array:
        """When packets of hole k would have come, by the number of the last sample in each (P,).

        Between two packets that came, in even steps; elsewhere in steps of the period.
        """
        before, behind = self.before[k], self.behind[k]
        if k == head:
            period_ns = self.periods_ns.get(int(behind["segment"]), 0)
            return np.asarray(int(behind["t_host_ns"]) - (int(behind["last"]) - last) * period_ns)
        since = last - int(before["last"])
        if k == tail:
            period_ns = self.periods_ns.get(int(before["segment"]), 0)
            return np.asarray(np.minimum(int(before["t_host_ns"]) + since * period_ns, arrived_ns))
        steps = int(behind["last"]) - int(before["last"])
        step_ns, rest_ns = divmod(int(behind["t_host_ns"]) - int(before["t_host_ns"]), steps)
        return np.asarray(int(before["t_host_ns"]) + since * step_ns + since * rest_ns // steps)

    def unbroken(self, links: Sequence[tuple[int, bool]], filled: Array) -> Iterator[int]:
        """The times of links lost and made again over holes all of which are filled; `filled`: the hole of each sample
        that has a place.
        """
        missing = np.where(self.goes_on, self.behind["first"] - self.before["first"] - 1, _FOREVER)
        whole = np.bincount(filled, minlength=len(missing)) == missing
        is_whole = False
        for (t_ns, is_up), (next_ns, _) in pairwise([*links, (_FOREVER, True)]):
            if not is_up:
                first = int(np.searchsorted(self.behind["t_host_ns"], t_ns, side="right"))
                end = int(np.searchsorted(self.before["t_host_ns"], next_ns, side="left"))
                is_whole = first < end and bool(whole[first:end].all())
            if is_whole:
                yield t_ns


def _once(samples: Array, order: Array, segment: int) -> Array:
    """Places in SAMPLES, by index, each index once: segments of one count may hold the same; best that of `segment`."""
    order = order[np.lexsort((samples["segment"][order] != segment, samples["index"][order]))]
    return np.asarray(order[np.diff(samples["index"][order], prepend=-1) > 0])


def _all(hole: int, segment: int, count: int) -> tuple[Array, Array]:
    return np.full(count, hole, dtype=np.int64), np.full(count, segment, dtype=np.int64)


def _goes_on(before: Array, behind: Array, periods_ns: dict[int, int]) -> Array:
    """Over which holes one count of samples goes on: in a segment, and in the next where clock and counter agree."""
    goes_on = (behind["segment"] == before["segment"]) & (behind["first"] > before["first"])
    further = (before["segment"] >= 0) & (behind["segment"] > before["segment"]) & (behind["segment"] < _FOREVER)
    for k in np.flatnonzero(further & (behind["first"] > before["first"])).tolist():
        taken = int(behind["first"][k]) - int(before["first"][k])
        taken_ns = taken * periods_ns.get(int(before["segment"][k]), 0)
        passed_ns = int(behind["t_device_ns"][k]) - int(before["t_device_ns"][k])
        has_clock = min(int(behind["t_device_ns"][k]), int(before["t_device_ns"][k])) >= 0
        agrees = abs(passed_ns - taken_ns) * _CLOCK_SHARE <= passed_ns + _CLOCK_SHARE * _CLOCK_SLACK_NS
        goes_on[k] = has_clock and agrees
    return np.asarray(goes_on)


def _has_room(before: Array, behind: Array, periods_ns: dict[int, int]) -> Array:
    """Holes whose count is no further on than the host's clock allows; elsewhere session time does not follow it."""
    has_room = np.ones(len(before), dtype=np.bool_)
    between = np.flatnonzero((before["segment"] >= 0) & (behind["segment"] < _FOREVER))
    for k in between[behind["first"][between] > before["first"][between]].tolist():
        taken_ns = (int(behind["last"][k]) - int(before["last"][k])) * periods_ns.get(int(before["segment"][k]), 0)
        passed_ns = int(behind["t_host_ns"][k]) - int(before["t_host_ns"][k])
        has_room[k] = (taken_ns - passed_ns) * _CLOCK_SHARE <= passed_ns + _CLOCK_SHARE * _BUFFERED_NS
    return has_room


def _between(times_ns: Array, after_ns: int, before_ns: int) -> Array:
    """The same times, each later than the one before it, and all within these bounds as long as there is room."""
    steps = np.arange(len(times_ns))
    earliest = after_ns + 1 + steps
    growing = np.maximum.accumulate(np.maximum(times_ns, earliest) - steps) + steps
    return np.asarray(np.maximum(np.minimum(growing, before_ns - len(times_ns) + steps), min(after_ns, before_ns - 1)))
