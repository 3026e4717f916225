"""A body that wears the sensor: motion in the sensor's frame, at any rate, from any moment, in any chunks.

Pure: the same call gives the same bits, whatever was asked before.
Must never know: stories by name, files, bytes, clocks.
"""

from abc import ABC, abstractmethod

import numpy as np

from companion.simulator.attachment import FIRM, Attachment
from companion.simulator.trunk import Figure, Floats, Sway, angles_deg, ideal_motion, pose
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2

BLOCK = 1024
"""Motion is always made in blocks of this many samples, cut at the same places, and noise is numbered by
block. So neither the last bit of a vectorised sine nor the random numbers depend on how a caller cuts."""

_BLOCKS_KEPT = 2  # a sensor that asks for five samples at a time makes each block once
ACC_NOISE_MPS2 = 1.5e-3 * STANDARD_GRAVITY_MPS2
GYR_NOISE_RADPS = float(np.radians(0.05))
GYR_BIAS_RADPS = float(np.radians(0.25))  # standard deviation of the bias of each axis
_OBLIQUE_WXYZ = (0.85, -0.28, 0.33, 0.34)  # no axis of the sensor is near one of the trunk
_NOISE, _WEARER = 0x6E6F, 0x7765  # two families of random numbers of one seed


class Body(ABC):
    """Something that moves. Times are seconds since its story began.

    `up_sensor` and `forward_sensor` (3,) are true at the baseline; `calibration_given` says whether a session
    may use them from its first sample. `duration_s` is the length of the story; the first `once_s` seconds of
    it are not repeated where a session lasts longer.
    """

    def __init__(
        self,
        *,
        name: str,
        duration_s: float,
        once_s: float = 0.0,
        calibration_given: bool,
        up_sensor: Floats,
        forward_sensor: Floats,
        has_gyroscope: bool = True,
    ) -> None:
        self.name = name
        self.duration_s = duration_s
        self.once_s = once_s
        self.calibration_given = calibration_given
        self.up_sensor = up_sensor
        self.forward_sensor = forward_sensor
        self.has_gyroscope = has_gyroscope
        self._kept: dict[tuple[float, float, int], tuple[Floats, Floats]] = {}

    def sample(self, rate_hz: float, first: int, count: int, start_s: float = 0.0) -> tuple[Floats, Floats]:
        """Samples `first` to `first + count`: acceleration (count, 3) in m/s² and rate (count, 3) in rad/s.

        Sample k is taken at `start_s + k / rate_hz`. Without a gyroscope the rates are NaN. Any cut gives the
        same bits.
        """
        if rate_hz <= 0 or first < 0 or count < 0:
            raise ValueError(f"cannot take {count} samples from number {first} on at {rate_hz} Hz")
        numbers = range(first // BLOCK, max(first // BLOCK + 1, -(-(first + count) // BLOCK)))
        blocks = [self._block(rate_hz, start_s, number) for number in numbers]
        skip = first - numbers[0] * BLOCK
        if len(blocks) == 1:
            acc, gyr = blocks[0]
        else:
            acc, gyr = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        return acc[skip : skip + count].copy(), gyr[skip : skip + count].copy()

    @abstractmethod
    def truth(self, t_s: Floats | float) -> tuple[Floats, Floats]:
        """Sagittal and lateral angle from the baseline in degrees at these times; NaN where nobody knows."""

    @abstractmethod
    def _motion(self, rate_hz: float, start_s: float, number: int) -> tuple[Floats, Floats]:
        """Block `number`: BLOCK samples from `number * BLOCK` on."""

    def _block(self, rate_hz: float, start_s: float, number: int) -> tuple[Floats, Floats]:
        key = (rate_hz, start_s, number)
        if key not in self._kept:
            self._kept[key] = self._motion(rate_hz, start_s, number)
            while len(self._kept) > _BLOCKS_KEPT:
                self._kept.pop(next(iter(self._kept)))
        return self._kept[key]


def block_times_s(rate_hz: float, start_s: float, number: int) -> Floats:
    """When the samples of a block are taken, in seconds since the story began (BLOCK,)."""
    return start_s + np.arange(number * BLOCK, (number + 1) * BLOCK) / rate_hz


class StoryBody(Body):
    """A stiff trunk that acts a story, felt by a sensor with noise and a bias, stuck on some way round."""

    def __init__(
        self,
        name: str,
        figure: Figure,
        *,
        calibration_given: bool,
        seed: int = 0,
        mounting: int = 0,
        attachment: Attachment = FIRM,
    ) -> None:
        self._attachment = attachment
        self._turn = mounting_rotation(mounting)
        self._figure = figure
        self._seed = seed
        wearer = _random(seed, _WEARER, (0, 0, 0))
        self._sway = Sway(tuple(wearer.uniform(0, 2 * np.pi, 4)))
        self._bias = GYR_BIAS_RADPS * wearer.standard_normal(3)
        super().__init__(
            name=name,
            duration_s=figure.duration_s,
            once_s=figure.once_s,
            calibration_given=calibration_given,
            up_sensor=self._turn[:, 2].copy(),
            forward_sensor=self._turn[:, 0].copy(),
        )

    def truth(self, t_s: Floats | float) -> tuple[Floats, Floats]:
        """Sagittal and lateral angle from the baseline in degrees at times (N,), breathing included."""
        return angles_deg(pose(self._figure, self._sway, np.atleast_1d(np.asarray(t_s, dtype=np.float64))))

    def _motion(self, rate_hz: float, start_s: float, number: int) -> tuple[Floats, Floats]:
        t_s = block_times_s(rate_hz, start_s, number)
        acc, gyr = ideal_motion(self._figure, self._sway, t_s)
        if not self._attachment.holds:
            acc, gyr = self._attachment.felt(acc, gyr, t_s)
        place = (number, round(start_s * 1e6), round(rate_hz * 1e3))
        noise = _random(self._seed, _NOISE, place).standard_normal((BLOCK, 6))
        acc_sensor = acc @ self._turn.T + ACC_NOISE_MPS2 * noise[:, :3]
        gyr_sensor = gyr @ self._turn.T + GYR_NOISE_RADPS * noise[:, 3:] + self._bias
        return acc_sensor, gyr_sensor


def mounting_rotation(seed: int) -> Floats:
    """The rotation (3, 3) from the trunk's frame to the sensor's; 0: a fixed oblique one, others: random."""
    # A quaternion of four normal deviates is uniform over all rotations.
    chance = _random(seed, _WEARER, (1, 0, 0)).standard_normal(4)
    wxyz = chance if seed else np.array(_OBLIQUE_WXYZ)
    w, x, y, z = wxyz / np.linalg.norm(wxyz)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _random(seed: int, family: int, place: tuple[int, int, int]) -> np.random.Generator:
    """Random numbers that depend on the seed and on the place only: a counter, no history."""
    counter = [0, *(number % 2**64 for number in place)]
    return np.random.Generator(np.random.Philox(key=[seed % 2**64, family], counter=counter))
