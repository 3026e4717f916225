"""T5, T10: any bytes at all: the targets of the coverage-guided search on seeds, on changes, on what it has found."""

import random
import struct
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

CHANGES = {"decoders": 200, "sessions": 8, "backfills": 60, "messages": 1000, "rows": 1000, "files": 25}
FOUND: dict[str, list[bytes]] = {
    "decoders": [
        b"",
        b"\x0b",
        b"\x0b\x02\x00\x00\x00\x00",
        b"\xaa\xfc",
        b"j\x08\x02\x012\x90\x02\x08\x08",
        b"\x01\x06\x00\n\x00\x00\x00\x00\xf6\xff\xff\xf9",
        b"\x04\x04DF\x00\n\x02\n\x00\x06\xe4\xff\xcc\x03\xc8",
        b"\x05\x06\x00\n\x01\x00\x02\x02\n\x00A\x02c3\x12%B\xfd\xfd\n\x9a1\xc1",
        b"\x00\x06\x00\n\x00\x00\x02\x01\n\x00\x0c\x86\xd3\x02A\x93&A\x05\xe5\x00\x00\x00\x00\x00\x80\x00\x00\x00\x00",
    ],
    "backfills": [b"", b"\x0b"],
    "messages": [
        b"",
        b"\x83",
        bytes(20),
        b"\xff" * 20,
        b"\x02\x07" + b"\xff" * 6 + b"\x01",
        b"\x06'\x00\x00\x00\x00\x00\x00\x00\x1b",
        b"\x81\x00\x00\x00\x00\x07\xf8\x00\x00\x00\x00\x004\x00\x00",
        b"\x83\x00\x07\xf8\xff\xff\xff\x1f@B\x0f\x00\x00\x00\x00\x00\xff\xff\xff\xfc",
    ],
    "rows": [
        b"",
        b"\x0c{}",
        b"\x0e[" + b"[" * 100,
        b'\x0c{"count": 1e999}',
        b'\x0c{"count":55550000003161586020}',
        b"\x02null",
        b'\x05{"rssi":true}',
    ],
    "files": [b"", b"\xff\xff", b"\x00\x00\x00\x00\x00", b":\x80", b"0\x93\xfe\xd5[", b'\x00\x01B"\x93"""\x00\x10""'],
    "sessions": [b"", b"\x0b"],
}
"""Bytes that are easily forgotten, and some by which a search has reached what no sound bytes reach."""


@pytest.fixture(scope="module")
def targets() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        yield import_module("fuzz_targets")
        del sys.modules["fuzz_targets"]


@pytest.mark.parametrize("name", CHANGES)
def test_any_bytes_keep_the_laws(targets: ModuleType, name: str) -> None:
    chance, sound = random.Random(1), targets.seeds(name)
    for data in [*sound, *FOUND[name]]:
        targets.TARGETS[name](data)
    for _ in range(CHANGES[name]):
        targets.TARGETS[name](targets.changed(chance.choice(sound), sound, chance))


def test_every_driver_is_among_the_seeds(targets: ModuleType) -> None:
    spoken = {targets.frames_of(data)[0].name for data in targets.seeds("decoders")}
    assert spoken == {driver.name for driver in targets.fp.drivers()}
    for data in targets.seeds("decoders"):
        driver, frames = targets.frames_of(data)
        decoded = driver.new_decoder().feed(frames)
        assert len(decoded.samples) or driver.broadcasts, driver.name


def naive(data: bytes) -> list[tuple[int, ...]]:
    """A packet's samples, as one would first write it."""
    kind, _, _, _ = struct.unpack("<BBIH", data[:8])
    size = 12 if kind & 7 == 2 else 6
    return [struct.unpack(f"<{size // 2}h", data[at : at + size]) for at in range(8, len(data), size)]


def test_the_naive_decoder_falls(targets: ModuleType) -> None:
    """The same changes break it at once, and what does not break it gives samples of no sensor."""
    chance, sound = random.Random(1), [b"\x02\x07" + bytes(6) + bytes(36)]
    fallen = made_up = 0
    for _ in range(300):
        data = targets.changed(sound[0], sound, chance)
        fault = targets.p.motion_fault(data)
        try:
            naive(data)
        except struct.error:
            fallen += 1
            assert fault is not None
        else:
            made_up += fault is not None
    assert fallen > 20
    assert made_up > 0
    assert naive(b"\x07\x07" + bytes(12)) == [(0, 0, 0)], "a layout that does not exist"


def test_the_search_finds_a_planted_fault(targets: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own loop, on a target that fails only behind two turns that no seed takes."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    search = import_module("fuzz_search")

    def planted(data: bytes) -> None:
        targets.messages(data)
        if data[:1] == b"\x83" and len(data) > 19:
            raise ValueError("found")

    sound = targets.seeds("messages")
    tries = search.searched(planted, targets.changed, list(sound), random.Random(3))
    raised = [error for _, (_, error) in zip(range(2000), tries, strict=False) if error is not None]
    assert [str(error) for error in raised[:1]] == ["found"]
