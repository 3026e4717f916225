"""Sensors that only advertise: each measurement has its moment, its number and its bytes; none is told twice as new."""

import struct

import numpy as np
import pytest

from companion.simulator.advertiser import Advertiser
from companion.simulator.faults import Faults
from companion.simulator.makers.bthome import Sensor as BTHome
from companion.simulator.makers.ruuvi import Sensor as Ruuvi
from companion.simulator.served import Appearance
from companion.simulator.stories import body_of

S = 1_000_000_000
MADE = pytest.mark.parametrize("made", [Ruuvi, BTHome])
BTHOME_SERVICE = "0000fcd2-0000-1000-8000-00805f9b34fb"


def data_of(seen: Appearance) -> bytes:
    return seen.manufacturer.get(0x0499) or seen.service_data[BTHOME_SERVICE]


def told(sensor: Advertiser, until_ns: int) -> list[tuple[int, bytes]]:
    """When what was advertised changed, and to what."""
    found, now_ns = list[tuple[int, bytes]](), 0
    while now_ns <= until_ns:
        sensor.advance(now_ns)
        if not found or data_of(sensor.appearance) != found[-1][1]:
            found.append((now_ns, data_of(sensor.appearance)))
        now_ns = sensor.next_due_ns()
    return found


@MADE
def test_a_measurement_each_period_and_one_at_the_storys_begin(made: type[Advertiser]) -> None:
    sensor = made(body_of("slouch"))
    sensor.begin_story(5 * S)
    assert sensor.next_due_ns() == 5 * S + made.PERIOD_NS
    whole = made(body_of("slouch"))
    assert [t_ns for t_ns, _ in told(whole, 20 * S)] == list(range(0, 20 * S + 1, made.PERIOD_NS))
    assert whole.ledger.taken[0] == 20 * S // made.PERIOD_NS + 1


@MADE
def test_it_fits_into_an_advertisement_and_nobody_connects(made: type[Advertiser]) -> None:
    sensor = made(body_of("slouch"))
    seen = sensor.appearance
    assert not seen.connectable
    assert not sensor.served
    assert 3 + 2 + 2 + len(data_of(seen)) <= 31  # flags; length, kind and whose the data are


@MADE
def test_what_was_not_measured_is_not_told(made: type[Advertiser]) -> None:
    sensor = made(body_of("slouch"), faults=Faults.of(["silent@5+5"]))
    assert [t_ns for t_ns, _ in told(sensor, 20 * S) if 5 * S <= t_ns < 10 * S] == []


def test_a_ruuvi_tells_milli_g_and_its_number() -> None:
    body = body_of("slouch")
    (_, first), *_, (_, last) = told(Ruuvi(body), 13 * S)
    kind, *_, number = struct.unpack(">B6x3h3xH6x", first)
    assert (kind, len(first), number) == (5, 24, 0)
    *acc_mg, number = struct.unpack(">x6x3h3xH6x", last)
    acc, _ = body.sample(S / Ruuvi.PERIOD_NS, 0, 1, number * Ruuvi.PERIOD_NS / S)
    np.testing.assert_allclose(np.array(acc_mg) * 9.80665e-3, acc[0], atol=0.005)
    assert first[18:] == bytes.fromhex("F4123D5A700B")


def test_a_ruuvi_never_has_the_number_that_says_there_is_none() -> None:
    sensor, acc = Ruuvi(body_of("slouch")), np.array([0.0, 0.0, 9.8])
    numbers = [data_of(sensor.tell(number, acc))[16:18].hex() for number in (65_534, 65_535, 65_536)]
    assert numbers == ["fffe", "0000", "0001"]


def test_a_bthome_sensor_tells_millionths_and_a_packet_id_that_wraps() -> None:
    sensor = BTHome(body_of("slouch"))
    data = data_of(sensor.tell(258, np.array([0.5, -1.234567, 9.80665])))
    assert data.hex() == "4000020157" + "6320a10700" + "637929edff" + "633aa39500"
