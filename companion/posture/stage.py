"""What a stage of the pipeline is, and the arrays that travel between stages.

One implementation serves live sessions, replay and batch: parameters live in the stage object, state travels through
the call. Knows: numpy. Must never know: bytes, devices, clocks, files, screens.

The clock travels in the same arrays as the samples. An element whose `beat` is not SAMPLE carries no motion: it says
"nothing later than `t` can be missing any more", so that silence makes rows too, at one place and in one order.

Samples travel as columns, rows as one structured array: see `Columns`.
"""

from collections.abc import Sequence
from enum import IntEnum, IntFlag
from functools import cache
from itertools import pairwise
from typing import Any, Protocol, TypeAlias, TypeVar, overload

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]


class Beat(IntEnum):
    """What an element of ARRIVALS, MOTION or UPS is."""

    SAMPLE = 0
    TICK = 1  # the host's clock moved on
    END = 2  # the session ends here


class Joint(IntFlag):
    """How a sample of MOTION joins the one before it."""

    RESTART = 1  # it does not: filters start anew
    FILLED = 2  # it was interpolated over a short gap
    CLIPPED = 4  # the sensor was at the end of its range
    FROZEN = 8  # values before it were left out because they repeated themselves
    TIMED = 16  # with RESTART: how long the hole was is known


class Columns:
    """Elements of ARRIVALS, MOTION or UPS: one contiguous array per field, all of one length N.

    `block["t_session_ns"]` is (N,), `block["acc_mps2"]` (N, 3). A stage hands on the columns that it does not change
    as they are, without a copy, so nobody writes to a column that was handed on. A slice of a block is a view.
    """

    __slots__ = ("_columns", "_count")

    def __init__(self, columns: dict[str, Array]) -> None:
        """Take these arrays, which have one length, as they are."""
        self._columns = columns
        self._count = len(next(iter(columns.values())))

    @classmethod
    def zeros(cls, count: int, kind: np.dtype[Any]) -> "Columns":
        """So many elements of this kind, all zero."""
        return cls({name: np.zeros((count, *shape), base) for name, base, shape in _fields(kind)})

    @classmethod
    def joined(cls, parts: "Sequence[Columns]") -> "Columns":
        """One after the other; at least one."""
        if len(parts) == 1:
            return parts[0]
        return cls({name: np.concatenate([part[name] for part in parts]) for name in parts[0].names})

    @property
    def names(self) -> tuple[str, ...]:
        """Of the fields."""
        return tuple(self._columns)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, key: str) -> Array: ...

    @overload
    def __getitem__(self, key: slice | Array) -> "Columns": ...

    def __getitem__(self, key: str | slice | Array) -> "Array | Columns":
        """A field's array; or the elements of a slice (views), of places or of a mask (copies)."""
        if isinstance(key, str):
            return self._columns[key]
        if isinstance(key, slice):
            return Columns({name: column[key] for name, column in self._columns.items()})
        places = np.flatnonzero(key) if key.dtype == np.bool_ else key
        return Columns({name: column.take(places, axis=0) for name, column in self._columns.items()})

    def changed(self, **columns: Array) -> "Columns":
        """The same elements with other arrays in these fields."""
        return Columns(self._columns | columns)


@cache
def _fields(kind: np.dtype[Any]) -> tuple[tuple[str, np.dtype[Any], tuple[int, ...]], ...]:
    return tuple((name, kind[name].base, kind[name].shape) for name in kind.names or ())


ARRIVALS = np.dtype(
    [
        ("t_host_ns", "<i8"),  # since the session's first frame
        ("t_device_ns", "<i8"),  # -1: no clock
        ("index", "<i8"),  # -1: no counter
        ("period_ns", "<i8"),  # nominal
        ("segment", "<i8"),
        ("behind", "<i8"),  # samples after this one in the same packet
        ("number", "<i8"),  # of the sample in its session; -1: a tick
        ("beat", "u1"),
        ("clipped", "?"),
        ("acc_mps2", "<f8", (3,)),
        ("gyr_radps", "<f8", (3,)),
    ],
    align=True,
)
"""What goes into the timeline: samples as they came, with the host's ticks among them."""

MOTION = np.dtype(
    [
        ("t_session_ns", "<i8"),
        ("period_ns", "<i8"),
        ("number", "<i8"),  # of the sample in its session; -1: a tick or filled
        ("beat", "u1"),
        ("joint", "u1"),
        ("acc_mps2", "<f8", (3,)),
        ("gyr_radps", "<f8", (3,)),
    ],
    align=True,
)
"""Samples on the session's clock, in order. Out of the gate: finite, plausible, evenly spaced but for restarts."""

