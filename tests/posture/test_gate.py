"""What reaches the filter: tables of samples in and out, and what becomes of a session whose sensor lies."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import companion
import firmware_protocol as fp
from companion.posture.gate import Gate
from companion.posture.rows import RowFlag
from companion.posture.stage import MOTION, Beat, Columns, Joint
from companion.session import Session
from firmware_protocol.devices import imported
from firmware_protocol.frames import Closed, LinkUp, Notification, Opened

_spec = importlib.util.spec_from_file_location("gate_strategies", Path(__file__).with_name("strategies.py"))
assert _spec is not None
assert _spec.loader is not None
strategies = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(strategies)

PERIOD_NS = 20_000_000
G_MPS2 = 9.80665
DPS = np.pi / 180


def moving(count: int = 8) -> Columns:
    """Samples at 50 Hz, numbered, no two alike: the acceleration is 0.01 · number ahead, the rate 1 + 0.01 · number."""
    made = Columns.zeros(count, MOTION)
    numbers = np.arange(count)
    made["number"][:], made["period_ns"][:] = numbers, PERIOD_NS
    made["t_session_ns"][:] = (numbers + 1) * PERIOD_NS
    made["acc_mps2"][:] = np.stack([0.01 * numbers, 0 * numbers, np.full(count, G_MPS2)], axis=1)
    made["gyr_radps"][:, 0] = 1 + 0.01 * numbers
    return made


def resting(count: int = 8) -> Columns:
    """The same, as good as at rest."""
    made = moving(count)
    made["gyr_radps"][:, 0] = 0.02 + 1e-5 * np.arange(count)
    return made


def joined(block: Columns, cuts: tuple[int, ...] = ()) -> Columns:
    """What the gate makes of a block in these pieces."""
    gate, parts = Gate(), []
    state = gate.start()
    for first, end in zip((0, *cuts), (*cuts, len(block)), strict=True):
        state, made = gate.step(state, block[first:end])
        parts.append(made)
    return Columns.joined(parts)


def bits(block: Columns) -> list[bytes]:
    return [np.ascontiguousarray(block[name]).tobytes() for name in sorted(block.names)]


MARKS = {Joint.RESTART: "R", Joint.TIMED: "T", Joint.FROZEN: "F", Joint.CLIPPED: "C"}


def told(made: Columns) -> str:
    """Each element in a word: its number (f: filled; t: tick; e: end), and how it joins the one before it."""
    words = []
    for place in range(len(made)):
        joint, beat = int(made["joint"][place]), int(made["beat"][place])
        word = {Beat.TICK: "t", Beat.END: "e"}.get(Beat(beat), str(int(made["number"][place])))
        word = "f" if joint & Joint.FILLED else word
        words.append(word + "".join(letter for mark, letter in MARKS.items() if joint & mark))
    return " ".join(words)


def spoilt(**changes) -> Columns:
    """Eight samples with these values in the fourth: `acc` and `gyr` along x."""
    made = moving()
    for name, value in changes.items():
        made[{"acc": "acc_mps2", "gyr": "gyr_radps"}[name]][3, 0] = value
    return made


WHOLE, WITHOUT = "0R 1 2 3 4 5 6 7", "0R 1 2 f 4 5 6 7"
ACROSS = np.sqrt((15.9 * G_MPS2) ** 2 - G_MPS2**2)  # with 1 g upwards: 15.9 g in all

ONE_SAMPLE = {
    "as it is": (spoilt(), WHOLE),
    "no acceleration": (spoilt(acc=np.nan), WITHOUT),
    "an infinite acceleration": (spoilt(acc=np.inf), WITHOUT),
    "the other infinite one": (spoilt(acc=-np.inf), WITHOUT),
    "one whose square overflows": (spoilt(acc=-1e300), WITHOUT),
    "16 g": (spoilt(acc=16 * G_MPS2), WITHOUT),
    "just over 15.9 g": (spoilt(acc=ACROSS + 1e-6), WITHOUT),
    "just under 15.9 g, but from nowhere": (spoilt(acc=ACROSS - 1e-6), WITHOUT),
    "a blow of 7.9 g in 20 ms": (spoilt(acc=7.9 * G_MPS2), WHOLE),
    "a blow of more than 8 g": (spoilt(acc=8.2 * G_MPS2), WITHOUT),
    "one axis without a rate": (spoilt(gyr=np.nan), WITHOUT),
    "an infinite rate": (spoilt(gyr=np.inf), WITHOUT),
    "a rate whose square overflows": (spoilt(gyr=1e300), WITHOUT),
    "a leap of 800 °/s in 20 ms": (spoilt(gyr=1.02 + 799.9 * DPS), WHOLE),
    "a leap of more": (spoilt(gyr=1.02 + 800.1 * DPS), WITHOUT),
    "2000 °/s at once": (spoilt(gyr=2000 * DPS), WITHOUT),
    "and the other way": (spoilt(gyr=-2000 * DPS), WITHOUT),
}


@pytest.mark.parametrize(("block", "expected"), ONE_SAMPLE.values(), ids=ONE_SAMPLE)
def test_one_sample_that_cannot_be_true_becomes_a_hole(block, expected):
    assert told(joined(block)) == expected


@pytest.mark.parametrize(("across", "passes"), [(ACROSS - 1e-6, True), (ACROSS + 1e-6, False)])
def test_an_acceleration_of_less_than_15_9_g_may_last(across, passes):
    block = moving()
    block["acc_mps2"][:] = across, 0.0, G_MPS2
    assert (told(joined(block)) == WHOLE) == passes


@pytest.mark.parametrize(("factor", "passes"), [(0.9999, True), (1.0001, False)])
def test_no_trunk_turns_at_over_2200_dps(factor, passes):
    block = moving()
    block["gyr_radps"][:, 0] = 2199 * DPS + 1e-4 * np.arange(8)
    block["gyr_radps"][3, 0] = 2200 * DPS * factor
    assert told(joined(block)) == (WHOLE if passes else WITHOUT)


def rated(*dps: float) -> Columns:
    made = moving(len(dps))
    made["gyr_radps"][:, 0] = np.array(dps) * DPS
    return made


LEAPS = {
    "one false rate": (rated(10, 11, 2000, 13, 14, 15), "0R 1 f 3 4 5"),
    "two": (rated(10, 11, 2000, 1999, 14, 15), "0R 1 f f 4 5"),
    "three": (rated(10, 11, 2000, 1999, 1998, 15), "0R 1 f f f 5"),
    "one each way": (rated(10, 11, 1500, -1400, 14, 15), "0R 1 f f 4 5"),
    "two, with a true one between them": (rated(10, 11, 2000, 13, 2000, 15), "0R 1 f 3 f 5"),
    "one that stays is believed in the end": (rated(10, *[2000.1] * 5), "0R f f f 4 5"),  # 300 + 25 · 80 > 1990
    "a true fast turn": (rated(0, 400, 1190, 1980, 1190, 400), "0R 1 2 3 4 5"),
    "a blow, as wild as the wildest trial": (rated(0, 266, -266, 266, 0, 1), "0R 1 2 3 4 5"),
    "nothing is before the first": (rated(2000, 1999, 1998, 1997), "0R 1 2 3"),
    "so a false first one holds up the true ones": (rated(2000, 11, 12, 13, 14, 15), "0R f f f 4 5"),
    "off the axes": (rated(0, 790, 0, 1), "0R 1 2 3"),
}


@pytest.mark.parametrize(("block", "expected"), LEAPS.values(), ids=LEAPS)
def test_rates_that_leap(block, expected):
    assert told(joined(block)) == expected


def test_a_leap_is_one_of_the_vector():
    block = moving()
    block["gyr_radps"][:] = 0.01 * np.arange(8)[:, None]
    block["gyr_radps"][3] = 700 * DPS  # on each of three axes: 1212 °/s
    assert told(joined(block)) == WITHOUT


def test_after_a_long_hole_any_rate_may_be_true():
    block = rated(10, 11, 12, 2000, 1999, 1998)
    block["t_session_ns"][3:] += 1_000_000_000
    assert told(joined(block)) == "0R 1 2 3RT 4 5"


BEFORE_A_LEAP = {
    "a rate that is no number": ("gyr_radps", np.nan),
    "a rate beyond what there is": ("gyr_radps", 2300 * DPS),
    "an acceleration that is no number": ("acc_mps2", np.nan),
    "an acceleration of 16 g": ("acc_mps2", 16 * G_MPS2),
    "a tick": (None, np.nan),
}


@pytest.mark.parametrize("cuts", [(), (3,), (4,), (3, 4), (1, 2, 3, 4, 5, 6, 7)])
@pytest.mark.parametrize(("name", "value"), BEFORE_A_LEAP.values(), ids=BEFORE_A_LEAP)
def test_a_leap_is_one_from_the_sample_that_passed_whatever_was_refused_between(name, value, cuts):
    block = moving()
    block["gyr_radps"][3:5, 0] = 2000 * DPS
    if name is None:
        block["beat"][3], block["number"][3], block["gyr_radps"][3] = Beat.TICK, -1, np.nan
    else:
        block[name][3, 0] = value
    assert told(joined(block, cuts)) == ("0R 1 2 t f f 5 6 7" if name is None else "0R 1 2 f f 5 6 7")


def held(block: Columns, first: int, end: int) -> Columns:
    """The same with the values of `first` until `end`."""
    for name in ("acc_mps2", "gyr_radps"):
        block[name][first:end] = block[name][first]
    return block


def test_values_that_repeat_while_turning_are_left_out_at_once():
    assert told(joined(held(moving(), 3, 5))) == "0R 1 2 3 f 5F 6 7"
    assert told(joined(held(moving(), 3, 7))) == "0R 1 2 3 f f f 7F"


@pytest.mark.parametrize(("rate_radps", "expected"), [(0.099, WHOLE), (0.101, "0R 1 2 3 f 5F 6 7")])
def test_turning_is_a_tenth_of_a_radian_in_a_second(rate_radps, expected):
    block = resting()
    block["gyr_radps"][3:5] = [0.6 * rate_radps, 0.0, 0.8 * rate_radps]
    block["acc_mps2"][4] = block["acc_mps2"][3]
    assert told(joined(block)) == expected


def test_values_that_repeat_at_rest_are_left_out_after_half_a_second_and_filters_start_anew():
    """The first of them is true: 25 more fill half a second."""
    assert told(joined(held(resting(29), 1, 27))) == " ".join(["0R", *map(str, range(1, 29))])
    whole, later = [str(number) for number in range(1, 27)], "28"
    assert told(joined(held(resting(29), 1, 28))) == " ".join(["0R", *whole, "28RF"])
    assert told(joined(held(resting(30), 1, 29))) == " ".join(["0R", *whole, "29RF"])
    assert later not in told(joined(held(resting(28), 1, 28)))


def test_the_same_at_another_rate():
    block = resting(15)
    block["t_session_ns"][:], block["period_ns"][:] = block["t_session_ns"] * 2, 2 * PERIOD_NS
    assert (
        told(joined(held(block, 0, 14))) == "0R 1 2 3 4 5 6 7 8 9 10 11 12 14RF"
    )  # 12 · 40 ms is within half a second


def test_motion_that_was_computed_rests_for_as_long_as_it_likes():
    block = held(resting(200), 0, 200)
    block["gyr_radps"][:] = 0.0
    assert told(joined(block)) == " ".join(["0R", *map(str, range(1, 200))])


def test_without_a_gyroscope_nothing_is_called_frozen():
    block = held(moving(200), 0, 200)
    block["gyr_radps"][:] = np.nan
    assert told(joined(block)) == " ".join(["0R", *map(str, range(1, 200))])


def test_one_axis_that_moves_is_enough_to_live():
    block = held(moving(), 1, 7)
    block["acc_mps2"][:, 1] = 1e-6 * np.arange(8)
    assert told(joined(block)) == WHOLE


@pytest.mark.parametrize("cuts", [(), (5,), (5, 7), (5, 8), (6, 8)])
def test_frozen_values_are_marked_on_the_next_sample_that_passes_even_much_later(cuts):
    block = held(moving(12), 3, 5)
    block["acc_mps2"][5:8, 0] = np.nan
    assert told(joined(block, cuts)) == "0R 1 2 3 f f f f 8F 9 10 11"


@given(first=st.integers(0, 20), length=st.integers(1, 70), rest=st.booleans(), data=st.data())
@settings(max_examples=60)
def test_any_cut_of_frozen_values_gives_the_same_bits(first, length, rest, data):
    block = held((resting if rest else moving)(100), first, first + length)
    cuts = data.draw(strategies.cuts(len(block)))
    assert bits(joined(block, tuple(cuts))) == bits(joined(block))


@st.composite
def wild(draw):
    """A hundred samples and ticks with everything at once that a gate has a rule for."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    block = (resting if draw(st.booleans()) else moving)(100)
    for _ in range(draw(st.integers(0, 8))):
        first = int(rng.integers(0, 100))
        few, name = slice(first, first + int(rng.integers(1, 6))), str(rng.choice(["acc_mps2", "gyr_radps"]))
        what = rng.choice(["value", "leap", "held", "hole", "restart", "tick", "no gyroscope"])
        if what == "value":
            block[name][few, int(rng.integers(0, 3))] = rng.choice([np.nan, np.inf, -1e300, 16 * G_MPS2, 2300 * DPS])
        elif what == "leap":
            block["gyr_radps"][few, 0] = rng.choice([800, -1200, 2000]) * DPS
        elif what == "held":
            held(block, first, first + int(rng.integers(1, 60)))
        elif what == "hole":
            block["t_session_ns"][first:] += int(rng.integers(1, 40)) * PERIOD_NS
        elif what == "restart":
            block["joint"][first] = Joint.RESTART
        elif what == "tick":
            block["beat"][few], block["number"][few] = Beat.TICK, -1
            block["acc_mps2"][few] = block["gyr_radps"][few] = np.nan
        else:
            block["gyr_radps"][first : first + int(rng.integers(1, 60))] = np.nan
    if draw(st.booleans()):  # a slow sensor whose clock strays
        block["period_ns"][:], block["t_session_ns"][:] = 50 * PERIOD_NS, 50 * block["t_session_ns"]
        block["t_session_ns"][:] += rng.integers(-240_000_000, 240_000_000, 100)
    return block


