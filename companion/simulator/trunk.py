"""How a stiff trunk moves and what an ideal sensor on it feels: angles in, acceleration and rates out.

Pure arithmetic on times. The trunk turns about the hips: heading about the vertical, then pitch (forward
lean), then roll (to the right). Its frame: +x where the wearer faces, +y to their left, +z along the spine.
Every angle comes with its exact first and second derivative, so that rates and accelerations agree with the
orientation whatever the sampling rate.
Must never know: how the sensor is stuck on, its noise, its bytes.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

from firmware_protocol.samples import STANDARD_GRAVITY_MPS2

Floats: TypeAlias = npt.NDArray[np.float64]

SENSOR_HEIGHT_M = 0.45
"""From the hip axis to the upper back (T3-T4) of a person of middle height, seated or standing."""

_SEAM_S = 1.5
CADENCE_HZ = 1.9
"""Steps a second in an unhurried office walk."""


@dataclass(frozen=True, slots=True)
class Jet:
    """A quantity at some times with its first and second derivative by time, each of shape (N,)."""

    value: Floats
    rate: Floats
    change: Floats

    def __add__(self, other: "Jet") -> "Jet":
        return Jet(self.value + other.value, self.rate + other.rate, self.change + other.change)

    def where(self, holds: npt.NDArray[np.bool_]) -> "Jet":
        """The same where `holds`, zero elsewhere."""
        return Jet(self.value * holds, self.rate * holds, self.change * holds)

    def __mul__(self, other: "Jet") -> "Jet":
        return Jet(
            self.value * other.value,
            self.rate * other.value + self.value * other.rate,
            self.change * other.value + 2 * self.rate * other.rate + self.value * other.change,
        )


def wave(t_s: Floats, amplitude: float, frequency_hz: float, phase: float) -> Jet:
    """A sine of this amplitude at the times `t_s`; `phase` in radians."""
    omega = 2 * np.pi * frequency_hz
    angle = omega * t_s + phase
    sine, cosine = amplitude * np.sin(angle), amplitude * np.cos(angle)
    return Jet(sine, omega * cosine, -(omega**2) * sine)


@dataclass(frozen=True, slots=True)
class Move:
    """From `start_s` on, go to the value `to` within `length_s`."""

    start_s: float
    length_s: float
    to: float


@dataclass(frozen=True, slots=True)
class Track:
    """A quantity that rests, but for minimum-jerk moves: position, speed and acceleration are continuous.

    The four arrays have one element a move: its start and length in seconds, the value before it, the way.
    """

    starts_s: Floats
    lengths_s: Floats
    befores: Floats
    ways: Floats

    @classmethod
    def of(cls, moves: list[Move], initial: float = 0.0) -> Self:
        """The track that begins at `initial` and makes these moves; raises ValueError where two overlap."""
        for earlier, later in pairwise(moves):
            if later.start_s < earlier.start_s + earlier.length_s - 1e-9:
                raise ValueError(f"two moves overlap at {later.start_s} s")
        values = np.array([initial, *(move.to for move in moves)])
        if not moves:  # one move that goes nowhere saves every reader a special case
            return cls(np.zeros(1), np.ones(1), values, np.zeros(1))
        starts, lengths = np.array([(move.start_s, move.length_s) for move in moves]).T
        return cls(np.ascontiguousarray(starts), np.ascontiguousarray(lengths), values[:-1], np.diff(values))

    def at(self, t_s: Floats) -> Jet:
        """Value and derivatives at the times `t_s` (N,), in any order."""
        which = np.maximum(np.searchsorted(self.starts_s, t_s, side="right") - 1, 0)
        length, way = self.lengths_s[which], self.ways[which]
        s = np.clip((t_s - self.starts_s[which]) / length, 0.0, 1.0)
        s2 = s * s
        value = self.befores[which] + way * s2 * s * (10 - 15 * s + 6 * s2)
        rate = way / length * 30 * s2 * (1 - 2 * s + s2)
        change = way / length**2 * 60 * s * (1 - 3 * s + 2 * s2)
        return Jet(value, rate, change)


@dataclass(frozen=True, slots=True)
class Shake:
    """The trunk is jolted about for a while, as when a person shifts on a chair or reaches for something."""

    start_s: float
    length_s: float
    peak_g: float
    frequency_hz: float = 3.4  # well above any cadence of walking


@dataclass(frozen=True, slots=True)
class Shakes:
    """Any number of shakes, one after the other; (K, 4) columns as in Shake, ordered by start."""

    table: Floats

    @classmethod
    def of(cls, shakes: list[Shake]) -> Self:
        """The table of these shakes; they must not overlap."""
        rows = [(shake.start_s, shake.length_s, shake.peak_g, shake.frequency_hz) for shake in shakes]
        return cls(np.array(rows or [(0.0, 1.0, 0.0, 1.0)]))

    def at_mps2(self, t_s: Floats) -> Floats:
        """Acceleration along the shake's direction at the times `t_s` (N,): zero outside, no jumps."""
        which = np.maximum(np.searchsorted(self.table[:, 0], t_s, side="right") - 1, 0)
        start, length, peak_g, frequency = self.table[which].T
        s = np.clip((t_s - start) / length, 0.0, 1.0)
        window = 1 - (2 * s - 1) ** 4  # flat in the middle, so that short ones shake enough too
        jolt: Floats = peak_g * STANDARD_GRAVITY_MPS2 * window * np.sin(2 * np.pi * frequency * s * length)
        return jolt


