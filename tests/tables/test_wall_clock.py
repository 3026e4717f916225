"""The computer's clock set in mid-session is seen, a slow drift of seconds is not taken for one."""

import pytest

from companion.tables.wall_clock import steps
from firmware_protocol.frames import ClockPair, Opened

S = 1_000_000_000


@pytest.mark.parametrize(
    ("offsets_s", "found"),
    [
        ([], ()),
        ([0, 0, 0], ()),
        ([0, 1.999, -1.999, 2.0], ()),
        ([0, 3600, 3600, 3600], ((60.0, 3600.0),)),
        ([0, 3600, 3600, 0], ((60.0, 3600.0), (180.0, -3600.0))),
        ([-86_400, -86_400], ((0.0, -86_400.0),)),
        ([0, 1, 2, 3, 4, 5, 6], ((180.0, 3.0), (360.0, 3.0))),
        ([0, 1_790_000_000], ((60.0, 1_790_000_000.0),)),
    ],
)
def test_steps(header: Opened, offsets_s: list[float], found: tuple[tuple[float, float], ...]) -> None:
    pairs = [
        ClockPair(t_host_ns=header.t_host_ns + 60 * S * minute, utc_ns=60 * S * minute + round(offset_s * S))
        for minute, offset_s in enumerate(offsets_s)
    ]
    assert steps(header, pairs) == found