@given(block=wild(), data=st.data())
@settings(max_examples=150)
def test_any_cut_gives_the_same_bits(block, data):
    given_bits = bits(block)
    cuts = tuple(data.draw(strategies.cuts(len(block))))
    cut, whole = joined(block, cuts), joined(block)
    assert told(cut) == told(whole)
    assert bits(cut) == bits(whole)
    assert bits(block) == given_bits


@pytest.mark.parametrize("cut", range(1, 9))
def test_one_that_leaps_decides_nothing_about_kinds(cut):
    """After 0.27 s a stream may change its kind: counted from the last that passed, not from a blow after it."""
    block = moving(9)
    block["gyr_radps"][:5] = np.nan
    block["acc_mps2"][4, 0] = 150.0
    block["t_session_ns"][5:] += 12 * PERIOD_NS
    assert told(joined(block, (cut,))) == told(joined(block)) == "0R 1 2 3 5RT 6 7 8"


def later(hole_ns: int, joint: int = 0) -> Columns:
    """Four samples, a hole before the third."""
    made = moving(4)
    made["t_session_ns"][2:] += hole_ns - PERIOD_NS
    made["joint"][2] = joint
    return made


HOLES = {
    "none": (later(20_000_000), "0R 1 2 3"),
    "less than half a period is a clock's own": (later(29_000_000), "0R 1 2 3"),
    "one sample": (later(40_000_000), "0R 1 f 2 3"),
    "twelve": (later(260_000_000), "0R 1 " + "f " * 12 + "2 3"),
    "the longest that is filled": (later(270_000_000), "0R 1 " + "f " * 13 + "2 3"),
    "too long: its length is known": (later(270_000_001), "0R 1 2RT 3"),
    "much too long: the same": (later(60_000_000_000), "0R 1 2RT 3"),
    "the sensor started anew: nobody knows how long it was": (later(40_000_000, Joint.RESTART), "0R 1 2R 3"),
    "the same later": (later(500_000_000, Joint.RESTART), "0R 1 2R 3"),
    "clipped passes": (later(20_000_000, Joint.CLIPPED), "0R 1 2C 3"),
    "clipped after a hole": (later(40_000_000, Joint.CLIPPED), "0R 1 f 2C 3"),
}


