"""pair, monitor and scan among sensors of several makers, and devices that only look like them."""

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_air import (
    ADDRESS,
    BATTERY_LEVEL,
    BATTERY_SERVICE,
    COMMAND,
    NOTIFY,
    READ,
    WRITE,
    Packets,
    Plain,
    packets_backend,
    plain,
)

import companion
import firmware_protocol as fp
from companion.simulator.faults import Faults
from companion.simulator.makers import polar
from companion.simulator.served import Served
from companion.simulator.stories import body_of
from firmware_protocol.devices import microbit, witmotion

OTHERS = "Another sensor may do; `posture devices` lists what this program knows."
BATTERY = Served(BATTERY_SERVICE, BATTERY_LEVEL, READ | NOTIFY)
WTVB01 = bytes.fromhex("5561110016000200020000000100e60a430047000a00250025002500")
MOTION = bytes.fromhex("5561fcffefff110800000000000098ff0d00f831")
FACE_UP = bytes.fromhex("6000600010fc")
ELSEWHERE = "F4:12:3D:5A:70:78"
BTHOME = "0000fcd2-0000-1000-8000-00805f9b34fb"
LEAN = bytes.fromhex("403f020c")
SEALED = bytes.fromhex("41a47266c95f730011223378237214")
SEALED_ADDRESS = "54:48:E6:8F:80:A5"
KEY = "231d39c1d7cc1ab1aee224cd096db932"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is waited for is there at once, or never."""
    for name, seconds in (("LISTEN_S", 0.5), ("MEASURE_S", 0.5), ("SEARCH_S", 2.0), ("ANSWER_S", 0.1)):
        monkeypatch.setattr(f"companion.commands.meeting.{name}", seconds)
    monkeypatch.setattr("companion.link.scan.CLAIM_S", 0.2)


def microbit_board(
    name: str = "BBC micro:bit [tests]", packets: tuple[bytes, ...] = (FACE_UP,), **options: Any
) -> Plain:
    return plain(
        name,
        Served(microbit.SERVICE, microbit.DATA, READ | NOTIFY),
        Served(microbit.SERVICE, microbit.PERIOD, READ | WRITE),
        BATTERY,
        values={microbit.PERIOD: b"\x14\x00", BATTERY_LEVEL: b"\x57"},
        motion=microbit.DATA,
        packets=packets,
        **options,
    )


def wit_board(name: str = "WT901BLE67", packets: tuple[bytes, ...] = (MOTION,), **options: Any) -> Plain:
    return plain(
        name,
        Served(witmotion.SERVICE, witmotion.NOTIFY, NOTIFY),
        Served(witmotion.SERVICE, witmotion.WRITE, WRITE | COMMAND),
        motion=witmotion.NOTIFY,
        packets=packets,
        **options,
    )


def remembered(data_dir: Path) -> dict[str, Any]:
    return json.loads((data_dir / "sensors.json").read_text(encoding="utf-8"))["sensors"]


def remember(data_dir: Path, **values: str) -> None:
    """A sensor called board, as `pair` leaves it."""
    data_dir.mkdir(exist_ok=True)
    board = {"alias": "board", "driver": "microbit", "address": ADDRESS} | values
    tree = {"version": 1, "default": "board", "sensors": {"board": board}}
    (data_dir / "sensors.json").write_text(json.dumps(tree), encoding="utf-8")


WRONG = {
    "a Polar without PMD": (
        lambda: plain("Polar H10 12345678", BATTERY),
        "This Polar device does not send its motion to other programs, for it has no measurement service (PMD); "
        "an H10, a Verity Sense and an OH1 have one.",
    ),
    "a Movesense without GSP": (
        lambda: plain("Movesense 123456789012", BATTERY),
        "This Movesense's firmware has no GATT SensorData service; update it to 2.3 or later, "
        "or load the gatt_sensordata_app.",
    ),
    "a micro:bit without the service": (
        lambda: plain("BBC micro:bit [zuvov]", BATTERY),
        "This micro:bit's program has no accelerometer service; load one that has it, "
        "such as a MakeCode program with the block 'bluetooth accelerometer service'.",
    ),
    "a micro:bit whose memory is full": (
        lambda: plain("BBC micro:bit [zuvov]", Served(microbit.SERVICE, BATTERY_LEVEL, READ)),
        "This micro:bit's program has no accelerometer service; load one that has it, "
        "such as a MakeCode program with the block 'bluetooth accelerometer service'.",
    ),
    "an older WitMotion": (
        lambda: plain("WT901BLE67", BATTERY),
        "This sensor does not have WitMotion's motion service (FFE5); sensors with Bluetooth 5.0 of the WT901 family "
        "have it, such as the WT901BLECL5.0 or the WT9011DCL.",
    ),
    "a stranger": (
        lambda: plain("a headset", BATTERY),
        "This device offers no service that this program knows.",
    ),
    "an UPRIGHT GO": (
        lambda: plain("UprightGO2", BATTERY),
        "The UPRIGHT GO's protocol is not published; writing to it without one can disable it, "
        "so this program leaves it alone.",
    ),
    "a WTVB01 by its name": (
        lambda: wit_board("WTVB01-BT50", (WTVB01,)),
        "WIT's WTVB sensors measure vibration and send no motion that a posture could be told from.",
    ),
}


@pytest.mark.parametrize(("device", "sentence"), WRONG.values(), ids=WRONG)
def test_a_wrong_device_gets_one_sentence_that_says_what_is_missing(
    posture, around, data_dir: Path, device: Callable[[], Plain], sentence: str
) -> None:
    wrong = device()
    around(wrong)
    ran = posture("pair", "--address", ADDRESS)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"error: {sentence}\n{OTHERS}\n"
    assert wrong.written == []
    assert not (data_dir / "sensors.json").exists()


def test_a_renamed_wtvb01_is_told_by_its_frames(posture, around, data_dir: Path) -> None:
    around(wit_board("WT901BLE67", (WTVB01,)))
    ran = posture("pair")
    assert ran.code == 1
    said, hint = ran.err.splitlines()
    assert said.startswith("error: What this sensor sends is not the motion that was expected: ")
    assert said.endswith(".")
    assert hint == OTHERS
    assert not (data_dir / "sensors.json").exists()


def test_a_sensor_that_sends_nothing_is_not_remembered(posture, around, data_dir: Path) -> None:
    around(microbit_board(packets=()))
    ran = posture("pair")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "error: The sensor is connected, but it sent no motion within 3 s.\n"
        "Wear it or move it (some sleep when they do not touch the skin), or switch it off and on; then try again.\n"
    )
    assert not (data_dir / "sensors.json").exists()


@pytest.mark.parametrize("name", ["my own board", "Polar H10 12345678"])
def test_a_renamed_sensor_is_known_by_its_services(posture, around, data_dir: Path, name: str) -> None:
    around(microbit_board(name))
    ran = posture("pair", "board", "--address", ADDRESS.lower())
    assert (ran.code, ran.lines[0]) == (0, f"board: {name} (microbit)")
    assert remembered(data_dir)["board"]["driver"] == "microbit"


def test_what_was_measured_is_told(posture, around) -> None:
    around(microbit_board())
    assert posture("pair", "board").lines == [
        "board: BBC micro:bit [tests] (microbit)",
        "  rate     50 Hz",
        "  gives    acceleration, no rotation",
        "  battery  87 %",
        "  security none: the link is not encrypted, and anyone in range can read it",
        "  this kind of sensor has no identity of its own: another one could pose as it",
    ]


def test_a_rate_that_is_not_kept_is_told_beside_the_one_that_was_asked_for(posture, around, data_dir: Path) -> None:
    around(wit_board(every_s=0.1))
    lines = posture("pair", "wit").lines
    assert re.fullmatch(r"  rate     (9\.\d|1\d) Hz seen, 50 Hz asked for", lines[1])
    assert lines[2] == "  gives    acceleration, rotation"
    assert remembered(data_dir)["wit"]["rate_hz"] == "50"


@pytest.mark.slow
def test_of_two_makers_in_range_the_right_one_is_remembered(posture, around, data_dir: Path) -> None:
    around(microbit_board(), wit_board(address=ELSEWHERE))
    assert posture("pair", "wit", "--address", ELSEWHERE).code == 0
    assert posture("pair", "board", "--address", ADDRESS).code == 0
    kept = {alias: (each["driver"], each["address"]) for alias, each in remembered(data_dir).items()}
    assert kept == {"wit": ("witmotion", ELSEWHERE), "board": ("microbit", ADDRESS)}
    assert posture("pair", "wit").lines[0] == "wit: WT901BLE67 (witmotion)"  # the same again, by its alias
    assert remembered(data_dir)["wit"]["address"] == ELSEWHERE


def test_an_alias_whose_sensor_is_away_is_told(posture, around) -> None:
    around(wit_board())
    assert posture("pair", "wit").code == 0
    around(microbit_board(address=ELSEWHERE))
    ran = posture("pair", "wit")
    assert ran.code == 2
    assert ran.err.splitlines() == [
        "error: The sensor that is paired as 'wit' was not seen within 2 s.",
        "Switch it on and bring it nearer; for another sensor under this name, add --address.",
    ]


def test_nobody_in_range_is_told(posture, around) -> None:
    around(plain("a headset", BATTERY))
    ran = posture("pair")
    assert (ran.code, ran.err.splitlines()[0]) == (2, "error: A sensor was not seen within 2 s.")


def test_a_connection_that_fails_is_tried_again(posture, around, monkeypatch: pytest.MonkeyPatch) -> None:
    from companion.link import client
    from companion.link.errors import lost

    tried = []
    connect = client.SensorLink.connect

    async def flaky(self: Any) -> None:
        tried.append(self)
        if len(tried) < 3:
            raise lost()
        await connect(self)

    monkeypatch.setattr(client.SensorLink, "connect", flaky)
    around(microbit_board())
    assert posture("pair").code == 0
    assert len(set(map(id, tried))) == 3


def test_monitor_refuses_a_paired_sensor_that_has_become_another(posture, around, data_dir: Path) -> None:
    remember(data_dir)
    around(plain("BBC micro:bit [tests]", BATTERY))
    ran = posture("monitor", "board", "--plain", "--duration", "5")
    assert ran.code == 1
    assert ran.err.splitlines()[0] == (
        "error: This micro:bit's program has no accelerometer service; load one that has it, "
        "such as a MakeCode program with the block 'bluetooth accelerometer service'."
    )
    assert not list((data_dir / "sessions").iterdir())


@pytest.mark.parametrize(("rate", "hz", "period"), [("12.5", 12.5, b"\x50\x00"), ("", 50.0, b"\x14\x00")])
def test_monitor_asks_a_sensor_for_the_rate_that_is_remembered(
    posture, around, data_dir: Path, rate: str, hz: float, period: bytes
) -> None:
    remember(data_dir, rate_hz=rate)
    board = microbit_board()
    around(board)
    ran = posture("monitor", "board", "--json", "--duration", "1")
    assert (ran.code, json.loads(ran.lines[0])["rate_hz"]) == (0, hz)
    assert board.written == [(microbit.PERIOD, period)]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"rate_hz": "fast"}, "the rate of 'board' cannot be read."),
        ({"rate_hz": "nan"}, "the rate of 'board' cannot be read."),
        ({"rate_hz": "-1"}, "the rate of 'board' cannot be read."),
        ({"key": "xx"}, "the key of 'board' cannot be read."),
        ({"driver": "gone"}, "the driver 'gone' of 'board' is not installed."),
    ],
)
def test_what_is_remembered_and_cannot_be_used_is_told(
    posture, data_dir: Path, values: dict[str, str], sentence: str
) -> None:
    remember(data_dir, **values)
    ran = posture("monitor", "board", "--json", "--duration", "1")
    assert (ran.code, ran.err.splitlines()[0]) == (1, f"error: {sentence}")


@pytest.mark.parametrize(("faults", "code"), [((), 0), (("silent@0+1000",), 1)])
def test_a_sensor_that_has_been_started_is_stopped_whatever_came_of_it(
    posture, around, faults: tuple[str, ...], code: int
) -> None:
    """A Polar H10 measures until its battery is empty where nobody tells it to stop."""
    obeyed: list[bytes] = []

    class Polar(polar.Sensor):
        def obey(self, characteristic: str, data: bytes) -> list[Any]:
            obeyed.append(data)
            return super().obey(characteristic, data)

    around(Polar(body_of("upright"), faults=Faults.of(faults)))
    assert posture("pair").code == code
    assert obeyed[-1] == bytes.fromhex("0302")


# Sensors that only advertise.


def advertising(address: str, *told: dict[str, bytes]) -> type[Packets]:
    """A scanner that hears these service data in turn whenever a scan begins."""
    backend = packets_backend()

    def heard_at_once(self: Packets) -> None:
        for data in told:
            self.say(address, data=data, name="lean")

    backend.heard_at_once = heard_at_once
    return backend


def test_an_advertising_sensor_is_remembered_once_its_motion_was_heard(posture, around, data_dir: Path) -> None:
    around(advertising(ADDRESS, {BTHOME: bytes.fromhex("4001610263")}, {BTHOME: LEAN}))
    ran = posture("pair", "lean")
    assert (ran.code, ran.lines) == (
        0,
        [
            "lean: lean (bthome)",
            "  gives    acceleration, no rotation",
            "  battery  97 %",
            "  security none: the link is not encrypted, and anyone in range can read it",
            "  this kind of sensor has no identity of its own: another one could pose as it",
        ],
    )
    kept = remembered(data_dir)["lean"]
    assert (kept["driver"], kept["address"], kept["rate_hz"], kept["key"]) == ("bthome", ADDRESS, "", "")


def test_an_encrypted_sensor_needs_its_key(posture, around, data_dir: Path) -> None:
    around(advertising(SEALED_ADDRESS, {BTHOME: SEALED}))
    ran = posture("pair")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "error: The sensor's advertisements cannot be read: encrypted, and no bind key is known.\n"
        "`posture pair --key HEX` takes its key, which its own app shows; --address A means another sensor.\n"
    )
    assert not (data_dir / "sensors.json").exists()


def sealed_lean(counter: int) -> bytes:
    """A lean of 30.7°, encrypted for the sensor at SEALED_ADDRESS as the format's page says."""
    aead = pytest.importorskip("cryptography.hazmat.primitives.ciphers.aead")
    address = bytes.fromhex(SEALED_ADDRESS.replace(":", ""))
    count = counter.to_bytes(4, "little")
    nonce = address + b"\xd2\xfc\x41" + count
    sealed = aead.AESCCM(bytes.fromhex(KEY), tag_length=4).encrypt(nonce, bytes.fromhex("3f3301"), None)
    return b"\x41" + sealed[:-4] + count + sealed[-4:]


