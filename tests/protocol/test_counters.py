"""Counters that wrap, and what is missing between them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol import counters
from firmware_protocol.counters import Missing, signed_difference


@pytest.mark.parametrize(
    ("later", "earlier", "bits", "difference"),
    [
        (5, 3, 32, 2),
        (3, 5, 32, -2),
        (1, 2**32 - 1, 32, 2),
        (2**32 - 1, 1, 32, -2),
        (2**31, 0, 32, -(2**31)),
        (2**31 - 1, 0, 32, 2**31 - 1),
        (7, 2**40 + 5, 32, 2),
        (10, 65530, 16, 16),
        (1, 255, 8, 2),
    ],
)
def test_signed_difference(later: int, earlier: int, bits: int, difference: int) -> None:
    assert signed_difference(later, earlier, bits) == difference


spans = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12)


@given(gaps=spans, taken=st.lists(st.tuples(st.integers(-2, 90), st.integers(0, 30)), max_size=12))
def test_missing_is_a_set(gaps: list[tuple[int, int]], taken: list[tuple[int, int]]) -> None:
    missing, model, position = Missing(), set[int](), 0
    for skip, length in gaps:
        missing.add(position + skip, position + skip + length)
        model |= set(range(position + skip, position + skip + length))
        position += skip + length
    for first, length in taken:
        found = [number for a, b in missing.take(first, first + length) for number in range(a, b)]
        assert found == sorted(model & set(range(first, first + length)))
        model -= set(found)
    assert [number for a, b in missing.take(-1, 1000) for number in range(a, b)] == sorted(model)


def test_memory_is_bounded_and_the_oldest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "MISSING_AT_MOST", 3)
    missing = Missing()
    for number in range(5):
        missing.add(10 * number, 10 * number + 1)
    assert len(missing) == 3
    assert missing.take(0, 100) == [(20, 21), (30, 31), (40, 41)]


def test_memory_is_bounded_where_gaps_are_filled_in_their_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "MISSING_AT_MOST", 3)
    missing = Missing()
    missing.add(0, 100)
    for number in range(10, 60, 10):
        assert missing.take(number, number + 1) == [(number, number + 1)]
        assert len(missing) <= 3
    assert missing.within(0, 100) == [(31, 40), (41, 50), (51, 100)]
    assert missing.within(0, 100, 2) == [(31, 40), (41, 50)]
