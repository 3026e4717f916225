"""Motion files: what is in them, what is assumed where something is not, what is refused; their motion at any rate."""

import io
import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.errors import UsageError
from companion.simulator.motion_file import MotionFile, RecordedBody, load_body, read
from companion.simulator.stories import body_of

G_MPS2 = 9.80665


def arrays(count: int = 400, rate_hz: float = 100.0, **other: Any) -> dict[str, Any]:
    """A sensor with +x up that nods slowly; `other` replaces or (None) takes away."""
    t_s = np.arange(count) / rate_hz
    tilt = 0.2 * np.sin(2 * np.pi * 0.3 * t_s)
    zero = np.zeros(count)
    made: dict[str, Any] = {
        "acc": G_MPS2 * np.stack([np.cos(tilt), zero, -np.sin(tilt)], axis=1),
        "gyr": np.stack([zero, 0.2 * 2 * np.pi * 0.3 * np.cos(2 * np.pi * 0.3 * t_s), zero], axis=1),
        "sampling_rate": np.array(rate_hz),
    }
    return {name: np.asarray(value) for name, value in {**made, **other}.items() if value is not None}


def saved(path: Path, **content: Any) -> Path:
    np.savez(path, **content)
    return path


def test_what_a_file_holds(tmp_path: Path) -> None:
    content = arrays(up=[2.0, 0.0, 0.0], forward=[1.0, 0.0, 3.0], unknown=np.arange(3))
    found = read(saved(tmp_path / "a.npz", **content))
    assert np.array_equal(found.acc_mps2, content["acc"])
    assert np.array_equal(found.gyr_radps, content["gyr"])
    assert (found.rate_hz, found.t_s, found.has_gyroscope) == (100.0, None, True)
    assert found.up_sensor.tolist() == [1.0, 0.0, 0.0]
    assert found.forward_sensor.tolist() == [0.0, 0.0, 1.0]  # without its part along up


@pytest.mark.parametrize(
    ("up", "forward"),
    [
        # the sensor's axis that points up, and what it is taken to face
        ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
        ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
        ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0)),
        ((0.0, 0.0, -1.0), (1.0, 0.0, 0.0)),
        ((np.sin(np.radians(29)), 0.0, np.cos(np.radians(29))), (np.cos(np.radians(29)), 0.0, -np.sin(np.radians(29)))),
        ((np.sin(np.radians(31)), 0.0, np.cos(np.radians(31))), (-np.cos(np.radians(31)), 0.0, np.sin(np.radians(31)))),
    ],
)
def test_directions_that_are_not_told(up: tuple[float, ...], forward: tuple[float, ...]) -> None:
    acc = np.tile(np.array(up) * 9.7, (400, 1))
    acc[200:] = [3.0, 3.0, 3.0]  # only the first 2 s count
    found = MotionFile.of(arrays(acc=acc))
    assert found.up_sensor == pytest.approx(up)
    assert found.forward_sensor == pytest.approx(forward)


