"""T5, T10: what must hold for any bytes whatever, as functions of bytes, and sound bytes to begin with.

`fuzz_search.py` looks for bytes for which it does not hold; `test_any_bytes.py` runs the same on seeds and changes of
them.
"""

import random
import struct
import tempfile
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from golden import sound_frames, table

import firmware_protocol as fp
from companion.errors import RecordingError
from companion.recording import RecordingWriter, codec, open_recording
from companion.session import Session
from companion.views import settled
from firmware_protocol.devices import imported
from firmware_protocol.posture_v1 import packets as p

Target = Callable[[bytes], None]
_HEAD = struct.Struct("<BBHB")  # kind of frame, characteristic, time step in units of 10 ms, length of the data
_KINDS = (fp.Notification, fp.Reading, fp.Written)


# ---- decoders: the first byte names the driver, then frames follow


_DRIVERS = tuple(sorted(fp.drivers(), key=lambda each: each.name))
"""Loaded now, so that the search sees where they go."""


@cache
def _characteristics(name: str) -> tuple[str, ...]:
    if name == "posture_v1":
        return (p.MOTION, p.CONTROL, p.STATUS, p.INFO)
    if name == "imported":
        return (imported.CHARACTERISTIC,)
    named = set(table(name).get("names", {}).values())
    named |= {frame.characteristic for frame in sound_frames(name, 1) if hasattr(frame, "characteristic")}
    return tuple(sorted(named)) or ("0000fff1-0000-1000-8000-00805f9b34fb",)


def frames_of(data: bytes) -> tuple[fp.Driver, list[fp.Frame]]:
    """The frames that these bytes spell, for which driver."""
    driver = _DRIVERS[(data[0] if data else 0) % len(_DRIVERS)]
    known, t_ns, at, found = _characteristics(driver.name), 0, 1, list[fp.Frame]()
    while at + _HEAD.size <= len(data) and len(found) < 200:
        kind, where, step, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        body, at = data[at : at + length], at + length
        t_ns += step * 10_000_000
        found.append(_frame(kind, known[where % len(known)], t_ns, body))
    return driver, found


def _frame(kind: int, characteristic: str, t_ns: int, body: bytes) -> fp.Frame:
    if kind % 8 < 5:
        return _KINDS[max(0, kind % 8 - 2)](t_host_ns=t_ns, characteristic=characteristic, data=body)
    if kind % 8 == 5:
        maker, rest = int.from_bytes(body[:2], "little"), body[2:]
        data = {characteristic: rest, "0000fcd2-0000-1000-8000-00805f9b34fb": rest}
        return fp.Advertisement(
            t_host_ns=t_ns, address="F0:00:00:00:00:01", name="x", manufacturer_data={maker: rest}, service_data=data
        )
    return fp.LinkUp(t_host_ns=t_ns, address="") if kind % 8 == 6 else fp.LinkDown(t_host_ns=t_ns, cause="")


def bytes_of(driver: fp.Driver, given: list[fp.Frame]) -> bytes:
    """Frames spelled as bytes: seeds of the search."""
    known, spelled = _characteristics(driver.name), bytes([_DRIVERS.index(driver)])
    for frame in given:
        body, where, kind = b"", 0, 6
        if isinstance(frame, _KINDS):
            kind, where = _KINDS.index(type(frame)) + 2, known.index(frame.characteristic)
            body = frame.data[:255]
        elif isinstance(frame, fp.Advertisement) and frame.manufacturer_data:
            maker, rest = next(iter(frame.manufacturer_data.items()))
            kind, body = 5, maker.to_bytes(2, "little") + rest[:250]
        spelled += _HEAD.pack(kind, where, 10, len(body)) + body
    return spelled