@pytest.mark.parametrize("cuts", [(), (2,), (1, 2, 3)])
@pytest.mark.parametrize(("block", "expected"), HOLES.values(), ids=HOLES)
def test_holes(block, expected, cuts):
    assert told(joined(block, cuts)) == expected


@pytest.mark.parametrize("cuts", [(1,), (2,), (1, 2, 3)])
@pytest.mark.parametrize("step_ns", [1_000_000_000, 1_250_000_000, 1_250_000_001, 1_499_999_999, 1_500_000_000])
def test_what_a_hole_is_to_a_slow_sensor_whose_clock_strays_does_not_depend_on_the_cut(step_ns, cuts):
    block = moving(4)
    block["period_ns"][:], block["t_session_ns"][:] = 1_000_000_000, step_ns * np.arange(4)
    assert told(joined(block, cuts)) == told(joined(block))
    if step_ns <= 1_250_000_000:
        assert told(joined(block)) == "0R 1 2 3"


@pytest.mark.parametrize("cuts", [(), (3,), (1, 2, 3, 4)])
@pytest.mark.parametrize(("what", "expected"), [("frozen", "0R 1 3F 4"), ("anew", "0R 1 3R 4")])
def test_what_was_refused_between_two_samples_that_are_close_is_not_forgotten(what, expected, cuts):
    """A clock that strays, so that nothing is missing between those that pass."""
    block = moving(5)
    block["t_session_ns"][:] = [20_000_000, 40_000_000, 45_000_000, 65_000_000, 85_000_000]
    if what == "frozen":
        held(block, 1, 3)
    else:
        block["joint"][2], block["acc_mps2"][2, 0] = Joint.RESTART, np.nan
    assert told(joined(block, cuts)) == expected


