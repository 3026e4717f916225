"""Calibrations out of holds and bends: what is refused, why, and how uncertain the rest is.

Knows: holds, bends, stored calibrations. Must never know: how a wearer is told, steps, time limits.
"""

from dataclasses import replace

import numpy as np

from companion.posture.bends import Bend, facing, has_rates
from companion.posture.calibration import Calibration, Triple, triple
from companion.posture.directions import between_deg, smallest_turn, unit
from companion.posture.moments import Hold

MOST_HOLD_DIFFERENCE_DEG = 3.0
LEAST_BEND_DEG = 15.0
LEAST_NOD_DEG = 5.0
LEAST_AXIS_RATIO = 3.0
MOST_QUICK_MOVE_DEG = 15.0
LEAST_AXIS_ANGLE_DEG = 30.0
LEAST_SLOUCH_DEG = 3.0
MOST_SLOUCH_DEG = 80.0
LEAST_SLOUCH_SIGMAS = 3.0

REPEAT_SIGMA_DEG = 1.0
"""How well a person finds the same pose again: in one standard pose the upper spine of one person differs by under 2°
(two of these) where that of different people differs by 21 to 35°."""

STILL_SIGMA_DEG = 0.7
"""Inclination error of the filter at 50 Hz (RMSE over trunk-like motion against optical truth)."""

SIDEWAYS_DEG = 5.0
"""An ordinary lean to one side, which an error of the axis turns into forward lean: 17 % of it at 10°."""

FORWARD_DEG = 12.0
"""An ordinary forward lean, which an error of the axis shortens: by 1.5 % at 10°."""

_SWAY_DEG = {True: 0.5, False: 1.0}
"""What of a bend is not meant: sway with a gyroscope (of a hold: 0.5°), and the filter's error without one."""

_BY_HAND_DEG = 10.0
"""A sensor that is stuck on by hand is turned about the vertical by so much against where it was meant to face."""


class CalibrationRefused(Exception):
    """Why no baseline was taken, in one sentence for the wearer."""


def refused(reason: str) -> CalibrationRefused:
    """The refusal of a baseline for this reason."""
    return CalibrationRefused(f"No baseline was taken: {reason}.")


def from_bends(first: Hold, second: Hold, bends: list[Bend], method: str) -> Calibration:
    """The baseline of two holds with bends between them; raises CalibrationRefused. `method`: guided or nod."""
    difference_deg = between_deg(first.up, second.up)
    if difference_deg > MOST_HOLD_DIFFERENCE_DEG:
        limit = f"{MOST_HOLD_DIFFERENCE_DEG:.0f}°"
        raise refused(f"the two holds differ by {difference_deg:.1f}°, more than {limit}")
    up, bias_radps = unit(first.up + second.up), (first.bias_radps + second.bias_radps) / 2
    ways = [facing(up, [bend], bias_radps)[0] for bend in bends]
    if any(float(way @ ways[0]) < 0 for way in ways):
        raise refused("the bends went in opposite directions")
    forward, ratio = facing(up, bends, bias_radps)
    if ratio < LEAST_AXIS_RATIO:
        name = "nod" if method == "nod" else "bend"
        raise refused(f"the {name} has no clear axis (ratio {ratio:.1f}, at least {LEAST_AXIS_RATIO:.0f} is needed)")
    spread_deg = float(np.hypot(first.spread_deg, second.spread_deg) / np.sqrt(2))
    axis_sigma_deg = _axis_sigma_deg(bends, ratio)
    return replace(
        Calibration.from_axes(up, forward),
        uncertainty_deg=_uncertainty_deg(_two_holds_sigma_deg(difference_deg, spread_deg), axis_sigma_deg),
        axis_ratio=min(ratio, 1e6),
        method=method,
        spread_deg=spread_deg,
        difference_deg=difference_deg,
        axis_sigma_deg=axis_sigma_deg,
    )


def from_mounting(hold: Hold, axis: Triple) -> Calibration:
    """The baseline of one hold of a sensor whose `axis` is declared to face forward; raises CalibrationRefused."""
    angle_deg = between_deg(hold.up, unit(np.array(axis)))
    if not LEAST_AXIS_ANGLE_DEG <= angle_deg <= 180 - LEAST_AXIS_ANGLE_DEG:
        where = "up" if angle_deg < 90 else "down"
        raise refused(f"the axis that was named points {where}, not forward")
    return replace(
        Calibration.from_axes(hold.up, axis),
        uncertainty_deg=_uncertainty_deg(_one_hold_sigma_deg(hold), _BY_HAND_DEG),
        method="mounting",
        spread_deg=hold.spread_deg,
        axis_sigma_deg=_BY_HAND_DEG,
    )