def decoders(data: bytes) -> None:
    """Any driver takes any frames, gives the same however they are cut, and only samples of announced segments."""
    driver, given = frames_of(data)
    whole = driver.new_decoder().feed(given)
    decoder = driver.new_decoder()
    parts = [decoder.feed(given[a:b]) for a, b in pairwise(range(len(given) + 1))]
    assert whole.samples.tobytes() == b"".join(part.samples.tobytes() for part in parts)
    for name in (each.name for each in fields(fp.Decoded) if each.name != "samples"):
        values = [getattr(part, name) for part in parts]
        assert not parts or sum(values[1:], values[0]) == getattr(whole, name), name
    assert set(whole.samples["segment"].tolist()) <= {segment.number for segment in whole.segments}
    assert whole.duplicates >= 0
    assert all(segment.rate_hz is None or segment.rate_hz > 0 for segment in whole.segments)


def sessions(data: bytes) -> None:
    """A session takes what a decoder makes of any frames, in both orders: rows add up, and no number is made up."""
    driver, given = frames_of(data)
    header = fp.Opened(
        t_host_ns=0, session_id="s", driver=driver.name, device="x", rate_hz=driver.usual_rate_hz, utc_ns=0,
        zone="UTC", software_version="0",
    )  # fmt: skip
    session = Session(header)
    session.feed([header, *given])
    found = (session.close().summary, settled(header, lambda: [[header, *given]]).summary)
    for summary in found:
        assert summary is not None
        parts = ("still_s", "moving_s", "walking_s", "lying_s", "settling_s", "no_data_s", "not_worn_s")
        assert abs(sum(summary[name] for name in parts) - summary["duration_s"]) < 0.05
        assert summary["alerts"] == 0, "there is no calibration, so nothing is judged"
    for name in ("samples", "lost_samples", "duplicates", "malformed"):
        assert len({summary[name] for summary in found if summary is not None}) == 1, name


def backfills(data: bytes) -> None:
    """What asks a sensor's buffer takes any frames and any answers, and never asks without end."""
    driver = fp.driver("posture_v1")
    given = frames_of(bytes([_DRIVERS.index(driver)]) + data[1:])[1]
    assert driver.new_backfill is not None
    backfill = driver.new_backfill()
    for number, frame in enumerate(given):
        backfill.feed([frame])
        script, steps, reply = backfill.next(), 0, b""
        while script is not None and steps < 50:
            try:
                next(script) if steps == 0 else script.send(reply)
            except (StopIteration, fp.ScriptRefused):
                break
            steps, reply = steps + 1, data[number : number + 20]
        assert steps < 50


# ---- messages of our own protocol


def messages(data: bytes) -> None:
    """Every message reads or is refused with the one error, and what was read is written as the same bytes."""
    for parse in (p.parse_command, p.parse_answer, p.Status.from_bytes, p.Info.from_bytes, p.Motion.from_bytes):
        try:
            message = parse(data)
        except fp.ProtocolError:
            continue
        again = message.to_bytes()
        assert parse(again) == message
        assert parse is not p.Status.from_bytes or again == data


# ---- the session file


def rows(data: bytes) -> None:
    """A payload is a frame, or refused with the one error; a frame is written as a payload that reads the same."""
    kind = data[0] if data else 0
    try:
        frame = codec.frame_of(kind, 7, data[1:])
    except codec.RowError:
        return
    assert codec.frame_of(kind, 7, codec.payload_of(frame)) == frame