def test_a_restart_on_a_refused_sample_counts_for_the_next_that_passes():
    block = later(40_000_000, Joint.RESTART)
    block["acc_mps2"][2, 0] = np.nan
    assert told(joined(block)) == "0R 1 3R"
    assert told(joined(block, (3,))) == "0R 1 3R"


@pytest.mark.parametrize("cuts", [(), (1,)])
def test_a_short_hole_is_filled_by_a_straight_line(cuts):
    block = moving(2)
    block["t_session_ns"][:] = [20_000_000, 100_000_000]
    block["acc_mps2"][:] = [[1.0, 2.0, 9.0], [3.0, -2.0, 9.0]]
    block["gyr_radps"][:] = [[0.0, 0.4, -1.0], [1.0, 0.0, 1.0]]
    made = joined(block, cuts)
    assert told(made) == "0R f f f 1"
    assert made["t_session_ns"].tolist() == [20_000_000, 40_000_000, 60_000_000, 80_000_000, 100_000_000]
    assert made["acc_mps2"].tolist() == [[1, 2, 9], [1.5, 1, 9], [2, 0, 9], [2.5, -1, 9], [3, -2, 9]]
    expected = [[0, 0.4, -1], [0.25, 0.3, -0.5], [0.5, 0.2, 0], [0.75, 0.1, 0.5], [1, 0, 1]]
    assert made["gyr_radps"] == pytest.approx(np.array(expected))
    assert made["number"].tolist() == [0, -1, -1, -1, 1]
    assert made["period_ns"].tolist() == [PERIOD_NS] * 5


