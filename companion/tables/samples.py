"""Every sample that a recording holds, with its time in the session and its angles: the table `samples`.

The pipeline leaves out what cannot be true or came too late for its place. The recording holds it all the same, so it
stands here too, with a time between its neighbours' and no angles. Pure. Knows: SAMPLES, and what the session said of
those it took. Must never know: how angles are computed, text.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_VALUES = ("acc_mps2", "gyr_radps")
_FURTHEST_NS = 1 << 60  # from a known time; only forged numbers and clocks lead further


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleTable:
    """Samples in the order in which they were taken: all (N,), times in ns of session time, angles in degrees."""

    samples: Array  # SAMPLES
    t_session_ns: npt.NDArray[np.int64]
    sagittal_deg: npt.NDArray[np.float64]  # NaN: unknown
    lateral_deg: npt.NDArray[np.float64]

    @classmethod
    def of(cls, samples: Array, angles: Array, t0_host_ns: int) -> Self:
        """SAMPLES (N,) of a recording and ANGLES (M,) of those that its session took; M <= N, in the same order.

        `t0_host_ns` is the host's time at t = 0.
        """
        if len(samples) == len(angles):
            return cls(
                samples=samples,
                t_session_ns=angles["t_session_ns"],
                sagittal_deg=angles["sagittal_deg"],
                lateral_deg=angles["lateral_deg"],
            )
        places = _places(samples, angles)
        taken = angles[: len(places)]
        times_ns = _times(samples, places, taken["t_session_ns"], t0_host_ns)
        order = np.argsort(times_ns, kind="stable")
        return cls(
            samples=samples[order],
            t_session_ns=times_ns[order],
            sagittal_deg=_spread(taken["sagittal_deg"], places, len(samples))[order],
            lateral_deg=_spread(taken["lateral_deg"], places, len(samples))[order],
        )


def _places(samples: Array, angles: Array) -> Array:
    """For each of the angles the place of its sample: the same bits, and the first that is left of these."""
    rows, wanted = _bits(samples), _bits(angles)
    found, place = list[int](), 0
    for bits in wanted:
        while place < len(rows) and rows[place] != bits:
            place += 1
        if place == len(rows):
            break
        found.append(place)
        place += 1
    return np.array(found, dtype=np.int64)


def _bits(values: Array) -> list[bytes]:
    """What a sample measured, as bytes: NaN is equal to itself there."""
    joined = np.ascontiguousarray(np.concatenate([values[name] for name in _VALUES], axis=1))
    width = joined.dtype.itemsize * joined.shape[1]
    data = joined.tobytes()
    return [data[at : at + width] for at in range(0, len(data), width)]


def _spread(values: Array, places: Array, count: int) -> Array:
    made = np.full(count, np.nan)
    made[places] = values
    return made


def _times(samples: Array, places: Array, taken_ns: Array, t0_host_ns: int) -> Array:
    """The session's times where it has them; between and beyond them, by the segment's own number or clock."""
    times_ns: Array = samples["t_host_ns"] - t0_host_ns
    is_taken = np.zeros(len(samples), dtype=np.bool_)
    is_taken[places] = True
    times_ns[places] = taken_ns
    for segment in np.unique(samples["segment"][~is_taken]).tolist():
        here = samples["segment"] == segment
        known, unknown = np.flatnonzero(here & is_taken), np.flatnonzero(here & ~is_taken)
        if len(known) >= 2:
            marks = _marks(samples, here)
            times_ns[unknown] = _between(marks[unknown], marks[known], times_ns[known])
    return times_ns


def _marks(samples: Array, here: Array) -> Array:
    """What tells the order within a segment: the sample's number, else the sensor's clock, else the order of arrival
    (not its time, which the samples of a packet share).
    """
    for name in ("index", "t_device_ns"):
        if (samples[name][here] >= 0).all():
            return np.asarray(samples[name])
    return np.arange(len(samples))


def _between(wanted: Array, marks: Array, times_ns: Array) -> Array:
    """Times at `wanted`, on straight lines through known ones and on beyond the first and the last, to the nearest ns.

    Offsets, not instants, go through floating point: it is exact to the nanosecond for 100 days.
    """
    after = np.clip(np.searchsorted(marks, wanted), 1, len(marks) - 1)
    first, second = marks[after - 1], marks[after]
    share = (wanted - first) / np.maximum(second - first, 1)
    spans_ns = np.clip((times_ns[after] - times_ns[after - 1]) * share, -_FURTHEST_NS, _FURTHEST_NS)
    return np.asarray(times_ns[after - 1] + np.rint(spans_ns).astype(np.int64))
