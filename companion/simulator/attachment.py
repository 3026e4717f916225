"""What becomes of a sensor's seat on the back: it slips, or is taken off, laid aside, and put on again otherwise.

Pure arithmetic on times, after the trunk's own motion and in its frame. A slip tips the sensor forward, so that it
reads as a lean of so much more; both the accelerometer and the gyroscope feel the tipping.
Must never know: how the sensor is mounted, its noise, its bytes.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from companion.simulator.trunk import Floats, Move, Track
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2

_SLIPS_WITHIN_S = 0.3
_TURNED_OVER_DEG, _LAID_DOWN_DEG = 175.0, 95.0
USUAL_ASIDE_S = 30.0
OFF_S = USUAL_ASIDE_S + 6.0
"""From when it is taken off to when it is worn again."""


@dataclass(frozen=True)
class Attachment:
    """By how many degrees the sensor tips forward, and when (seconds since power-on).

    With `restuck_s` 0 it has sat `restuck_deg` off its calibrated place from the start.
    """

    slip_deg: float = 0.0
    slip_s: float = 0.0
    restuck_deg: float = 0.0
    restuck_s: float = 0.0
    aside_s: float = USUAL_ASIDE_S  # so long it lies on the table in between

    @property
    def holds(self) -> bool:
        """Whether nothing ever happens to it."""
        return not (self.slip_deg or self.restuck_deg or self.restuck_s)

    def felt(self, acc: Floats, gyr: Floats, t_s: Floats) -> tuple[Floats, Floats]:
        """What a sensor in this seat feels of a trunk's acceleration and rates (N, 3) at the times (N,)."""
        tip = self._tip.at(t_s)
        worn = self._worn.at(t_s).value[:, None]
        gravity = np.array([0.0, 0.0, STANDARD_GRAVITY_MPS2])
        acc, gyr = _tipped(gravity + worn * (acc - gravity), tip.value), _tipped(worn * gyr, tip.value)
        gyr[:, 1] += tip.rate
        return acc, gyr

    @cached_property
    def _tip(self) -> Track:
        """The angle by which the sensor is tipped forward of its seat."""
        off_s, start_deg = self.restuck_s, 0.0 if self.restuck_s else self.restuck_deg
        moves = [(off_s + after_s, length_s, deg) for after_s, length_s, deg in self._handling()]
        if self.slip_deg:
            in_hand = moves and off_s - _SLIPS_WITHIN_S < self.slip_s < off_s + OFF_S
            slip_s = off_s + OFF_S if in_hand else self.slip_s  # what is not worn cannot slip
            before_deg = moves[-1][2] if moves and slip_s > off_s else start_deg
            moves.append((slip_s, _SLIPS_WITHIN_S, before_deg + self.slip_deg))
        made = [Move(t_s, length_s, float(np.radians(deg))) for t_s, length_s, deg in sorted(moves)]
        return Track.of(made, float(np.radians(start_deg)))

    def _handling(self) -> list[tuple[float, float, float]]:
        if not self.restuck_s:
            return []
        return [(0.0, 0.8, _TURNED_OVER_DEG), (2.5, 1.0, _LAID_DOWN_DEG), (4.0 + self.aside_s, 1.5, self.restuck_deg)]

    @cached_property
    def _worn(self) -> Track:
        """1 on the back, 0 where the sensor lies aside and feels nothing of the trunk."""
        if not self.restuck_s:
            return Track.of([], 1.0)
        return Track.of([Move(self.restuck_s, 0.5, 0.0), Move(self.restuck_s + 5.0 + self.aside_s, 0.5, 1.0)], 1.0)


FIRM = Attachment()
"""Nothing happens to it."""


def _tipped(vectors: Floats, angle: Floats) -> Floats:
    """Vectors (N, 3) as felt by a sensor tipped forward about the axis to the left by these angles, in radians."""
    sine, cosine = np.sin(angle), np.cos(angle)
    x, y, z = vectors.T
    return np.stack([cosine * x - sine * z, y, sine * x + cosine * z], axis=1)
