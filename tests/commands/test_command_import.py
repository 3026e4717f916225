"""`import`: motion from elsewhere, sample for sample, with its baseline from the first sample on."""

import json
from pathlib import Path

import numpy as np
import pytest

from companion.posture.calibration import Calibration
from companion.recording import open_recording
from firmware_protocol.frames import Closed, Notification

G = 9.80665
RATE_HZ = 52.0


@pytest.fixture
def motion() -> dict[str, np.ndarray]:
    """20 s: upright, then 20° forward about the sensor's y axis; up is +x, forward is +z."""
    chance = np.random.default_rng(7)
    pitch = np.radians(np.where(np.arange(1040) < 400, 0.0, 20.0))
    up = np.stack([np.cos(pitch), np.zeros(1040), -np.sin(pitch)], axis=1)
    return {
        "acc": G * up + chance.normal(0, 0.02, (1040, 3)),
        "gyr": chance.normal(0, 0.001, (1040, 3)),
        "sampling_rate": np.array(RATE_HZ),
    }


def frames_of(file: Path) -> list:
    return list(open_recording(file).frames())


def test_an_npz_file_becomes_a_recording_sample_for_sample(posture, tmp_path: Path, motion) -> None:
    np.savez(tmp_path / "m.npz", **motion)
    out = tmp_path / "m.posture"
    ran = posture("import", tmp_path / "m.npz", "--out", out)
    assert (ran.code, ran.out) == (0, f"{out}\n")
    assert len(ran.err.splitlines()) <= 3
    assert "1040 samples at 52 Hz" in ran.err
    recording = open_recording(out)
    samples = recording.samples()
    np.testing.assert_array_equal(samples["acc_mps2"], motion["acc"])
    np.testing.assert_array_equal(samples["gyr_radps"], motion["gyr"])
    np.testing.assert_array_equal(samples["index"], np.arange(1040))
    np.testing.assert_allclose(samples["t_device_ns"], np.arange(1040) / RATE_HZ * 1e9, atol=1)
    header = recording.header
    assert (header.driver, header.origin, header.rate_hz, header.t_host_ns) == ("imported", "imported", RATE_HZ, 0)
    calibration = Calibration.from_json(header.calibration_json or "")
    np.testing.assert_allclose(calibration.up, [1, 0, 0], atol=0.01)
    np.testing.assert_allclose(calibration.forward, [0, 0, 1], atol=0.01)


def test_each_block_arrives_with_its_last_sample_and_the_end_is_a_period_later(posture, tmp_path: Path, motion) -> None:
    np.savez(tmp_path / "m.npz", **motion)
    posture("import", tmp_path / "m.npz", "--out", tmp_path / "m.posture")
    samples = open_recording(tmp_path / "m.posture").samples()
    frames = frames_of(tmp_path / "m.posture")
    arrivals = [frame.t_host_ns for frame in frames if isinstance(frame, Notification)]
    assert arrivals == sorted(set(samples["t_host_ns"].tolist()))
    assert (samples["t_host_ns"] - samples["t_device_ns"]).min() == 0
    assert (samples["t_host_ns"] - samples["t_device_ns"]).max() < 0.5e9
    assert isinstance(frames[-1], Closed)
    assert frames[-1].t_host_ns == samples["t_device_ns"][-1] + round(1e9 / RATE_HZ)


def test_the_angles_are_those_of_the_motion(posture, tmp_path: Path, motion) -> None:
    np.savez(tmp_path / "m.npz", **motion)
    posture("import", tmp_path / "m.npz", "--out", tmp_path / "m.posture")
    lines = [json.loads(line) for line in posture("replay", tmp_path / "m.posture", "--speed", "max", "--json").lines]
    rows = {line["t_s"]: line for line in lines if line["type"] == "posture"}
    assert rows[6.0]["sagittal_deg"] == pytest.approx(0, abs=1)
    assert rows[18.0]["sagittal_deg"] == pytest.approx(20, abs=1)
    assert lines[-1]["duration_s"] == pytest.approx(20, abs=0.2)


def csv_of(motion: dict[str, np.ndarray], path: Path, *, t_ms: bool = True, g: bool = True) -> None:
    seconds = np.arange(len(motion["acc"])) / RATE_HZ
    acc, gyr = (motion["acc"] / G, np.degrees(motion["gyr"])) if g else (motion["acc"], motion["gyr"])
    table = np.concatenate([seconds[:, None] * (1000 if t_ms else 1), acc, gyr], axis=1)
    np.savetxt(path, table, delimiter=",", header="time,X,Y,Z,P,Q,R", comments="", fmt="%.17g")


