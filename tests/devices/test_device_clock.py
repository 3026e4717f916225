"""The clock that stands in packets: unwrapped, with what is missing, what came twice, and any cut alike."""

from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.devices.device_clock import DeviceClock

MS = 1_000_000
STAMPS: list[Literal["first", "last"]] = ["first", "last"]


def followed(
    ticks: list[int], each: int = 4, bits: int = 32, stamps: Literal["first", "last"] = "first", period_ms: int = 20
) -> dict[str, Any]:
    clock = DeviceClock(bits, MS, stamps)
    found = clock.follow(np.array(ticks), np.full(len(ticks), each), period_ms * MS)
    return {
        "stamps": (found.stamp_ns // MS).tolist(),
        "kept": found.kept.tolist(),
        "fresh": found.fresh.tolist(),
        "lost": found.lost,
    }


@pytest.mark.parametrize(
    ("ticks", "stamps", "kept", "fresh", "lost"),
    [
        ([1000, 1080, 1160], [1000, 1080, 1160], "111", "100", 0),
        ([1000, 1240], [1000, 1240], "11", "10", 8),  # two packets of four are missing
        ([1000, 1119, 1199], [1000, 1119, 1199], "111", "100", 2),  # half a packet more than is due
        ([1000, 1117, 1197], [1000, 1117, 1197], "111", "100", 2),
        ([1000, 1105, 1185], [1000, 1105, 1185], "111", "100", 0),  # a clock that is off
        ([1000, 1000, 1080], [1000, 1000, 1080], "101", "100", 0),  # twice
        ([1000, 1080, 1000, 1160], [1000, 1080, 1000, 1160], "1101", "1000", 0),  # late
        ([2**32 - 40, 40, 120], [2**32 - 40, 2**32 + 40, 2**32 + 120], "111", "100", 0),
        ([1000, 14_000, 14_080], [1000, 14_000, 14_080], "111", "110", 0),  # over 600 samples: another clock
        ([100_000, 10, 90], [100_000, 10, 90], "111", "110", 0),  # restarted, over a minute back
        # A false stamp: three that contradict it are dropped, the fourth is believed.
        ([1000, 1080, 9000, 1240, 1320, 1400, 1480, 1560], None, "11100011", "10000010", 392),
    ],
)
def test_a_row_of_stamps(ticks: list[int], stamps: list[int] | None, kept: str, fresh: str, lost: int) -> None:
    found = followed(ticks)
    assert [int(flag) for flag in found["kept"]] == [int(each) for each in kept]
    assert [int(flag) for flag in found["fresh"]] == [int(each) for each in fresh]
    assert found["lost"] == lost
    if stamps is not None:
        assert [stamp for stamp, k in zip(found["stamps"], found["kept"], strict=True) if k] == [
            stamp for stamp, k in zip(stamps, found["kept"], strict=True) if k
        ]


def test_what_is_due_depends_on_which_sample_the_stamp_is_of() -> None:
    counts = np.array([36, 36, 4])
    first, last = (DeviceClock(64, MS, stamps) for stamps in STAMPS)
    ticks = np.array([1000, 1720, 1800])
    assert last.follow(ticks, counts, 20 * MS).lost == 0
    ticks = np.array([1000, 1720, 2440])
    assert first.follow(ticks, counts, 20 * MS).lost == 0
    assert DeviceClock(64, MS, "last").follow(ticks, counts, 20 * MS).lost == 32


@given(
    steps=st.lists(st.one_of(st.integers(1, 200), st.integers(-(2**31), 2**31), st.just(0)), min_size=1, max_size=40),
    begin=st.integers(0, 2**32 - 1),
    cuts=st.lists(st.integers(0, 40), max_size=5),
    stamps=st.sampled_from(STAMPS),
    bits=st.sampled_from([32, 64]),
)
def test_any_cut_gives_the_same(
    steps: list[int], begin: int, cuts: list[int], stamps: Literal["first", "last"], bits: int
) -> None:
    ticks = np.cumsum([begin, *steps]) % 2**32
    counts = np.array([(7 * k) % 5 + 1 for k in range(len(ticks))])
    whole = DeviceClock(bits, MS, stamps).follow(ticks, counts, 20 * MS)
    clock = DeviceClock(bits, MS, stamps)
    edges = [0, *sorted(min(cut, len(ticks)) for cut in cuts), len(ticks)]
    parts = [clock.follow(ticks[a:b], counts[a:b], 20 * MS) for a, b in pairwise(edges)]
    for name in ("stamp_ns", "before_ns", "kept", "fresh"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        kept = whole.kept if name in ("stamp_ns", "before_ns") else slice(None)
        assert joined[kept].tolist() == getattr(whole, name)[kept].tolist(), name
    assert sum(part.lost for part in parts) == whole.lost
    in_order = np.diff(whole.stamp_ns[whole.kept]) > 0
    assert (in_order | whole.fresh[whole.kept][1:]).all()
