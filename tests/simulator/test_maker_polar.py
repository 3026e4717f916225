"""What is Polar's own about its simulated sensors: requests, refusals, frames of differences, an H10 that stays on."""

import numpy as np
import pytest

import firmware_protocol as fp
from companion.simulator.faults import Faults
from companion.simulator.makers.polar import MODELS, Sensor
from companion.simulator.served import Outgoing
from companion.simulator.stories import body_of
from firmware_protocol.devices import polar

CONTROL = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"
START = "0202000132000101100002010800"
S = 1_000_000_000

models = pytest.mark.parametrize("model", MODELS)


def sensor(model: str = "h10", mtu: int = 247) -> Sensor:
    made = Sensor(body_of("slouch"), model=model, drift_ppm=0.0)
    joined(made, S, mtu)
    return made


def joined(made: Sensor, now_ns: int, mtu: int = 247) -> None:
    made.connected(now_ns, mtu)
    made.subscribed(CONTROL, True)
    made.subscribed(DATA, True)


def asked(made: Sensor, request: str) -> str:
    (answer,) = [each.data for each in made.write(CONTROL, bytes.fromhex(request), S) if each.characteristic == CONTROL]
    return answer.hex()


def started(made: Sensor, now_ns: int = S) -> list[fp.Frame]:
    """The frames of the driver's own script."""
    script, frames, answer = polar.DRIVER.start(None), list[fp.Frame](), b""
    try:
        step = next(script)
        while True:
            reply = b""
            match step:
                case fp.Read(characteristic):
                    reply = made.read(characteristic, now_ns)
                case fp.Write(characteristic, data):
                    answer = made.write(characteristic, data, now_ns)[-1].data
                    frames.append(fp.Notification(t_host_ns=now_ns, characteristic=characteristic, data=answer))
                    frames.append(fp.Written(t_host_ns=now_ns, characteristic=characteristic, data=data))
                case fp.Await():
                    reply = answer
            step = script.send(reply)
    except StopIteration:
        return frames


def received(out: list[Outgoing]) -> list[fp.Frame]:
    return [fp.Notification(t_host_ns=each.t_ns, characteristic=each.characteristic, data=each.data) for each in out]


@models
@pytest.mark.parametrize("mtu", [232, 247, 517])
def test_the_driver_reads_the_story_from_it(model: str, mtu: int) -> None:
    made = sensor(model, mtu)
    frames = started(made)
    out = made.advance(61 * S)
    assert max(len(each.data) for each in out) <= mtu - 3
    found = polar.DRIVER.new_decoder().feed(frames + received(out))
    assert not found.malformed
    assert (found.lost, found.duplicates) == (0, 0)
    rate_hz = 50 if model == "h10" else 52
    assert [each.rate_hz for each in found.segments] == [rate_hz]
    assert len(found.samples) == 60 * rate_hz // MODELS[model].each * MODELS[model].each
    acc_mps2, _ = body_of("slouch").sample(float(rate_hz), 0, len(found.samples), 1.0 + 1 / rate_hz)
    step_mg = 1.0 if model == "older_verity_sense" else 0.5  # cut off after rounding to counts, or rounded
    assert np.abs(found.samples["acc_mps2"] - acc_mps2).max() <= step_mg * 1.3 * fp.STANDARD_GRAVITY_MPS2 / 1000
    taken_ns = 599_616_001_000_000_000 + np.arange(1, len(acc_mps2) + 1) * S // rate_hz
    assert np.abs(found.samples["t_device_ns"] - taken_ns).max() <= 2


def test_an_older_verity_sense_sends_counts_a_newer_one_milli_g() -> None:
    kinds = {}
    for model in MODELS:
        made = sensor(model)
        started(made)
        kinds[model] = {each.data[9] for each in made.advance(9 * S)}
    assert kinds == {"h10": {1}, "verity_sense": {0x81}, "older_verity_sense": {0x80}}


def test_what_an_h10_offers_and_accepts() -> None:
    made = sensor()
    assert made.read(CONTROL, S).hex() == "0f05000000000000000000000000000000"
    assert asked(made, "0102") == "f0010200000004190032006400c800010110000203020004000800"
    assert asked(made, START) == "f00202000001"
    assert asked(made, START) == "f0020206"
    assert asked(made, "0302") == "f003020000"
    assert asked(made, "0302") == "f003020600"


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ("0202000132000101100002010800040103", 5),  # channels
        ("0202000134000101100002010800", 8),
        ("0202000132000101180002010800", 7),
        ("0202000132000101100002011000", 9),
        ("02020001320001011000", 5),
        ("02020002320064000101100002010800", 5),
        ("02020001", 5),
        ("0200", 2),
        ("0902", 1),
        ("02", 4),
    ],
)
def test_what_an_h10_refuses(request_: str, error: int) -> None:
    made = sensor()
    assert int(asked(made, request_)[6:8], 16) == error
    assert made.streaming is None


def test_small_packets_are_refused() -> None:
    assert asked(sensor(mtu=231), START) == "f002020a"


def test_a_verity_sense_wants_three_channels() -> None:
    made = sensor("verity_sense")
    assert asked(made, "0102") == "f001020000000134000101100002010800040103"
    assert asked(made, "0202000134000101100002010800") == "f0020205"
    assert asked(made, "0202000134000101100002010800040101") == "f002020b"
    assert asked(made, "0202000134000101100002010800040103") == "f002020000"


def test_an_h10_measures_on_without_its_host_and_is_started_anew() -> None:
    made = sensor()
    started(made)
    made.disconnected(5 * S)
    assert made.advance(20 * S) == []
    joined(made, 20 * S)
    before = received(made.advance(30 * S))
    assert len(before) in (13, 14)
    script = [frame.data.hex() for frame in started(made, made.now_ns) if isinstance(frame, fp.Written)]
    assert script == ["0102", START, "0302", START]


def test_a_verity_sense_does_not() -> None:
    made = sensor("verity_sense")
    started(made)
    made.disconnected(5 * S)
    assert made.streaming is None


def test_after_a_reboot_the_clock_begins_in_2019() -> None:
    made = Sensor(body_of("slouch"), faults=Faults.of(["reboot@10+1"]), drift_ppm=0.0)
    joined(made, S)
    asked(made, START)
    first = made.advance(9 * S)
    made.advance(12 * S)
    joined(made, 12 * S)
    made.write(CONTROL, bytes.fromhex(START), 12 * S)
    stamps_s = [int.from_bytes(out[0].data[1:9], "little") / S - 599_616_000 for out in (first, made.advance(15 * S))]
    assert stamps_s == pytest.approx([1.72, 2.72], abs=0.001)
