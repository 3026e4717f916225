"""A story as it is written down: what the wearer does, one thing after the other; out comes a Figure.

Pure. Angles in degrees, times in seconds. Must never know: names of stories, sensors, sampling.
"""

from typing import Self

import numpy as np

from companion.simulator.trunk import Figure, Move, Shake, Shakes, Track

LIMIT_DEG = 13.0
"""Where a forward posture is taken to begin: the default limit of 12° and a degree of uncertainty."""
RELEASE_DEG = 8.0
"""Where it is taken to end: two thirds of the default limit."""

USUAL_BEND_DEG = 32.0
USUAL_LEAN_S = 1.5  # gentle: |a| hardly changes on the way, so that the wearer counts as still throughout
_MEAN_S = 1.0  # judged is the mean over the last second


class Choreography:
    """Moves are added at the present end of the story, `now_s`."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._once_s = 0.0
        self._angles: dict[str, list[Move]] = {"pitch": [], "roll": [], "heading": []}
        self._walking: list[Move] = []
        self._shakes: list[Shake] = []

    def rest(self, seconds: float) -> Self:
        """Stay as you are."""
        self.now_s += seconds
        return self

    def rest_until(self, t_s: float) -> Self:
        """Stay as you are until this time of the story; raises ValueError where it has passed."""
        if t_s < self.now_s - 1e-9:
            raise ValueError(f"{t_s} s has passed, it is {self.now_s} s")
        self.now_s = t_s
        return self

    def rest_to_whole(self) -> Self:
        """Stay as you are until the next whole second."""
        return self.rest_until(float(np.ceil(self.now_s)))

    def lean(
        self,
        pitch_deg: float | None = None,
        roll_deg: float | None = None,
        heading_deg: float | None = None,
        over_s: float = USUAL_LEAN_S,
    ) -> Self:
        """Go to these angles: forward, right, and turned to the left; None: as it is."""
        for name, angle_deg in (("pitch", pitch_deg), ("roll", roll_deg), ("heading", heading_deg)):
            if angle_deg is not None:
                self._angles[name].append(Move(self.now_s, over_s, float(np.radians(angle_deg))))
        return self.rest(over_s)

    def holds(self, bend_deg: float = USUAL_BEND_DEG) -> Self:
        """The guided holds, bends so far and two degrees further, hold again; played once, what follows is repeated.

        The bends lie between 7.5 and 13.5 s. A calibration that waits for 5 s of
        stillness has it before 20 s.
        """
        self.rest(7.5)
        for peak_deg, after_s in ((bend_deg, 0.4), (bend_deg + 2.0, 0.0)):
            self.lean(peak_deg, 1.2, over_s=1.3).rest(0.2).lean(0.0, 0.0, over_s=1.3).rest(after_s)
        self.rest(8.5)
        self._once_s = self.now_s
        return self

    def slouch(self, deg: float, seconds: float) -> Self:
        """Lean forward so that the judged angle stays forward for this long, then come back."""
        begins_s, ends_s = _lag_s(0.0, deg, LIMIT_DEG), _lag_s(deg, 0.0, RELEASE_DEG)
        late_s = 0.0 if begins_s is None or ends_s is None else begins_s - ends_s
        return self.lean(deg).rest(max(0.0, seconds - USUAL_LEAN_S + late_s)).lean(0.0)

    def shake(self, seconds: float, peak_g: float, within_s: float = 0.0) -> Self:
        """Be jolted about for so long from now (or so much later) on; does not take time by itself."""
        self._shakes.append(Shake(self.now_s + within_s, seconds, peak_g))
        return self

    def fidget(self, seconds: float, back_deg: float) -> Self:
        """Shift on the seat for `seconds`: jolts, and a few degrees there and back to `back_deg`."""
        self.shake(seconds, 0.45)
        return self.lean(back_deg - 2.5, over_s=seconds / 2).lean(back_deg, over_s=seconds / 2)

    def reach(self, side: float, back_deg: float = 0.0) -> Self:
        """Reach forward for something on the desk, `side` +1 to the right, -1 to the left: 4 s, with jolts."""
        self.shake(4.0, 0.34).rest(0.3)
        self.lean(34.0, 11.0 * side, over_s=1.3).rest(0.7)
        return self.lean(back_deg, 0.0, over_s=1.3).rest(0.4)

    def walk(self, seconds: float, turn_deg: float = 90.0) -> Self:
        """Walk for so long, turning on the way."""
        start_s, heading = self.now_s, self._angles["heading"]
        before = heading[-1].to if heading else 0.0
        heading.append(Move(start_s + 0.3 * seconds, 0.4 * seconds, before + float(np.radians(turn_deg))))
        self._walking += [Move(start_s, 0.8, 1.0), Move(start_s + seconds - 0.8, 0.8, 0.0)]
        self._angles["pitch"] += [
            Move(start_s, 1.0, float(np.radians(3.0))),
            Move(start_s + seconds - 1.0, 1.0, 0.0),
        ]
        return self.rest(seconds)

    def rise(self) -> Self:
        """Stand up or sit down: the trunk goes far forward and comes back, with jolts."""
        self.shake(2.9, 0.4)
        return self.lean(36.0, 0.0, over_s=1.2).lean(0.0, over_s=1.6).rest(0.2)

    def figure(self) -> Figure:
        """The story up to now. Raises ValueError where moves overlap."""
        tracks = {name: Track.of(moves) for name, moves in self._angles.items()}
        walking = Track.of(self._walking)
        return Figure(
            **tracks,
            walking=walking,
            shakes=Shakes.of(self._shakes),
            duration_s=self.now_s,
            once_s=self._once_s,
        )


def _lag_s(before_deg: float, after_deg: float, level_deg: float) -> float | None:
    """How long after a lean begins the judged angle passes a level; None where it never does."""
    step_s = 0.001
    t_s = np.arange(-_MEAN_S, USUAL_LEAN_S + _MEAN_S, step_s)
    angle = Track.of([Move(0.0, USUAL_LEAN_S, after_deg)], before_deg).at(t_s).value
    total = np.concatenate([[0.0], np.cumsum(angle)])
    window = round(_MEAN_S / step_s)
    judged = (total[window:] - total[:-window]) / window  # the first is that of the last step before t = 0
    passed = np.flatnonzero((judged >= level_deg) != (before_deg >= level_deg))
    return float(passed[0] * step_s) if len(passed) else None
