"""What faults make of a packet's bytes. Pure: the same packet of the same seed is mangled in the same way.

Must never know: when a fault holds.
"""

from collections.abc import Callable

import numpy as np

from companion.simulator.ledger import Fate
from firmware_protocol.posture_v1.packets import Layout

_NO_LAYOUTS = tuple(bits for bits in range(8) if bits not in (Layout.ACC, Layout.ACC_GYR))
_CUT_BYTES = 5  # less than the smallest sample, so that what is left is no whole number of samples


Garbage = Callable[[np.random.Generator, int], bytes]
"""So many bytes that are no packet."""


def foreign_layout(chance: np.random.Generator, length: int) -> bytes:
    """A posture_v1 layout that does not exist: random bytes that pass for a packet would be a forgery, not noise."""
    kind = int(chance.integers(32)) << 3 | _NO_LAYOUTS[int(chance.integers(len(_NO_LAYOUTS)))]
    return bytes([kind]) + chance.bytes(length - 1)


def noise(chance: np.random.Generator, length: int) -> bytes:
    """Random bytes, one more than the packet had: what has no check in it would pass for motion at its own length."""
    return chance.bytes(length + 1)


def mangled(data: bytes, fate: Fate, seed: int, t_ns: int, garbage: Garbage = foreign_layout) -> bytes:
    """The bytes that go on the air instead of `data`, the packet due at `t_ns`."""
    chance = np.random.default_rng([seed % 2**64, t_ns % 2**64])
    match fate:
        case Fate.SHORT:
            return data[:-_CUT_BYTES]
        case Fate.FLIPPED:
            return _flipped(data, int(chance.integers(8 * len(data))))
        case Fate.GARBAGE:
            return garbage(chance, len(data))
    return data


def _flipped(data: bytes, bit: int) -> bytes:
    turned = bytearray(data)
    turned[bit // 8] ^= 1 << bit % 8
    return bytes(turned)