def test_a_key_is_kept_to_oneself_and_used(posture, around, data_dir: Path) -> None:
    around(advertising(SEALED_ADDRESS, {BTHOME: sealed_lean(7)}))
    paired = posture("pair", "lean", "--key", KEY.upper(), "-v")
    assert (paired.code, paired.lines[0]) == (0, "lean: lean (bthome)")
    assert "  security encrypted with the sensor's key" in paired.lines
    assert remembered(data_dir)["lean"]["key"] == KEY
    assert stat.S_IMODE((data_dir / "sensors.json").stat().st_mode) == 0o600
    watched = posture("monitor", "lean", "--json", "--duration", "1", "-v")
    assert watched.code == 0
    summary = json.loads(watched.lines[-1])
    assert (summary["samples"], summary["malformed"]) == (1, 0)
    file = json.loads(watched.lines[0])["file"]
    again = posture("replay", file, "--speed", "max", "--json")
    assert again.lines == watched.lines  # the key is in the recording, or nothing of it could be read again
    shown = paired.out + paired.err + watched.out + watched.err + again.out + again.err
    assert KEY not in shown.lower()


def test_the_recording_has_every_advertisement_as_it_came(posture, around, data_dir: Path) -> None:
    remember(data_dir, driver="bthome")
    backend = packets_backend()

    def heard_at_once(self: Packets) -> None:
        self.say(ADDRESS, name="lean", rssi=-61, maker={0x0FF1: b"\x01\x02"}, data={BTHOME: LEAN}, services=(BTHOME,))
        self.say(ADDRESS, name="lean", rssi=-62, data={BTHOME: bytes.fromhex("403f030c")})

    backend.heard_at_once = heard_at_once
    around(backend)
    ran = posture("monitor", "board", "--json", "--duration", "0.5")
    assert ran.code == 0
    recording = companion.open_recording(json.loads(ran.lines[0])["file"])
    frames = [frame for frame in recording.frames() if isinstance(frame, fp.LinkUp | fp.LinkDown | fp.Advertisement)]
    up, first, second = frames
    told = {"address": ADDRESS, "name": "lean"}
    assert up == fp.LinkUp(t_host_ns=up.t_host_ns, address=ADDRESS)
    assert first == fp.Advertisement(
        t_host_ns=first.t_host_ns,
        rssi=-61,
        manufacturer_data={0x0FF1: b"\x01\x02"},
        service_data={BTHOME: LEAN},
        service_uuids=(BTHOME,),
        **told,
    )
    assert second == fp.Advertisement(
        t_host_ns=second.t_host_ns, rssi=-62, service_data={BTHOME: bytes.fromhex("403f030c")}, **told
    )
    assert len(recording.samples()) == 2


