"""Times: units, epochs, texts, packets, order, gaps; when a recording began. Nothing is moved silently."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.errors import UsageError
from companion.importing import counting, stamps
from companion.importing.reader import Imported
from companion.importing.words import lines

NONE = stamps.NONE_NS
DAY = 86_400 * 10**9

CELLS = [
    ("1", "number", "s", 10**9), ("0.000000001", "number", "s", 1), ("1.0000000005", "number", "s", 1_000_000_001),
    ("1.00000000049", "number", "s", 1_000_000_000), ("-0.5", "number", "s", -500_000_000),
    ("1772438400.123456789", "number", "s", 1_772_438_400_123_456_789),
    ("1772438400123.456789", "number", "ms", 1_772_438_400_123_456_789),
    ("1772438400123456789", "number", "ns", 1_772_438_400_123_456_789), ("1,5", "number", "ms", 1_500_000),
    ("1.772438400123E9", "number", "s", 1_772_438_400_123_000_000), ("x", "number", "s", NONE),
    ("", "number", "s", NONE),
    ("1e400", "number", "s", NONE), ("9" * 30, "number", "s", NONE),
    ("1970-01-01T00:00:01", "instant", "s", 10**9), ("1970-01-02 00:00:00.5Z", "instant", "s", DAY + 5 * 10**8),
    ("1970-01-01T01:00:00+01:00", "instant", "s", 0), ("1969-12-31T23:00:00-01:00", "instant", "s", NONE),
    ("1970-01-01T00:00:00.123456789", "instant", "s", 123_456_789), ("1970/1/1 0:00:00,5", "instant", "s", 5 * 10**8),
    ("1970-01-01_00:00:01_086", "instant", "s", 1_086_000_000), ("2026-02-30T00:00:00", "instant", "s", NONE),
    ("2026-01-01T25:00:00", "instant", "s", NONE), ("9999-01-01T00:00:00", "instant", "s", NONE),
    ("00:00:01.250", "clock", "s", 1_250_000_000), ("23:59:59", "clock", "s", DAY - 10**9),
    ("24:00:00", "clock", "s", NONE),
]  # fmt: skip


@pytest.mark.parametrize(("cell", "form", "unit", "ns"), CELLS, ids=[cell or "empty" for cell, *_ in CELLS])
def test_a_cell_is_a_time_to_the_nanosecond(cell: str, form: str, unit: str, ns: int) -> None:
    assert stamps.texts_ns([cell], form, unit).tolist() == [ns]


@given(st.integers(0, 50 * DAY), st.sampled_from(["s", "ms", "us", "ns"]))
def test_floats_and_texts_agree_to_the_nanosecond(ns: int, unit: str) -> None:
    digits = {"s": 9, "ms": 6, "us": 3, "ns": 0}[unit]
    text = f"{ns // 10**digits}.{ns % 10**digits:0{digits}d}" if digits else str(ns)
    by_float = stamps.numbers_ns(np.array([float(text)]), unit)
    assert by_float is not None
    assert by_float.tolist() == stamps.texts_ns([text], "number", unit).tolist() == [ns]


def test_what_a_float_cannot_hold_is_taken_from_the_text() -> None:
    assert stamps.numbers_ns(np.array([1_772_438_400.1]), "s") is None


def test_a_counter_that_begins_anew_goes_on() -> None:
    t_ns = np.array([90, NONE, 95, 3, 8, 99, 4])
    assert stamps.unwrapped(t_ns, 100).tolist() == [90, NONE, 95, 103, 108, 99, 104]


# ---- through a file


def table(times: list, header: str = "t", acc: str = "0,0,9.8") -> str:
    return "\n".join([f"{header},acc_x_mps2,acc_y_mps2,acc_z_mps2", *(f"{t},{acc}" for t in times), ""])


def living(times: list, header: str) -> str:
    """The same with an acceleration that is never twice the same."""
    return table([f"{t},{i / 1000}" for i, t in enumerate(times)], header, "0,9.8")


def told(found: Imported, rate_hz: float) -> str:
    return " ".join(" ".join(lines(found, rate_hz, False, "2 s")).split())


def elapsed_ms(found: Imported) -> list[float]:
    assert found.t_ns is not None
    return ((found.t_ns - found.t_ns[0]) / 1e6).tolist()


EPOCH = 1_772_438_400
TIMED = [
    ("t_s", ["0.1", "0.12", "0.14"], [0, 20, 40], ""),
    ("t_us", [0, 20_000, 40_000], [0, 20, 40], ""),
    ("timestamp", [EPOCH, f"{EPOCH}.02", f"{EPOCH}.04"], [0, 20, 40], "08:00:00+00:00"),
    ("timestamp", [EPOCH * 1000, EPOCH * 1000 + 20, EPOCH * 1000 + 40], [0, 20, 40], "08:00:00+00:00"),
    ("time", [EPOCH * 10**9 + 7 + i * 20_000_001 for i in range(3)], [0, 20.000001, 40.000002], "08:00:00+00:00"),
    ("time", [f"2026-03-02T09:00:00.{i:02d}+01:00" for i in (0, 2, 4)], [0, 20, 40], "09:00:00+01:00"),
    ("time", [f"2026-03-02T08:00:00.{i:02d}Z" for i in (0, 2, 4)], [0, 20, 40], "08:00:00+00:00"),
    ("time", [f"2026-03-02 08:00:00.{i:02d}" for i in (0, 2, 4)], [0, 20, 40], "08:00:00+00:00"),
    ("time", [f"23:59:59.{i}" for i in (96, 98)] + ["00:00:00.000"], [0, 20, 40], ""),
]  # fmt: skip


@pytest.mark.parametrize("case", TIMED, ids=range(len(TIMED)))
def test_times_are_understood(read_text, monkeypatch: pytest.MonkeyPatch, case: tuple) -> None:
    header, times, expected, start = case
    monkeypatch.setenv("TZ", "UTC")
    found = read_text(table(times, header))
    assert elapsed_ms(found) == pytest.approx(expected, abs=1e-9)
    assert ("" if found.start is None else found.start.instant.isoformat(" ", "seconds")[11:]) == start


def test_a_time_without_a_zone_is_this_computers_and_says_so(read_text, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    found = read_text(table(["2026-07-02 08:00:00.00", "2026-07-02 08:00:00.02"], "time"))
    assert found.start is not None
    assert found.start.words() == (
        "2026-07-02 08:00:00+02:00 (Europe/Berlin), from 'time', which tells no zone: this computer's was taken"
    )
    assert found.start.instant.astimezone(UTC) == datetime(2026, 7, 2, 6, tzinfo=UTC)


def test_a_column_of_the_day_beside_one_of_seconds_tells_the_start(read_text, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    rows = [f"{i / 50},{EPOCH * 1000 + i * 20}" for i in range(5, 9)]
    found = read_text(table(rows, "elapsed_s,timestamp"))
    assert elapsed_ms(found) == [0, 20, 40, 60]
    assert found.start is not None
    assert found.start.instant == datetime.fromtimestamp(EPOCH, UTC) + timedelta(milliseconds=100)


UNTOLD = [
    (table([0, 20], "timestamp"), "", "tells no unit of time"),
    (table([0, 20], "time,elapsed_s").replace("0,0,0,9.8", "0,0,0,0,9.8"), "", "more than one column of time"),
    (table([1, 2]), "t=foo", "--units does not know t='foo'"),
    (table([f"{EPOCH}000", f"{EPOCH}001"], "t"), "t=s", "no row of the file holds a time that can be read"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "units", "reason"), UNTOLD, ids=range(len(UNTOLD)))
def test_a_time_that_is_not_settled_is_refused(read_text, text: str, units: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        read_text(text, units=units)
    assert caught.value.hint


# ---- rows that share a time


def test_packets_are_spread_and_told(read_text) -> None:
    times = [i // 9 * 180 for i in range(90)]
    found = read_text(living(times, "t_ms"))
    assert elapsed_ms(found) == pytest.approx([20 * i for i in range(90)])
    assert "9 rows share one on average: spread evenly up to the next" in told(found, 50)


def test_whole_seconds_are_spread_also_where_the_first_was_not_whole(read_text) -> None:
    times = [i // 50 for i in range(30, 400)]
    found = read_text(living(times, "t_s"))
    assert found.t_ns is not None
    assert (found.t_ns / 1e6).tolist() == pytest.approx([20 * i for i in range(30, 400)])


def test_a_packet_is_not_stretched_over_a_gap(read_text) -> None:
    times = [i // 10 * 200 + (2000 if i >= 50 else 0) for i in range(100)]
    found = read_text(living(times, "t_ms"))
    assert elapsed_ms(found) == pytest.approx([20 * i + (2000 if i >= 50 else 0) for i in range(100)])
    numbered = found.numbered(50.0)
    assert (numbered.gaps, numbered.lost, numbered.longest_ns) == (1, 100, 2_020_000_000)


@pytest.mark.parametrize(
    "times",
    [
        [0] * 50,
        [0] * 20 + [1] * 20,
        [i // 30 / 1e9 for i in range(90)],
        [i // 5 % 3 * 100 for i in range(200)],
        [(i // 2) ** 4 for i in range(60)],
    ],
    ids=["one time", "two times", "no room", "to and fro", "ever longer"],
)
def test_packets_that_make_no_sense_are_refused(read_text, times: list) -> None:
    with pytest.raises(UsageError, match="rows share one time") as caught:
        read_text(living(times, "t_s"))
    assert "--rate" in caught.value.hint


# ---- order and gaps


def test_repeated_rows_and_slips_are_left_out_and_counted(read_text) -> None:
    found = read_text(table([0, 20, 20, 40, 30, 60, 60], "t_ms").replace("60,0,0,9.8", "60,0,0,9.9", 1))
    assert elapsed_ms(found) == [0, 20, 40, 60]
    assert found.left_out["that repeat the row before"] == 1
    assert found.left_out["out of the order of time"] == 2


def test_a_second_recording_in_one_file_is_refused(read_text) -> None:
    with pytest.raises(UsageError, match=r"runs back by 9\.98 s at row 501: .* more than one recording"):
        read_text(table([i % 500 * 20 for i in range(1000)], "t_ms"))


def test_gaps_stay_gaps(read_text) -> None:
    kept = [i for i in range(500) if not 100 <= i < 160 and i != 300]
    found = read_text(table([20 * i for i in kept], "t_ms"))
    samples = found.samples(50.0)
    assert samples["index"].tolist() == kept
    assert samples["t_device_ns"].tolist() == [20_000_000 * i for i in kept]
    numbered = found.numbered(50.0)
    assert (numbered.gaps, numbered.lost, numbered.longest_ns) == (2, 61, 1_220_000_000)


def test_uneven_times_stand_alone(read_text) -> None:
    chance = np.random.default_rng(1)
    times = np.cumsum(chance.uniform(1, 39, 500)).round(3).tolist()
    found = read_text(table(times, "t_ms"))
    assert found.samples(50.0)["index"].tolist() == [-1] * 500
    assert "samples stand by their times alone" in told(found, 50.0)


@given(st.lists(st.integers(1, 4), min_size=3, max_size=60), st.floats(0.97, 1.03))
def test_a_clock_that_is_a_little_off_loses_no_number(steps: list[int], drift: float) -> None:
    places = np.concatenate([[0], np.cumsum(steps)])
    t_ns = np.rint(places * 20_000_000 * drift).astype(np.int64)
    assert counting.numbered(t_ns, 50.0).index is not None
    np.testing.assert_array_equal(counting.numbered(t_ns, 50.0).index, places)


def test_short_stretches_without_rates_are_left_out_and_long_ones_stay(read_text) -> None:
    rows = [f"{20 * i},0,0,9.8,{'' if i in (5, 6) or 20 <= i < 40 else 1},2,3" for i in range(60)]
    header = "t_ms,acc_x_mps2,acc_y_mps2,acc_z_mps2,gyr_x_dps,gyr_y_dps,gyr_z_dps"
    found = read_text("\n".join([header, *rows, ""]))
    assert found.gyr_radps is not None
    assert found.left_out["without the angular rate that others have"] == 2
    assert np.isnan(found.gyr_radps).all(axis=1).sum() == 20
    assert len(found.acc_mps2) == 58


def test_a_hurried_sample_has_a_number_of_its_own() -> None:
    t_ns = np.concatenate([np.arange(300) * 20_000_000, 299 * 20_000_000 + 8_000_000 + np.arange(300) * 20_000_000])
    found = counting.numbered(t_ns, 50.0)
    np.testing.assert_array_equal(found.index, np.arange(600))
    assert found.lost == 0


CLOCKS = [
    # zone, first reading, UTC of it, readings that follow at 20 ms of true time, changes
    ("spring", "2026-03-29T01:59:59+01:00", 1), ("autumn", "2026-10-25T02:59:59+02:00", 1),
    ("second pass", "2026-10-25T02:59:59+01:00", 0), ("no change", "2026-07-01T02:59:59+02:00", 0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "first", "changes"), CLOCKS, ids=[name for name, *_ in CLOCKS])
def test_clocks_that_are_changed_make_no_gap(read_text, monkeypatch, name: str, first: str, changes: int) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    begin = datetime.fromisoformat(first).astimezone(UTC)
    shown = [(begin + timedelta(milliseconds=20 * i)).astimezone(ZoneInfo("Europe/Berlin")) for i in range(100)]
    found = read_text(table([f"{at.replace(tzinfo=None).isoformat(timespec='milliseconds')}" for at in shown], "time"))
    assert elapsed_ms(found) == [20 * i for i in range(100)]
    assert found.start is not None
    assert found.start.utc_ns == round(begin.timestamp() * 1000) * 10**6  # an hour that comes twice equals nothing
    assert found.start.zone == "Europe/Berlin"
    assert ("clocks were changed within" in found.start.words()) == bool(changes)


def test_a_clock_that_was_not_changed_makes_no_gap_either(read_text, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")  # where 02:00 to 03:00 did not come that day
    times = [f"2026-03-29T0{1 + i // 50}:{59 if i < 50 else 0:02d}:{59 if i < 50 else 0:02d}.{i % 50 * 20:03d}"
             for i in range(100)]  # fmt: skip
    assert elapsed_ms(read_text(table(times, "time"))) == [20 * i for i in range(100)]


OFFSETS = [("+05:30", "UTC+05:30"), ("+0545", "UTC+05:45"), ("-03:30", "UTC-03:30"), ("+05:00", "Etc/GMT-5")]


@pytest.mark.parametrize(("offset", "zone"), OFFSETS)
def test_an_offset_of_half_an_hour_is_kept(read_text, monkeypatch, offset: str, zone: str) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    found = read_text(table([f"2026-03-04T01:00:00.{i}00{offset}" for i in range(3)], "time"))
    assert found.start is not None
    assert found.start.zone == zone
    assert found.start.instant == datetime.fromisoformat(f"2026-03-04T01:00:00{offset}")
    assert found.start.instant.hour == 1


HINTS = [
    ([f"{900_000_000 + i / 50:.2f}" for i in range(9)], "--units t=s "),
    ([f"{46_000 + i / 50 / 86_400:.10f}" for i in range(9)], "count days"),
    ([20 * i for i in range(9)], "--units t=ms "), ([20_000 * i for i in range(9)], "--units t=us "),
]  # fmt: skip


@pytest.mark.parametrize(("times", "hint"), HINTS, ids=range(len(HINTS)))
def test_the_hint_names_the_unit_that_would_fit(read_text, times: list, hint: str) -> None:
    with pytest.raises(UsageError, match="tells no unit of time") as caught:
        read_text(table(times, "time"))
    assert hint in caught.value.hint


# ---- times that jitter

PERIOD_S = 0.02


def jittered(sigma_ms: float | None, losses: int, seed: int, drift: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Times in ns that grow, of the samples that are there, and their numbers; None: uniform within 8 ms."""
    chance = np.random.default_rng([seed, losses, 9])
    lost = chance.choice(np.arange(5, 145), losses, replace=False) * 20  # two never lie in each other's jitter
    numbers = np.setdiff1d(np.arange(3000), lost)
    off_s = chance.uniform(-0.008, 0.008, 3000) if sigma_ms is None else chance.normal(0, sigma_ms / 1000, 3000)
    t_s = np.maximum.accumulate((np.arange(3000) * PERIOD_S * drift + off_s)[numbers])
    t_ns = np.rint((t_s - t_s[0]) * 1e9).astype(np.int64) + np.arange(len(t_s))
    return t_ns, numbers


