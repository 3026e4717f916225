"""One stream of posture_v1 as the decoder follows it: what is in force, where it stands, what is believed of it.

Pure, integers only. Knows: indices, device ticks (1/1024 s), arrival times. Must never know: samples, frames.

A packet *agrees* when its `time` fits its `index`: seen from the anchor (the last live packet, or a later answer on
Control), the change of time, modulo 64 s, is the change of index times the period, within 2 % + 8 ms. The 16-bit time
alone cannot vouch for a jump of more than 60 s; that must fit the host's clock as well, within 2 % + 10 s. Nor may any
packet lie further ahead than that: nothing is taken in the future.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.counters import Missing, signed_difference
from firmware_protocol.posture_v1.packets import TICKS_PER_S, Layout, Started, TimeAnswer

NS_PER_S = 1_000_000_000
ALONE_S = 60
"""A jump of this length may be believed on the 16-bit time alone."""
VOUCHED_S = 800
"""Up to here the 16-bit time, at 2 %, still tells a true jump from a false one once four packets have told it."""
HOST_SLACK_NS = 10 * NS_PER_S
ON_THE_WAY_NS = 2 * NS_PER_S
"""A live packet, taken in a quarter of a second and queued for one, is not longer than this on its way."""
AHEAD_AT_MOST = 500
"""So many intervals are kept of what came from a buffer ahead of all that came live."""
STARTED_SLACK_TICKS = TICKS_PER_S  # sample 0 is taken within 1 s of the answer
TIME_SLACK_TICKS = TICKS_PER_S // 4  # and one period: the next sample may lie in a block not yet read
CLOCK_SLACK_US = 2_000_000
DOUBTS_TO_ADOPT, AGREEING_TO_ADOPT = 4, 3
_Ticks = TypeVar("_Ticks", int, NDArray[np.int64])
_U16, _U32 = (1 << 16) - 1, (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Anchor:
    """A sample whose device time is known, within `slack_ticks` beyond the usual."""

    index: int
    ticks: int
    t_host_ns: int
    slack_ticks: int = 0


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is new of some samples: intervals that came late, those ahead of all that came live, and the counts."""

    late: list[tuple[int, int]]
    fresh: list[tuple[int, int]]
    lost: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a packet lies: unwrapped index and device ticks, and whether they agree."""

    index: int
    ticks: int
    agrees: bool
    vouched: bool  # not believed alone, but believed of four packets in a row


def ticks_of(time_us: int) -> int:
    """Device ticks of 1/1024 s in a device time in microseconds."""
    return time_us * TICKS_PER_S // 1_000_000


def ns_of(ticks: _Ticks) -> _Ticks:
    """Nanoseconds, rounded down, in device ticks of 1/1024 s; works on int64 arrays too."""
    return ticks * 1_953_125 // 2


def is_timely(passed: int, samples: int, rate_hz: int) -> bool:
    """Whether so many ticks agree with so many samples from one packet to the next."""
    return _is_near(passed * rate_hz - samples * TICKS_PER_S, samples, rate_hz)


def _is_near(deviation: int, delta: int, rate_hz: int, slack_ticks: int = 0) -> bool:
    # 2 % + 8 ms, in ticks × rate × 125 so that all is integer: the same decision on any machine
    return abs(deviation) * 125 <= 2560 * abs(delta) + (1024 + 125 * slack_ticks) * rate_hz


class Track:
    """A stream from the answer that announced it. Mutable, private to one decoder."""

    def __init__(self, answer: Started | TimeAnswer, segment: int, t_host_ns: int) -> None:
        joined = answer.index if isinstance(answer, TimeAnswer) else 0
        self.segment = segment
        self.stream = answer.stream
        self.layout = answer.layout
        self.sample_bytes = Layout(answer.layout).sample_bytes
        self.rate_hz = answer.rate_hz
        self.acc_range_g = answer.acc_range_g
        self.gyr_range_dps = answer.gyr_range_dps
        self.period_ns = NS_PER_S // answer.rate_hz
        self.next_index = joined
        self.counted_from = joined
        self.missing = Missing()
        self.missing.add(0, joined)
        self.ahead: list[tuple[int, int]] = []  # came from the buffer before anything live behind it, in order
        self._joining = joined > 0
        self._told = (joined, answer.time_us)
        self.anchor = self._anchor_of(answer, joined, t_host_ns)
        self._origin = self.anchor
        self._doubts = 0
        self._agreeing = 0
        self._doubted = (0, 0)

    @property
    def segment_from(self) -> int:
        """The number with which the present segment began."""
        return self._origin.index

    def _anchor_of(self, answer: Started | TimeAnswer, index: int, t_host_ns: int) -> Anchor:
        slack = STARTED_SLACK_TICKS
        if isinstance(answer, TimeAnswer):
            slack = TIME_SLACK_TICKS + TICKS_PER_S // self.rate_hz
        return Anchor(index, ticks_of(answer.time_us), t_host_ns, slack)

    def goes_on(self, answer: TimeAnswer) -> bool:
        """Whether the answer tells of this very stream, counted and timed on without a break."""
        said = (answer.stream, answer.layout, answer.rate_hz, answer.acc_range_g, answer.gyr_range_dps)
        mine = (self.stream, self.layout, self.rate_hz, self.acc_range_g, self.gyr_range_dps)
        return said == mine and self._fits(answer)

    def _fits(self, answer: TimeAnswer) -> bool:
        index, time_us = self._told
        taken_us = signed_difference(answer.index, index) * 1_000_000 // self.rate_hz
        passed_us = answer.time_us - time_us
        return taken_us >= 0 <= passed_us and abs(taken_us - passed_us) * 50 <= passed_us + 50 * CLOCK_SLACK_US

    def go_on(self, answer: TimeAnswer, t_host_ns: int) -> None:
        """Take the answer's clock as the new anchor."""
        index = self._told[0] + signed_difference(answer.index, self._told[0])
        self._told = (index, answer.time_us)
        self.anchor = self._anchor_of(answer, index, t_host_ns)
        self._doubts = 0

    def ended(self, answer: TimeAnswer) -> bool:
        """Whether the answer tells that this stream, of this same boot, has ended."""
        same_boot = answer.time_us >= self._told[1]
        return answer.stream == self.stream and same_boot and signed_difference(answer.index, self._told[0]) >= 0

    def finish(self, end_u32: int) -> int:
        """The stream has `end_u32` samples (mod 2^32) and no more; returns how many of them are newly lost."""
        self._joining = False
        return self._skip_to(self.next_index + max(0, signed_difference(end_u32, self.next_index)))

    def _skip_to(self, index: int) -> int:
        lost = 0
        for first, end in _without(self.next_index, index, self.ahead):
            self.missing.add(first, end)
            lost += end - first
        self._go_to(index)
        return lost

    def _go_to(self, index: int) -> None:
        self.next_index = index
        if self.ahead:
            self.ahead = [span for span in self.ahead if span[1] > index]

    def place(self, index_u32: int, time_1024: int, t_host_ns: int, backfilled: bool) -> Place:
        """Where a packet with these counters lies."""
        anchor = self.anchor
        delta = signed_difference(index_u32, anchor.index)
        expected = self._expected(delta)
        deviation = self._deviation(time_1024, anchor.ticks, expected)
        timely = self._timely(deviation, delta, anchor.slack_ticks)
        by_host = self._host_agrees(delta, t_host_ns)
        near = abs(delta) <= ALONE_S * self.rate_hz
        believed = by_host or ((near or backfilled) and self._is_past(delta, t_host_ns))
        return Place(
            anchor.index + delta,
            anchor.ticks + (expected + deviation) // self.rate_hz,
            agrees=timely and believed and anchor.index + delta >= 0,
            vouched=by_host or (timely and abs(delta) <= VOUCHED_S * self.rate_hz),
        )

    def _expected(self, delta: int) -> int:
        """Ticks × rate from the anchor to a sample `delta` further on, at the measured period where it is known."""
        anchor, origin = self.anchor, self._origin
        baseline = anchor.index - origin.index
        if abs(delta) <= ALONE_S * self.rate_hz or baseline < abs(delta):
            return delta * TICKS_PER_S
        return delta * (anchor.ticks - origin.ticks) * self.rate_hz // baseline

    def _deviation(self, time_1024: int, from_ticks: int, expected: int) -> int:
        """How far (ticks × rate) the 16-bit time is from what was expected, modulo 64 s, nearest to 0."""
        turn = self.rate_hz << 16
        return ((time_1024 - from_ticks) * self.rate_hz - expected + turn // 2) % turn - turn // 2

    def _timely(self, deviation: int, delta: int, slack_ticks: int) -> bool:
        return _is_near(deviation, delta, self.rate_hz, slack_ticks)

    def _host_agrees(self, delta: int, t_host_ns: int) -> bool:
        length_ns = delta * self.period_ns
        return abs(t_host_ns - self.anchor.t_host_ns - length_ns) * 50 <= abs(length_ns) + 50 * HOST_SLACK_NS

    def _is_past(self, delta: int, t_host_ns: int) -> bool:
        """Whether a sample `delta` from the anchor has been taken by now: what a buffer holds may be of any age."""
        passed_ns = max(0, t_host_ns - self.anchor.t_host_ns)
        return delta * self.period_ns * 50 <= passed_ns * 51 + 50 * HOST_SLACK_NS

    def may_hold(self, end: int, t_host_ns: int) -> bool:
        """Whether a buffer can hold samples up to `end` by now; what lies ahead of all that came live is kept apart."""
        delta, passed_ns = end - 1 - self.anchor.index, max(0, t_host_ns - self.anchor.t_host_ns)
        past = delta * self.period_ns * 50 <= passed_ns * 51 + 50 * ON_THE_WAY_NS
        return end <= self.next_index or (past and len(self.ahead) < AHEAD_AT_MOST)

    def accept(self, first: int, end: int, backfilled: bool) -> Arrival:
        """The samples [first, end) have come: which of them are new, and what that does to the counts."""
        if self._joining and not backfilled:
            self._join_at(first)
        late = self.missing.take(first, min(end, self.next_index)) if first < self.next_index else []
        regained = sum(max(0, b - max(a, self.counted_from)) for a, b in late)
        fresh = _without(max(first, self.next_index), end, self.ahead)
        lost = 0
        if backfilled:  # never moves what is expected live: whoever could, would make all that comes live look late
            self.ahead = _joined([*self.ahead, *fresh]) if fresh else self.ahead
        elif self.next_index < end:
            lost = self._skip_to(max(first, self.next_index))
            self._go_to(end)
        came = sum(b - a for a, b in [*late, *fresh])
        return Arrival(late, fresh, lost - regained, end - first - came)

    def agreeing(
        self, index_u32: NDArray[Any], time_1024: NDArray[Any], samples: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Index and ticks of the longest plain run at the front of live packets of so many samples each.

        Plain: each agrees by its 16-bit time alone, whatever the host's clock says, and lies behind the one before.
        """
        if not len(index_u32):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        anchor, rate = self.anchor, self.rate_hz
        index_u32 = np.concatenate(([anchor.index & _U32], index_u32), dtype=np.int64)
        time_1024 = np.concatenate(([anchor.ticks & _U16], time_1024), dtype=np.int64)
        delta = ((np.diff(index_u32) + (1 << 31)) & _U32) - (1 << 31)
        turn = rate << 16
        deviation = (np.diff(time_1024) * rate - delta * TICKS_PER_S + turn // 2) % turn - turn // 2
        allowed = 2560 * np.abs(delta) + 1024 * rate
        allowed[0] += 125 * anchor.slack_ticks * rate
        plain = (np.abs(deviation) * 125 <= allowed) & (np.abs(delta) * self.period_ns <= HOST_SLACK_NS)
        plain[1:] &= delta[1:] >= samples
        plain[0] &= anchor.index + delta[0] >= self.next_index
        count = len(plain) if plain.all() else int(plain.argmin())
        ticks = (delta[:count] * TICKS_PER_S + deviation[:count]) // rate
        return anchor.index + np.cumsum(delta[:count]), anchor.ticks + np.cumsum(ticks)

    def accept_all(self, index: NDArray[np.int64], samples: int) -> int:
        """Packets of a plain run have come; returns how many samples between them are newly lost."""
        self._joining = False
        lost = self._skip_to(int(index[0]))
        for k in np.flatnonzero(np.diff(index) > samples):
            self.next_index = int(index[k]) + samples
            lost += self._skip_to(int(index[k + 1]))
        self.next_index = int(index[-1]) + samples
        return lost

    def _join_at(self, first: int) -> None:
        """The first live packet; it may have been begun before the stream was joined."""
        self._joining = False
        if first < self.next_index:
            came = _without(first, self.next_index, self.missing.take(first, self.next_index))
            self.ahead = _joined([*came, *self.ahead])
            self.next_index = self.counted_from = first

    def _begin_at(self, index: int) -> None:
        self.next_index = self.counted_from = index
        self.ahead = []
        self.missing = Missing()
        self.missing.add(0, index)

    def follow(self, index: int, ticks: int, t_host_ns: int) -> None:
        """A live packet lies here: time is told from it on."""
        self.anchor = Anchor(index, ticks, t_host_ns)
        self._doubts = 0

    def reassured(self) -> None:
        """A packet agreed: what disagreed before it was a single fault."""
        self._doubts = 0

    def doubt(self, index_u32: int, time_1024: int) -> bool:
        """A live packet disagrees; whether it is now enough of them to believe them instead.

        That is the fourth packet in a row that disagrees, where the last three agree with each other.
        """
        delta = signed_difference(index_u32, self._doubted[0])
        deviation = self._deviation(time_1024, self._doubted[1], delta * TICKS_PER_S)
        forward = 0 < delta <= ALONE_S * self.rate_hz
        agrees = self._doubts > 0 and forward and self._timely(deviation, delta, 0)
        self._agreeing = self._agreeing + 1 if agrees else 1
        self._doubts += 1
        self._doubted = (index_u32, time_1024)
        return self._doubts >= DOUBTS_TO_ADOPT and self._agreeing >= AGREEING_TO_ADOPT

    def adopt(self, place: Place, time_1024: int, t_host_ns: int, segment: int) -> tuple[Place, int]:
        """Follow another track from this packet on, as a new segment; its place, and how many are newly lost.

        A jump forward that device or host clock vouches for is counted; any other is a counter that began anew.
        """
        self.segment, lost = segment, 0
        if place.vouched and place.index >= self.next_index:
            lost = self._skip_to(place.index)
        else:
            ticks = self.anchor.ticks + signed_difference(time_1024, self.anchor.ticks, bits=16)
            index = place.index if place.index >= 0 else place.index + (1 << 32)
            place = Place(index, ticks, agrees=True, vouched=False)
            self._begin_at(index)
        self._joining = False
        self.follow(place.index, place.ticks, t_host_ns)
        self._origin = self.anchor
        return place, lost


def _without(first: int, end: int, others: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """[first, end) without other intervals, which are in order."""
    left = []
    for a, b in others:
        if a >= end:
            break
        if first < a:
            left.append((first, a))
        first = max(first, b)
    return [*left, (first, end)] if first < end else left


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Intervals in order, those that touch as one."""
    joined: list[tuple[int, int]] = []
    for first, end in sorted(spans):
        if joined and joined[-1][1] == first:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((first, end))
    return joined
