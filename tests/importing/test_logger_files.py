"""The files of loggers, written as their documents say: the same motion comes out of each."""

import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from companion.errors import UsageError
from companion.importing.loggers import KINDS
from companion.importing.reader import Imported, read
from companion.importing.words import lines

G = 9.80665
START_NS = 1_772_438_400_123_000_000  # 2026-03-02T08:00:00.123Z
START = "2026-03-02T08:00:00.123000+00:00"
Files = dict[str, str]


def epoch_ns(t_s: float) -> int:
    return START_NS + round(t_s * 1e9)


def clock(t_s: float, form: str = "%Y-%m-%dT%H:%M:%S.%f", hours: int = 0) -> str:
    moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=epoch_ns(t_s) // 1000, hours=hours)
    return moment.strftime(form)[:-3]


def phyphox(truth, mark: str = ",", comma: bool = False) -> Files:
    def number(value: float) -> str:
        text = f"{value:.12E}"
        return text.replace(".", ",") if comma else text

    def file(name: str, unit: str, values: np.ndarray) -> str:
        header = mark.join(f'"{each}"' for each in ("Time (s)", *(f"{name} {axis} ({unit})" for axis in "xyz")))
        return truth.table(header, lambda i: [number(v) for v in (truth.t_s[i] + 0.25, *values[i])], mark)

    time = '"event","experiment time","system time","system time text"\n'
    began = f"{START_NS / 1e9 - 0.25:.3f}"
    return {
        "Accelerometer.csv": file("Acceleration", "m/s^2", truth.acc),
        "Gyroscope.csv": file("Gyroscope", "rad/s", truth.gyr),
        "Linear Accelerometer.csv": file("Linear Acceleration", "m/s^2", truth.acc * 0),
        "meta/device.csv": '"property","value"\n"deviceModel","x"\n',
        "meta/time.csv": time + f'"START",0.0E0,{began},"2026-03-02 10:00:00.000 UTC+02:00"\n',
    }


def sensor_logger(truth, names: str, sign: float = 1.0, platform: str = "android", standard: str = "false") -> Files:
    gravity = np.array([G, 0, 0])
    values = {
        "TotalAcceleration": truth.acc,
        "Accelerometer": truth.acc - gravity,
        "Gravity": np.tile(gravity, (600, 1)),
        "AccelerometerUncalibrated": truth.acc / G,
        "Gyroscope": truth.gyr / sign,
    }
    found = {
        f"{name}.csv": truth.table(
            "time,seconds_elapsed,z,y,x",
            lambda i, name=name: [
                epoch_ns(truth.t_s[i]),
                truth.t_s[i] - 0.1,
                *(repr(v) for v in (values[name][i] * sign).tolist()[::-1]),
            ],
        )
        for name in names.split()
    }
    header = "version,device name,recording epoch time,recording time,recording timezone,platform,standardisation"
    row = f"3,Phone,{START_NS // 10**6},2026-03-02_13-30-00,Asia/Kolkata,{platform},{standard}"
    return {**found, "Metadata.csv": f"{header}\n{row}\n", "Annotation.csv": "time,seconds_elapsed,text\n1,1,=a\n"}


def polar(truth) -> Files:
    def file(unit: str, values: np.ndarray) -> str:
        header = "Phone timestamp;sensor timestamp [ns];" + ";".join(f"{axis} [{unit}]" for axis in "XYZ")
        sensor_ns = 599_628_000_000_000_000
        return truth.table(
            header, lambda i: [clock(truth.t_s[i]), sensor_ns + round(truth.t_s[i] * 1e9), *values[i].tolist()], ";"
        )

    return {
        "Polar_Sense_ACC.txt": file("mg", truth.acc / G * 1000),
        "Polar_Sense_GYRO.txt": file("dps", np.degrees(truth.gyr)),
    }