@dataclass(frozen=True)
class Figure:
    """Everything a wearer does in a story. Angles in radians; `walking` goes from 0 (no) to 1 (yes)."""

    pitch: Track
    roll: Track
    heading: Track
    walking: Track
    shakes: Shakes
    duration_s: float
    once_s: float  # this much of the story is played once; what follows is repeated

    @cached_property
    def seam(self) -> Track | None:
        """What is added to the pitch after each repeat, so that it goes on from where the story ended."""
        before, after = self.pitch.at(np.array([self.duration_s, self.once_s])).value
        return Track.of([Move(self.once_s, _SEAM_S, 0.0)], before - after) if before != after else None

    def story_s(self, t_s: Floats) -> Floats:
        """Where in the story the times `t_s` lie, once the story has been repeated often enough."""
        lap_s = self.duration_s - self.once_s
        return np.where(t_s < self.duration_s, t_s, self.once_s + np.mod(t_s - self.once_s, lap_s))


@dataclass(frozen=True, slots=True)
class Sway:
    """Breathing and slow sway that never stop: phases in radians, so that two wearers differ."""

    phases: tuple[float, float, float, float]

    def at(self, t_s: Floats) -> tuple[Jet, Jet]:
        """Small pitch and roll, in radians, at the times `t_s`: together within half a degree."""
        breath, slow, side, slower = self.phases
        pitch = wave(t_s, np.radians(0.22), 0.25, breath) + wave(t_s, np.radians(0.14), 0.043, slow)
        roll = wave(t_s, np.radians(0.15), 0.061, side) + wave(t_s, np.radians(0.08), 0.13, slower)
        return pitch, roll


@dataclass(frozen=True, slots=True)
class Pose:
    """The trunk's angles with derivatives at some times, and how strongly it walks."""

    pitch: Jet
    roll: Jet
    heading: Jet
    walking: Floats


def pose(figure: Figure, sway: Sway, t_s: Floats) -> Pose:
    """The trunk's angles at the times `t_s` (N,) after power-on."""
    story_s = figure.story_s(t_s)
    small_pitch, small_roll = sway.at(t_s)
    pitch, roll = figure.pitch.at(story_s) + small_pitch, figure.roll.at(story_s) + small_roll
    if figure.seam is not None:
        pitch += figure.seam.at(story_s).where(t_s >= figure.duration_s)
    heading, walking = figure.heading.at(story_s), figure.walking.at(story_s)
    if walking.value.any():  # most of a day at a desk is not
        pitch += walking * wave(t_s, np.radians(0.6), CADENCE_HZ, 0.8)
        roll += walking * wave(t_s, np.radians(1.5), CADENCE_HZ / 2, 0.3)
        heading += walking * wave(t_s, np.radians(2.5), CADENCE_HZ / 2, 1.9)
    return Pose(pitch, roll, heading, walking.value)


def angles_deg(at: Pose) -> tuple[Floats, Floats]:
    """Sagittal and lateral angle of the trunk against the vertical, in degrees (N,), (N,)."""
    pitch, roll = at.pitch.value, at.roll.value
    sagittal = np.arctan2(np.sin(pitch), np.cos(roll) * np.cos(pitch))
    return np.degrees(sagittal), np.degrees(roll)


def ideal_motion(figure: Figure, sway: Sway, t_s: Floats) -> tuple[Floats, Floats]:
    """What an ideal sensor feels in the trunk's frame: acceleration (N, 3) in m/s², rate (N, 3) in rad/s."""
    at = pose(figure, sway, t_s)
    sin_p, cos_p = np.sin(at.pitch.value), np.cos(at.pitch.value)
    sin_r, cos_r = np.sin(at.roll.value), np.cos(at.roll.value)
    d_p, d_r, d_h = at.pitch.rate, at.roll.rate, at.heading.rate
    # Rates of the turn heading-pitch-roll, in the trunk's own axes (Euler's kinematic equations).
    x = d_r - d_h * sin_p
    y = d_p * cos_r + d_h * cos_p * sin_r
    z = -d_p * sin_r + d_h * cos_p * cos_r
    dx = at.roll.change - at.heading.change * sin_p - d_h * d_p * cos_p
    dy = (
        at.pitch.change * cos_r
        - d_p * d_r * sin_r
        + at.heading.change * cos_p * sin_r
        - d_h * d_p * sin_p * sin_r
        + d_h * d_r * cos_p * cos_r
    )
    # The sensor sits on the z axis, so of its acceleration about the hips only these terms are left.
    turn = (dy + x * z, -dx + y * z, -(x * x + y * y))
    push = _push_mps2(figure, at.walking, t_s)
    up_x = cos_p * push[0] - sin_p * push[2]
    up_z = sin_p * push[0] + cos_p * push[2]
    felt = (up_x, cos_r * push[1] + sin_r * up_z, -sin_r * push[1] + cos_r * up_z)
    acc = np.stack([SENSOR_HEIGHT_M * t + f for t, f in zip(turn, felt, strict=True)], axis=1)
    return acc, np.stack([x, y, z], axis=1)


def _push_mps2(figure: Figure, walking: Floats, t_s: Floats) -> tuple[Floats, Floats, Floats]:
    """Gravity's reaction and the jolts of shaking and walking: forward, left, up for the upright wearer."""
    shake = figure.shakes.at_mps2(figure.story_s(t_s))
    forward, left, up = 0.35 * shake, 0.25 * shake, 0.9 * shake + STANDARD_GRAVITY_MPS2
    if walking.any():
        g = walking * STANDARD_GRAVITY_MPS2
        beat = 2 * np.pi * CADENCE_HZ * t_s
        up = up + g * (0.27 * np.sin(beat) + 0.12 * np.sin(2 * beat + 0.7) + 0.05 * np.sin(3 * beat + 1.9))
        forward = forward + g * (0.09 * np.sin(beat + 1.2) + 0.05 * np.sin(2 * beat + 2.0))
        left = left + g * 0.06 * np.sin(beat / 2)
    return forward, left, up
