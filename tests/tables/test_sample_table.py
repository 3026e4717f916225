"""Every sample that a recording holds has a row, taken by the pipeline or not."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.stream import ANGLES
from companion.tables.samples import Array, SampleTable
from firmware_protocol.samples import make_samples

MS = 1_000_000
T0_NS = 7_000_000_000


def recorded(numbers: list[int], *, gyro: bool = True, clock: bool = False) -> Array:
    """Samples of these numbers, 20 ms apart, each with values of its own; number 13 is one of no trunk."""
    index = np.array(numbers, dtype=np.int64)
    acc = np.stack([index * 0.1, np.zeros(len(index)), np.full(len(index), 9.8)], axis=1)
    acc[index == 13] = math.nan
    return make_samples(
        acc,
        acc * 0.01 if gyro else None,
        t_host_ns=T0_NS + 40 * MS + np.arange(len(index)) * 20 * MS,
        t_device_ns=index * 20 * MS if clock else None,
        index=None if clock else index,
    )


def angles_of(samples: Array, places: list[int], first_ns: int = 0) -> Array:
    """What the session says of those at these places: they stand 20 ms times their number after `first_ns`."""
    made = np.zeros(len(places), dtype=ANGLES)
    made["acc_mps2"], made["gyr_radps"] = samples["acc_mps2"][places], samples["gyr_radps"][places]
    numbers = samples["index"] if (samples["index"] >= 0).all() else samples["t_device_ns"] // (20 * MS)
    made["t_session_ns"] = first_ns + numbers[places] * 20 * MS
    made["sagittal_deg"], made["lateral_deg"] = numbers[places], -numbers[places]
    return made


def told(table: SampleTable) -> list[tuple[int, float, float]]:
    return list(
        zip((table.t_session_ns // MS).tolist(), table.sagittal_deg.tolist(), table.lateral_deg.tolist(), strict=True)
    )


@pytest.mark.parametrize("clock", [False, True])
def test_one_that_was_refused_stands_between_its_neighbours_without_angles(clock: bool) -> None:
    samples = recorded([11, 12, 13, 14, 15], clock=clock)
    table = SampleTable.of(samples, angles_of(samples, [0, 1, 3, 4]), T0_NS)
    assert (
        str(told(table))
        == "[(220, 11.0, -11.0), (240, 12.0, -12.0), (260, nan, nan), (280, 14.0, -14.0), (300, 15.0, -15.0)]"
    )
    assert np.array_equal(table.samples["acc_mps2"], samples["acc_mps2"], equal_nan=True)


def test_of_a_packet_without_clock_or_counter_none_shares_its_time() -> None:
    samples = recorded([11, 12, 13, 14, 15])
    angles = angles_of(samples, [0, 1, 2, 4])
    samples["index"], samples["t_device_ns"] = -1, -1
    samples["t_host_ns"] = np.array([0, 0, 1, 1, 1]) * 100 * MS + T0_NS
    table = SampleTable.of(samples, angles, T0_NS)
    times_ns = table.t_session_ns
    assert times_ns[3] == (times_ns[2] + times_ns[4]) // 2
    assert (np.diff(times_ns) > 0).all()


def test_one_that_came_late_stands_in_its_place() -> None:
    samples = recorded([1, 2, 4, 5, 3, 6])
    table = SampleTable.of(samples, angles_of(samples, [0, 1, 2, 3, 5]), T0_NS)
    assert table.samples["index"].tolist() == [1, 2, 3, 4, 5, 6]
    assert (table.t_session_ns // MS).tolist() == [20, 40, 60, 80, 100, 120]
    assert np.isnan(table.sagittal_deg).tolist() == [False, False, True, False, False, False]


def test_before_the_first_and_behind_the_last_time_goes_on_as_between_them() -> None:
    samples = recorded([1, 2, 3, 4])
    table = SampleTable.of(samples, angles_of(samples, [1, 2], first_ns=-50 * MS), T0_NS)
    assert (table.t_session_ns // MS).tolist() == [-30, -10, 10, 30]


def test_where_nothing_was_taken_the_arrivals_tell() -> None:
    samples = recorded([1, 2, 3])
    table = SampleTable.of(samples, angles_of(samples, []), T0_NS)
    assert told(table)[0][0] == 40
    assert (table.t_session_ns // MS).tolist() == [40, 60, 80]
    assert np.isnan(table.sagittal_deg).all()


def test_no_samples_are_no_rows() -> None:
    assert len(SampleTable.of(recorded([]), angles_of(recorded([]), []), T0_NS).samples) == 0


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.booleans())
def test_whatever_was_taken_is_found_again(taken: list[bool], gyro: bool) -> None:
    samples = recorded(list(range(len(taken))), gyro=gyro)
    places = [place for place, kept in enumerate(taken) if kept]
    table = SampleTable.of(samples, angles_of(samples, places), T0_NS)
    assert sorted(table.samples["index"].tolist()) == list(range(len(taken)))
    assert (np.diff(table.t_session_ns) >= 0).all()
    known = np.isfinite(table.sagittal_deg)
    assert table.samples["index"][known].tolist() == places
    assert (table.t_session_ns[known] // (20 * MS)).tolist() == places
    if len(places) >= 2:
        assert (table.t_session_ns == table.samples["index"] * 20 * MS).all()


def test_one_that_stood_still_is_taken_to_be_the_first_of_its_like() -> None:
    samples = recorded([1, 2, 3, 4])
    samples["acc_mps2"], samples["gyr_radps"] = 1.0, 0.0
    table = SampleTable.of(samples, angles_of(samples, [0, 1]), T0_NS)
    assert np.isfinite(table.sagittal_deg).tolist() == [True, True, False, False]
