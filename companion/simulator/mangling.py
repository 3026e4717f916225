"""What faults make of a packet's bytes. Pure: the same packet of the same seed is mangled in the same way.

Must never know: when a fault holds.
"""

import numpy as np

from companion.simulator.ledger import Fate
from firmware_protocol.posture_v1.packets import Layout

_NO_LAYOUTS = tuple(bits for bits in range(8) if bits not in (Layout.ACC, Layout.ACC_GYR))
_CUT_BYTES = 5  # less than the smallest sample, so that what is left is no whole number of samples


def mangled(data: bytes, fate: Fate, seed: int, t_ns: int) -> bytes:
    """The bytes that go on the air instead of `data`, the packet due at `t_ns`."""
    chance = np.random.default_rng([seed % 2**64, t_ns % 2**64])
    match fate:
        case Fate.SHORT:
            return data[:-_CUT_BYTES]
        case Fate.FLIPPED:
            return _flipped(data, int(chance.integers(8 * len(data))))
        case Fate.GARBAGE:
            # A layout that does not exist: random bytes that pass for a packet would be a forgery, not noise.
            kind = int(chance.integers(32)) << 3 | _NO_LAYOUTS[int(chance.integers(len(_NO_LAYOUTS)))]
            return bytes([kind]) + chance.bytes(len(data) - 1)
    return data


def _flipped(data: bytes, bit: int) -> bytes:
    turned = bytearray(data)
    turned[bit // 8] ^= 1 << bit % 8
    return bytes(turned)
