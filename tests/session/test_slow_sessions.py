"""Sensors of one sample in half a second to ten seconds: a story told by them, live, replayed and from arrays."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import companion
from companion.commands.conductor import Asked, conducted
from companion.posture.calibration import Calibration
from companion.posture.rows import CONTEXTS
from companion.session import Report, Session
from companion.settings import Settings
from companion.simulator.body import StoryBody
from companion.simulator.choreography import Choreography
from companion.simulator.stories import body_of
from firmware_protocol.devices import imported
from firmware_protocol.drivers import Battery, Decoded, Segment
from firmware_protocol.frames import Closed, LinkDown, Notification, Opened, Tick, UserMark
from firmware_protocol.samples import make_samples

T0_NS = 5_000_000_000_000
S = 1_000_000_000
DENSE_HZ = 100.0
TRAVELS_S = 0.02


@dataclass(frozen=True)
class Air:
    """How the samples come: what is said of them, what is so, and what becomes of them on the way."""

    said_s: float  # the nominal period
    real_s: float | None = None
    jitter_s: float = 0.02
    lost: float = 0.0
    index: bool = False
    clock: bool = False
    gyro: bool = False
    longest_s: float = 4.0  # what the driver takes for normal
    seed: int = 3


class Decoder(imported.Decoder):
    """Blocks of one sample as they are; a frame of another name tells a battery level."""

    def feed(self, frames) -> Decoded:
        frames = list(frames)
        told = [f for f in frames if isinstance(f, Notification) and f.characteristic == "battery"]
        return replace(super().feed(frames), batteries=tuple(Battery(f.data[0], t_host_ns=f.t_host_ns) for f in told))


def header(calibration_json: str | None, **texts: str) -> Opened:
    return Opened(
        t_host_ns=T0_NS,
        session_id="slow",
        driver="imported",
        device="tag",
        utc_ns=1_760_000_000_000_000_000,
        zone="UTC",
        settings_json=Settings.of(texts).to_json(),
        calibration_json=calibration_json,
        software_version="test",
    )


def taken(body, air: Air, seconds: float):
    """SAMPLES without arrival, and when they arrive, in seconds."""
    rng, real_s = np.random.default_rng(air.seed), air.real_s or air.said_s
    at_s = np.arange(0.1, seconds - 0.1, real_s)
    dense = body.sample(DENSE_HZ, 0, round(seconds * DENSE_HZ) + 1)
    acc, gyr = (each[np.round(at_s * DENSE_HZ).astype(int)] for each in dense)
    samples = make_samples(
        acc,
        gyr if air.gyro else None,
        index=np.arange(len(at_s)) if air.index else None,
        t_device_ns=np.round(at_s * S) if air.clock else None,
    )
    came = rng.random(len(at_s)) >= air.lost
    return samples[came], (at_s + TRAVELS_S + rng.uniform(0, air.jitter_s, len(at_s)))[came]


def frames_of(body, air: Air, seconds: float, calibrated: bool = True) -> list:
    """A session: one block a sample, a tick a second, and its end."""
    baseline = Calibration.from_axes(body.up_sensor, body.forward_sensor).to_json() if calibrated else None
    samples, at_s = taken(body, air, seconds)
    frames = [
        Notification(t_host_ns=T0_NS + round(t_s * S), characteristic="samples", data=data)
        for t_s, data in zip(at_s, (imported.encode(each, 1 / air.said_s)[0] for each in samples[:, None]), strict=True)
    ]
    frames += [Tick(t_host_ns=T0_NS + second * S) for second in range(1, int(seconds) + 1)]
    frames.sort(key=lambda frame: frame.t_host_ns)
    end_ns = max(frames[-1].t_host_ns, T0_NS + round(seconds * S)) + 1
    return [header(baseline), *frames, Closed(t_host_ns=end_ns, reason="ended", count=len(frames) + 1)]


def run(frames: list, pieces: list[list], longest_s: float = 4.0, usual_rate_hz: float | None = None) -> list[Report]:
    driver = replace(imported.DRIVER, longest_interval_s=longest_s, new_decoder=Decoder, usual_rate_hz=usual_rate_hz)
    with patch("companion.session.driver", lambda name: driver):
        session = Session(frames[0])
        return [*(session.feed(piece) for piece in pieces), session.close()]


def told(reports: list[Report]) -> Iterator[object]:
    for report in reports:
        for kind, what in report.in_order():
            yield from ([bytes(row) for row in what] if kind == "posture" else [what])
    yield repr(reports[-1].summary)


def times(reports: list[Report], name: str) -> list[float]:
    return [e.t_session_ns / S for report in reports for e in report.events if type(e).__name__ == name]


SLOUCH = body_of("slouch")  # 10 s at the baseline, 1.5 s on the way to 25 degrees, which it stays at

AIRS = {  # the slouch begins at 11.2 s: when is it told
    "micro:bit": (Air(0.64, longest_s=1.0), (12, 14)),
    "twice a second": (Air(0.5, jitter_s=0.2, longest_s=1.0), (12, 14)),
    "Ruuvi": (Air(1.285, index=True), (13, 16)),
    "Ruuvi, a fifth lost": (Air(1.285, index=True, jitter_s=0.3, lost=0.2), (13, 19)),
    "Ruuvi that sends every 2.5 s": (Air(1.285, 2.5, index=True), (15, 20)),
    "Ruuvi that sends every 10 s": (Air(1.285, 10.0, index=True, longest_s=10.0), (30, 45)),
    "one a second": (Air(1.0, jitter_s=0.3), (12, 16)),
    "one a second with a clock": (Air(1.0, jitter_s=0.3, clock=True, index=True), (12, 16)),
    "one a second with a gyroscope": (Air(1.0, jitter_s=0.3, gyro=True, index=True), (12, 16)),
    "every 5 s": (Air(5.0, jitter_s=0.5), (20, 28)),
    "every 5 s, a fifth lost": (Air(5.0, jitter_s=0.5, lost=0.2, longest_s=10.0), (20, 38)),
    "every 10 s": (Air(10.0, jitter_s=1.0, longest_s=10.0), (30, 45)),
    "every 10 s, a fifth lost": (Air(10.0, jitter_s=1.0, lost=0.2, longest_s=20.0), (30, 60)),
    "said to be slow, and is not": (Air(1.285, 0.1, index=True), (11, 12)),
}


@pytest.mark.parametrize(("air", "told_s"), AIRS.values(), ids=AIRS)
def test_a_slouch_is_told_a_few_samples_later_and_alerts_half_a_minute_after_that(air, told_s):
    frames = frames_of(SLOUCH, air, 150)
    reports = run(frames, [frames[1:]], air.longest_s)
    (started_s,), raised_s = times(reports, "SlouchStarted"), times(reports, "AlertRaised")
    assert told_s[0] <= started_s <= told_s[1]
    assert raised_s == pytest.approx([started_s + 30], abs=0.01)
    assert not times(reports, "SignalLost")
    rows = np.concatenate([report.posture for report in reports])
    since = rows[rows["t_session_ns"] > (started_s + 1) * S]
    assert np.mean(since["context"] == CONTEXTS.index("still")) > 0.93
    still = since[since["context"] == 0]
    assert still["sagittal_deg"] == pytest.approx(SLOUCH.truth(still["t_session_ns"] / S)[0], abs=2.0)
    assert (still["uncertainty_deg"] < 2.0).all()
    assert reports[-1].summary["duration_s"] == pytest.approx(150, abs=0.5 + (air.said_s if air.clock else 0))
    assert reports[-1].summary["drift_ppm"] is None
    assert (reports[-1].summary["lost_samples"] > 0) == (air.index and air.lost > 0)


@pytest.mark.parametrize("air", [Air(1.285, index=True), Air(1.285, 2.5), Air(10.0, longest_s=10.0, clock=True)])
def test_arrays_of_the_same_samples_say_the_same(air):
    samples, at_s = taken(SLOUCH, air, 150)
    samples["t_host_ns"] = np.round(at_s * S)
    result = companion.analyse(samples, Calibration.from_axes(SLOUCH.up_sensor, SLOUCH.forward_sensor))
    frames = frames_of(SLOUCH, air, 150)
    (started_s,) = times(run(frames, [frames[1:]], air.longest_s), "SlouchStarted")
    events = {type(event).__name__: event.t_session_ns / S for event in result.events}
    assert events["SlouchStarted"] == pytest.approx(started_s - at_s[0], abs=0.41)
    assert events["AlertRaised"] == pytest.approx(events["SlouchStarted"] + 30, abs=0.01)
    assert result.summary["no_data_s"] == 0


@pytest.mark.parametrize("lost", [0.0, 0.2])
@pytest.mark.parametrize("real_s", [0.64, 1.0, 1.285, 2.5, 5.0, 10.0])
def test_arrays_of_any_slow_rate_have_no_false_silence(real_s, lost):
    samples, at_s = taken(body_of("upright"), Air(real_s, jitter_s=0.3 * min(real_s, 1.0), lost=lost), 600)
    samples["t_host_ns"] = np.round(at_s * S)
    result = companion.analyse(samples, Calibration.from_axes(SLOUCH.up_sensor, SLOUCH.forward_sensor))
    assert result.summary["no_data_s"] == 0
    assert result.summary["duration_s"] == pytest.approx(at_s[-1] - at_s[0] + real_s, abs=0.3 * real_s + 0.3)
    assert result.summary["still_s"] > 0.9 * (600 - 4 * real_s / (1 - lost))
    assert result.summary["in_range_s"] == result.summary["still_s"]


def test_where_nothing_says_the_rate_it_is_the_drivers_usual_one():
    frames = frames_of(SLOUCH, Air(1.285, 2.5), 60)
    with patch.object(imported, "Segment", lambda number, rate_hz: Segment(number, None)):
        reports = run(frames, [frames[1:]], usual_rate_hz=0.5)
        by_chance = run(frames, [frames[1:]])
    assert len(times(reports, "SlouchStarted")) == 1
    assert times(by_chance, "SlouchStarted") != times(reports, "SlouchStarted"), "what was assumed has to be found out"


SILENCES = [(1.285, 4.0, 12.0, 40.0), (10.0, 10.0, 30.0, 100.0), (0.64, 1.0, 5.0, 30.0), (10.0, 1.0, 30.0, 100.0)]


@pytest.mark.parametrize(("period_s", "longest_s", "no_data_s", "fault_s"), SILENCES)
def test_a_silence_is_told_when_it_is_due_and_ends_a_slouch_as_one(period_s, longest_s, no_data_s, fault_s):
    frames = frames_of(SLOUCH, Air(period_s, longest_s=longest_s), 300)
    gone = [f for f in frames if not (isinstance(f, Notification) and 100 * S < f.t_host_ns - T0_NS < 250 * S)]
    heard_s = [(f.t_host_ns - T0_NS) / S for f in gone if isinstance(f, Notification)]
    last_s = max(t_s for t_s in heard_s if t_s < 200)
    reports = run(gone, [gone[1:]], longest_s)
    assert times(reports, "SignalLost") == [pytest.approx(last_s + no_data_s, abs=0.21)]
    assert times(reports, "Fault") == [pytest.approx(last_s + fault_s, abs=0.21)]
    assert len(times(reports, "SignalFound")) == 1
    (ended,) = [e for report in reports for e in report.events if type(e).__name__ == "SlouchEnded"][:1]
    assert ended.ended_by == "no_data"
    rows = np.concatenate([report.posture for report in reports])
    t_s = rows["t_session_ns"] / S
    held_s = 2.5 * max(period_s, longest_s / 2)
    unknown = (t_s > last_s + held_s + 0.2) & (t_s < 250)
    assert np.isnan(rows["sagittal_deg"][unknown]).all()
    assert np.isfinite(rows["sagittal_deg"][(t_s > 20) & (t_s < last_s + held_s - 0.2)]).all()


def odd_ones(*places: int) -> Choreography:
    """Forward for ten minutes, looked at every ten seconds: upright at these looks."""
    story = Choreography().rest(2.0).lean(25.0, over_s=1.0)
    for place in places:
        story.rest_until(10.1 * place - 3.0).lean(0.0, over_s=1.0).rest_until(10.1 * place + 2.0).lean(25.0, over_s=1.0)
    return story.rest_until(600.0)


@pytest.mark.parametrize(
    ("places", "episodes"), [((), 1), ((20,), 1), ((20, 30, 40), 1), ((20, 21), 2), ((20, 21, 22, 23), 2)]
)
def test_one_odd_sample_ends_no_slouch(places, episodes):
    body = StoryBody("odd", odd_ones(*places).figure(), calibration_given=True)
    air = Air(10.1, jitter_s=0.01, longest_s=10.0)
    reports = run(frames := frames_of(body, air, 590), [frames[1:]], air.longest_s)
    assert reports[-1].summary["episodes"] == episodes


def test_rows_are_there_when_the_clock_says_so_not_when_the_next_sample_comes():
    frames = frames_of(SLOUCH, Air(10.0, longest_s=10.0), 60)
    driver = replace(imported.DRIVER, longest_interval_s=10.0)
    with patch("companion.session.driver", lambda name: driver):
        session = Session(frames[0])
        for frame in frames[1:-1]:
            session.feed([frame])
            behind_ns = frame.t_host_ns - T0_NS - session.t_session_ns
            assert behind_ns < 1_300_000_000 or session.t_session_ns == 0


def everything() -> list:
    """A session with losses, silence, samples that cannot be, marks, a link that goes and a battery that runs down."""
    frames = frames_of(SLOUCH, Air(1.285, 2.5, jitter_s=0.4, lost=0.2, index=True), 240, calibrated=True)
    frames = [f for f in frames if not (isinstance(f, Notification) and 120 < (f.t_host_ns - T0_NS) / S < 160)]
    broken = imported.encode(make_samples(np.full((1, 3), np.nan)), 1 / 1.285)[0]
    extra = {
        40.31: lambda t: Notification(t_host_ns=t, characteristic="battery", data=bytes([19])),
        59.4: lambda t: Notification(t_host_ns=t, characteristic="samples", data=broken),
        59.5: lambda t: UserMark(t_host_ns=t, kind="snooze", value="20s"),
        90.55: lambda t: Notification(t_host_ns=t, characteristic="samples", data=b"nothing"),
        130.2: lambda t: LinkDown(t_host_ns=t, cause="out of range"),
        200.05: lambda t: Notification(t_host_ns=t, characteristic="battery", data=bytes([9])),
    }
    made = [*frames, *(make(T0_NS + round(t_s * S)) for t_s, make in extra.items())]
    return sorted(made, key=lambda frame: frame.t_host_ns)


@pytest.fixture(scope="module")
def session_frames() -> list:
    return everything()


@pytest.fixture(scope="module")
def whole(session_frames) -> list:
    return list(told(run(session_frames, [session_frames[1:]])))


def test_the_session_of_the_law_holds_what_it_should(whole):
    names = [type(each).__name__ for each in whole]
    assert names.count("BatteryLow") == 2
    assert {"SlouchStarted", "AlertRaised", "SignalLost", "SignalFound", "Snoozed"} <= set(names)


def test_one_frame_at_a_time_gives_the_same(session_frames, whole):
    assert list(told(run(session_frames, [[frame] for frame in session_frames[1:]]))) == whole


@pytest.mark.slow
@given(st.lists(st.integers(1, 480), max_size=20).map(sorted))
@settings(max_examples=40, deadline=None)
def test_any_cut_gives_the_same(session_frames, whole, cuts):
    pieces = [session_frames[a:b] for a, b in zip([1, *cuts], [*cuts, len(session_frames)], strict=True)]
    assert list(told(run(session_frames, pieces))) == whole


BENDS = [(0.64, 1.0), (1.0, 2.0), (1.285, 3.0), (2.5, 5.0), (5.0, 10.0)]  # period, how long each bend is held


@pytest.mark.parametrize(("period_s", "held_s"), BENDS)
def test_a_slow_sensor_can_be_calibrated_by_bends_that_are_held(period_s, held_s):
    story = Choreography().rest(25.0)
    for peak_deg in (32.0, 34.0):
        story.lean(peak_deg, 1.2, over_s=2.0).rest(held_s).lean(0.0, 0.0, over_s=2.0).rest(held_s)
    body = StoryBody("bends", story.rest(30.0).figure(), calibration_given=False)
    refused: list[str] = []
    driver = replace(imported.DRIVER, longest_interval_s=2 * period_s)
    with patch("companion.session.driver", lambda name: driver):
        frames = frames_of(body, Air(period_s), body.duration_s, calibrated=False)
        made = [f for f in conducted(iter(frames), Asked("desk"), refused) if type(f).__name__ == "CalibrationSet"]
    assert refused == []
    found = Calibration.from_json(made[0].calibration_json)
    assert np.degrees(np.arccos(np.array(found.up) @ body.up_sensor)) < 0.5
    assert np.degrees(np.arccos(np.array(found.forward) @ body.forward_sensor)) < 4.0
