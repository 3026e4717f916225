"""Twenty times out of range and back under one running monitor: how soon data flow again, what is left over or lost.

The sensor's own ledger is the judge of the samples; /proc and the message bus are those of what is left over.
"""

import json
import statistics
import time
from dataclasses import asdict, dataclass

import pytest
from bluez_bench import OUT, Air, Bluetooth, Commands, Running, bus_matches

pytestmark = pytest.mark.bluez

CYCLES, AWAY_S = 20, 1.0
MEDIAN_S = 5.0
A_SECOND = 50  # samples: so long data flow between one loss and the next, lest two of them be one to the host
LOOKED_AT = (2, 20)
"""After so many cycles the match rules are counted, which takes seconds."""


@dataclass(frozen=True)
class Return:
    """Seconds from the sensor's being in range until it was connected and until it sent samples; then what was open."""

    connected_s: float
    sending_s: float
    descriptors: int


def test_twenty_returns_are_quick_leave_nothing_behind_and_lose_nothing(
    air: Air, bluetooth: Bluetooth, posture: Commands
):
    posture("pair")
    returns, matches = [], []
    with posture.running("monitor", "--json") as monitor:
        monitor.wait_until(lambda: len(monitor.told("posture")) > 10, "data")
        for number in range(1, CYCLES + 1):
            returns.append(returned(air, monitor))
            if number in LOOKED_AT:
                matches.append(bus_matches(monitor.process.pid))
        monitor.wait_until(lambda: filled(air), "the last gap to be filled")
        monitor.stop()
        assert monitor.ended() == 0, monitor.err

    (OUT / "returns.json").write_text(json.dumps({"returns": [asdict(each) for each in returns], "matches": matches}))
    sending_s = [each.sending_s for each in returns]
    print(f"returns: data flow after {statistics.median(sending_s):.1f} s (median), {max(sending_s):.1f} s (longest)")
    assert statistics.median(sending_s) < MEDIAN_S

    assert set(matches) == {matches[0]}
    assert min(matches[0]) > 0
    assert max(each.descriptors for each in returns[LOOKED_AT[0] :]) <= returns[LOOKED_AT[0] - 1].descriptors

    (summary,) = monitor.told("summary")
    # A loss that comes before the monitor has ended the start after the one before is one with it.
    assert CYCLES - 2 <= summary["outages"] <= CYCLES
    assert (summary["lost_samples"], summary["duplicates"], summary["malformed"]) == (0, 0, 0)
    assert summary["samples"] == air.told()["taken"][-1]


def filled(air: Air) -> bool:
    """Whether the sensor has sent out of its buffer what it could not send when it was due."""
    told = air.told()
    return bool(told["backfilled"] >= told["lost"])


def returned(air: Air, monitor: Running) -> Return:
    """Out of range, back, and data: how long the last took, and what the monitor has open then."""
    air.away()
    air.wait_connected(False)
    time.sleep(AWAY_S)
    sent = air.told()["sent"]
    air.back()
    back_s = time.monotonic()
    monitor.wait_until(lambda: air.told()["connected"], "the sensor to be connected")
    connected_s = time.monotonic() - back_s
    monitor.wait_until(lambda: air.told()["sent"] > sent, "samples after the return")
    sending_s = time.monotonic() - back_s
    monitor.wait_until(lambda: air.told()["sent"] > sent + A_SECOND, "a second of samples")
    return Return(round(connected_s, 2), round(sending_s, 2), monitor.descriptors)