def quick(stored: Calibration, hold: Hold) -> Calibration:
    """A stored calibration turned by the smallest rotation that brings its up to that of one hold.

    Raises CalibrationRefused where up moved by 15° or more: a turn about the vertical, which nobody can see in a hold,
    is then as likely. The slouch comes along; the fit and the walk belong to how the sensor was stuck on before.
    """
    moved_deg = between_deg(stored.up, hold.up)
    if moved_deg >= MOST_QUICK_MOVE_DEG:
        raise refused(
            f"up moved by {moved_deg:.0f}° in the sensor since the stored baseline, "
            f"and from {MOST_QUICK_MOVE_DEG:.0f}° on the bends are needed"
        )
    turn = smallest_turn(stored.up, hold.up)
    made = Calibration.from_axes(hold.up, turn @ np.array(stored.forward))
    # A sensor that was tilted when it was stuck on anew was turned about the vertical too, by an angle of that order.
    axis_sigma_deg = float(np.hypot(stored.axis_sigma_deg, moved_deg))
    return replace(
        stored,
        up=made.up,
        forward=made.forward,
        slouch=None if stored.slouch is None else triple(unit(turn @ np.array(stored.slouch))),
        uncertainty_deg=_uncertainty_deg(_one_hold_sigma_deg(hold), axis_sigma_deg),
        method="quick",
        spread_deg=hold.spread_deg,
        difference_deg=None,
        axis_sigma_deg=axis_sigma_deg,
        wobble_deg=None,
        walking=None,
    )


def with_slouch(made: Calibration, tall: Hold, slouched: Hold) -> Calibration:
    """A calibration with the wearer's usual slouch, seen from the hold that was taken before it."""
    turn = smallest_turn(tall.up, made.up)
    return replace(made, slouch=triple(unit(turn @ slouched.up)))


def with_slouch_of(made: Calibration, before: Calibration | None) -> Calibration:
    """A new baseline with the usual slouch that an earlier one had, as far and in the same direction of the wearer."""
    if before is None or before.slouch is None or made.slouch is not None:
        return made
    in_body = before.rotation @ np.array(before.slouch)
    return replace(made, slouch=triple(unit(made.rotation.T @ in_body)))


def least_slouch_deg(made: Calibration) -> float:
    """The usual slouch must be at least so far from the baseline to be told from it."""
    noise_deg = float(np.hypot(made.uncertainty_deg, STILL_SIGMA_DEG))
    return max(LEAST_SLOUCH_DEG, LEAST_SLOUCH_SIGMAS * noise_deg)


def same_pose(stored: Calibration, hold: Hold) -> None:
    """Raises CalibrationRefused where a hold is not the stored baseline."""
    moved_deg = between_deg(stored.up, hold.up)
    if moved_deg > MOST_HOLD_DIFFERENCE_DEG:
        limit = f"{MOST_HOLD_DIFFERENCE_DEG:.0f}°"
        raise refused(f"this hold and the stored baseline differ by {moved_deg:.1f}°, more than {limit}")


def _two_holds_sigma_deg(difference_deg: float, spread_deg: float) -> float:
    """Of the mean of two holds: their difference is one draw, so what is known of people counts as another."""
    one_deg = np.sqrt((REPEAT_SIGMA_DEG**2 + difference_deg**2 / 2) / 2)
    return float(np.hypot(one_deg, spread_deg) / np.sqrt(2))


def _one_hold_sigma_deg(hold: Hold) -> float:
    return float(np.hypot(REPEAT_SIGMA_DEG, hold.spread_deg))


def _axis_sigma_deg(bends: list[Bend], ratio: float) -> float:
    """From the sway within the bends, and from how flat they were."""
    mean_peak_deg = float(np.mean([bend.peak_deg for bend in bends]))
    swayed = np.degrees(np.arctan2(_SWAY_DEG[has_rates(bends)], mean_peak_deg)) / np.sqrt(len(bends))
    lopsided = np.degrees(np.arctan(1 / np.sqrt(ratio)))
    return float(np.hypot(swayed, lopsided))


def _uncertainty_deg(up_sigma_deg: float, axis_sigma_deg: float) -> float:
    """One standard deviation of the sagittal angle: of up, and of what an error of the axis does to it."""
    axis = np.radians(min(axis_sigma_deg, 90.0))
    leaked_deg, shortened_deg = SIDEWAYS_DEG * np.sin(axis), FORWARD_DEG * (1 - np.cos(axis))
    return float(np.sqrt(up_sigma_deg**2 + leaked_deg**2 + shortened_deg**2))
