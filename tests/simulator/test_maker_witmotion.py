"""The simulated WitMotion sensor: rates, the lock, registers, and notifications that end where the MTU ends."""

import numpy as np
import pytest

import firmware_protocol as fp
from companion.simulator.makers.witmotion import Sensor
from companion.simulator.served import Outgoing
from companion.simulator.stories import body_of

NOTIFY = "0000ffe4-0000-1000-8000-00805f9a34fb"
WRITE = "0000ffe9-0000-1000-8000-00805f9a34fb"
S = 1_000_000_000
UNLOCK, SAVE = "ffaa6988b5", "ffaa000000"


def worn(*written: str, mtu: int = 247, saved: int = 0x06) -> Sensor:
    """A sensor that a host is subscribed to at 1 s, and has written to, 0.1 s apart."""
    sensor = Sensor(body_of("slouch"), saved=saved, drift_ppm=0.0)
    sensor.connected(S, mtu)
    sensor.subscribed(NOTIFY, True)
    for k, data in enumerate(written):
        sensor.write(WRITE, bytes.fromhex(data), S + k * S // 10)
    return sensor


def decoded(sent: list[Outgoing]) -> fp.Decoded:
    frames = [fp.Notification(t_host_ns=each.t_ns, characteristic=each.characteristic, data=each.data) for each in sent]
    return fp.driver("witmotion").new_decoder().feed(frames)


@pytest.mark.parametrize(
    ("written", "frames_each", "rate_hz"),
    [
        ((), 1, 10),
        ((UNLOCK, "ffaa030600"), 1, 10),
        ((UNLOCK, "ffaa030700"), 1, 20),
        ((UNLOCK, "ffaa030800"), 2, 50),
        ((UNLOCK, "ffaa030900"), 4, 100),
        ((UNLOCK, "ffaa030b00"), 4, 200),
        (("ffaa030b00",), 1, 10),  # locked
        (("ffaa691234", "ffaa030b00"), 1, 10),  # another key
        ((UNLOCK, "ffaa030a00"), 1, 10),  # no rate of this model
    ],
)
def test_its_rates(written: tuple[str, ...], frames_each: int, rate_hz: float) -> None:
    sensor = worn(*written)
    sensor.advance(2 * S)
    sent = sensor.advance(4 * S)
    assert {len(each.data) for each in sent} == {20 * frames_each}
    assert len(decoded(sent).samples) == pytest.approx(2 * rate_hz, abs=4)


def test_it_locks_itself_after_ten_seconds() -> None:
    sensor = worn(UNLOCK)
    sensor.write(WRITE, bytes.fromhex("ffaa030900"), 11 * S)
    assert sensor.streaming is not None
    assert sensor.streaming.nominal_hz == 10.0


@pytest.mark.parametrize("mtu", [23, 30, 64, 83])
def test_a_small_mtu_cuts_frames_and_loses_none(mtu: int) -> None:
    rate = (UNLOCK, "ffaa030900")
    small, large = worn(*rate, mtu=mtu).advance(3 * S), worn(*rate).advance(3 * S)
    assert max(len(each.data) for each in small) <= mtu - 3
    assert b"".join(each.data for each in small) == b"".join(each.data for each in large)
    found, whole = decoded(small), decoded(large)
    assert not found.malformed
    assert found.samples.tobytes() == whole.samples.tobytes()


def test_motion_as_it_was() -> None:
    sent = worn(UNLOCK, "ffaa030900").advance(3 * S)
    samples = decoded(sent).samples
    body = body_of("slouch")
    assert np.linalg.norm(samples["acc_mps2"], axis=1) == pytest.approx(np.full(len(samples), 9.80665), rel=0.02)
    up = samples["acc_mps2"].mean(axis=0)
    assert up @ body.up_sensor / np.linalg.norm(up) > np.cos(np.radians(2))


def test_registers_are_answered_among_the_motion() -> None:
    sensor = worn(UNLOCK, "ffaa030800")
    answers = [sensor.write(WRITE, bytes.fromhex(f"ffaa27{register}00"), 2 * S) for register in ("64", "3a", "03")]
    last = [answer[-1].data.hex() for answer in answers]
    assert last[1].startswith("55713a00680169007a00")
    assert last[2] == "557103000800" + "0000" * 7
    found = decoded(answers[0])
    assert [each.percent for each in found.batteries] == pytest.approx([92], abs=1.5)
    assert not decoded([each for answer in answers for each in answer]).malformed


def test_a_rate_that_was_not_saved_is_forgotten() -> None:
    for written, kept in (((UNLOCK, "ffaa030900"), 0x06), ((UNLOCK, "ffaa030900", SAVE), 0x09)):
        sensor = worn(*written)
        sensor.powered_on()
        sensor.subscribed(NOTIFY, True)
        assert sensor.streaming is not None
        assert sensor.streaming.nominal_hz == {0x06: 10.0, 0x09: 100.0}[kept]


def test_nothing_else_can_be_written_or_read() -> None:
    sensor = worn()
    for data in ("", "ffaa", "ffaa03080000", "00aa030800"):
        assert sensor.write(WRITE, bytes.fromhex(data), S) == []
    with pytest.raises(KeyError):
        sensor.write(NOTIFY, b"\xff\xaa\x03\x08\x00", S)
    with pytest.raises(KeyError):
        sensor.read(WRITE, S)