def test_a_csv_file_gives_the_same_session_as_the_motion_file(posture, tmp_path: Path, motion) -> None:
    np.savez(tmp_path / "m.npz", **motion)
    csv_of(motion, tmp_path / "m.csv")
    posture("import", tmp_path / "m.npz", "--out", tmp_path / "npz.posture")
    ran = posture(
        *("import", tmp_path / "m.csv", "--out", tmp_path / "csv.posture"),
        *("--columns", "t=time,ax=X,ay=Y,az=Z,gx=P,gy=Q,gz=R", "--units", "t=ms,acc=g,gyr=dps"),
    )
    assert ran.code == 0
    assert "1040 samples at 52 Hz" in ran.err
    assert "'X', 'Y', 'Z' in g" in ran.err
    one, other = (open_recording(tmp_path / f"{kind}.posture").samples() for kind in ("npz", "csv"))
    for name in ("acc_mps2", "gyr_radps"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-12)
    np.testing.assert_array_equal(one["index"], other["index"])
    replays = [
        posture("replay", tmp_path / f"{kind}.posture", "--speed", "max", "--json").lines[1:-1]
        for kind in ("npz", "csv")
    ]
    assert [json.loads(line).get("sagittal_deg") for line in replays[0]] == [
        json.loads(line).get("sagittal_deg") for line in replays[1]
    ]


def test_our_own_samples_come_back(posture, tmp_path: Path, motion) -> None:
    np.savez(tmp_path / "m.npz", **motion)
    posture("import", tmp_path / "m.npz", "--out", tmp_path / "m.posture")
    posture("export", tmp_path / "m.posture", "--tables", "samples", "--out", tmp_path / "out")
    (table,) = (tmp_path / "out").iterdir()
    assert posture("import", table, "--out", tmp_path / "again.posture").code == 0
    again = open_recording(tmp_path / "again.posture").samples()
    np.testing.assert_array_equal(again["acc_mps2"], motion["acc"])
    np.testing.assert_array_equal(again["gyr_radps"], motion["gyr"])
    first = open_recording(tmp_path / "m.posture").samples()
    np.testing.assert_array_equal(again["index"], first["index"])
    # A session counts in periods of whole nanoseconds, which are a third of one off here.
    np.testing.assert_allclose(again["t_device_ns"], first["t_device_ns"], atol=1000)