@pytest.mark.parametrize("losses", [0, 1, 50])
@pytest.mark.parametrize("sigma_ms", [0, 1, 2, 3, 4, 5, 6, None])
@given(seed=st.integers(0, 10**6), drift=st.floats(0.98, 1.02))
@settings(max_examples=6, deadline=None, derandomize=True)
def test_jitter_is_no_loss_and_losses_are_found(sigma_ms: float | None, losses: int, seed: int, drift: float) -> None:
    t_ns, numbers = jittered(sigma_ms, losses, seed, drift)
    rate_hz = counting.rate_hz(t_ns)
    assert rate_hz == pytest.approx(1 / PERIOD_S / drift, rel=3e-4)
    found = counting.numbered(t_ns, rate_hz or 0)
    assert (found.gaps, found.lost) == (losses, losses)
    assert found.index is not None
    assert np.abs(found.index - numbers).max() <= 1 + (sigma_ms or 4) // 3  # a loss stands where it is, or next to it
    if sigma_ms is not None and sigma_ms <= 1:
        np.testing.assert_array_equal(found.index, numbers)


def test_a_stall_that_is_caught_up_is_no_loss() -> None:
    t_ns = np.arange(1000) * 20_000_000
    t_ns[500:505] = t_ns[505] - np.arange(5, 0, -1) * 1_000_000
    found = counting.numbered(t_ns, 50.0)
    assert (found.gaps, found.lost) == (0, 0)
    np.testing.assert_array_equal(found.index, np.arange(1000))