@cache
def _recording() -> bytes:
    """A small session file, as it lies on the disk."""
    header = fp.Opened(
        t_host_ns=0, session_id="s", driver="posture_v1", device="x", rate_hz=50.0, utc_ns=0, zone="UTC",
        software_version="0",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "x.posture"
        writer = RecordingWriter.create(path, threaded=False)
        writer.put(0, header)
        for k in range(1, 60):
            writer.put(k, fp.Notification(t_host_ns=k * 10**8, characteristic=p.MOTION, data=bytes(range(k, k + 80))))
        writer.close(fp.Closed(t_host_ns=10**10, reason="ended", count=60))
        return path.read_bytes()


def files(data: bytes) -> None:
    """A session file with changes (place u16, byte) and perhaps cut: read, or refused; what is read was written."""
    changed = bytearray(_recording())
    cut = int.from_bytes(data[:2], "little") * 4
    for at in range(2, min(len(data) - 2, 300), 3):
        changed[int.from_bytes(data[at : at + 2], "little") % len(changed)] = data[at + 2]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "x.posture"
        path.write_bytes(bytes(changed[: len(changed) - cut % len(changed)]))
        before = path.read_bytes()
        try:
            with open_recording(path) as recording:
                found = [frame for frame in recording.frames() if isinstance(frame, fp.Notification)]
        except RecordingError:
            return
        finally:
            assert path.read_bytes() == before
        sent = {bytes(range(k, k + 80)) for k in range(1, 60)}
        assert {frame.data for frame in found} <= sent


TARGETS: dict[str, Target] = {
    "decoders": decoders,
    "sessions": sessions,
    "backfills": backfills,
    "messages": messages,
    "rows": rows,
    "files": files,
}


def seeds(name: str) -> list[bytes]:
    """Sound bytes to begin with."""
    if name in ("decoders", "sessions"):
        return [bytes_of(each, _sound(each)) for each in _DRIVERS]
    if name == "backfills":
        ours = fp.driver("posture_v1")
        sound = _sound(ours)
        return [bytes_of(ours, sound), bytes_of(ours, [*sound[:3], *sound[5:]]), bytes_of(ours, sound[1:])]
    if name == "messages":
        return [frame.data for frame in _sound(fp.driver("posture_v1")) if isinstance(frame, fp.Notification)][:6]
    if name == "rows":
        link = fp.LinkDown(t_host_ns=7, cause="out of range")
        told = [link, fp.ClockPair(t_host_ns=7, utc_ns=5), fp.Dropped(t_host_ns=7, count=2)]
        told += [fp.Advertisement(t_host_ns=7, address="a", name="n", service_data={"x": b"\1"})]
        return [bytes([codec.KINDS[type(each)]]) + codec.payload_of(each) for each in told]
    return [b"\0\0", b"\0\4" + bytes(range(30)), b"\0\0\0\0\x09\x64\0\0"]


def _sound(driver: fp.Driver) -> list[fp.Frame]:
    """Some frames as that driver's sensors send them."""
    if driver.name == "imported":
        block = imported.encode(fp.make_samples([[0.0, 0.0, 9.8]] * 3), 50.0)[0]
        return [fp.Notification(t_host_ns=0, characteristic=imported.CHARACTERISTIC, data=block)]
    if driver.name != "posture_v1":
        return sound_frames(driver.name, 1)[:40]
    force = (50, 8, 1000, 2)
    said: list[tuple[str, Any]] = [(p.CONTROL, p.TimeAnswer(0, 7, 2**32 - 8, 10**6, *force))]
    for k in range(8):
        raw = bytes(range(k, k + 36))
        head = p.MOTION_HEADER.pack(2, 7, (2**32 - 8 + 3 * k) % 2**32, 1024 + 61 * k)
        said.append((p.MOTION, p.Motion.from_bytes(head + raw)))
    said += [(p.STATUS, p.Status(7, 1, 9, 10, 0, 5, 50, 20)), (p.CONTROL, p.Stopped(0, 7, 15))]
    return [
        fp.Notification(t_host_ns=k, characteristic=where, data=each.to_bytes()) for k, (where, each) in enumerate(said)
    ]


def changed(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """The same bytes with a few small changes."""
    made = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        at, way = chance.randrange(len(made) + 1), chance.randrange(7)
        if way == 0 and made:
            made[at % len(made)] ^= 1 << chance.randrange(8)
        elif way == 1 and made:
            made[at % len(made)] = chance.choice((0, 1, 2, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        elif way == 2:
            made[at:at] = chance.randbytes(chance.choice((1, 2, 4, 16)))
        elif way == 3:
            del made[at : at + chance.choice((1, 2, 5, 40))]
        elif way == 4:
            made[at : at + 4] = struct.pack("<i", chance.choice((0, -1, 2**31 - 1, -(2**31), 65535, 0x7F800001)))
        elif way == 5:
            other = chance.choice(others)
            first = chance.randrange(len(other) + 1)
            made[at:at] = other[first : first + chance.randrange(60)]
        else:
            made[at:at] = made[at : at + chance.randrange(1, 60)]
    return bytes(made[:4096])
