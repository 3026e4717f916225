"""Every simulated sensor of another maker: worn through a story, its driver and the session find the story again."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import firmware_protocol as fp
from companion.posture.calibration import Calibration
from companion.posture.rows import Context
from companion.session import Report, Session
from companion.simulator.faults import Faults
from companion.simulator.maker_sensor import MakerSensor
from companion.simulator.makers import OURS, sensor_of, simulated
from companion.simulator.stories import body_of
from companion.simulator.straight import Host

MAKERS = [name for name in simulated() if name != OURS]
SLOW = {"ruuvi", "bthome"}
S = 1_000_000_000


def worn(name: str, *faults: str, duration_s: float = 60.0) -> tuple[Host, Report, Report]:
    body = body_of("slouch")
    header = fp.Opened(
        t_host_ns=0,
        session_id="s",
        driver=name,
        device="simulated",
        rate_hz=fp.driver(name).usual_rate_hz,
        utc_ns=0,
        zone="UTC",
        software_version="0",
        calibration_json=Calibration.from_axes(body.up_sensor, body.forward_sensor).to_json(),
    )
    host = Host(body, header=header, faults=Faults.of(faults), duration_s=duration_s, rate_hz=header.rate_hz)
    session = Session(header)
    return host, session.feed(host.frames()), session.close()


def events(*reports: Report) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for event in (event for report in reports for event in report.events):
        found.setdefault(type(event).__name__, []).append(event.t_session_ns / S)
    return found


@pytest.mark.parametrize("name", MAKERS)
def test_the_angle_follows_the_story(name: str) -> None:
    host, report, last = worn(name)
    rows, t_s = report.posture, report.posture["t_session_ns"] / S
    late_s = 4.0 if name in SLOW else 1.0
    still = (rows["context"] == Context.STILL) & ((t_s < 9.5) | (t_s > 12.5 + late_s))
    error_deg = np.abs(rows["sagittal_deg"] - np.where(t_s < 10.0, 0.0, 25.0))[still]
    assert error_deg.max() < 2.0
    assert still[t_s > 5.0].mean() > 0.85
    assert not report.malformed
    told = events(report, last)
    assert len(told["SlouchStarted"]) == 1
    assert told["SlouchStarted"][0] == pytest.approx(11.5, abs=0.5 + late_s)
    assert told["AlertRaised"] == pytest.approx([told["SlouchStarted"][0] + 30.0], abs=0.3)
    assert "SignalLost" not in told
    taken = sum(host.firmware.ledger.taken.values())
    assert 0.8 * taken <= len(report.samples) <= taken


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("fault", ["garbage@20", "short@20", "flip@20", "lose@20+0.4", "silent@20+12", "reboot@20+3"])
def test_a_fault_is_survived(name: str, fault: str) -> None:
    _, report, last = worn(name, fault)
    told = events(report, last)
    assert ("SignalLost" in told) == (fault == "silent@20+12" and name not in SLOW)
    kind = fault.partition("@")[0]
    malformed = {"short": {1}, "garbage": {0, 1}, "flip": {0, 1}}.get(kind, {0}) if name not in SLOW else {0}
    assert len(report.malformed) in malformed  # noise may look like something else that the sensor says
    newest = report.posture[-20:]
    assert np.abs(newest["sagittal_deg"][newest["context"] == Context.STILL] - 25.0).max() < 2.0


@pytest.mark.parametrize("name", MAKERS)
def test_after_a_lost_link_it_streams_again(name: str) -> None:
    _, report, last = worn(name, "link@20+45", duration_s=100.0)
    told = events(report, last)
    assert len(told["SignalLost"]) == len(told["SignalFound"]) == 1
    t_s = report.posture["t_session_ns"] / S
    assert (report.posture["context"][t_s > 85.0] == Context.STILL).all()


def _sent(sensor: Any, listed: list[int], uuid: str) -> list[tuple[int, bytes]]:
    out, now_ns = [], 2 * S
    for step_ns in listed:
        now_ns += step_ns
        out += sensor.advance(now_ns)
    return [(each.t_ns, each.data) for each in out if each.characteristic == uuid]


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=15)
@given(cuts=st.lists(st.integers(0, 3 * S), max_size=12))
def test_however_time_passes_the_same_is_sent(name: str, cuts: list[int]) -> None:
    """Packets fetched at these moments are those that are fetched at once."""

    def streaming() -> Any:
        sensor = sensor_of(name, body_of("slouch"))
        sensor.connected(S)
        started(sensor, name)
        return sensor

    whole = streaming()
    if not isinstance(whole, MakerSensor):
        return
    assert _sent(streaming(), [*cuts, S], whole.MOTION) == _sent(whole, [sum(cuts) + S], whole.MOTION)


def started(sensor: Any, name: str) -> None:
    """Carry out the driver's script."""
    script, reply, answers, now_ns = fp.driver(name).start(None), None, dict[str, bytes](), S
    while True:
        try:
            step = next(script) if reply is None else script.send(reply)
        except StopIteration:
            return
        now_ns += 1_000_000
        out: list[Any] = []
        reply = b""
        match step:
            case fp.Subscribe(characteristic):
                sensor.subscribed(characteristic, True)
            case fp.Write(characteristic, data, service=service):
                apart = f"{service}/{characteristic}"
                known = {each.name for each in sensor.served}
                out = sensor.write(apart if apart in known else characteristic, data, now_ns)
            case fp.Read(characteristic):
                try:
                    reply = sensor.read(characteristic, now_ns)
                except KeyError:
                    reply = b""
            case fp.Await(characteristic):
                reply = answers[characteristic]
        answers |= {each.characteristic: each.data for each in out}


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=40)
@given(data=st.binary(max_size=40), place=st.integers(0, 20))
def test_any_write_is_taken_or_refused(name: str, data: bytes, place: int) -> None:
    sensor = sensor_of(name, body_of("slouch"))
    served = sensor.served
    if not served:
        return
    sensor.connected(0)
    for each in served:
        sensor.subscribed(each.name, True)
    try:
        sensor.write(served[place % len(served)].name, data, S)
    except KeyError:
        return
    sensor.advance(3 * S)


def test_there_is_no_simulated_stranger() -> None:
    with pytest.raises(Exception, match="there is no simulated 'imported'"):
        sensor_of("imported", body_of("slouch"))
