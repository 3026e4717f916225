"""The C codec against the golden vectors and against the Python codec, compiled with every warning and sanitizer on."""

import json
import random
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import firmware_protocol as fp
from firmware_protocol.errors import BadValue, ProtocolError
from firmware_protocol.posture_v1 import packets
from firmware_protocol.posture_v1.decoder import Decoder
from firmware_protocol.posture_v1.packets import (
    ACC_RANGES_G,
    ANSWERS,
    COMMANDS,
    CONTROL,
    GYR_RANGES_DPS,
    MOTION,
    RATES_HZ,
    Done,
    Fetch,
    FetchDone,
    Identify,
    Info,
    Layout,
    Motion,
    Start,
    Started,
    Status,
    Stop,
    Stopped,
    Time,
    TimeAnswer,
    Unsupported,
    Vibrate,
    parse_answer,
    parse_command,
    samples_per_packet,
)
from firmware_protocol.posture_v1.track import ns_of, ticks_of

C = Path(fp.__file__).parent / "c"
VECTORS = json.loads((C.parent / "posture_v1" / "vectors.json").read_text(encoding="utf-8"))
SOURCES = sorted(C.glob("*.c"))
COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)] or [
    name for name in ("cc",) if shutil.which(name)
]
STRICT = ["-std=c99", "-O1", "-g", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion"]
STRICT += ["-Wshadow", "-Wmissing-prototypes", "-Wstrict-prototypes", "-Werror"]
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]

pytestmark = pytest.mark.skipif(not COMPILERS, reason="no C compiler here (gcc, clang or cc)")

Ask = Callable[[Sequence[str]], list[str]]