def test_a_stream_that_loses_its_gyroscope_goes_on_without_after_a_hole():
    block = moving(40)
    block["gyr_radps"][4:] = np.nan
    made = joined(block)
    assert told(made) == " ".join(["0R 1 2 3", *["t"] * 0, "17RT", *map(str, range(18, 40))])


def test_refused_samples_too_many_to_fill_in_become_ticks():
    block = moving(40)
    block["acc_mps2"][4:30, 0] = np.nan
    made = joined(block)
    assert told(made) == " ".join(["0R 1 2 3", *["t"] * 13, "30RT", *map(str, range(31, 40))])
    ticks = made[made["beat"] == Beat.TICK]
    assert ticks["t_session_ns"].tolist() == [(number + 1) * PERIOD_NS for number in range(17, 30)]
    assert np.isnan(ticks["acc_mps2"]).all()
    assert np.isnan(ticks["gyr_radps"]).all()


def test_nothing_in_nothing_out():
    gate = Gate()
    state, made = gate.step(gate.start(), moving(0))
    assert len(made) == 0
    assert state == gate.step(state, moving(0))[0]


# ---- the whole way

BODY = companion.Calibration.from_axes(up=[0, 0, 1], forward=[1, 0, 0])
NO_DATA = companion.CONTEXTS.index("no_data")
SETTINGS = companion.Settings.of({"alert.delay": "5s", "alert.repeat": "10s"})


