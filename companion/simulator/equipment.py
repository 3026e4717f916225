"""What a simulated sensor is made of: parts, battery, identity as INFO and STATUS tell them.

Pure. Must never know: what it samples, who asks.
"""

from firmware_protocol.posture_v1 import packets as p

TEMPERATURE_C = 31
_FULL_PCT, _PCT_PER_H = 92.0, 3.0
_HOUR_NS = 3600 * 1_000_000_000
_PARTS = p.Capability.VIBRATION | p.Capability.IDENTIFY | p.Capability.BATTERY | p.Capability.TEMPERATURE


def battery_pct(now_ns: int) -> int:
    """What is left after `now_ns` since power-on: from 92 % down by 3 % an hour, never below 1 %."""
    return max(1, round(_FULL_PCT - _PCT_PER_H * now_ns / _HOUR_NS))


def info(identity: bytes, has_gyroscope: bool) -> p.Info:
    """A sensor with every rate and range of the protocol, and no buffer."""
    return p.Info(
        identity=identity,
        capabilities=_PARTS | (p.Capability.GYROSCOPE if has_gyroscope else 0),
        rates_mask=p.mask(p.RATES_HZ, p.RATES_HZ),
        acc_ranges_mask=p.mask(p.ACC_RANGES_G, p.ACC_RANGES_G),
        gyr_ranges_mask=p.mask(p.GYR_RANGES_DPS, p.GYR_RANGES_DPS) if has_gyroscope else 0,
        buffer_samples=0,
    )
