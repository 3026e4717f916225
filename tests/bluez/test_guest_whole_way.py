"""The whole way of a user on Linux's own Bluetooth: scan, pair, calibrate, monitor through a lost link, export.

Every step is the real command, the sensor one too: `posture simulate demo --hci vhci` is on the adapter.
"""

import csv
import json
from itertools import pairwise
from pathlib import Path

import pytest
from bluez_bench import Air, Bluetooth, Commands

pytestmark = pytest.mark.bluez

LOST_AT_S, AWAY_S, LASTS_S = 30, 8, 60


def test_from_scan_to_export_through_a_lost_link_nothing_is_lost_or_doubled(
    nothing_on_air: Air, bluetooth: Bluetooth, posture: Commands, tmp_path: Path
):
    fault = f"link@{LOST_AT_S}+{AWAY_S}"
    with posture.running("simulate", "demo", "--hci", "vhci", "--fault", fault) as sensor:
        sensor.wait_until(lambda: "the sensor is on vhci" in sensor.err, "the sensor")
        bluetooth.wait_powered()

        (found,) = [json.loads(line) for line in posture("scan", "--timeout", 3, "--json").splitlines()]
        assert (found["name"], found["driver"], found["confidence"]) == ("Posture 1234", "posture_v1", 1.0)

        assert posture("pair").startswith("sensor: Posture 1234 (posture_v1)\n")
        assert bluetooth.bonded == [found["address"]]

        posture("calibrate", "--plain")

        with posture.running("monitor", "--json", "--duration", LASTS_S) as monitor:
            assert monitor.ended() == 0, monitor.err
        sensor.stop()
        assert sensor.ended() == 0

    (session,), (summary,) = monitor.told("session"), monitor.told("summary")
    assert session["calibration"] is not None
    assert summary["outages"] == 1
    assert (summary["lost_samples"], summary["duplicates"], summary["malformed"]) == (0, 0, 0)
    assert summary["samples"] == pytest.approx(LASTS_S * 50, rel=0.1)

    posture("export", session["file"], "--out", tmp_path / "csv", "--tables", "sessions,samples")
    (sessions,) = (tmp_path / "csv").glob("*_sessions.csv")
    (row,) = csv.DictReader(sessions.read_text().splitlines())
    assert (row["lost_samples"], row["duplicates"], row["samples"]) == ("0", "0", str(summary["samples"]))
    (samples,) = (tmp_path / "csv").glob("*_samples.csv")
    times_s = [float(each["t_s"]) for each in csv.DictReader(samples.read_text().splitlines())]
    assert len(times_s) == summary["samples"]
    steps_s = [later - earlier for earlier, later in pairwise(times_s)]
    assert 0.015 < min(steps_s) <= max(steps_s) < 0.025  # 50 Hz throughout, in the outage too
