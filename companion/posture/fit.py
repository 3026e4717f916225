"""The fit test: how much a sensor wobbles on its wearer, who leans, turns and walks.

A trunk weighs tens of kilograms and turns slowly: its own tilt while walking lies at the steps and their first
overtones, below 6 Hz. What tilts the sensor faster than that is the skin, a strap or the cloth under it. The figure is
the root mean square of that tilt. Knows: rates of turn. Must never know: what is done about it.
"""

import numpy as np

from companion.posture.directions import Vector
from companion.posture.moments import Moment

FIT_S = 20.0
LEAST_MOVING_S = 5.0
MOVING_RADPS = float(np.radians(10.0))
LOWEST_HZ = 6.0
LEAST_RATE_HZ = 20.0
"""Below it there is next to nothing between the lowest frequency that counts and half the rate."""


def moving_s(moments: list[Moment]) -> float:
    """For how long the wearer moved."""
    return sum(0.1 for moment in moments if moment.rate_rms_radps > MOVING_RADPS)


def wobble_deg(moments: list[Moment], up: Vector) -> float | None:
    """Root mean square of the sensor's tilt above 6 Hz, in degrees; None where the sensor cannot tell.

    `up` (3,) is the baseline in the sensor's frame: turning about it is no tilt. Tilt is the integral of the rate of
    turn, taken frequency by frequency. Needs a gyroscope and 20 samples a second.
    """
    times_s = np.concatenate([moment.times_ns for moment in moments]) * 1e-9
    rates = np.concatenate([moment.gyr_radps for moment in moments])
    period_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 1.0
    if period_s * LEAST_RATE_HZ > 1.001 or not rates.any():
        return None
    level = rates - np.outer(rates @ up, up)
    even_s = np.arange(times_s[0], times_s[-1], period_s)
    power = sum(_power(np.interp(even_s, times_s, level[:, axis]), period_s) for axis in range(3))
    return float(np.degrees(np.sqrt(power)))


def _power(rate_radps: Vector, period_s: float) -> float:
    """Mean square of the angle whose rate this is, above the lowest frequency (Parseval's theorem)."""
    spectrum = np.fft.rfft(rate_radps - rate_radps.mean())
    frequencies_hz = np.fft.rfftfreq(len(rate_radps), period_s)
    counted = frequencies_hz >= LOWEST_HZ
    angle = np.abs(spectrum[counted]) / (2 * np.pi * frequencies_hz[counted])
    return float(2 * np.sum(angle**2) / len(rate_radps) ** 2)
