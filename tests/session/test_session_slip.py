"""A slip through a whole session: found, the same bits for any cut, and remembered for the next session."""

from dataclasses import replace

import pytest

from companion.commands.monitor import remember_walking
from companion.commands.opening import declared
from companion.commands.places import places
from companion.commands.store import Store
from companion.posture import exposure
from companion.posture.calibration import Calibration
from companion.posture.rows import RowFlag
from companion.session import Report, Session
from companion.settings import Settings
from companion.simulator import straight
from companion.simulator.stories import body_of
from firmware_protocol.frames import CalibrationSet, Closed, Opened

T0_NS = 5_000_000_000_000
S = 1_000_000_000


def frames_of(story: str, duration_s: float, calibration: Calibration | None = None) -> list:
    """A simulated session whose baseline is known from the start: that of an earlier day."""
    body = body_of(story)
    settings = Settings()
    known = declared(body.up_sensor, body.forward_sensor, settings) if calibration is None else calibration.to_json()
    header = Opened(
        t_host_ns=T0_NS,
        session_id="a",
        driver="posture_v1",
        device="simulated",
        utc_ns=1_760_000_000_000_000_000,
        zone="Europe/Paris",
        settings_json=settings.to_json(),
        calibration_json=known,
        software_version="test",
        origin="simulated",
    )
    made = list(straight.frames(body, header=header, duration_s=duration_s))
    return [*made, Closed(t_host_ns=made[-1].t_host_ns + 40_000_000, reason="ended", count=len(made))]


def run(frames: list, piece: int = 10**9) -> tuple[Session, list[Report]]:
    session = Session(frames[0], keep_exposed=True)
    reports = [session.feed(frames[first : first + piece]) for first in range(0, len(frames), piece)]
    return session, [*reports, session.close()]


def events_of(reports: list[Report], *names: str) -> list:
    return [event for report in reports for event in report.events if type(event).__name__ in names]


@pytest.fixture(scope="module")
def slipped() -> list:
    return frames_of("walk-and-sit:slip_deg=15,slip_s=600", 1000.0)


def test_a_slip_is_found_and_rows_alerts_and_exposure_know_of_it(slipped: list) -> None:
    session, reports = run(slipped)
    (slip,) = events_of(reports, "SlipSuspected", "SlipCleared", "SensorReattached", "CalibrationStale")
    assert slip.from_ns <= 600 * S <= slip.to_ns
    assert slip.at_ns == pytest.approx(600 * S, abs=S)
    assert slip.slip_deg == pytest.approx(15, abs=1)
    for report in reports:
        suspect = (report.posture["flags"] & RowFlag.SUSPECT) != 0
        assert (suspect == (report.posture["t_session_ns"] >= slip.t_session_ns)).all()
    alerts = events_of(reports, "AlertRaised")
    assert [alert.suspect for alert in alerts] == [alert.t_session_ns > slip.t_session_ns for alert in alerts]
    assert any(alert.suspect for alert in alerts)
    suspect_s = sum(int(((report.posture["flags"] & RowFlag.SUSPECT) != 0).sum()) for report in reports) / 5
    assert suspect_s > 100
    assert reports[-1].summary["suspect_s"] == pytest.approx(suspect_s)
    bands = [
        line
        for line in exposure.lines(session.exposed())
        if (line["quantity"], line["measure"]) == ("rel_sagittal", "band")
    ]
    assert sum(line["time_s"] for line in bands) < slip.t_session_ns / S


def test_any_cut_gives_the_same_suspicion_and_exposure(slipped: list) -> None:
    whole, pieces = run(slipped), run(slipped, piece=337)
    assert pieces[0].exposed().tobytes() == whole[0].exposed().tobytes()
    assert pieces[0].learned == whole[0].learned
    told = [[event for report in reports for event in report.events] for _, reports in (whole, pieces)]
    assert told[0] == told[1]
    rows = [b"".join(report.posture.tobytes() for report in reports) for _, reports in (whole, pieces)]
    assert rows[0] == rows[1]


def test_how_a_wearer_walks_is_remembered_for_the_next_session(slipped: list, tmp_path) -> None:
    store, first = Store(places(tmp_path)), run(slipped)[0]
    assert first.calibration is not None
    assert first.learned is not None
    remember_walking(store, "clip", "desk", first.learned)
    assert store.calibration("clip", "desk") is None  # that baseline has been thrown away
    store.remember_calibration("clip", "desk", first.calibration.to_json())
    remember_walking(store, "clip", "desk", first.learned)
    kept = Calibration.from_json(store.calibration("clip", "desk") or "")
    assert kept == replace(first.calibration, walking=first.learned.walking)
    session, reports = run(frames_of("walk-and-sit:restuck_deg=13", 500.0, kept))
    stale, slip = events_of(reports, "CalibrationStale", "SlipSuspected")
    assert stale.forward_deg == pytest.approx(13, abs=1)
    assert (slip.from_ns, slip.slip_deg) == (0, pytest.approx(13, abs=1))
    assert session.learned is None
    newer = Calibration.from_axes([0, 0, 1], [1, 0, 0])
    store.remember_calibration("clip", "desk", newer.to_json())
    remember_walking(store, "clip", "desk", first.learned)
    assert Calibration.from_json(store.calibration("clip", "desk") or "") == newer


def test_a_baseline_taken_in_the_session_ends_the_suspicion(slipped: list) -> None:
    anew = body_of("upright:slip_deg=15,slip_s=0")
    up = anew.sample(50.0, 0, 500)[0].mean(axis=0)
    place = next(number for number, frame in enumerate(slipped) if frame.t_host_ns > T0_NS + 900 * S)
    taken = CalibrationSet(
        t_host_ns=slipped[place].t_host_ns, calibration_json=Calibration.from_axes(up, anew.forward_sensor).to_json()
    )
    _, reports = run([*slipped[:place], taken, *slipped[place:]])
    rows = [row for report in reports for row in report.posture[["t_session_ns", "flags"]].tolist()]
    suspect = [t_ns for t_ns, flags in rows if flags & RowFlag.SUSPECT]
    assert suspect
    assert max(suspect) <= 901 * S