UPS = np.dtype(
    [
        ("t_session_ns", "<i8"),
        ("period_ns", "<i8"),
        ("number", "<i8"),  # of the sample in its session; -1: a tick or filled
        ("beat", "u1"),
        ("joint", "u1"),
        ("settled", "?"),  # the filter has had time since its last start
        ("gyro", "?"),  # a gyroscope took part
        ("up", "<f8", (3,)),  # the up direction in the calibrated frame
        ("sigma_deg", "<f8"),  # one standard deviation of its error about a horizontal axis, from holes and bias
        ("acc_norm_g", "<f8"),
    ],
    align=True,
)
"""Where up is at each sample."""

ROWS = np.dtype(
    [
        ("t_session_ns", "<i8"),
        ("silent_ns", "<i8"),  # since the newest sample
        ("up", "<f8", (3,)),  # mean of the up vector over the last second; NaN: too few samples
        ("rest_up", "<f8", (3,)),  # the same over 4 s, settled or not; the shorter the less steady; NaN: too few
        ("acc_sd_g", "<f8"),  # standard deviation of |a| over 2 s, its mean being 1 g; NaN: too few samples
        ("newest_sd_g", "<f8"),  # the same over the last second
        ("stride_share", "<f8"),  # share of the variance of |a| over 2 s that lies at walking cadence
        ("stride_sd_g", "<f8"),  # its standard deviation at walking cadence over 2 s
        ("sigma_deg", "<f8"),  # of the filter over the last second: one standard deviation about one axis
        ("velocity_dps", "<f8"),  # how fast the up direction turns, low-passed at 5 Hz; NaN: no gyroscope
        ("rate_hz", "<f8"),  # nominal rate of the samples in force; NaN before the first
        ("reach_ns", "<i8"),  # age of the oldest sample that the row rests on where they are few; 0: they are many
        ("settled", "?"),
        ("gyro", "?"),
        ("clipped", "?"),
        ("frozen", "?"),
        ("implausible", "?"),  # the mean of |a| over the last second is none that gravity gives
        ("context", "u1"),
        ("state", "u1"),
        ("sagittal_deg", "<f8"),
        ("lateral_deg", "<f8"),
        ("inclination_deg", "<f8"),  # sagittal, relative to gravity
        ("slouch_pct", "<f8"),
        ("deviation_deg", "<f8"),  # the number judged
        ("uncertainty_deg", "<f8"),
        ("suspicion", "u1"),  # Suspicion: has the sensor slipped
        ("slip_deg", "<f8"),  # how far, where it is suspected; NaN: not
        ("slip_step", "u1"),  # SlipStep; only where it is not NONE the following ones say anything
        ("slip_off_deg", "<f8"),
        ("slip_forward_deg", "<f8"),
        ("slip_right_deg", "<f8"),
        ("slip_from_ns", "<i8"),
        ("slip_to_ns", "<i8"),
        ("slip_at_ns", "<i8"),  # -1: no instant is known
        ("episode", "<i8"),  # number of the slouch under way or ended here; 0: none
        ("episode_step", "u1"),  # EpisodeStep
        ("ended_by", "u1"),  # EndedBy
        (
            "forward_ns",
            "<i8",
        ),  # since the slouch started; on the row that ends it: to its last forward moment
        ("peak_deg", "<f8"),
        ("mean_deg", "<f8"),
        ("alert_step", "u1"),  # AlertStep
        ("alerts", "<i8"),  # alerts of this slouch so far, or withheld ones in a digest
        (
            "alert_ns",
            "<i8",
        ),  # from the first alert to the slouch's end, or from the first one withheld to the digest
        ("snoozed", "?"),
        ("snooze_ended", "?"),
    ],
    align=True,
)
"""One element each 0.2 s of session time; every later stage fills in its part."""


def copied(rows: Array) -> Array:
    """A copy of contiguous ROWS that may be written to; numpy's own goes field by field and takes 15 times as long."""
    return np.asarray(rows.view(np.uint8).copy().view(rows.dtype))


def joined_rows(parts: Sequence[Array]) -> Array:
    """One after the other; at least one. Like `copied`, as bytes."""
    if len(parts) == 1:
        return parts[0]
    return np.asarray(np.concatenate([part.view(np.uint8) for part in parts]).view(parts[0].dtype))


S = TypeVar("S")


class Stage(Protocol[S]):
    """One step of the pipeline.

    Law: `step(s, a ++ b)` equals `step(s, a)` then `step(s', b)`, outputs joined, bit for bit.
    """

    def start(self) -> S:
        """The state before the first element."""
        ...

    def step(self, state: S, block: Any) -> tuple[S, Any]:
        """The state after `block` (Columns, or ROWS), and what `block` completed. Neither argument is changed."""
        ...


def runs(keys: Array) -> list[tuple[int, int]]:
    """Bounds (first, end) of the runs of equal values in a one-dimensional array."""
    if len(keys) == 0:
        return []
    cuts = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    edges = [0, *cuts.tolist(), len(keys)]
    return list(pairwise(edges))