def compiled(command: Sequence[object], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


def links_sanitizers(compiler: str, directory: Path) -> bool:
    (directory / "empty.c").write_text("int main(void) { return 0; }\n")
    return compiled([compiler, *SANITIZED, "empty.c", "-o", "empty"], directory).returncode == 0


@pytest.fixture(scope="module", params=COMPILERS)
def compiler(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def sanitizers(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The flags that turn the sanitizers on; none where this compiler comes without them."""
    return SANITIZED if links_sanitizers(compiler, tmp_path_factory.mktemp("probe")) else []


@pytest.fixture(scope="module")
def ask(compiler: str, sanitizers: list[str], tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Hands lines to the driver, which must answer each with one, and end without a word of the sanitizers."""
    directory = tmp_path_factory.mktemp("c_codec")
    driver = Path(__file__).with_name("c_codec_driver.c")
    done = compiled([compiler, *STRICT, *sanitizers, f"-I{C}", driver, *SOURCES, "-o", "driver"], directory)
    assert (done.returncode, done.stderr) == (0, "")

    def answers(lines: Sequence[str]) -> list[str]:
        asked = "".join(f"{line}\n" for line in lines)
        run = subprocess.run(
            [directory / "driver"], input=asked, capture_output=True, text=True, check=False, timeout=120
        )
        assert (run.returncode, run.stderr) == (0, "")
        found = [line.strip() for line in run.stdout.splitlines()]
        assert len(found) == len(lines)
        return found

    return answers


def test_the_sanitizers_are_on(sanitizers: list[str]) -> None:
    if not sanitizers:
        pytest.skip("this compiler comes without address and undefined-behaviour sanitizers")
    assert sanitizers == SANITIZED


def test_a_cpp_program_may_include_it(tmp_path: Path) -> None:
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler here (g++ or clang++)")
    names = sorted(path.name for path in C.glob("*.h"))
    assert names == ["posture_v1.h", "posture_v1_host.h", "posture_v1_sensor.h"]
    (tmp_path / "program.cpp").write_text(
        "".join(f'#include "{name}"\n' for name in names)
        + "int main() { return pv1_ticks(1000000) == 1024 && pv1_difference_u32(0, 1) == -1 ? 0 : 1; }\n"
    )
    parts = [f"{source.stem}.o" for source in SOURCES]
    for source, part in zip(SOURCES, parts, strict=True):
        made = compiled([COMPILERS[0], "-std=c99", "-Werror", "-Wall", "-c", source, "-o", part], tmp_path)
        assert (made.returncode, made.stderr) == (0, "")
    strict = ["-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    made = compiled([compiler, *strict, f"-I{C}", "program.cpp", *parts, "-o", "program"], tmp_path)
    assert (made.returncode, made.stderr) == (0, "")
    assert compiled(["./program"], tmp_path).returncode == 0


# ---- one message


def kind_of(message: Any) -> str:
    """By which function of the C codec a message is read and written."""
    if isinstance(message, tuple(COMMANDS.values())):
        return "command"
    return "answer" if isinstance(message, tuple(ANSWERS.values())) else type(message).__name__


OPCODES = {kind: opcode for opcode, kind in (COMMANDS | ANSWERS).items() if kind is not Done}
RENAMED = {(Stopped, "newest"): "index", (FetchDone, "first"): "index"}
"""The C structure of all answers has one number of a sample."""


def fields_of(message: Any) -> dict[str, object]:
    """The message as the C codec's structures name it."""
    kind = type(message)
    if isinstance(message, Motion):
        return _motion_fields(message)
    if isinstance(message, Done):
        return {"opcode": 0x80 + message.command, "result": message.result}
    values = {RENAMED.get((kind, name), name): getattr(message, name) for name in kind.__dataclass_fields__}
    if isinstance(message, Info):
        values["identity"] = message.identity.hex()
    return values | ({"opcode": OPCODES[kind]} if kind in OPCODES else {})


def _motion_fields(motion: Motion) -> dict[str, object]:
    marks = {name: int(getattr(motion, name)) for name in ("backfilled", "clipped", "motor")}
    head = {"layout": int(motion.layout), "stream": motion.stream, "index": motion.index}
    return head | {"time_1024": motion.time_1024, "raw": ",".join(map(str, motion.raw.ravel()))} | marks


def to_write(message: Any) -> str:
    """The request to write it."""
    count = {"count": len(message.raw)} if isinstance(message, Motion) else {}
    pairs = " ".join(f"{name}={value}" for name, value in (fields_of(message) | count).items())
    return f"write {kind_of(message)} {pairs}"


def to_read(kind: str, data: bytes) -> str:
    """The request to read it."""
    return f"read {kind} {data.hex() or '-'}"


def as_read(answer: str) -> dict[str, str]:
    """The fields in the driver's answer to `read`; empty for a refusal."""
    verdict, *pairs = answer.split()
    return dict(pair.split("=") for pair in pairs) if verdict == "ok" else {}


def agree(answer: str, message: Any) -> bool:
    """Whether what C has read holds the fields of the message."""
    read, expected = as_read(answer), fields_of(message)
    said = {name: str(int(value) if isinstance(value, int) else value) for name, value in expected.items()}
    return bool(read) and {name: read.get(name) for name in expected} == said


READERS: dict[str, Callable[[bytes], Any]] = {
    "command": parse_command,
    "answer": parse_answer,
    "Motion": Motion.from_bytes,
    "Status": Status.from_bytes,
    "Info": Info.from_bytes,
}


def golden(vector: dict[str, Any]) -> Any:
    """The message of a vector."""
    values = dict(vector["fields"])
    if "raw" in values:
        values["raw"] = np.array(values["raw"], dtype=np.int16)
    if "identity" in values:
        values["identity"] = bytes.fromhex(values["identity"])
    return getattr(packets, vector["message"])(**values)


def test_golden_bytes_make_the_fields_in_c(ask: Ask) -> None:
    messages = [golden(vector) for vector in VECTORS["messages"]]
    data = [bytes.fromhex(vector["hex"]) for vector in VECTORS["messages"]]
    answers = ask([to_read(kind_of(message), one) for message, one in zip(messages, data, strict=True)])
    assert len(answers) >= 33
    for answer, message in zip(answers, messages, strict=True):
        assert agree(answer, message), (answer, message)


def test_fields_make_the_golden_bytes_in_c(ask: Ask) -> None:
    answers = ask([to_write(golden(vector)) for vector in VECTORS["messages"]])
    assert answers == [f"ok {vector['hex']}" for vector in VECTORS["messages"]]


def test_c_refuses_the_invalid_vectors_with_the_same_verdict(ask: Ask) -> None:
    invalid = VECTORS["invalid"]
    answers = ask([to_read(vector["message"], bytes.fromhex(vector["hex"])) for vector in invalid])
    assert answers == [vector["error"] for vector in invalid]
    assert set(answers) == {"TooShort", "TooLong", "UnknownKind", "BadValue"}


# ---- C against Python


def strange_bytes(seed: int, count: int) -> Iterator[bytes]:
    """Random bytes; golden messages with some bytes changed, cut off or appended."""
    chance = random.Random(seed)
    good = [bytes.fromhex(vector["hex"]) for vector in VECTORS["messages"]]
    for _ in range(count):
        if chance.random() < 0.2:
            yield chance.randbytes(chance.choice([*range(40), 511, 512, 513]))
            continue
        data = bytearray(chance.choice(good))
        for _ in range(chance.randrange(4)):
            data[chance.randrange(len(data))] = chance.choice([0, 1, 2, 3, 8, 16, 50, 101, 127, 128, 200, 255])
        end = chance.choice([len(data)] * 4 + [len(data) - 1, chance.randrange(len(data) + 1)])
        yield bytes(data[:end]) + chance.randbytes(chance.choice([0, 0, 0, 1, 6, 12, 240]))


def what_python_reads(kind: str, data: bytes) -> Any:
    """The message, or the name of the refusal."""
    try:
        return READERS[kind](data)
    except ProtocolError as error:
        return type(error).__name__


def test_c_and_python_read_any_bytes_alike(ask: Ask) -> None:
    asked = [(kind, data) for data in strange_bytes(6, 3000) for kind in READERS]
    answers = ask([to_read(kind, data) for kind, data in asked])
    seen: dict[str, int] = {}
    for (kind, data), answer in zip(asked, answers, strict=True):
        message = what_python_reads(kind, data)
        same = answer == message if isinstance(message, str) else agree(answer, message)
        assert same, (kind, data.hex(), answer, message)
        verdict = f"{kind} {answer.split()[0]}"
        seen[verdict] = seen.get(verdict, 0) + 1
    never = {"command BadValue", "Status UnknownKind", "Info UnknownKind", "Info BadValue", "Info TooLong"}
    verdicts = ("ok", "TooShort", "TooLong", "UnknownKind", "BadValue")
    assert set(seen) == {f"{kind} {verdict}" for kind in READERS for verdict in verdicts} - never, seen


def some_message(chance: random.Random) -> Any:
    """Any message, most of them with values that may be written."""
    u8, u32 = chance.randrange(256), chance.choice([0, 1, 2**32 - 1, chance.randrange(2**32)])
    clock_us = chance.choice([0, 2**52 - 1, 2**52, chance.randrange(2**51)])
    layout = chance.choice([0, 1, 2, 2, 3])
    force = (
        (0, 0, 0, 0)
        if layout == 0 and chance.random() < 0.7
        else (
            chance.choice([*RATES_HZ, 60]),
            chance.choice([*ACC_RANGES_G, 3]),
            chance.choice([*GYR_RANGES_DPS, 0, 375, 126]) if layout == Layout.ACC_GYR else chance.choice([0, 0, 125]),
            layout,
        )
    )
    rows = chance.choice([0, 1, 2, 3, 42, 43, 84, 85])
    raw = np.random.default_rng(u32).integers(-32768, 32768, (rows, chance.choice([3, 6]))).astype(np.int16)
    makers: list[Callable[[], Any]] = [
        lambda: Start(*force),
        Stop,
        Time,
        Identify,
        lambda: Vibrate(u8),
        lambda: Fetch(u8, u32, u32),
        lambda: Started(chance.choice([0, 1, u8]), u8, clock_us, *force),
        lambda: Stopped(u8, u8, u32),
        lambda: TimeAnswer(u8, u8, u32, clock_us, *force),
        lambda: Done(chance.choice([4, 5]), u8),
        lambda: FetchDone(u8, u8, u32, u32, u32),
        lambda: Unsupported(u8),
        lambda: Status(u8, u8, u32, u32, u32, u32, chance.choice([0, 100, 101, 255, u8]), u8 - 128),
        lambda: Info(chance.randbytes(16), u32 & 0xFFFF, u8, u8, u8, u32, u8, u8),
        lambda: Motion(u8, u32, u32 & 0xFFFF, raw, *(chance.random() < 0.5 for _ in range(3))),
    ]
    return chance.choice(makers)()


def test_c_and_python_write_any_message_alike(ask: Ask) -> None:
    chance = random.Random(8)
    messages = [some_message(chance) for _ in range(3000)]
    refused = 0
    for message, answer in zip(messages, ask([to_write(message) for message in messages]), strict=True):
        try:
            expected = f"ok {message.to_bytes().hex()}"
        except BadValue:
            expected, refused = "BadValue", refused + 1
        assert answer == expected, message
    assert 300 < refused < 1500


def test_what_has_no_kind_or_no_room_is_not_written(ask: Ask) -> None:
    motion = "layout=2 stream=7 index=0 time_1024=0 count=1 raw=1,2,3,4,5,6"
    lines = {
        "write command opcode=7": "UnknownKind",
        "write command opcode=131": "UnknownKind",
        "write answer opcode=3": "UnknownKind",
        f"write Motion {motion} room=20": "ok 0207000000000000010002000300040005000600",
        f"write Motion {motion} room=19": "NoRoom",
        f"write Motion {motion} marks=7": "BadValue",
        f"write Motion {motion} marks=64": "BadValue",
    }
    assert ask(list(lines)) == list(lines.values())


def test_samples_per_packet_and_ticks_are_pythons(ask: Ask) -> None:
    asked = [
        (mtu, rate, layout)
        for mtu in (*range(270), *range(510, 530), 600, 65535)
        for rate in RATES_HZ
        for layout in (1, 2)
    ]
    answers = ask([f"packet {mtu} {rate} {layout}" for mtu, rate, layout in asked])
    assert answers == [str(samples_per_packet(mtu, rate, Layout(layout))) for mtu, rate, layout in asked]
    chance = random.Random(1)
    edges = [k * 15625 // 16 + d for k in (1, 65535, 65536, 2**40) for d in (0, 1)]
    clocks = [0, 976, 977, 2**52 - 1, 2**64 - 1, *edges, *(chance.randrange(2**64) for _ in range(200))]
    expected = [f"{ticks_of(clock)} {ticks_of(clock) % 65536}" for clock in clocks]
    assert ask([f"ticks {clock}" for clock in clocks]) == expected


# ---- a firmware made of it

START = Start(50, 8, 1000, 2).to_bytes().hex()
STOP, TIME = "02", "03"


class Firmware:
    """What a story asks of the C firmware, line by line, and the book that the story keeps of it."""

    def __init__(self, *, stream: int = 6, buffer_samples: int = 0, room: int = 512) -> None:
        self.lines: list[str] = []
        self.now_us = 5_000_000
        self.values: list[list[int]] = []  # of the stream that runs
        self._say(f"boot {stream} {buffer_samples} {room}")

    def _say(self, line: str) -> None:
        self.lines.append(line)

    def listen(self, att_mtu: int) -> None:
        self._say(f"listen {att_mtu}")

    def stall(self, stalled: bool) -> None:
        self._say(f"stall {int(stalled)}")

    def write(self, command: str) -> None:
        if command == START:
            self.values = []
        self._say(f"write_control {command or '-'} {self.now_us}")

    def take(self, count: int, *, rate_hz: int = 50, axes: int = 6, marks: int = 0) -> None:
        for _ in range(count):
            self.now_us += 1_000_000 // rate_hz
            values = [(len(self.values) * 7 + axis) % 30_000 - 15_000 for axis in range(axes)]
            self.values.append(values)
            self._say(f"take {self.now_us} {marks} {','.join(map(str, values))}")

    def fetch(self, stream: int, first: int, count: int) -> None:
        self.write(Fetch(stream, first, count).to_bytes().hex())
        self._say("fetching 9999")

    def status(self) -> None:
        self._say(f"status {self.now_us}")


def frames_of(answers: Sequence[str]) -> list[fp.Notification]:
    """Everything that the firmware notified and indicated, in order."""
    words = " ".join(answer for answer in answers if answer.startswith(("notify", "indicate"))).split()
    on = {"notify": MOTION, "indicate": CONTROL}
    pairs = zip(words[::2], words[1::2], strict=True)
    return [
        fp.Notification(t_host_ns=k * 1000, characteristic=on[what], data=bytes.fromhex(data))
        for k, (what, data) in enumerate(pairs)
    ]


def motion_of(frames: Sequence[fp.Notification]) -> list[Motion]:
    return [Motion.from_bytes(one.data) for one in frames if one.characteristic == MOTION]


def test_the_session_of_the_specification(ask: Ask) -> None:
    """Section 12, but for the clock of the first answer."""
    lines = ["boot 6 0 512", "listen 23", f"write_control {TIME} 4000000", f"write_control {START} 5000000"]
    take = "take {} 0 4096,-2048,1,-1,32767,-32768"
    lines += [take.format(5_020_000), f"write_control {STOP} 5030000"]
    assert [answer for answer in ask(lines) if answer] == [
        "indicate 83000600000000" + "00093d0000000000" + "00000000",
        "indicate 810007404b4c000000000032080802",
        "notify 0207000000001414001000f80100ffffff7f0080",
        "indicate 82000700000000",
    ]


def test_what_a_firmware_must_refuse(ask: Ask) -> None:
    asked = {
        "": "ff00",
        "07": "ff07",
        "0200": "ff02",
        "01320808": "ff01",
        Start(60, 8, 1000, 2).to_bytes().hex(): "8101c9404b4c000000000000000000",
        Start(50, 8, 1000, 1).to_bytes().hex(): "8101c9404b4c000000000000000000",
        "0404": "8401",
        "0403": "8400",
        "05": "8500",
        STOP: "8203c9ffffffff",
        Fetch(201, 0, 5).to_bytes().hex(): "ff06",  # it has no buffer
    }
    firmware = Firmware(stream=201)
    for command in asked:
        firmware.write(command)
    assert ask(firmware.lines)[1:] == [f"indicate {answer}" for answer in asked.values()]


def test_a_refused_start_changes_nothing(ask: Ask) -> None:
    firmware = Firmware()
    firmware.listen(69)
    firmware.write(START)
    firmware.take(3)
    firmware.write("013c080802")
    firmware.take(1)
    firmware.write(TIME)
    answers = [answer for answer in ask(firmware.lines) if answer]
    in_force = "32080802"
    assert answers[1] == f"indicate 810107{(5_060_000).to_bytes(8, 'little').hex()}{in_force}"
    assert answers[2].startswith("notify 020700000000")
    assert len(answers[2]) == len("notify ") + 2 * (8 + 4 * 12)
    assert answers[3] == f"indicate 83000704000000{(5_080_000).to_bytes(8, 'little').hex()}{in_force}"


@pytest.mark.parametrize(("room", "mtu", "sizes"), [(512, 23, [1] * 5), (20, 247, [1] * 5), (45, 247, [3, 2])])
def test_a_packet_never_exceeds_mtu_or_memory(ask: Ask, room: int, mtu: int, sizes: list[int]) -> None:
    firmware = Firmware(room=room)
    firmware.listen(mtu)
    firmware.write(START)
    firmware.take(5)
    firmware.write(STOP)
    assert [len(packet.raw) for packet in motion_of(frames_of(ask(firmware.lines)))] == sizes


def test_marks_of_any_sample_are_the_packets_and_only_its(ask: Ask) -> None:
    firmware = Firmware()
    firmware.listen(69)
    firmware.write(START)
    firmware.take(2)
    firmware.take(1, marks=0x10)
    firmware.take(1, marks=0x28)  # a live sample is never one of the buffer
    firmware.take(4)
    frames = frames_of(ask(firmware.lines))
    assert [frame.data[0] for frame in frames if frame.characteristic == MOTION] == [0x32, 0x02]


def test_counters_of_a_lost_link_a_full_radio_and_a_new_stream(ask: Ask) -> None:
    firmware = Firmware(buffer_samples=10)
    firmware.status()
    firmware.write(START)
    firmware.take(5)  # nobody listens: dropped
    firmware.listen(69)
    firmware.take(6)  # one packet of four, two in hand
    firmware.listen(0)  # the two are dropped
    firmware.listen(69)
    firmware.stall(True)
    firmware.take(4)  # a whole packet for which the radio has no room
    firmware.stall(False)
    firmware.take(3)
    firmware.status()
    firmware.write(STOP)
    firmware.status()
    firmware.write(START)
    firmware.status()
    said = [Status.from_bytes(bytes.fromhex(one)) for one in ask(firmware.lines) if len(one) == 40]
    told = [(one.stream, one.flags, one.newest, one.oldest, one.dropped, one.uptime_s) for one in said]
    assert told == [
        (6, 0x5, 0xFFFFFFFF, 0, 0, 5),
        (7, 0xD, 17, 8, 11, 5),
        (7, 0x5, 17, 8, 11, 5),
        (8, 0xD, 0xFFFFFFFF, 0, 0, 5),
    ]


def test_a_fetch_sends_what_is_held_and_counts_the_rest(ask: Ask) -> None:
    firmware = Firmware(buffer_samples=10)
    firmware.listen(69)
    firmware.write(START)
    firmware.take(16)
    asked = {  # of 6 to 15, which are held: sent, gone
        Fetch(7, 0, 16): (10, 6),
        Fetch(7, 6, 10): (10, 0),
        Fetch(7, 14, 10): (2, 8),
        Fetch(7, 0, 6): (0, 6),
        Fetch(7, 16, 4): (0, 4),
        Fetch(7, 9, 1): (1, 0),
        Fetch(7, 0, 0): (0, 0),
        Fetch(6, 0, 3): (0, 3),
        Fetch(7, 4, 2**32 - 5): (10, 2**32 - 15),
    }
    for one in asked:
        firmware.fetch(one.stream, one.first, one.count)
    frames = frames_of(ask(firmware.lines))[5:]
    done = [parse_answer(frame.data) for frame in frames if frame.characteristic == CONTROL]
    expected = [FetchDone(int(not one.count), one.stream, one.first, *of) for one, of in asked.items()]
    assert done == expected
    fetched = motion_of(frames)
    assert {packet.backfilled for packet in fetched} == {True}
    assert [(packet.index, len(packet.raw)) for packet in fetched[:3]] == [(6, 4), (10, 4), (14, 2)]
    for packet in fetched:
        assert packet.raw.tolist() == firmware.values[packet.index : packet.index + len(packet.raw)]
        assert packet.time_1024 == ticks_of(5_000_000 + 20_000 * (packet.index + 1)) % 65536


FETCHES = {  # of 16 taken, of which 6 to 15 are held: what is sent
    Fetch(7, 0, 1000): 10,
    Fetch(7, 15, 2**32 - 1): 1,
    Fetch(7, 16, 2**32 - 1): 0,  # not taken yet, although 6 to 15 would come behind the wrap
    Fetch(7, 20, 2**32 - 10): 0,
    Fetch(7, 2**32 - 16, 31): 9,
    Fetch(7, 2**32 - 16, 22): 0,
    Fetch(7, 2**32 - 1, 2**32 - 1): 10,
    Fetch(7, 2**31 + 16, 2**31): 10,
    Fetch(7, 2**31 + 15, 2**31 + 1): 0,
}


@pytest.mark.parametrize(("asked", "sent"), FETCHES.items())
def test_what_is_taken_behind_a_fetch_is_gone(ask: Ask, asked: Fetch, sent: int) -> None:
    """Live samples are taken before its end, and none of those asked for is overwritten before its turn."""
    firmware = Firmware(buffer_samples=10)
    firmware.listen(69)
    firmware.write(START)
    firmware.take(16)
    firmware.write(asked.to_bytes().hex())
    for packets_sent in (3, 1, 1):
        firmware.lines.append(f"fetching {packets_sent}")
        firmware.take(4)
    firmware.lines.append("fetching 9")
    frames = frames_of(ask(firmware.lines))
    done = [parse_answer(one.data) for one in frames if one.characteristic == CONTROL][1:]
    assert done == [FetchDone(0, 7, asked.first, sent, asked.count - sent)]
    backfilled = [one for one in motion_of(frames) if one.backfilled]
    numbers = [packet.index + k for packet in backfilled for k in range(len(packet.raw))]
    assert numbers == sorted(numbers)
    assert len(numbers) == sent
    assert set(numbers) <= set(range(6, 16))


def test_what_is_overwritten_before_its_turn_is_gone(ask: Ask) -> None:
    firmware = Firmware(buffer_samples=10)
    firmware.listen(69)
    firmware.write(START)
    firmware.take(16)
    firmware.write(Fetch(7, 4, 50).to_bytes().hex())
    firmware.lines.append("fetching 1")  # 6 to 9
    firmware.take(6)  # 10 and 11 are overwritten
    firmware.lines.append("fetching 9")
    frames = frames_of(ask(firmware.lines))
    assert [(one.index, len(one.raw)) for one in motion_of(frames) if one.backfilled] == [(6, 4), (12, 4)]
    assert parse_answer(frames[-1].data) == FetchDone(0, 7, 4, 8, 42)


def test_a_fetch_while_nobody_listens_is_busy(ask: Ask) -> None:
    firmware = Firmware(buffer_samples=10)
    firmware.write(START)
    firmware.take(5)
    for stream, count in ((7, 3), (6, 3), (7, 0)):
        firmware.fetch(stream, 0, count)
    answers = [parse_answer(one.data) for one in frames_of(ask(firmware.lines))][1:]
    assert answers == [FetchDone(2, 7, 0, 0, 3), FetchDone(2, 6, 0, 0, 3), FetchDone(1, 7, 0, 0, 0)]


def test_what_ends_a_fetch_and_what_does_not(ask: Ask) -> None:
    firmware = Firmware(buffer_samples=100)
    firmware.listen(69)
    firmware.fetch(6, 0, 5)  # nothing has been taken since boot
    firmware.fetch(6, 2**32 - 1, 5)
    firmware.write(START)
    firmware.take(16)
    firmware.write(Fetch(7, 0, 16).to_bytes().hex())
    for command in (TIME, "013c080802", STOP, "07"):  # a Start of 60 Hz is refused
        firmware.lines.append("fetching 1")
        firmware.write(command)
    firmware.lines.append("fetching 9")
    firmware.write(Fetch(7, 0, 16).to_bytes().hex())
    firmware.lines += ["fetching 1", "listen 0", "fetching 9"]
    firmware.listen(69)
    firmware.write(START)
    firmware.fetch(7, 0, 16)  # the buffer is of the new stream now
    firmware.fetch(8, 0, 16)
    answers = [parse_answer(one.data) for one in frames_of(ask(firmware.lines)) if one.characteristic == CONTROL]
    assert [type(one) for one in answers[3:7]] == [TimeAnswer, Started, Stopped, Unsupported]
    assert [one for one in answers if isinstance(one, FetchDone)] == [
        FetchDone(0, 6, 0, 0, 5),
        FetchDone(0, 6, 2**32 - 1, 0, 5),
        FetchDone(0, 7, 0, 16, 0),
        FetchDone(0, 7, 0, 4, 12),
        FetchDone(0, 7, 0, 0, 16),
        FetchDone(0, 8, 0, 0, 16),
    ]


def test_a_fetch_of_an_old_stream_sends_nothing_of_the_new_one(ask: Ask) -> None:
    firmware = Firmware(buffer_samples=100)
    firmware.listen(69)
    firmware.write(START)
    firmware.take(8)
    firmware.write(Fetch(7, 0, 8).to_bytes().hex())
    firmware.lines += ["fetching 1", "begin"]
    firmware.take(8)
    firmware.lines.append("fetching 9")
    frames = frames_of(ask(firmware.lines))
    assert [one.index for one in motion_of(frames) if one.backfilled] == [0]
    assert parse_answer(frames[-1].data) == FetchDone(0, 7, 0, 4, 4)


def test_no_packet_is_longer_than_a_value_may_be(ask: Ask) -> None:
    firmware = Firmware(buffer_samples=200)
    firmware.listen(600)
    firmware.write(Start(200, 8, 1000, 2).to_bytes().hex())
    firmware.take(100, rate_hz=200)
    firmware.fetch(7, 0, 100)
    sizes = [len(one.data) for one in frames_of(ask(firmware.lines)) if one.characteristic == MOTION]
    assert sizes == [512, 512, 512, 512, 8 + 16 * 12]


def test_what_is_in_hand_does_not_outlive_its_link(ask: Ask) -> None:
    """A smaller MTU without a word of the lost link is another link all the same."""
    firmware = Firmware()
    firmware.listen(247)
    firmware.write(START)
    firmware.take(8)
    firmware.listen(69)
    firmware.take(3)
    firmware.listen(185)  # grown: what is in hand goes on
    firmware.take(1)
    firmware.status()
    answers = ask(firmware.lines)
    assert [(one.index, len(one.raw)) for one in motion_of(frames_of(answers))] == [(8, 4)]
    assert Status.from_bytes(bytes.fromhex(answers[-1])).dropped == 8


def test_a_second_fetch_is_busy_and_a_start_ends_the_first(ask: Ask) -> None:
    firmware = Firmware(buffer_samples=100)
    firmware.listen(69)
    firmware.write(START)
    firmware.take(16)
    firmware.write(Fetch(7, 0, 16).to_bytes().hex())
    firmware.lines.append("fetching 2")
    firmware.write(Fetch(7, 0, 5).to_bytes().hex())
    firmware.write(START)
    answers = [parse_answer(one.data) for one in frames_of(ask(firmware.lines)) if one.characteristic == CONTROL][1:]
    assert answers[:2] == [FetchDone(2, 7, 0, 0, 5), FetchDone(0, 7, 0, 8, 8)]
    assert [type(one) for one in answers[2:]] == [Started]


def a_long_story(seed: int) -> Firmware:
    """Links of several MTUs, lost and found; a radio that is full now and then; commands in between."""
    chance = random.Random(seed)
    firmware = Firmware(buffer_samples=100_000)
    firmware.listen(247)
    firmware.write(START)
    for _ in range(150):
        firmware.listen(chance.choice([0, 23, 69, 185, 247, 517]))
        firmware.stall(chance.random() < 0.2)
        firmware.take(chance.randrange(120), marks=chance.choice([0, 0x10, 0x20]))
        firmware.write(chance.choice([TIME, "013c080802", "0401", "ff", "0200"]))
    firmware.stall(False)
    firmware.listen(247)
    firmware.write(STOP)
    firmware.status()
    return firmware


@pytest.mark.parametrize("seed", [1, 2])
def test_taken_is_received_and_lost_and_the_buffer_holds_the_rest(ask: Ask, seed: int) -> None:
    firmware = a_long_story(seed)
    answers = ask(firmware.lines)
    taken = len(firmware.values)
    live = Decoder().feed(frames_of(answers))
    status = Status.from_bytes(bytes.fromhex(answers[-1]))
    assert live.malformed == ()
    assert len(live.samples) + live.lost == taken == status.newest + 1
    assert live.lost == status.dropped > 100
    firmware.fetch(7, 0, taken)
    settled = Decoder().feed(frames_of(ask(firmware.lines)))
    assert (settled.lost, settled.malformed) == (0, ())
    assert len(settled.samples) == taken
    order = np.argsort(settled.samples["index"])
    raw = np.rint(settled.samples["acc_mps2"][order] / 9.80665 / 8 * 32768).astype(int)
    assert raw.tolist() == [values[:3] for values in firmware.values]


# ---- the firmware of the guide


@pytest.fixture(scope="module")
def guide(compiler: str, sanitizers: list[str], tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """The code of the guide as printed, on a chip, a radio and a clock that are told what happens, line by line."""
    directory = tmp_path_factory.mktemp("guide")
    (code,) = re.findall(r"^```c\n(.*?)^```", (C / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    (directory / "guide.c").write_text(code)
    alone = compiled([compiler, *STRICT, "-O2", f"-I{C}", "-c", "guide.c", "-o", "guide.o"], directory)
    assert (alone.returncode, alone.stderr) == (0, "")
    platform = Path(__file__).with_name("c_guide_platform.c")
    sources = [platform, C / "posture_v1.c", C / "posture_v1_sensor.c"]
    done = compiled([compiler, *STRICT, *sanitizers, f"-I{C}", "-I.", *sources, "-o", "firmware"], directory)
    assert (done.returncode, done.stderr) == (0, "")

    def answers(lines: Sequence[str]) -> list[str]:
        asked = "".join(f"{line}\n" for line in lines)
        run = subprocess.run(
            [directory / "firmware"], input=asked, capture_output=True, text=True, check=False, timeout=60
        )
        assert (run.returncode, run.stderr) == (0, "")
        found = [line.strip() for line in run.stdout.splitlines()]
        assert len(found) == len(lines)
        return found

    return answers


def of_the_chip(stream: int, index: int, count: int, first_us: int, *, rate_hz: int = 50) -> str:
    """The packet of samples that the platform's chip takes: the number since its set-up, then what is in force."""
    rows = [[index + k, rate_hz, 8, 2, -1, -2] for k in range(count)]
    packet = Motion(stream, index, pv1_time(first_us), np.array(rows, np.int16))
    return f"motion {packet.to_bytes().hex()}"


def test_the_guides_firmware_from_the_first_link_to_the_next(guide: Ask) -> None:
    boot_us = 4_000_000
    told = {
        "info": "value 01000100" + "a5" * 16 + "1f0f1f00000000",
        "status": "value 0601ffffffff000000000000000004000000ff80",
        "link 23 0 0": "",
        "link 247 0 1": "status 0601ffffffff000000000000000004000000ff80",
        "link 247 1 1": "",
        f"write {START}": "control 81000700093d000000000032080802",
        "confirmed": "",
        "chip 100": "",
        "read": " ".join(of_the_chip(7, k, 12, boot_us + 20_000 * (k + 1)) for k in range(0, 96, 12)),
        "wait 0": "status 070963000000640000000000000006000000ff80",
        f"write {STOP}": of_the_chip(7, 96, 4, boot_us + 20_000 * 97) + " control 82000763000000",
        "confirmed ": "",
        "chip 5": "",
        "read ": "",
        "status ": "value 070163000000640000000000000006000000ff80",
        f"write {START} ": "control 810008" + (6_000_000).to_bytes(8, "little").hex() + "32080802",
        "confirmed  ": "",
        "chip 15": "",
        "read  ": of_the_chip(8, 0, 12, 6_020_000),
        "link 0 0 0": "",  # three in hand
        "chip 30": "",
        "read   ": "",
        "link 69 1 1": "status 08092c0000002d0000002100000006000000ff80",
        f"write {TIME}": "control 8300082d000000" + (6_900_000).to_bytes(8, "little").hex() + "32080802",
        "confirmed   ": "",
        "chip 6": "",
        "read    ": of_the_chip(8, 45, 4, 6_920_000),
        f"write {STOP} ": of_the_chip(8, 49, 2, 7_000_000) + " control 82000832000000",
    }
    assert dict(zip(told, guide(list(told)), strict=True)) == told


def test_in_the_guides_firmware_no_sample_of_the_old_rate_gets_into_the_new_stream(guide: Ask) -> None:
    faster = Start(200, 8, 1000, 2).to_bytes().hex()
    lines = ["link 247 1 0", f"write {START}", "confirmed", "chip 5", f"write {faster}", "confirmed", "chip 19", "read"]
    assert guide(lines)[4:] == [
        of_the_chip(7, 0, 5, 4_020_000) + " control 810008a08f3e0000000000" + "c8080802",
        "",
        "",
        of_the_chip(8, 0, 19, 4_105_000, rate_hz=200),
    ]


def test_what_the_guides_chip_refuses_is_not_answered_done(guide: Ask) -> None:
    faster = Start(200, 8, 1000, 2).to_bytes().hex()
    lines = ["link 69 1 0", "broken 1", f"write {START}", "confirmed", f"write {START}", "confirmed", "chip 2"]
    lines += ["broken 1", f"write {faster}", "confirmed", "chip 2", "read"]
    lines += ["broken 2", f"write {faster}", "confirmed", "status"]
    answers = [one for one in guide(lines) if one]
    assert answers[0] == "control 81010600093d000000000000000000"  # was not sampling, is not
    assert answers[1] == "control 81000700093d000000000032080802"
    assert answers[2] == "control 810107" + (4_040_000).to_bytes(8, "little").hex() + "32080802"  # goes on
    assert answers[3].startswith("motion 020700000000")
    assert answers[4] == "control 810107" + (4_080_000).to_bytes(8, "little").hex() + "00000000"  # cannot go on
    assert answers[5] == "value 070103000000040000000000000004000000ff80"
    refused = Start(60, 8, 1000, 2).to_bytes().hex()
    assert guide(["link 69 1 0", f"write {refused}"])[1] == "control 81010600093d000000000000000000"


def test_the_guides_firmware_has_one_indication_at_a_time(guide: Ask) -> None:
    told = {
        "link 69 1 0": "",
        f"write {TIME}": "control 8300060000000000093d000000000000000000",
        f"write {START}": "kept",
        "wait 1": "",
        "confirmed": "",
        "radio 1 1 0": "",
        f"write {START} ": "",  # no room for Started
        "chip 8": "",
        "read": "",  # no Motion overtakes it
        f"write {STOP}": "kept",
        "radio 1 1 1": "",
        "wait 1 ": "control 81000701093d000000000032080802",
        "chip 4": "",
        "read ": of_the_chip(7, 8, 4, 4_180_002),
        f"write {STOP} ": "kept",
        "confirmed ": "",
        "radio 0 1 1": "",
        "chip 4 ": "",
        "read  ": "",  # no room for Motion
        f"write {STOP}  ": "control 8200070f000000",
        "confirmed  ": "",
        "status": "value 07010f000000100000000c00000004000000ff80",
        "write 07": "control ff07",
        "link 0 0 0": "",  # before it was confirmed
        "link 69 1 0 ": "",
        "write": "control ff00",
    }
    assert dict(zip(told, guide(list(told)), strict=True)) == told


def test_the_guides_firmware_tells_status_when_it_is_due(guide: Ask) -> None:
    lines = {
        "wait 1000000": False,
        "link 69 0 1": True,  # at once
        "link 69 1 1": False,
        f"write {START}": False,
        "wait 999999": False,
        "wait 1": True,  # its flags have changed
        "wait 9999999": False,
        "wait 1 ": True,
        "radio 1 0 1": False,
        "wait 10000000": False,  # no room
        "radio 1 1 1": False,
        "wait 100000": True,
        "link 69 1 0": False,
        "wait 20000000": False,
        "link 69 1 1 ": True,
        "link 0 0 0": False,
        "wait 30000000": False,
        "link 23 0 1": True,
    }
    said = guide(list(lines))
    assert {line: "status" in one for line, one in zip(lines, said, strict=True)} == lines


# ---- a host made of it


def placed(ask: Ask, frames: Sequence[dict[str, str]]) -> tuple[list[tuple[int, int, int]], int, int]:
    """Index, device time in ns and segment of each sample that C believes; how many are lost; how many refused."""
    data = [bytes.fromhex(frame["hex"]) for frame in frames]
    words = ["answer" if frame["on"] == "control" else "motion" for frame in frames]
    host_us = [int(frame.get("host_us", k)) for k, frame in enumerate(frames)]
    told = zip(words, data, host_us, strict=True)
    said = ask(["follow", *(f"{what} {one.hex()} {at_us}" for what, one, at_us in told)])
    samples: list[tuple[int, int, int]] = []
    lost = refused = period_ns = 0
    for what, packet, answer in zip(words, data, said[1:], strict=True):
        if what == "answer":
            lost += int(answer.split()[1])
            rate_hz = getattr(parse_answer(packet), "rate_hz", 0)
            period_ns = 10**9 // rate_hz if rate_hz else period_ns
            continue
        arrival, index, ticks, between, segment = answer.split()
        motion = Motion.from_bytes(packet)
        refused += arrival in ("doubtful", "unexpected")
        if arrival == "fresh" or (arrival == "earlier" and motion.backfilled):
            count = len(motion.raw)
            lost += int(between) - (count if motion.backfilled else 0)
            samples += [(int(index) + k, ns_of(int(ticks)) + k * period_ns, int(segment)) for k in range(count)]
    return samples, lost, refused


def test_a_host_in_c_places_samples_where_the_vectors_have_them(ask: Ask) -> None:
    for vector in VECTORS["decoding"]:
        samples, lost, refused = placed(ask, vector["frames"])
        expected = [(one["index"], one["t_device_ns"], one["segment"]) for one in vector["samples"]]
        assert samples == expected, vector["name"]
        assert (lost, refused) == (vector["lost"], len(vector["malformed"])), vector["name"]


def a_disturbed_stream(seed: int) -> list[dict[str, str]]:
    """Packets that are lost, come twice, or have index or time changed; silences.

    No fault follows another fault or a silence at once: what is then believed for a while, Python's decoder mends.
    """
    chance = random.Random(seed)
    now_us, index, calm = 5_000_000, 2**32 - 500, 0
    joined = TimeAnswer(0, 7, index, now_us, 50, 8, 1000, 2).to_bytes()
    frames = [{"on": "control", "hex": joined.hex(), "host_us": str(now_us)}]
    for _ in range(600):
        silence = chance.choice([0] * 40 + [10, 2000, 200_000])
        index, now_us = index + silence, now_us + silence * 20_000
        data = bytearray(Motion(7, index % 2**32, pv1_time(now_us), np.ones((4, 6), np.int16)).to_bytes())
        calm = 0 if silence else calm + 1
        faulty = calm > 3 and chance.random() < 0.2
        if faulty:
            data[chance.randrange(2, 8)] ^= 1 << chance.randrange(8)
        calm = 0 if faulty else calm
        times = 0 if chance.random() < 0.1 else 1 if faulty else chance.choice([1] * 9 + [2])
        frames += [{"on": "motion", "hex": data.hex(), "host_us": str(now_us + 30_000)}] * times
        index, now_us = index + 4, now_us + 4 * 20_000
    return frames


def pv1_time(now_us: int) -> int:
    return ticks_of(now_us) % 65536


@pytest.mark.parametrize("seed", range(6))
def test_a_host_in_c_believes_what_python_believes(ask: Ask, seed: int) -> None:
    frames = a_disturbed_stream(seed)
    on = {"motion": MOTION, "control": CONTROL}
    decoded = Decoder().feed(
        fp.Notification(
            t_host_ns=int(one["host_us"]) * 1000, characteristic=on[one["on"]], data=bytes.fromhex(one["hex"])
        )
        for one in frames
    )
    samples, lost, refused = placed(ask, frames)
    fields = [decoded.samples[name].tolist() for name in ("index", "t_device_ns", "segment")]
    assert samples == list(zip(*fields, strict=True))
    assert (lost, refused) == (decoded.lost, len(decoded.malformed))
    assert lost > 100
    assert refused > 20
