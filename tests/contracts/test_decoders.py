"""The contract of every installed driver: its decoder takes anything, and gives the same however it is cut.

A driver that is added is tested here by being installed: what it listens to is found in its table of golden bytes and
by running its scripts.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from golden import sound_frames, table
from hypothesis import given
from hypothesis import strategies as st

import firmware_protocol as fp
from firmware_protocol.devices import imported
from firmware_protocol.posture_v1.packets import CONTROL, MOTION, STATUS, Motion, Started, Status, Stopped, TimeAnswer

UNKNOWN = "0000fff1-0000-1000-8000-00805f9b34fb"


def posture_v1(seed: int) -> list[fp.Frame]:
    """A stream as a sensor sends it, from close to both wraps on."""
    rng = np.random.default_rng(seed)
    layout, samples = int(rng.integers(1, 3)), int(rng.integers(1, 8))
    begin, t_us = 2**32 - int(rng.integers(1, 100)), int(rng.integers(0, 2**40))
    force = (50, 8, 1000 if layout == 2 else 0, layout)
    found: list[tuple[str, Any]] = [
        (CONTROL, Started(0, 6, t_us, *force)),
        (CONTROL, TimeAnswer(0, 7, begin, t_us, *force)),
    ]
    for k in range(int(rng.integers(1, 60))):
        raw = rng.integers(-32768, 32767, (samples, 3 * layout), dtype=np.int16)
        ticks = (t_us + k * samples * 20_000) * 1024 // 1_000_000
        found.append((MOTION, Motion(7, (begin + k * samples) % 2**32, ticks % 2**16, raw)))
    found += [(STATUS, Status(7, 1, 0, 0, 0, 0, 50, 20)), (CONTROL, Stopped(0, 7, (begin + 1000) % 2**32))]
    return [
        fp.Notification(t_host_ns=k * 10**8, characteristic=where, data=message.to_bytes())
        for k, (where, message) in enumerate(found)
    ]


def recorded_elsewhere(seed: int) -> list[fp.Frame]:
    acc = np.random.default_rng(seed).normal(size=(seed % 1500, 3))
    blocks = imported.encode(fp.make_samples(acc, index=np.arange(len(acc)) * 2), 50.0)
    return [fp.Notification(t_host_ns=0, characteristic=imported.CHARACTERISTIC, data=block) for block in blocks]


OURS: dict[str, Callable[[int], list[fp.Frame]]] = {"posture_v1": posture_v1, "imported": recorded_elsewhere}
"""Frames of our own formats; those of the others are in their tables."""


def sound(driver: fp.Driver, seed: int) -> list[fp.Frame]:
    """Frames that the driver's own sensor might send."""
    return OURS[driver.name](seed) if driver.name in OURS else sound_frames(driver.name, seed)


drivers = pytest.mark.parametrize("driver", fp.drivers(), ids=lambda driver: driver.name)


def characteristics(driver: fp.Driver) -> list[str]:
    """Every characteristic that the driver's frames or its scripts name, and one that it does not know."""
    named = {frame.characteristic for frame in sound(driver, 1) if hasattr(frame, "characteristic")}
    named |= set(table(driver.name).get("names", {}).values())
    for script in (driver.start(None), driver.stop()):
        reply: bytes | None = None
        try:
            for _ in range(50):
                step = next(script) if reply is None else script.send(reply)
                named.add(step.characteristic)
                reply = b""
        except (StopIteration, fp.ScriptRefused):
            continue
        except fp.ProtocolError:
            continue
    return sorted({UNKNOWN, *named})


def some_frames(driver: fp.Driver) -> st.SearchStrategy[list[fp.Frame]]:
    """Any bytes on any characteristic, in the midst of sound ones."""
    known = characteristics(driver)
    t_host_ns = st.integers(0, 2**62)
    data = st.one_of(st.binary(max_size=64), st.binary(min_size=200, max_size=600))
    messages = [
        st.builds(kind, t_host_ns=t_host_ns, characteristic=st.sampled_from(known), data=data)
        for kind in (fp.Notification, fp.Reading, fp.Written)
    ]
    advertisements = st.builds(
        fp.Advertisement,
        t_host_ns=t_host_ns,
        address=st.text(max_size=17),
        name=st.none() | st.text(max_size=30),
        manufacturer_data=st.dictionaries(st.integers(0, 65535), data, max_size=2),
        service_data=st.dictionaries(st.sampled_from(known), data, max_size=2),
        service_uuids=st.lists(st.sampled_from(known), max_size=2).map(tuple),
    )
    link = st.sampled_from(
        [fp.LinkUp(t_host_ns=0, address=""), fp.LinkDown(t_host_ns=0, cause=""), fp.Tick(t_host_ns=0)]
    )
    noise = st.lists(st.one_of(*messages, advertisements, link), max_size=12)
    seeds = st.integers(0, 2**32 - 1)
    damage = st.lists(
        st.tuples(st.sampled_from(sorted(DAMAGES)), st.integers(0, 2**16), st.integers(0, 300)), max_size=4
    )
    own = st.builds(_damaged, seeds.map(lambda seed: sound(driver, seed)), damage)
    return st.builds(_mixed, own, noise, seeds)


