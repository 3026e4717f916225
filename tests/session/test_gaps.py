"""When a filled gap is told of, in numbers written out."""

import numpy as np
import pytest

from companion.gaps import FilledGap, Gaps
from firmware_protocol.drivers import Filled
from firmware_protocol.samples import SAMPLES

S = 1_000_000_000
T0_NS = 50 * S


def came(t_s: float, first: int, count: int = 10, segment: int = 0) -> np.ndarray:
    """A packet at this time of the session."""
    made = np.zeros(count, dtype=SAMPLES)
    made["index"], made["segment"] = np.arange(first, first + count), segment
    made["t_host_ns"] = T0_NS + round(t_s * S)
    return made


def filled(t_s: float, first: int, end: int, segment: int = 0) -> Filled:
    return Filled(segment, first, end - first, T0_NS + round(t_s * S))


def gap(from_s: float, to_s: float, samples: int, pieces: int = 1) -> FilledGap:
    return FilledGap(round(from_s * S), round(to_s * S), samples, pieces)


OUTAGE = [came(1, 0), came(21, 1010), came(21.2, 1020)]  # 1000 samples, 20 ms each


@pytest.mark.parametrize(
    ("samples", "fills", "told", "rest"),
    [
        pytest.param(
            OUTAGE,
            [filled(25, 10, 500), filled(30, 500, 1010)],
            [(30, gap(1, 21, 1000))],
            [],
            id="once, when the last of it has come",
        ),
        pytest.param(
            OUTAGE,
            [filled(25, 510, 1010)],
            [(25, gap(11, 21, 500))],
            [],
            id="what is left of it, where the oldest are gone",
        ),
        pytest.param(OUTAGE, [filled(25, 10, 510)], [], [gap(1, 11, 500)], id="broken off: at the session's end"),
        pytest.param(
            OUTAGE,
            [filled(25, 10, 500), filled(25, 510, 1010), filled(90, 500, 510)],
            [(25, gap(1, 21, 990)), (90, gap(10.8, 11, 10))],
            [],
            id="a packet of it later, as the short gap that it is",
        ),
        pytest.param(
            [came(1, 0), came(1.4, 20), came(1.8, 40), came(2.2, 60)],
            [filled(3, 10, 20), filled(4, 30, 40), filled(5, 50, 60)],
            [(3, gap(1, 1.4, 10))],
            [gap(1.4, 2.2, 20, 2)],
            id="short ones together",
        ),
        pytest.param(
            [came(1, 0), came(1.4, 20), came(1.8, 40)],
            [filled(3, 10, 20), filled(70, 30, 40)],
            [(3, gap(1, 1.4, 10)), (70, gap(1.4, 1.8, 10))],
            [],
            id="and again after a minute",
        ),
        pytest.param(
            [came(1, 0), came(30, 1000)],
            [filled(25, 10, 1000)],
            [],
            [gap(1, 30, 990)],
            id="filled before anything else came",
        ),
        pytest.param(
            [came(1, 0), came(2, 500, segment=1)], [filled(3, 10, 20, 1)], [], [], id="no gap, but a new count"
        ),
        pytest.param([came(1, -1), came(2, -1)], [], [], [], id="no counter"),
    ],
)
def test_a_gap_is_told_of_when_it_is_filled(
    samples: list[np.ndarray], fills: list[Filled], told: list[tuple[float, FilledGap]], rest: list[FilledGap]
) -> None:
    gaps = Gaps(T0_NS)
    found = [((t_ns - T0_NS) / S, event_at(0)) for t_ns, event_at in gaps.hear(np.concatenate(samples), fills)]
    assert found == [(t_s, each.event(0)) for t_s, each in told]
    assert gaps.rest() == rest