def test_another_key_is_told(posture, around) -> None:
    around(advertising(SEALED_ADDRESS, *({BTHOME: sealed_lean(number)} for number in range(1, 4))))
    ran = posture("pair", "--key", "00" * 16)
    assert ran.code == 1
    assert ran.err.splitlines()[0] == (
        "error: The sensor's advertisements cannot be read: encrypted with another bind key, or damaged."
    )


@pytest.mark.parametrize("key", ["", "231d", "x" * 32, KEY + "00"])
def test_what_is_no_key_is_refused_without_repeating_it(posture, key: str) -> None:
    ran = posture("pair", "--key", key)
    assert (ran.code, ran.err.splitlines()[0]) == (1, "error: a key has 32 hexadecimal digits.")
    assert not key or key not in ran.err


def test_a_key_for_a_sensor_that_has_none_is_refused(posture, around) -> None:
    around(microbit_board())
    ran = posture("pair", "--key", KEY)
    assert (ran.code, ran.err) == (1, "error: microbit sensors have no key.\nLeave out --key.\n")


# scan


def several(backend: type[Packets]) -> type[Packets]:
    def heard_at_once(self: Packets) -> None:
        self.say("F0:00:00:00:00:01", name="WT901BLE67", rssi=-70)
        self.say("F0:00:00:00:00:02", name="Polar H10 12345678", rssi=-60, data={BATTERY_SERVICE: b"\x57"})
        self.say("F0:00:00:00:00:03", name="UprightGO2", rssi=-40)
        self.say("F0:00:00:00:00:04", name="a sensor with a very long name of its own, Puck.js", rssi=-45)
        self.say("F0:00:00:00:00:05", rssi=-30)
        self.say("F0:00:00:00:00:06", name="BBC micro:bit [with a very long name indeed]", rssi=-80)

    backend.heard_at_once = heard_at_once
    return backend


