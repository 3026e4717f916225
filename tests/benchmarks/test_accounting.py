"""The books of a short life: sensor, decoder and session agree to the last sample, and tell where they do not."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="module")
def accounting() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
        yield import_module("accounting")


@pytest.mark.slow
def test_twenty_thousand_packets(accounting: ModuleType) -> None:
    packets, sent, found, summary = accounting.measured(9, 20_000)
    assert packets >= 20_000
    assert accounting.differences(sent, found) == []
    assert accounting.differences(sent, summary) == []
    assert min(sent.received, sent.lost, sent.twice, sent.malformed) > 50


def test_every_kind_of_mischief_happens(accounting: ModuleType) -> None:
    """Wraps of the counter, resets with samples that nobody can tell, silences of minutes."""
    life = accounting.Life(9, 20_000)
    kinds = [type(frame).__name__ for frame in life.frames()]
    assert kinds.count("LinkDown") > 2
    counts = life.counts()
    wrapped = [book for book in life.air.books if book.offset and book.taken > 2**32 - book.offset]
    assert wrapped
    assert len(life.air.books) > 10
    assert counts.untold >= 0


SPOILED: dict[str, Callable[[Any], Any]] = {
    "one more received": lambda counts: replace(counts, received=counts.received + 1),
    "one less lost": lambda counts: replace(counts, lost=counts.lost - 1),
    "one twice not counted": lambda counts: replace(counts, twice=counts.twice - 1),
    "one malformed not counted": lambda counts: replace(counts, malformed=counts.malformed - 1),
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_difference_of_one_is_told(accounting: ModuleType, how: str) -> None:
    sent = accounting.Counts(taken=110, received=100, lost=8, twice=3, malformed=1, untold=2)
    assert accounting.differences(sent, replace(sent, taken=0)) == []
    assert accounting.differences(sent, SPOILED[how](sent)) != []


def test_the_naive_difference_of_indices_falls(accounting: ModuleType) -> None:
    """Lost = index - expected, without a modulus and without a memory, on the same packets."""
    life, lost, expected = accounting.Life(9, 5_000), 0, None
    p = accounting.p
    for frame in life.frames():
        if getattr(frame, "characteristic", "") == p.MOTION and p.motion_fault(frame.data) is None:
            _, _, index, _ = p.MOTION_HEADER.unpack_from(frame.data)
            lost += 0 if expected is None else max(0, index - expected)
            size = 12 if frame.data[0] & 7 == 2 else 6
            expected = index + (len(frame.data) - 8) // size
    assert lost != life.counts().lost