def test_what_is_told_is_what_is_recorded(read_text) -> None:
    t_ns, _ = jittered(5, 50, 1)
    found = read_text(living((t_ns / 1e6).tolist(), "t_ms"))
    rate_hz = found.rate_hz or 0
    index = found.samples(rate_hz)["index"]
    missing = np.diff(index) - 1
    assert missing.sum() == 50
    assert f"{(missing > 0).sum()} gaps, the longest of" in told(found, rate_hz)
    assert f"{missing.sum()} samples lost" in told(found, rate_hz)


def test_late_rows_of_jittering_times_stay_in_the_files_order(read_text) -> None:
    chance = np.random.default_rng(2)
    times = np.arange(2000) * 20.0 + chance.normal(0, 7, 2000)
    late = int((times[1:] <= np.maximum.accumulate(times)[:-1]).sum())
    found = read_text(living(times.round(6).tolist(), "t_ms"))
    assert found.moved == late > 5
    assert len(found.acc_mps2) == 2000
    assert found.acc_mps2[:, 0].tolist() == [i / 1000 for i in range(2000)]
    assert found.t_ns is not None
    assert (np.diff(found.t_ns) > 0).all()
    assert found.numbered(50.0).lost == 0
    assert f"{late} rows came no later than the one before" in told(found, 50.0)


def test_a_sensors_own_large_numbers_are_no_date_where_another_column_tells_it(read_text) -> None:
    rows = [f"2032-01-01T00:00:00.{i:02d}0;{10**18 + i * 10_000_000};1;2;1000" for i in range(20)]
    found = read_text("Phone timestamp;sensor timestamp [ns];X [mg];Y [mg];Z [mg]\n" + "\n".join([*rows, ""]))
    assert found.chosen.main.plan.words("t") == "'sensor timestamp [ns]' in ns"
    assert elapsed_ms(found) == [10 * i for i in range(20)]
    assert found.start is not None
    assert found.start.instant.year == 2032