def test_scan_tells_makers_apart_and_why_some_are_of_no_use(posture, around) -> None:
    around(several(packets_backend()))
    ran = posture("scan", "--timeout", "0.1")
    assert ran.code == 0
    assert ran.lines == [
        "  signal  name                      address            driver        battery",
        " -60 dBm  Polar H10 12345678        F0:00:00:00:00:02  polar         87 %",
        " -70 dBm  WT901BLE67                F0:00:00:00:00:01  witmotion     –",
        " -80 dBm  BBC micro:bit [with a v…  F0:00:00:00:00:06  microbit      –",
        " -40 dBm  UprightGO2                F0:00:00:00:00:03  no driver",
        "          The UPRIGHT GO's protocol is not published; writing to it without one",
        "          can disable it, so this program leaves it alone.",
    ]
    assert max(map(len, ran.lines)) <= 80
    assert ran.err == "2 other Bluetooth devices are in range; --json lists them too.\n"


def test_scan_json_has_everything_with_driver_confidence_and_reason(posture, around) -> None:
    around(several(packets_backend()))
    found = [json.loads(line) for line in posture("scan", "--timeout", "0.1", "--json").lines]
    assert [each["rssi_dbm"] for each in found] == [-30, -40, -45, -60, -70, -80]
    told = {each["address"][-1]: (each["driver"], each["confidence"]) for each in found}
    assert told == {
        "1": ("witmotion", 0.4),
        "2": ("polar", 0.4),
        "3": (None, None),
        "4": (None, None),
        "5": (None, None),
        "6": ("microbit", 0.4),
    }
    assert [each["address"][-1] for each in found if each["unusable"]] == ["3"]
    assert found[1]["unusable"].startswith("The UPRIGHT GO's protocol is not published;")


def test_scan_gives_advice_where_nothing_can_be_used(posture, around) -> None:
    backend = packets_backend()
    backend.heard_at_once = lambda self: self.say("F0:00:00:00:00:03", name="UprightGO2")
    around(backend)
    ran = posture("scan", "--timeout", "0.1")
    assert ran.code == 0
    assert ran.lines[0] == " -50 dBm  UprightGO2                F0:00:00:00:00:03  no driver"
    assert ran.err.splitlines() == [
        "no sensor that this program knows was seen within 0.1 s.",
        "Switch the sensor on, bring it nearer, and end what else is connected to it.",
    ]
