"""What a simulated sensor is made of: parts, battery, identity as INFO and STATUS tell them; its motor.

Pure. Must never know: what it samples, who asks.
"""

from firmware_protocol.posture_v1 import packets as p

TEMPERATURE_C = 31
_FULL_PCT, _PCT_PER_H = 92.0, 3.0
_S = 1_000_000_000
_HOUR_NS = 3600 * _S
_MOTOR_NS = {0: 0, 1: _S // 10, 2: 4 * _S // 10, 3: 6 * _S // 10}  # by pattern: off, tick, double, long
_SHAKING_NS = _S // 10  # a packet says that the motor ran up to this long after it stopped
_PATTERNS_KEPT = 1000
_PARTS = p.Capability.VIBRATION | p.Capability.IDENTIFY | p.Capability.BATTERY | p.Capability.TEMPERATURE


def battery_pct(now_ns: int) -> int:
    """What is left after `now_ns` since power-on: from 92 % down by 3 % an hour, never below 1 %."""
    return max(1, round(_FULL_PCT - _PCT_PER_H * now_ns / _HOUR_NS))


def info(identity: bytes, has_gyroscope: bool, buffer_samples: int) -> p.Info:
    """A sensor with every rate and range of the protocol, and a buffer of so many samples; 0: it has none."""
    gyroscope = p.Capability.GYROSCOPE if has_gyroscope else 0
    buffer = p.Capability.BUFFER if buffer_samples else 0
    return p.Info(
        identity=identity,
        capabilities=_PARTS | gyroscope | buffer,
        rates_mask=p.mask(p.RATES_HZ, p.RATES_HZ),
        acc_ranges_mask=p.mask(p.ACC_RANGES_G, p.ACC_RANGES_G),
        gyr_ranges_mask=p.mask(p.GYR_RANGES_DPS, p.GYR_RANGES_DPS) if has_gyroscope else 0,
        buffer_samples=buffer_samples,
    )


class Motor:
    """The vibration motor. `shook_ns`: from when to when it shook the samples, in order."""

    def __init__(self) -> None:
        self.shook_ns: list[tuple[int, int]] = []

    def play(self, pattern: int, now_ns: int) -> p.Result:
        """Play a pattern, in place of the one that is played."""
        if pattern not in _MOTOR_NS:
            return p.Result.BAD_VALUE
        self.shook_ns[-1:] = [(from_ns, min(to_ns, now_ns + _SHAKING_NS)) for from_ns, to_ns in self.shook_ns[-1:]]
        if _MOTOR_NS[pattern]:
            self.shook_ns.append((now_ns, now_ns + _MOTOR_NS[pattern] + _SHAKING_NS))
        del self.shook_ns[:-_PATTERNS_KEPT]
        return p.Result.OK