def movesense_imu(truth) -> Files:
    header = "Timestamp,AccX,AccY,AccZ,GyroX,GyroY,GyroZ,MagnX,MagnY,MagnZ"
    gyr = np.degrees(truth.gyr)
    return {
        "imu.csv": truth.table(header, lambda i: [round(truth.t_s[i] * 1000) + 777, *truth.acc[i], *gyr[i]]),
    }


def movesense_two(truth) -> Files:
    def file(unit: str, values: np.ndarray) -> str:
        header = "Timestamp (ms)," + ",".join(f"{axis}: ({unit})" for axis in "XYZ")
        return truth.table(header, lambda i: [round(truth.t_s[i] * 1000) + 777, *values[i], " "])

    return {"acc.csv": file("m/s^2", truth.acc), "gyro.csv": file("degree per second", np.degrees(truth.gyr))}


def metabase(truth) -> Files:
    def file(unit: str, values: np.ndarray) -> str:
        header = "epoc (ms),timestamp (+0100),elapsed (s)," + ",".join(f"{axis}-axis ({unit})" for axis in "xyz")
        return truth.table(
            header,
            lambda i: [
                epoch_ns(truth.t_s[i]) // 10**6,
                clock(truth.t_s[i], "%Y-%m-%dT%H.%M.%S.%f", 1),
                truth.t_s[i],
                *values[i],
            ],
        )

    return {"MetaWear_Acc.csv": file("g", truth.acc / G), "MetaWear_Gyro.csv": file("deg/s", np.degrees(truth.gyr))}


def axivity(truth) -> Files:
    header = "Time,Accel-X (g), Accel-Y (g), Accel-Z (g), Gyro-X (d/s), Gyro-Y (d/s), Gyro-Z (d/s)"
    gyr = np.degrees(truth.gyr)
    rows = truth.table(header, lambda i: [clock(truth.t_s[i], "%Y-%m-%d %H:%M:%S.%f"), *truth.acc[i] / G, *gyr[i]])
    return {"ax6.csv": rows}


def xsens(truth) -> Files:
    above = "sep=,\nDeviceTag:,1\nFirmwareVersion:,3.0.0\nStartTime: ,2026-03-02_08:00:00_123 WEST\n© M B. V.\n\n"
    header = "PacketCounter,SampleTimeFine,Quat_W,Acc_X,Acc_Y,Acc_Z,Gyr_X,Gyr_Y,Gyr_Z"
    gyr, wrap = np.degrees(truth.gyr), 1 << 32
    ticks = (wrap - 4_000_000 + np.rint(truth.t_s * 1e6).astype(np.int64)) % wrap  # it wraps after four seconds
    return {"dot.csv": above + truth.table(header, lambda i: [i, ticks[i], 1, *truth.acc[i], *gyr[i], ""])}


def witmotion(truth) -> Files:
    names = [*(f"Acc{a}(g)" for a in "XYZ"), *(f"As{a}(°/s)" for a in "XYZ"), "AngleX(°)"]
    gyr = np.degrees(truth.gyr)

    def row(i: int) -> list[object]:
        return [clock(truth.t_s[i]), "HC-06(00:11)", "null", *truth.acc[i] / G, *gyr[i], 1.5]

    return {"wit.txt": truth.table("\t".join(["time", "DeviceName", "ChipTime()", *names]), row, "\t")}


def sensorlog(truth) -> Files:
    names = [*(f"accelerometerAcceleration{a}(G)" for a in "XYZ"), *(f"gyroRotation{a}(rad/s)" for a in "XYZ")]
    header = ",".join(["loggingTime(txt)", "loggingSample(N)", "accelerometerTimestamp_sinceReboot(s)", *names])

    def row(i: int) -> list[object]:
        at = clock(truth.t_s[i], hours=2) + "+02:00"
        return [at, i, f"{62608.5 + truth.t_s[i]:.6f}", *-truth.acc[i] / G, *truth.gyr[i]]

    return {"log.csv": truth.table(header, row)}