def leaning(*parts: tuple[float, float], seed: int = 1) -> np.ndarray:
    """SAMPLES of a sitting wearer at (degrees, seconds), 50 Hz, with a sensor's noise; 1 s from one to the next."""
    rng, angles = np.random.default_rng(seed), [np.full(50, parts[0][0])]
    for degrees, seconds in parts:
        way = np.linspace(0, 1, 50)
        angles += [
            angles[-1][-1] + (degrees - angles[-1][-1]) * way**2 * (3 - 2 * way),
            np.full(round(seconds * 50) - 50, degrees),
        ]
    lean = np.radians(np.concatenate(angles)[50:])
    acc = G_MPS2 * np.stack([-np.sin(lean), 0 * lean, np.cos(lean)], axis=1) + rng.normal(0, 0.02, (len(lean), 3))
    gyr = np.stack([0 * lean, np.gradient(lean) * 50, 0 * lean], axis=1) + rng.normal(0, 0.002, (len(lean), 3))
    index = np.arange(len(lean))
    return fp.make_samples(acc, gyr, t_device_ns=index * PERIOD_NS, index=index)


def of_nan(samples: np.ndarray, first: int, end: int) -> None:
    samples["acc_mps2"][first:end] = np.nan


def frozen(samples: np.ndarray, first: int, end: int) -> None:
    for name in ("acc_mps2", "gyr_radps"):
        samples[name][first:end] = samples[name][first]


def over_the_end(samples: np.ndarray, first: int, end: int) -> None:
    samples["acc_mps2"][first:end, 1] = 16 * G_MPS2


def analysed(samples: np.ndarray):
    found = companion.analyse(samples, BODY, SETTINGS)
    return found.posture, found.events


def in_session(samples: np.ndarray, size: int = 5):
    """The same as packets of a session."""
    header = Opened(
        t_host_ns=1, session_id="a", driver="imported", device="d", utc_ns=1_760_000_000_000_000_000, zone="UTC",
        settings_json=SETTINGS.to_json(), calibration_json=BODY.to_json(), software_version="test", origin="imported",
    )  # fmt: skip
    frames = [header, LinkUp(t_host_ns=2, address="a", mtu=247)]
    for first in range(0, len(samples), size):
        part = samples[first : first + size]
        t_host_ns = int(part["t_device_ns"][-1]) + PERIOD_NS
        frames.append(
            Notification(
                t_host_ns=t_host_ns, characteristic=imported.CHARACTERISTIC, data=imported.encode(part, 50.0)[0]
            )
        )
    frames.append(Closed(t_host_ns=frames[-1].t_host_ns + 1, reason="ended", count=len(frames)))
    session = Session(header)
    reports = [*(session.feed([frame]) for frame in frames), session.close()]
    rows = np.concatenate([report.posture for report in reports])
    return rows, [event for report in reports for event in report.events]