DRIVERS = ["posture_v1", "movesense", "polar", "witmotion", "xsens_dot", "sensortag", "ruuvi", "microbit"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_samples_of_a_session_come_back_equal(posture, tmp_path: Path, driver: str) -> None:
    faults = ("--fault", "lose@20+0.4", "--fault", "reboot@35", "--fault", "link@50+5")
    recorded = tmp_path / "s.posture"
    told = posture("simulate", "demo", "--duration", "70", "--device", driver, "--to", recorded, *faults)
    assert told.code == 0, told.err
    assert posture("export", recorded, "--tables", "samples", "--out", tmp_path / "out").code == 0
    (table,) = (tmp_path / "out").iterdir()
    ran = posture("import", table, "--out", tmp_path / "again.posture")
    assert ran.code == 0, ran.err
    before, after = (open_recording(tmp_path / name).samples() for name in ("s.posture", "again.posture"))
    if (before["index"] >= 0).all():  # what came late out of the buffer stands in its place in the table
        before = before[np.lexsort((before["index"], before["segment"]))]
    np.testing.assert_array_equal(after["acc_mps2"], before["acc_mps2"])
    np.testing.assert_array_equal(after["gyr_radps"], before["gyr_radps"])
    cells = [line.split(",")[0] for line in table.read_text().splitlines()[1:]]
    t_ns = np.array([round(float(cell) * 1e9) for cell in cells])
    np.testing.assert_allclose(after["t_device_ns"], t_ns - t_ns[0], atol=1)
    assert (np.diff(after["index"]) >= 1).all() or (after["index"] == -1).all()
    step_ns = np.diff(t_ns)
    gaps = step_ns > 2.5 * np.median(step_ns)
    if (after["index"] >= 0).all():  # what was lost is numbered over
        assert (np.diff(after["index"])[gaps] > 1).all()


def test_declared_directions_replace_those_of_the_file(posture, tmp_path: Path, motion) -> None:
    np.savez(tmp_path / "m.npz", **motion)
    out = tmp_path / "m.posture"
    posture("import", tmp_path / "m.npz", "--out", out, "--up", "0,0,2", "--forward", "0,-3,1", "--set", "profile=sofa")
    calibration = Calibration.from_json(open_recording(out).header.calibration_json or "")
    assert (calibration.up, calibration.forward, calibration.profile) == ((0, 0, 1), (0, -1, 0), "sofa")


def test_a_gap_in_time_is_a_gap_in_the_recording(posture, tmp_path: Path, motion) -> None:
    seconds = np.arange(1040) / RATE_HZ
    kept = (seconds < 8) | (seconds > 14)
    arrays = {**motion, "t_s": seconds}
    np.savez(tmp_path / "m.npz", **{k: v[kept] if v.ndim else v for k, v in arrays.items()})
    posture("import", tmp_path / "m.npz", "--out", tmp_path / "m.posture")
    summary = json.loads(posture("replay", tmp_path / "m.posture", "--speed", "max", "--json").lines[-1])
    assert summary["duration_s"] == pytest.approx(20, abs=0.4)
    assert summary["lost_samples"] == int((~kept).sum())


WRONG = [
    ("m.csv", "", "do not explain themselves"),
    ("m.csv", "--columns ax=X,ay=Y,az=Z --units acc=g", "tells no time"),
    ("m.csv", "--columns t=time,ax=X,ay=Y,az=Z --units acc=g,t=ms --rate 100", "52 samples a second, not 100"),
    ("m.csv", "--columns t=time,ax=X,ay=Y,az=Z --units t=ms", "not gravity"),
    ("m.npz", "--columns ax=X", "are for CSV files"),
    ("m.npz", "--up 1,0", "not a direction"),
    ("m.npz", "--up 0,0,0", "no direction"),
    ("m.npz", "--up 0,0,1 --forward 0,0,2", "cannot be a baseline"),
    ("m.csv", "--units t=ms,acc=-dps", "--units does not know acc='-dps'"),
    ("m.csv", "--columns t=time,ax=X,ay=Y,az=Z --units t=ms,acc=mg", "would be gravity in g: --units acc=g"),
    ("m.csv", "--columns t=none,ax=X,ay=Y,az=Z", "no column 'none'"),
    (".", "", "do not explain themselves"),
    ("none.csv", "", "there is no file"),
    ("none.npz", "", "there is no file"),
    ("bad.npz", "", "no motion file"),
    ("empty.npz", "", "acc"),
    ("m.npz", "--set nosuch=1", "no setting"),
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_cannot_be_imported_leaves_nothing(posture, tmp_path: Path, motion, wrong: tuple[str, str, str]) -> None:
    file, words, reason = wrong
    np.savez(tmp_path / "m.npz", **motion)
    np.savez(tmp_path / "empty.npz", x=np.zeros(3))
    (tmp_path / "bad.npz").write_bytes(b"PK\3\4 not really")
    csv_of(motion, tmp_path / "m.csv")
    out = tmp_path / "out.posture"
    ran = posture("import", tmp_path / file, "--out", out, *words.split())
    assert (ran.code, ran.out) == (1, "")
    assert reason in ran.err
    assert len(ran.err.splitlines()) <= 3
    assert not out.exists()


def test_nothing_is_overwritten(posture, tmp_path: Path, motion) -> None:
    np.savez(tmp_path / "m.npz", **motion)
    (tmp_path / "out.posture").write_text("mine")
    assert posture("import", tmp_path / "m.npz", "--out", tmp_path / "out.posture").code == 1
    assert (tmp_path / "out.posture").read_text() == "mine"


def csv_rows(times: list[str]) -> str:
    return "time,ax (g),ay (g),az (g)\n" + "".join(f"{t},{1 + i % 3 / 100},0,0\n" for i, t in enumerate(times))


def test_the_start_that_a_file_tells_stands_in_the_header(posture, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    times = [f"2025-10-26T02:59:{i / 50:09.6f}+02:00" for i in range(2000)]  # the hour that comes twice that day
    (tmp_path / "m.csv").write_text(csv_rows(times))
    assert posture("import", tmp_path / "m.csv", "--out", tmp_path / "m.posture").code == 0
    header = open_recording(tmp_path / "m.posture").header
    assert (header.utc_ns, header.zone) == (1_761_440_340 * 10**9, "Europe/Berlin")
    posture("export", tmp_path / "m.posture", "--tables", "sessions", "--out", tmp_path / "out")
    (table,) = (tmp_path / "out").iterdir()
    assert "2025-10-26T02:59:00.000+02:00,Europe/Berlin" in table.read_text()


def test_a_recording_of_another_zone_keeps_it(posture, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    (tmp_path / "m.csv").write_text(csv_rows([f"2025-07-01T10:00:{i / 50:09.6f}-07:00" for i in range(2000)]))
    posture("import", tmp_path / "m.csv", "--out", tmp_path / "m.posture")
    header = open_recording(tmp_path / "m.posture").header
    assert (header.utc_ns, header.zone) == (1_751_389_200 * 10**9, "Etc/GMT+7")


def test_the_whole_report_of_a_csv_file(posture, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.chdir(tmp_path)
    times = [f"2025-07-01T10:00:{i / 50:09.6f}" for i in range(2000) if not 500 <= i < 600]
    (tmp_path / "m.csv").write_text(csv_rows([*times, "oops"]) + "1,2\n")
    ran = posture("import", "m.csv", "--out", "m.posture")
    assert ran.err.splitlines() == [
        "file          m.csv: names with units; commas, header in line 1",
        "time          'time', a date and time",
        "started       2025-07-01 10:00:00+00:00 (UTC), from 'time', which tells no zone:",
        "              this computer's was taken",
        "acceleration  'ax (g)', 'ay (g)', 'az (g)' in g",
        "angular rate  none: acceleration only",
        "samples       1900 samples at 50 Hz, 40 s; 1 gap of 2.02 s, 100 samples lost",
        "left out      1 row too short, 1 row with a cell that is empty or no number",
        "baseline      up +1.00 +0.00 +0.00, assumed: the mean of the first 2 s; facing",
        "              +0.00 +0.00 +1.00, assumed, in the sensor's frame (--up and",
        "              --forward declare another)",
    ]


def test_a_file_slower_than_a_sample_a_second_is_taken_and_a_mistaken_unit_is_not(posture, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(csv_rows([str(i * 2000) for i in range(100)]))
    assert posture("import", tmp_path / "m.csv", "--out", tmp_path / "m.posture", "--units", "t=ms").code == 0
    ran = posture("import", tmp_path / "m.csv", "--out", tmp_path / "n.posture", "--units", "t=s")
    assert (ran.code, ran.out) == (1, "")
    assert "0.0005 samples a second" in ran.err


def test_a_stop_leaves_nothing_behind(posture, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "m.csv").write_text(csv_rows([str(i / 50) for i in range(3000)]))

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("firmware_protocol.devices.imported._block", stopped)
    assert posture("import", tmp_path / "m.csv", "--out", tmp_path / "m.posture", "--units", "t=s").code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.csv"]


def test_a_csv_file_without_time_takes_the_rate(posture, tmp_path: Path, motion) -> None:
    csv_of(motion, tmp_path / "m.csv", g=False)
    out = tmp_path / "out.posture"
    ran = posture("import", tmp_path / "m.csv", "--out", out, "--columns", "ax=X,ay=Y,az=Z", "--rate", "52")
    assert ran.code == 0
    samples = open_recording(out).samples()
    np.testing.assert_array_equal(samples["acc_mps2"], motion["acc"])
    assert np.isnan(samples["gyr_radps"]).all()


def npz(path: Path, motion: dict[str, np.ndarray], **changed: object) -> Path:
    np.savez(path, **{**motion, **changed})
    return path


UNFIT = [
    (lambda m: {"acc": m["acc"] / G}, "would be gravity in g"),
    (lambda m: {"gyr": m["gyr"] + 500}, "beyond what a body can do"),
    (lambda m: {"t_s": np.arange(1040) / 104}, "says 52 samples a second, but 104 by its times"),
]


@pytest.mark.parametrize(("change", "reason"), UNFIT, ids=["g", "degrees", "rate"])
def test_a_motion_file_that_cannot_be_so_is_refused(posture, tmp_path: Path, motion, change, reason: str) -> None:
    ran = posture("import", npz(tmp_path / "m.npz", motion, **change(motion)), "--out", tmp_path / "m.posture")
    assert (ran.code, ran.out) == (1, "")
    assert reason in ran.err
    assert not (tmp_path / "m.posture").exists()


@pytest.mark.parametrize("value", [1e300, np.nan, np.inf])
@pytest.mark.filterwarnings("error")
def test_rows_of_a_motion_file_without_a_measurement_are_left_out(posture, tmp_path: Path, motion, value) -> None:
    acc = motion["acc"].copy()
    acc[500:503, 1] = value
    ran = posture("import", npz(tmp_path / "m.npz", motion, acc=acc), "--out", tmp_path / "m.posture")
    assert ran.code == 0
    assert "1 gap of 0.07692 s, 3 samples lost; 3 rows without a measurement left out" in ran.err
    samples = open_recording(tmp_path / "m.posture").samples()
    assert samples["index"].tolist() == [*range(500), *range(503, 1040)]


def test_a_start_that_is_named_counts(posture, tmp_path: Path, motion) -> None:
    there = ("--started", "2026-10-25T02:30+01:00", "--zone", "Europe/Paris")
    ran = posture("import", npz(tmp_path / "m.npz", motion), "--out", tmp_path / "m.posture", *there)
    assert ran.code == 0
    header = open_recording(tmp_path / "m.posture").header
    assert (header.utc_ns, header.zone) == (1_792_891_800 * 10**9, "Europe/Paris")
    rows = "\n".join(f"{1_700_000_000 + n / 50},0,0,9.8" for n in range(500))
    (tmp_path / "c.csv").write_text(f"time_s,ax_mps2,ay_mps2,az_mps2\n{rows}\n")
    ran = posture("import", tmp_path / "c.csv", "--out", tmp_path / "c.posture", *there)
    assert ran.code == 0
    assert "2026-10-25 02:30:00+01:00 (Europe/Paris), as named; the file says 2023-11-14" in " ".join(ran.err.split())
    assert open_recording(tmp_path / "c.posture").header.utc_ns == header.utc_ns
    ran = posture("import", tmp_path / "c.csv", "--out", tmp_path / "d.posture", "--zone", "Europe/Paris")
    assert (ran.code, ran.out) == (1, "")


@pytest.mark.parametrize("named_hz", [52.0, 41.6])
def test_the_rate_of_a_motion_file_may_be_the_mean_over_losses(posture, tmp_path: Path, motion, named_hz) -> None:
    kept = np.random.default_rng(4).random(1040) > 0.2
    kept[[0, -1]] = True
    thinned = {name: motion[name][kept] for name in ("acc", "gyr") if name in motion}
    changed = {**thinned, "t_s": np.flatnonzero(kept) / 52, "sampling_rate": named_hz}
    ran = posture("import", npz(tmp_path / "m.npz", motion, **changed), "--out", tmp_path / "m.posture")
    assert ran.code == 0
    assert f"at {named_hz:.4g} Hz (52 Hz by its times)" in ran.err
    assert len(open_recording(tmp_path / "m.posture").samples()) == kept.sum()


def test_gaps_of_a_motion_file_are_told_as_they_are_recorded(posture, tmp_path: Path, motion) -> None:
    chance = np.random.default_rng(4)
    t_s = (np.arange(1040) + np.where(np.arange(1040) >= 600, 100, 0)) / 51.5 + chance.normal(0, 0.004, 1040)
    t_s = np.maximum.accumulate(t_s) + np.arange(1040) * 1e-7
    ran = posture("import", npz(tmp_path / "m.npz", motion, t_s=t_s), "--out", tmp_path / "m.posture")
    assert ran.code == 0
    assert "at 52 Hz (51.5 Hz by its times)" in ran.err
    assert "1 gap of 1.9" in ran.err
    assert ", 100 samples lost" in ran.err
    index = open_recording(tmp_path / "m.posture").samples()["index"]
    assert index.tolist() == [*range(600), *range(700, 1140)]


def test_times_of_a_motion_file_that_keep_to_no_rate_stand_for_themselves(posture, tmp_path: Path, motion) -> None:
    t_s = np.cumsum(np.random.default_rng(1).exponential(1 / RATE_HZ, 1040) + 1e-6)
    ran = posture("import", npz(tmp_path / "m.npz", motion, t_s=t_s), "--out", tmp_path / "m.posture")
    assert ran.code == 0
    assert "times are uneven" in ran.err
    assert (open_recording(tmp_path / "m.posture").samples()["index"] == -1).all()


def test_a_zone_of_half_hours_goes_through_to_the_tables(posture, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    (tmp_path / "m.csv").write_text(csv_rows([f"2025-07-01T23:59:{i / 50:09.6f}+05:30" for i in range(2000)]))
    posture("import", tmp_path / "m.csv", "--out", tmp_path / "m.posture")
    assert open_recording(tmp_path / "m.posture").header.zone == "UTC+05:30"
    ran = posture("export", tmp_path / "m.posture", "--tables", "sessions,days", "--out", tmp_path / "out")
    assert "unknown here" not in ran.err
    tables = "".join(path.read_text() for path in (tmp_path / "out").iterdir())
    assert "2025-07-01T23:59:00.000+05:30,UTC+05:30" in tables
