"""How well a baseline is known, in a few neutral lines.

Pure. Knows: calibrations. Must never know: where the lines go.
"""

from companion.posture.calibration import Calibration
from companion.posture.directions import between_deg
from companion.posture.slouch import scale_of

_METHODS = {
    "guided": "two holds and forward bends",
    "nod": "two holds and nods from the hips",
    "mounting": "one hold and the axis you named",
    "quick": "one hold and the stored axis",
}


def quality_lines(alias: str, made: Calibration, *, set_limit_deg: float | None = None) -> list[str]:
    """What is printed after a calibration. `set_limit_deg`: the limit that the wearer has set, if any."""
    lines = [
        f"baseline of {alias} for {made.profile} ({made.kind}): stored",
        f"  taken from   {_how(made)}",
        f"  uncertain by {_uncertainty(made)}",
    ]
    if made.slouch is not None:
        lines.append(f"  usual slouch {_slouch(made, set_limit_deg)}")
    if made.wobble_deg is None:
        lines.append("  fit          `posture calibrate --fit-test` tells (20 s: lean, turn, walk)")
    else:
        lines.append(f"  fit          the sensor shakes by {made.wobble_deg:.2f}° (on a belt: 0.2° or less)")
    return lines


def _how(made: Calibration) -> str:
    parts = [_METHODS.get(made.method, made.method), f"sway {made.spread_deg:.1f}°"]
    if made.difference_deg is not None:
        parts.append(f"holds differ by {made.difference_deg:.1f}°")
    return ", ".join(parts)


def _uncertainty(made: Calibration) -> str:
    parts = [f"{made.uncertainty_deg:.1f}°, where you face by {made.axis_sigma_deg:.0f}°"]
    if made.axis_ratio is not None:
        parts.append(f"axis ratio {made.axis_ratio:.0f}" if made.axis_ratio < 1000 else "axis ratio over 1000")
    return " (".join(parts) + ")" * (len(parts) - 1)


def _slouch(made: Calibration, set_limit_deg: float | None) -> str:
    scale = scale_of(made, made.kind, set_limit_deg)
    return f"{scale.range_deg:.1f}° {_where(made)}; from {scale.limit_deg:.1f}° on it counts"


def _where(made: Calibration) -> str:
    """The nearest of four ways, as the wearer sees them."""
    forward, left = made.slouch_direction
    ways = {"forward": (-1, 0), "backward": (1, 0), "to the right": (0, 1), "to the left": (0, -1)}
    return min(ways, key=lambda name: between_deg((*ways[name], 0), (forward, left, 0)))