def test_the_first_two_seconds_are_those_of_the_clock() -> None:
    acc = np.tile([0.0, 9.8, 0.0], (400, 1))
    acc[3:] = [9.8, 0.0, 0.0]
    t_s = np.concatenate([[5.0, 5.5, 6.9], 7.1 + np.arange(397) / 100])
    assert MotionFile.of(arrays(acc=acc, t_s=t_s)).up_sensor.tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"acc": None}, "no array 'acc'"),
        ({"sampling_rate": None}, "no array 'sampling_rate'"),
        ({"acc": np.zeros((400, 2))}, r"acc .* shape \(400, 2\), not \(N, 3\)"),
        ({"acc": np.zeros(400)}, r"acc .* shape \(400,\), not \(N, 3\)"),
        ({"acc": np.full((400, 3), np.nan)}, "acc .* not finite"),
        ({"acc": np.zeros((0, 3)), "gyr": None}, "acc .* fewer than two"),
        ({"acc": np.zeros((1, 3)), "gyr": None}, "acc .* fewer than two"),
        ({"acc": np.zeros((400, 3))}, "up .* no direction"),
        ({"acc": np.full((400, 3), "9.8")}, "acc .* no numbers"),
        ({"acc": np.ones((400, 3), complex)}, "acc .* no numbers"),
        ({"gyr": np.zeros((399, 3))}, r"gyr .* shape \(399, 3\), not \(400, 3\)"),
        ({"gyr": np.full((400, 3), np.inf)}, "gyr .* not finite"),
        ({"sampling_rate": np.array([50.0, 60.0])}, r"sampling_rate .* shape \(2,\)"),
        ({"sampling_rate": np.array(0.0)}, "0 Hz, not 1 to 10000"),
        ({"sampling_rate": np.array(np.nan)}, "sampling_rate .* not finite"),
        ({"sampling_rate": np.array(-50.0)}, "-50 Hz, not 1 to 10000"),
        ({"t_s": np.arange(399.0)}, r"t_s .* shape \(399,\)"),
        ({"t_s": np.zeros(400)}, "t_s .* must grow"),
        ({"t_s": np.arange(400.0)[::-1]}, "t_s .* must grow"),
        ({"up": np.zeros(3)}, "up .* no direction"),
        ({"up": np.ones(4)}, r"up .* shape \(4,\), not \(3\)"),
        ({"forward": [0.0, np.nan, 0.0]}, "forward .* not finite"),
        ({"up": [1.0, 0.0, 0.0], "forward": [-1.0, 0.05, 0.0]}, "differ by more than 5°"),
    ],
)
def test_what_cannot_be_is_said(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        MotionFile.of(arrays(**change))


def test_a_rate_in_an_array_of_one_will_do() -> None:
    assert MotionFile.of(arrays(sampling_rate=np.array([100.0]))).rate_hz == 100.0


class Trap:
    """Would do something if it were unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was opened",))


def _broken_files(tmp_path: Path) -> dict[str, Path]:
    whole = saved(tmp_path / "whole.npz", **arrays()).read_bytes()
    npy = io.BytesIO()
    np.save(npy, np.zeros(5))
    contents = {
        "text": b"acc,gyr\n1,2\n",
        "empty": b"",
        "cut": whole[: len(whole) // 2],
        "single": npy.getvalue(),
        "pickle": pickle.dumps(Trap()),
    }
    for name, data in contents.items():
        (tmp_path / f"{name}.npz").write_bytes(data)
    np.savez(tmp_path / "object.npz", **{**arrays(), "acc": np.array([Trap()], dtype=object)})
    damaged = bytearray(whole)
    damaged[300:400] = bytes(100)
    (tmp_path / "damaged.npz").write_bytes(damaged)
    return {name: tmp_path / f"{name}.npz" for name in (*contents, "object", "damaged")}


@pytest.mark.parametrize("name", ["text", "empty", "cut", "single", "pickle", "object", "damaged"])
def test_what_is_no_motion_file_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is no motion file"):
        read(_broken_files(tmp_path)[name])


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        read(tmp_path / "none.npz")
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path)


# As a body.


def test_a_story_may_be_a_file(tmp_path: Path) -> None:
    body = body_of(str(saved(tmp_path / "Nod.NPZ.npz", **arrays())))
    assert isinstance(body, RecordedBody)
    assert (body.name, body.duration_s, body.once_s) == ("Nod.NPZ", 4.0, 0.0)
    assert body.calibration_given
    assert np.isnan(body.truth(np.arange(3.0))).all()


def test_at_its_own_rate_a_file_is_played_as_it_is() -> None:
    content = arrays()
    body = RecordedBody("nod", MotionFile.of(content))
    acc, gyr = body.sample(100.0, 0, 400)
    assert np.allclose(acc, content["acc"], atol=1e-9)
    assert np.allclose(gyr, content["gyr"], atol=1e-9)


@pytest.mark.parametrize(
    ("rate_hz", "start_s"), [(50.0, 0.0), (50.0006, 0.731), (25.0, 0.1), (100.0012, 0.5), (200.0, 0)]
)
def test_at_other_rates_it_is_the_same_motion(rate_hz: float, start_s: float) -> None:
    count = 4000
    body = RecordedBody("nod", MotionFile.of(arrays(count)))
    taken = int(38.0 * rate_hz)
    acc, gyr = body.sample(rate_hz, 0, taken, start_s)
    inner = slice(int(rate_hz), taken)  # the filter's edge at the file's beginning
    t_s = start_s + np.arange(taken) / rate_hz
    tilt = 0.2 * np.sin(2 * np.pi * 0.3 * t_s)
    expected = G_MPS2 * np.stack([np.cos(tilt), 0 * tilt, -np.sin(tilt)], axis=1)
    assert np.allclose(acc[inner], expected[inner], atol=0.02)
    assert np.allclose(gyr[inner, 1], 0.2 * 2 * np.pi * 0.3 * np.cos(2 * np.pi * 0.3 * t_s[inner]), atol=0.002)


def test_what_the_rate_cannot_carry_is_taken_out() -> None:
    t_s = np.arange(4000) / 100.0
    acc = np.stack([9.8 + np.sin(2 * np.pi * 8.0 * t_s), np.sin(2 * np.pi * 31.0 * t_s), 0 * t_s], axis=1)
    body = RecordedBody("buzz", MotionFile.of(arrays(4000, acc=acc)))
    carried, _ = body.sample(50.0, 50, 1800)
    assert carried[:, 0].std() == pytest.approx(np.sqrt(0.5), rel=0.03)  # 8 Hz passes
    assert carried[:, 1].std() < 0.01  # 31 Hz would come back as 19 Hz


@given(
    rate_hz=st.sampled_from([25.0, 50.0006, 130.0]),
    cuts=st.lists(st.integers(0, 4000), min_size=2, max_size=6),
)
def test_any_cut_of_a_file_gives_the_same_bits(rate_hz: float, cuts: list[int]) -> None:
    motion, edges = MotionFile.of(arrays()), sorted(cuts)
    whole = RecordedBody("nod", motion).sample(rate_hz, edges[0], edges[-1] - edges[0], 0.3)
    body = RecordedBody("nod", motion)
    parts = [body.sample(rate_hz, first, end - first, 0.3) for first, end in pairwise(edges)]
    for kind in (0, 1):
        assert np.array_equal(np.concatenate([part[kind] for part in parts]), whole[kind])


def test_a_file_is_played_over_and_over() -> None:
    body = RecordedBody("nod", MotionFile.of(arrays()))
    first, again = body.sample(100.0, 0, 400)[0], body.sample(100.0, 400, 400)[0]
    assert np.allclose(first, again, atol=1e-9)


def test_without_gyroscope_the_rates_are_unknown() -> None:
    found = MotionFile.of(arrays(gyr=None))
    assert not found.has_gyroscope
    body = RecordedBody("nod", found)
    assert not body.has_gyroscope
    for rate_hz in (50.0, 100.0, 150.0):
        acc, gyr = body.sample(rate_hz, 0, 100)
        assert np.isfinite(acc).all()
        assert np.isnan(gyr).all()


def test_irregular_times_become_even_with_straight_lines_across_gaps() -> None:
    t_s = np.array([10.0, 10.1, 10.5, 10.6])
    acc = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 1.0], [5.0, 4.0, 1.0], [6.0, 4.0, 1.0]])
    found = MotionFile.of({"acc": acc, "sampling_rate": np.array(10.0), "t_s": t_s, "up": np.array([0, 0, 1.0])})
    assert np.allclose(found.even()[:, :3], [[i, max(0, min(4, i - 1)), 1.0] for i in range(7)])
    assert RecordedBody("gap", found).duration_s == pytest.approx(0.7)


def test_a_file_that_spans_years_is_refused() -> None:
    t_s = np.concatenate([np.arange(399) / 100.0, [1e12]])
    with pytest.raises(UsageError, match="too long"):
        RecordedBody("years", MotionFile.of(arrays(t_s=t_s)))


# As samples.


def test_samples_without_times_are_numbered_at_the_rate() -> None:
    samples = MotionFile.of(arrays(3, 64.0)).samples()
    assert samples["index"].tolist() == [0, 1, 2]
    assert samples["t_device_ns"].tolist() == [0, 15_625_000, 31_250_000]
    assert samples["t_host_ns"].tolist() == [-1, -1, -1]
    assert np.allclose(samples["acc_mps2"], arrays(3, 64.0)["acc"])


def test_a_gap_shows_in_the_numbers() -> None:
    t_s = np.array([100.0, 100.011, 100.019, 100.25])
    samples = MotionFile.of(arrays(4, t_s=t_s)).samples()
    assert samples["index"].tolist() == [0, 1, 2, 25]
    assert samples["t_device_ns"].tolist() == pytest.approx([0, 11e6, 19e6, 250e6], abs=1)


def test_times_that_fit_no_numbering_stand_for_themselves() -> None:
    t_s = np.array([0.0, 0.001, 0.002, 0.25])
    samples = MotionFile.of(arrays(4, t_s=t_s)).samples()
    assert samples["index"].tolist() == [-1] * 4
    assert samples["t_device_ns"].tolist() == [0, 1_000_000, 2_000_000, 250_000_000]


def test_samples_without_gyroscope_have_unknown_rates() -> None:
    assert np.isnan(MotionFile.of(arrays(gyr=None)).samples()["gyr_radps"]).all()


# Real motion.


def test_real_recordings_are_played(shared_data: Path) -> None:
    paths = sorted((shared_data / "lowerback_mobilised").glob("*.npz"))
    assert paths
    for path in paths:
        body, motion = load_body(path), read(path)
        assert body.duration_s == pytest.approx(len(motion.acc_mps2) / 100.0)
        assert body.up_sensor[0] > 0.9  # x is up, z forward (the folder's README)
        assert body.forward_sensor[2] > 0.9
        acc, gyr = body.sample(50.0, 0, int(50 * body.duration_s))
        # Halving the rate keeps what a trunk does: the mean, and the turn about each axis.
        assert np.allclose(acc.mean(axis=0), motion.acc_mps2.mean(axis=0), atol=0.02)
        turned = np.cumsum(motion.gyr_radps, axis=0)[1::2] / 100.0
        assert np.abs(np.cumsum(gyr, axis=0) / 50.0 - turned[: len(gyr)]).max() < np.radians(1.5)


def test_a_clock_that_is_a_little_slow_loses_no_numbers() -> None:
    times = np.arange(20_000) / 49.9  # 0.2 % under the nominal 50 Hz
    times[10_000:] += 0.1  # and one real gap of five samples
    arrays = {"acc": np.full((20_000, 3), 5.0), "sampling_rate": np.array(50.0), "t_s": times}
    steps = np.diff(MotionFile.of(arrays).samples()["index"])
    assert set(steps[:9_999]) == set(steps[10_000:]) == {1}
    assert steps[9_999] == 6