def shimmer(truth) -> Files:
    prefix = "Shimmer_8665_"
    names = ["Timestamp_Unix_CAL", *(f"Accel_LN_{a}_CAL" for a in "XYZ"), *(f"Gyro_{a}_CAL" for a in "XYZ")]
    units = ["ms", *["m/(s^2)"] * 3, *["deg/s"] * 3]
    header = '"sep=\t"\n' + "\t".join(prefix + name for name in names) + "\t\n" + "\t".join(units) + "\t"
    gyr = np.degrees(truth.gyr)

    def row(i: int) -> list[object]:
        return [f"{epoch_ns(truth.t_s[i]) / 1e6:.3f}", *truth.acc[i], *gyr[i], ""]

    return {"s.csv": truth.table(header, row, "\t")}


FOLDER = "Accelerometer.csv|Gyroscope.csv"
LOGGERS: list[tuple[str, Callable[..., Files], str, str, str]] = [
    # logger, files, title of the acceleration's file, start, zone
    ("phyphox", phyphox, "phyphox", START, "Etc/GMT-2"),
    ("phyphox, German", lambda t: phyphox(t, ";", True), "phyphox", START, "Etc/GMT-2"),
    ("phyphox, tabs", lambda t: phyphox(t, "\t"), "phyphox", START, "Etc/GMT-2"),
    ("Sensor Logger, Android", lambda t: sensor_logger(t, "TotalAcceleration Accelerometer Gyroscope"),
     "Sensor Logger", START, "Asia/Kolkata"),
    ("Sensor Logger, iPhone", lambda t: sensor_logger(t, "Accelerometer Gravity Gyroscope", -1, "ios"),
     "Sensor Logger", START, "Asia/Kolkata"),
    ("Sensor Logger, iPhone, uncalibrated",
     lambda t: sensor_logger(t, "AccelerometerUncalibrated Gyroscope", -1, "ios"),
     "Sensor Logger", START, "Asia/Kolkata"),
    ("Sensor Logger, iPhone, standardised",
     lambda t: sensor_logger(t, "Accelerometer Gravity Gyroscope", 1, "ios", "true"),
     "Sensor Logger", START, "Asia/Kolkata"),
    ("Polar", polar, "Polar Sensor Logger", START, "UTC"),
    ("Movesense IMU", movesense_imu, "Movesense", "", ""),
    ("Movesense, two files", movesense_two, "Movesense", "", ""),
    ("MetaBase", metabase, "MetaBase", START, "Etc/GMT-1"),
    ("Axivity", axivity, "Axivity", START, "UTC"),
    ("Xsens DOT", xsens, "Xsens DOT", START, "UTC"),
    ("WitMotion", witmotion, "WitMotion", START, "UTC"),
    ("SensorLog", sensorlog, "SensorLog", START, "Etc/GMT-2"),
    ("Shimmer", shimmer, "Shimmer", START, "UTC"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


def check(found: Imported, truth, logger: str, start: str, zone: str) -> None:
    kind = found.chosen.main.plan.kind
    assert kind is not None
    assert kind.logger == logger
    np.testing.assert_allclose(found.acc_mps2, truth.acc, atol=1e-6)
    assert found.gyr_radps is not None
    np.testing.assert_allclose(found.gyr_radps, truth.gyr, atol=1e-6)
    assert found.t_ns is not None
    np.testing.assert_allclose(found.t_ns - found.t_ns[0], truth.t_s * 1e9, atol=1000)
    if not start:
        assert found.start is None
        return
    assert found.start is not None
    assert abs(found.start.instant - datetime.fromisoformat(start)) <= timedelta(microseconds=1)
    assert found.start.zone == zone
    assert sum(found.left_out.values()) == 0


@pytest.mark.parametrize("case", LOGGERS, ids=lambda case: case[0])
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_the_motion_of_a_logger_comes_out(truth, put, tmp_path: Path, case: tuple, packed: bool) -> None:
    _, files, logger, start, zone = case
    written = files(truth)
    put(*written.items())
    path = tmp_path / "in"
    if packed:
        path = tmp_path / "in.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in written.items():
                archive.writestr(f"2026-03-02/{name}", text)
    check(read(path), truth, logger, start, zone)
    assert len(list(tmp_path.iterdir())) == 1 + packed  # nothing was unpacked


def test_every_logger_is_written_by_a_test_and_stands_on_the_page(truth) -> None:
    seen = {logger for _, _, logger, _, _ in LOGGERS}
    assert {kind.logger for kind in KINDS} == seen
    page = (Path(__file__).resolve().parents[2] / "docs" / "importing.md").read_text("utf-8")
    assert [kind.logger for kind in KINDS if not kind.source or f"| {kind.logger} " not in page] == []


def test_the_single_file_of_an_accelerometer_is_enough(truth, put) -> None:
    found = read(put(("TotalAcceleration.csv", sensor_logger(truth, "TotalAcceleration")["TotalAcceleration.csv"])))
    np.testing.assert_allclose(found.acc_mps2, truth.acc)
    assert found.gyr_radps is None


FREE = "acceleration without gravity only"
REFUSED = [
    (lambda t: {"a/Linear.csv": phyphox(t)["Linear Accelerometer.csv"], "b.txt": "x"}, FREE),
    (lambda t: {"Accelerometer.csv": sensor_logger(t, "Accelerometer")["Accelerometer.csv"]}, FREE),
    (lambda t: {"g.csv": phyphox(t)["Gyroscope.csv"]}, "holds no acceleration"),
    (lambda t: {f"{n}/Accelerometer.csv": phyphox(t)["Accelerometer.csv"] for n in "ab"}, "more than one table"),
    (lambda t: {k: v for k, v in sensor_logger(t, "Accelerometer Gravity").items() if k != "Metadata.csv"},
     "does not say which phone"),
    (lambda t: {"dot.csv": xsens(t)["dot.csv"].replace("Acc_", "FreeAcc_").replace("Gyr_", "Foo_")}, FREE),
    (lambda t: {"w.txt": witmotion(t)["wit.txt"].replace("HC-06(00:11)", "other", 300)}, "rows of several sensors"),
    (lambda t: {"a.txt": "x\n", "b.txt": "y\n"}, "no table of"),
    (lambda t: {"a.md": "x", "b.md": "x"}, "holds no .csv or .txt file"),
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSED, ids=range(len(REFUSED)))
def test_what_a_folder_does_not_settle_is_refused(truth, put, tmp_path: Path, case: tuple) -> None:
    files, reason = case
    put(*files(truth).items())
    with pytest.raises(UsageError, match=reason) as caught:
        read(tmp_path / "in")
    assert caught.value.hint


def test_the_sign_of_a_phone_can_be_said(truth, put, tmp_path: Path) -> None:
    files = sensor_logger(truth, "Accelerometer Gravity Gyroscope", -1)
    del files["Metadata.csv"]
    put(*files.items())
    found = read(tmp_path / "in", units="acc=-mps2")
    np.testing.assert_allclose(found.acc_mps2, truth.acc, atol=1e-12)


def test_rates_are_drawn_inside_their_span_and_never_over_their_gaps(truth, put, tmp_path: Path) -> None:
    files = phyphox(truth)
    rows = files["Gyroscope.csv"].splitlines()
    files["Gyroscope.csv"] = "\n".join([rows[0], *rows[101:201], *rows[301:501], ""])
    put(*files.items())
    found = read(tmp_path / "in")
    assert found.gyr_radps is not None
    known = np.isfinite(found.gyr_radps).all(axis=1)
    assert np.flatnonzero(known).tolist() == [*range(100, 200), *range(300, 500)]
    np.testing.assert_allclose(found.gyr_radps[known], truth.gyr[known], atol=1e-9)


def test_the_report_of_a_folder(truth, put, tmp_path: Path) -> None:
    put(*phyphox(truth).items())
    found = read(tmp_path / "in")
    assert lines(found, 50.0, False, "12 s") == [
        "file          Accelerometer.csv: phyphox by its header; commas, header in line 1",
        "file          Gyroscope.csv: phyphox by its header; commas, header in line 1",
        "time          'Time (s)' in s",
        "started       2026-03-02 10:00:00+02:00 (Etc/GMT-2), from meta/time.csv",
        "acceleration  'Acceleration x (m/s^2)', 'Acceleration y (m/s^2)', 'Acceleration",
        "              z (m/s^2)' in m/s²",
        "angular rate  'Gyroscope x (rad/s)', 'Gyroscope y (rad/s)', 'Gyroscope z",
        "              (rad/s)' in rad/s, put on the acceleration's times by straight",
        "              lines",
        "samples       600 samples at 50 Hz, 12 s; no gap",
        "not read      Linear Accelerometer.csv",
    ]


def paused(truth, *events: str) -> Files:
    files = phyphox(truth)
    header = files["meta/time.csv"].splitlines()[0]
    return {**files, "meta/time.csv": "\n".join([header, *events, ""])}


BEGAN_S = START_NS // 10**6 / 1000 - 0.25
RAN = [f'"START",0,{BEGAN_S:.3f},"x UTC+05:30"', f'"PAUSE",6.25,{BEGAN_S + 6.25:.3f},"x"']
PAUSED = {
    "told": ([*RAN, f'"START",6.25,{BEGAN_S + 66.25:.3f},"x"'], 60.0),
    "its begin not told": ([RAN[0], f'"START",6.25,{BEGAN_S + 66.25:.3f},"x"'], 60.0),
    "twice": ([*RAN, f'"START",6.25,{BEGAN_S + 26.25:.3f},"x"', f'"PAUSE",6.25,{BEGAN_S + 30:.3f},"x"',
               f'"START",6.25,{BEGAN_S + 70:.3f},"x"'], 60.0),
}  # fmt: skip


@pytest.mark.parametrize("case", PAUSED)
def test_a_pause_of_an_experiment_is_a_gap(truth, put, tmp_path: Path, case: str) -> None:
    events, gap_s = PAUSED[case]
    put(*paused(truth, *events).items())
    found = read(tmp_path / "in")
    expected = truth.t_s + np.where(truth.t_s >= 6, gap_s, 0)
    assert found.t_ns is not None
    np.testing.assert_allclose((found.t_ns - found.t_ns[0]) / 1e9, expected, atol=1e-6)
    np.testing.assert_allclose(found.gyr_radps, truth.gyr, atol=1e-6)
    assert (found.numbered(50.0).gaps, found.numbered(50.0).lost) == (1, 3000)
    assert found.start is not None
    assert found.start.zone == "UTC+05:30"
    assert abs(found.start.instant - datetime.fromtimestamp(BEGAN_S + 0.25, UTC)) < timedelta(milliseconds=1)
    assert "by meta/time.csv: " in " ".join(lines(found, 50.0, False, "72 s"))


@pytest.mark.parametrize("again", ['"START",6.25,x,"x"', f'"START",6.25,{BEGAN_S:.3f},"x"', '"START",x,x,x'])
def test_a_pause_of_unknown_length_is_refused(truth, put, tmp_path: Path, again: str) -> None:
    put(*paused(truth, *RAN, again).items())
    with pytest.raises(UsageError, match=r"paused, and meta/time\.csv does not tell for how long"):
        read(tmp_path / "in")


@pytest.mark.parametrize("name", ["WristMotion.csv", "Headphone.csv"])
def test_gravity_in_columns_apart_is_refused_with_what_helps(put, name: str) -> None:
    axes = ",".join(f"{kind}{axis}" for kind in ("rotationRate", "gravity", "acceleration") for axis in "XYZ")
    row = "1790000000000000000,0,0,0,0,0,0,-1,0,0,0\n"
    with pytest.raises(UsageError, match="gravity apart") as caught:
        read(put((name, f"time,seconds_elapsed,{axes}\n{row}{row}")))
    assert "name the sums" in caught.value.hint
