"""T6, T7: forged counters and times, and data that look plausible: no alert comes of them, and they are counted."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import companion
import firmware_protocol as fp
from companion.commands.opening import declared, opening
from companion.posture.events import AlertRaised
from companion.session import Report, Session
from companion.settings import Settings
from companion.simulator.stories import body_of
from companion.simulator.straight import frames as simulated
from firmware_protocol.devices import imported
from firmware_protocol.posture_v1 import packets as p

G_MPS2 = 9.80665
RATE_HZ, STRAIGHT_S, LIE_S = 50, 20, 90
UP, FORWARD = np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0])
CALIBRATION = companion.Calibration.from_axes(UP, FORWARD)


# ---- T7: plausible lies, as samples


def held(angle_deg: float, seconds: float, noise_mps2: float = 0.02) -> np.ndarray[Any, Any]:
    """Somebody who holds this angle: acceleration (N, 3)."""
    angle = np.radians(angle_deg)
    up = np.array([-np.sin(angle), 0.0, np.cos(angle)])
    count = round(seconds * RATE_HZ)
    return G_MPS2 * up + noise_mps2 * np.random.default_rng(1).standard_normal((count, 3))


def judged(lie: np.ndarray[Any, Any], gyr_radps: np.ndarray[Any, Any] | None = None) -> Any:
    """Twenty honest seconds at 0°, then the lie, through the whole pipeline."""
    acc = np.concatenate([held(0.0, STRAIGHT_S), lie])
    gyr = 0.002 * np.random.default_rng(2).standard_normal(acc.shape)
    if gyr_radps is not None:
        gyr[-len(lie) :] = gyr_radps
    t_ns = np.arange(len(acc)) * 1_000_000_000 // RATE_HZ
    samples = fp.make_samples(acc, gyr, t_device_ns=t_ns, index=np.arange(len(acc)), t_host_ns=t_ns)
    return companion.analyse(samples, calibration=CALIBRATION)


def alerts(result: Any) -> int:
    return sum(isinstance(event, AlertRaised) for event in result.events)


def naive_alerts(acc_mps2: np.ndarray[Any, Any]) -> bool:
    """As one would first write it: the angle of the newest sample, and over 12° for 30 s."""
    with np.errstate(invalid="ignore"):
        angles = np.degrees(np.arctan2(-acc_mps2[:, 0], acc_mps2[:, 2]))
    beyond = ~(angles <= 12.0)  # NaN: nobody thought of it
    return bool(beyond[-30 * RATE_HZ :].all())


def stuck() -> np.ndarray[Any, Any]:
    return np.repeat(held(25.0, 0.02), LIE_S * RATE_HZ, axis=0)


LIES: dict[str, Callable[[], np.ndarray[Any, Any]]] = {
    "no number": lambda: np.full((LIE_S * RATE_HZ, 3), np.nan),
    "infinite": lambda: np.full((LIE_S * RATE_HZ, 3), [-np.inf, 0.0, G_MPS2]),
    "sixteen g at rest": lambda: 16 * held(25.0, LIE_S),
    "weightless and leaning": lambda: 0.2 * held(25.0, LIE_S),
    "beyond all numbers": lambda: 1e300 * held(25.0, LIE_S),
    "frozen": stuck,
}


def test_an_honest_slouch_alerts() -> None:
    """The control: what the lies pretend to be does raise alerts."""
    assert alerts(judged(held(25.0, LIE_S))) == 1


@pytest.mark.parametrize("name", LIES)
def test_no_alert_comes_of_a_lie(name: str) -> None:
    lie = LIES[name]()
    result = judged(lie)
    assert alerts(result) == 0
    after = result.posture[result.posture["t_session_ns"] > (STRAIGHT_S + 10) * 1_000_000_000]
    states = {companion.STATES[state] for state in after["state"]}
    assert "forward" not in states
    assert "in_range" not in states, "what is not believed is no good news either"
    assert naive_alerts(lie), "the naive way falls for it"


def test_numbers_that_are_none_in_a_file_of_our_own_raise_no_alert() -> None:
    """The format for imported motion can hold NaN bit for bit; the session must not believe it."""
    acc = np.concatenate([held(0.0, STRAIGHT_S), np.full((LIE_S * RATE_HZ, 3), np.nan)])
    t_ns = np.arange(len(acc)) * 1_000_000_000 // RATE_HZ
    samples = fp.make_samples(acc, np.zeros_like(acc), t_device_ns=t_ns, index=np.arange(len(acc)))
    header = opening(
        t_host_ns=0, driver="imported", device="x", settings=Settings(), origin="file", rate_hz=50.0,
        calibration_json=declared(UP, FORWARD, Settings()),
    )  # fmt: skip
    session = Session(header)
    session.feed([header])
    for number, block in enumerate(imported.encode(samples, 50.0)):
        t_host_ns = (number + 1) * imported.BLOCK_SAMPLES * 20_000_000
        session.feed([fp.Notification(t_host_ns=t_host_ns, characteristic=imported.CHARACTERISTIC, data=block)])
    summary = session.close().summary
    assert summary is not None
    assert (summary["alerts"], summary["forward_s"]) == (0, 0.0)


# ---- T6: forged packets, in a session


def lived(story: str, duration_s: float) -> list[fp.Frame]:
    body = body_of(story)
    header = opening(
        t_host_ns=0, driver="posture_v1", device="x", settings=Settings(), origin="live", rate_hz=50.0,
        calibration_json=declared(body.up_sensor, body.forward_sensor, Settings()),
    )  # fmt: skip
    return list(simulated(body, header=header, duration_s=duration_s))


def is_motion(frame: fp.Frame) -> bool:
    return isinstance(frame, fp.Notification) and frame.characteristic == p.MOTION


def came_to(frames: list[fp.Frame]) -> tuple[Report, dict[str, Any]]:
    session = Session(frames[0])  # type: ignore[arg-type]
    report, last = session.feed(frames), session.close()
    assert last.summary is not None
    return replace(report, events=(*report.events, *last.events)), last.summary


def naive_samples(frames: list[fp.Frame]) -> int:
    """A decoder that believes every packet."""
    return sum((len(frame.data) - 8) // 12 for frame in frames if is_motion(frame))  # type: ignore[union-attr]


def test_the_slouch_that_is_replayed_below_does_alert() -> None:
    report, _ = came_to(lived("slouch", 60.0))
    assert sum(isinstance(event, AlertRaised) for event in report.events) == 1


def test_packets_that_are_sent_again_change_nothing() -> None:
    """A recording of the air, played back: yesterday's slouch over today's upright sitting."""
    honest = lived("upright", 90.0)
    stream = next(frame.data[1] for frame in honest if is_motion(frame))  # type: ignore[union-attr]
    slouch = [frame for frame in lived("slouch", 60.0) if is_motion(frame)]
    forged = [
        replace(frame, t_host_ns=frame.t_host_ns + 30_000_000_000, data=bytes([frame.data[0], stream]) + frame.data[2:])  # type: ignore[union-attr, call-arg]
        for frame in slouch
    ]
    mixed = sorted([*honest[1:], *forged], key=lambda frame: frame.t_host_ns)
    report, summary = came_to([honest[0], *mixed])
    _, alone = came_to(honest)
    assert not [event for event in report.events if isinstance(event, AlertRaised)]
    assert summary["samples"] == alone["samples"]
    assert summary["duplicates"] + summary["malformed"] > 1000
    assert summary["forward_s"] == 0
    assert naive_samples([honest[0], *mixed]) > summary["samples"] + 1000


@pytest.mark.parametrize("jump", [601, 100_000, 2**31 - 1, 2**31, -50, -100_000])
def test_a_jump_of_the_counter_or_the_clock_raises_no_alert(jump: int) -> None:
    """Single packets are refused; all packets from one on begin a new segment or are refused. Nothing is made up."""
    honest, forged = lived("upright", 60.0), []
    for frame in honest:
        if is_motion(frame) and frame.t_host_ns > 30_000_000_000:
            kind, stream, index, time_1024 = p.MOTION_HEADER.unpack_from(frame.data)  # type: ignore[union-attr]
            head = p.MOTION_HEADER.pack(kind, stream, (index + jump) % 2**32, (time_1024 + 7 * jump) % 2**16)
            frame = replace(frame, data=head + frame.data[8:])  # type: ignore[union-attr, call-arg] # noqa: PLW2901
        is_answer = isinstance(frame, fp.Notification) and frame.characteristic == p.CONTROL
        if not (is_answer and frame.t_host_ns > 30_000_000_000):  # the honest end would tell the jump once more
            forged.append(frame)
    report, summary = came_to(forged)
    taken = naive_samples(honest)
    assert not [event for event in report.events if isinstance(event, AlertRaised)]
    assert summary["samples"] <= taken
    assert abs(summary["duration_s"] - 60.0) < 1.0, "a forged clock does not stretch the session"
    assert summary["lost_samples"] <= 100, "the naive difference would be the jump itself"