SIGNALLING = bytes.fromhex("0100807f")
"""A 32-bit float that is no number and makes arithmetic complain."""

DAMAGES: dict[str, Callable[[bytes, int], bytes]] = {
    "cut": lambda data, at: data[:at],
    "longer": lambda data, at: data + data[: at % 7 + 1],
    "flipped": lambda data, at: data[: at // 8] + bytes([data[at // 8] ^ 1 << at % 8]) + data[at // 8 + 1 :],
    "no number": lambda data, at: data[:at] + SIGNALLING + data[at + 4 :],
    "headless": lambda data, at: data[at % 4 + 1 :],
    "twice": lambda data, at: data + data,
}


def _damaged(own: list[fp.Frame], damage: list[tuple[str, int, int]]) -> list[fp.Frame]:
    """The frames, a few of them with other bytes, and each of those once more as it was."""
    frames = list(own)
    for kind, chosen, at in damage if frames else ():
        place = chosen % len(frames)
        frame = frames[place]
        if isinstance(frame, fp.Notification) and frame.data:
            frames[place] = replace(
                frame, data=DAMAGES[kind](frame.data, at % (8 * len(frame.data)) if kind == "flipped" else at)
            )
            frames.insert(place + 1, frame)
        elif isinstance(frame, fp.Advertisement) and frame.manufacturer_data:
            data = {key: DAMAGES["cut"](value, at) for key, value in frame.manufacturer_data.items()}
            frames[place] = replace(frame, manufacturer_data=data)
    return frames


def _mixed(own: list[fp.Frame], noise: list[fp.Frame], seed: int) -> list[fp.Frame]:
    frames, rng = list(own), np.random.default_rng(seed)
    for frame in noise:
        frames.insert(int(rng.integers(len(frames) + 1)), frame)
    return frames


def summed(driver: fp.Driver, frames: list[fp.Frame], cuts: list[int]) -> dict[str, Any]:
    """Everything that a fresh decoder says of the frames, cut there, joined."""
    decoder = driver.new_decoder()
    parts = [decoder.feed(frames[a:b]) for a, b in pairwise([0, *sorted(cuts), len(frames)])]
    whole: dict[str, Any] = {"samples": b"".join(part.samples.tobytes() for part in parts)}
    for name in (each.name for each in fields(fp.Decoded) if each.name != "samples"):
        values = [getattr(part, name) for part in parts]
        whole[name] = sum(values[1:], values[0])
    return whole


@drivers
@given(data=st.data())
def test_any_bytes_any_cut(driver: fp.Driver, data: st.DataObject) -> None:
    frames = data.draw(some_frames(driver))
    whole = summed(driver, frames, [])
    assert summed(driver, frames, list(range(1, len(frames)))) == whole
    assert summed(driver, frames, data.draw(st.lists(st.integers(0, len(frames)), max_size=6))) == whole


@drivers
@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_sound_is_decoded(driver: fp.Driver, seed: int) -> None:
    frames = sound(driver, seed)
    decoded = driver.new_decoder().feed(frames)
    assert not decoded.malformed
    assert decoded.samples.dtype == fp.SAMPLES
    assert set(decoded.samples["segment"].tolist()) <= {segment.number for segment in decoded.segments}
    assert driver.name not in OURS or len(decoded.samples) or seed % 1500 == 0


@drivers
def test_nothing_gives_nothing(driver: fp.Driver) -> None:
    decoded = driver.new_decoder().feed([])
    assert len(decoded.samples) == 0
    assert decoded.samples.dtype == fp.SAMPLES
    assert (decoded.batteries, decoded.malformed, decoded.segments, decoded.lost) == ((), (), (), 0)


@drivers
def test_a_driver_says_who_it_is(driver: fp.Driver) -> None:
    stranger = fp.Advertisement(t_host_ns=0, address="C0:00:00:00:00:01", name="Headphones")
    assert driver.match(stranger) == 0
    assert driver.name == driver.name.lower()
    assert driver.longest_interval_s > 0
    assert all(len(uuid) == 36 and uuid == uuid.lower() for uuid in driver.services)
    assert bool(driver.services) == bool(driver.lacking)
    assert driver.about.title
    assert driver.about.gives
    assert list(driver.about.rates_hz) == sorted(driver.about.rates_hz)
    assert all(note.endswith(".") for note in driver.about.notes)