WAYS = {"analyse": analysed, "session": in_session}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("spoil", [of_nan, frozen, over_the_end])
def test_twenty_seconds_without_a_true_sample_are_no_data(way, spoil):
    """From the 30th second to the 50th, while the wearer leans forward: and before an alert would be due."""
    samples = leaning((0, 26), (30, 34))
    spoil(samples, 1500, 2500)
    rows, events = way(samples)
    t_s = rows["t_session_ns"] / 1e9
    assert len(rows) == 300
    assert (np.diff(rows["t_session_ns"]) == 200_000_000).all()
    silent = rows["context"] == NO_DATA
    assert t_s[silent].min() == pytest.approx(35.2, abs=0.61)  # values that froze at rest pass for half a second
    assert t_s[silent].max() == pytest.approx(49.9, abs=0.21)
    assert np.diff(t_s[silent]).max() == pytest.approx(0.2)
    during = (t_s > 32) & (t_s < 50)
    assert np.isnan(rows["sagittal_deg"][during]).all()
    assert set(rows["state"][during].tolist()) == {companion.STATES.index("unknown")}
    names = [(type(event).__name__, event.t_session_ns / 1e9) for event in events]
    assert [name for name, _ in names if name.startswith("Signal")] == ["SignalLost", "SignalFound"]
    assert not [t for name, t in names if name == "AlertRaised" and 32 < t < 50]
    assert [t for name, t in names if name == "AlertRaised"], "the same posture, truly measured, does raise one"


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_posture_that_froze_is_no_posture(way):
    """The sensor stops measuring 2 s into a lean and never begins again: nobody leaned for 5 s."""
    samples = leaning((0, 20), (30, 42))
    frozen(samples, 1150, len(samples))
    rows, events = way(samples)
    t_s = rows["t_session_ns"] / 1e9
    assert rows["sagittal_deg"][(t_s > 22) & (t_s < 23)] == pytest.approx(30, abs=1)
    names = [type(event).__name__ for event in events]
    assert "SlouchStarted" in names
    assert "SignalLost" in names
    assert "AlertRaised" not in names
    assert t_s[-1] == pytest.approx(62, abs=0.3)
    assert (rows["context"][t_s > 28.7] == NO_DATA).all()


def test_the_row_of_the_first_sample_after_frozen_ones_says_so():
    samples = leaning((0, 30))
    frozen(samples, 1000, 1100)
    rows, _ = analysed(samples)
    flagged = (rows["flags"] & RowFlag.FROZEN) != 0
    assert np.flatnonzero(flagged).tolist() == [109, 110, 111, 112, 113]  # from 22.0 s on, for a second


def standing(rates, count=200):
    """Upright, the acceleration the same to the last bit from the first sample on, rates as given."""
    made = moving(count)
    made["acc_mps2"][:] = 0.1, 0.2, G_MPS2
    made["gyr_radps"][:] = rates(count)
    return made


def living(count):
    return np.random.default_rng(3).normal(0, 0.01, (count, 3))


STANDING = {  # rates, how many of 200 samples at 50 Hz pass: the first, and 2 s after it
    "rates that live": (living, 101),
    "rates of nought": (lambda count: np.zeros((count, 3)), 200),
    "no gyroscope": (lambda count: np.full((count, 3), np.nan), 200),
}


@pytest.mark.parametrize(("rates", "passing"), STANDING.values(), ids=STANDING)
def test_an_acceleration_that_stands_still_beside_rates_that_live_has_stopped(rates, passing):
    made = joined(standing(rates))
    assert np.count_nonzero(made["number"] >= 0) == passing
    assert made["number"].max() == passing - 1
