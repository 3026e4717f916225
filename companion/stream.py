"""Rows, events and sums of one session, out of samples and ticks: the pipeline in use.

Both ways in end here: a session's frames (`session.py`) and plain arrays (`analysis.py`). Pure. Knows: the pipeline,
settings. Must never know: frames, bytes, files.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from companion.posture.alerts import snoozed
from companion.posture.calibration import Calibration
from companion.posture.events import Event
from companion.posture.pipeline import Parameters, Pipeline
from companion.posture.rows import POSTURE, ROW_NS, RowFlag
from companion.posture.slouch import kind_of, scale_of
from companion.posture.stage import ROWS, Array, Columns
from companion.posture.summary import Tally
from companion.posture.telling import TellingState, excused, last_word, tell
from companion.settings import Settings
from firmware_protocol.drivers import Battery, Malformed
from firmware_protocol.samples import SAMPLES

_S = 1_000_000_000

_TAKEN_OVER = tuple(name for name in POSTURE.names or () if name != "flags")
"""What a row of POSTURE takes from ROWS as it is."""

_SNOOZED = np.uint32(RowFlag.SNOOZED)
_FLAGS = (
    ("clipped", np.uint32(RowFlag.CLIPPED)),
    ("frozen", np.uint32(RowFlag.FROZEN)),
    ("suspicion", np.uint32(RowFlag.SUSPECT)),
    ("episode", np.uint32(RowFlag.IN_EPISODE)),
)
"""The flags that it has where these are not zero."""


def parameters_of(settings: Settings, calibration: Calibration | None, longest_interval_s: float = 1.0) -> Parameters:
    """What the pipeline needs to know of settings, calibration and sensor."""
    scale = scale_of(calibration, kind_of(calibration, settings.profile, settings.kind), settings.slouch.limit_deg)
    return Parameters(
        calibration=calibration,
        longest_interval_s=longest_interval_s,
        still_sd_g=settings.still.sd_g,
        limit_deg=scale.limit_deg,
        range_deg=scale.range_deg,
        delay_ns=round(settings.alert.delay * _S),
        repeat_ns=round(settings.alert.repeat * _S),
        per_hour=settings.alert.per_hour,
        coach=settings.mode == "coach",
        slip_limit_deg=settings.slip.limit_deg,
    )


ANGLES = np.dtype(
    [
        ("t_session_ns", "<i8"),
        ("acc_mps2", "<f8", (3,)),
        ("gyr_radps", "<f8", (3,)),
        ("up", "<f8", (3,)),
        ("settled", "?"),
        ("sagittal_deg", "<f8"),
        ("lateral_deg", "<f8"),
    ],
    align=True,
)
"""Each sample as the filter took it and up at it, in the sensor's frame, with its angles from the baseline."""


@dataclass(frozen=True)
class Report:
    """What some frames completed."""

    posture: Array  # POSTURE
    events: tuple[Event, ...]
    sample_blocks: tuple[Array, ...] = ()  # SAMPLES decoded from these frames, in parts
    batteries: tuple[Battery, ...] = ()
    malformed: tuple[Malformed, ...] = ()
    angles: Array = field(default_factory=lambda: np.empty(0, dtype=ANGLES))  # where asked for
    summary: dict[str, Any] | None = None  # in the last report only
    places: tuple[int, ...] = ()  # for each event, how many of `posture` come before it
    loss_pct: float | None = None  # of the session so far
    rate_hz: float | None = None  # as measured so far

    @cached_property
    def samples(self) -> Array:
        """SAMPLES decoded from these frames; joined when first asked for, which for a night takes its time."""
        return _joined(list(self.sample_blocks), SAMPLES)

    def in_order(self) -> Iterator[tuple[str, Any]]:
        """("posture", rows) and ("event", event) in the order of the session, the same however it was cut."""
        done = 0
        for place, event in zip(self.places, self.events, strict=True):
            if place > done:
                yield "posture", self.posture[done:place]
                done = place
            yield "event", event
        if done < len(self.posture):
            yield "posture", self.posture[done:]


class Stream:
    """The pipeline with its state, and what it has made since the last `take`."""

    def __init__(self, parameters: Parameters, *, keep_angles: bool = False, keep_exposed: bool = False) -> None:
        self._parameters = parameters
        self._pipeline = Pipeline.of(parameters)
        self._state = self._pipeline.start()
        self._telling = TellingState()
        self._rows = 0
        self._keep_angles = keep_angles
        self._made = _Made()
        self.tally = Tally(keep_exposed=keep_exposed)
        self.cause = "not connected yet"
        """Why data would be missing now."""

    @property
    def t_session_ns(self) -> int:
        """Session time of the newest row."""
        return self._rows * ROW_NS

    @property
    def learned(self) -> Calibration | None:
        """The calibration in force with how its wearer walks, where this was found here; None: nothing new."""
        return self._state.slip.learned(self._parameters.calibration)

    def use(self, parameters: Parameters) -> None:
        """Go on with other parameters; a new calibration makes the filter start anew."""
        if parameters.calibration != self._parameters.calibration:
            self._state = self._state.turned()
        self._parameters, self._pipeline = parameters, Pipeline.of(parameters)

    def excuse(self, silent_ns: int) -> None:
        """This computer slept through a silence of `silent_ns`: that much of it is no fault."""
        self._telling = excused(self._telling, silent_ns)

    def snooze(self, until_ns: int) -> None:
        """No cues before `until_ns` of session time."""
        self._state = self._state.with_alerts(snoozed(self._state.alerts, until_ns))

    def step(self, arrivals: Columns) -> None:
        """Take ARRIVALS."""
        if len(arrivals) == 0:
            return
        self._state, passed, ups, rows = self._pipeline.step(self._state, arrivals)
        if self._keep_angles:
            self._made.angles.append(_angles(passed, ups, self._parameters.calibration))
        if len(rows) == 0:
            return
        self._telling, told = tell(self._telling, rows, self.cause, self._parameters.fault_ns)
        self.tally.add_rows(rows)
        self._rows += len(rows)
        self._made.add(rows, told)
        for _, event in told:
            self.tally.add_event(event)

    def tell(self, event: Event) -> None:
        """Something happened right after the newest row."""
        self._made.add(np.empty(0, dtype=ROWS), [(-1, event)])
        self.tally.add_event(event)

    def finish(self) -> None:
        """The session ends here: what was still open is closed."""
        state = self._state
        for event in last_word(state.episodes, state.alerts.alerts, self.t_session_ns):
            self.tell(event)

    def decoded(self, samples: Array, batteries: tuple[Battery, ...], malformed: tuple[Malformed, ...]) -> None:
        """Keep for the next report what packets held."""
        self._made.samples.append(samples)
        self._made.batteries += batteries
        self._made.malformed += malformed

    def take(self, **said: Any) -> Report:
        """What was made since the last time, and what else is `said` in the report."""
        made, self._made = self._made, _Made()
        return Report(
            posture=_joined(made.posture, POSTURE),
            events=tuple(made.events),
            sample_blocks=tuple(made.samples),
            batteries=made.batteries,
            malformed=made.malformed,
            angles=_joined(made.angles, ANGLES),
            places=tuple(made.places),
            **said,
        )


@dataclass(slots=True)
class _Made:
    """What was made since the last report."""

    posture: list[Array] = field(default_factory=list)
    row_count: int = 0
    events: list[Event] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    samples: list[Array] = field(default_factory=list)
    angles: list[Array] = field(default_factory=list)
    batteries: tuple[Battery, ...] = ()
    malformed: tuple[Malformed, ...] = ()

    def add(self, rows: Array, told: list[tuple[int, Event]]) -> None:
        """Rows, and events each of which comes right after the row of its place (-1: before any of them)."""
        for place, event in told:
            self.events.append(event)
            self.places.append(self.row_count + place + 1)
        self.posture.append(_posture(rows))
        self.row_count += len(rows)


def _joined(parts: list[Array], dtype: np.dtype[Any]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, dtype=dtype), *parts])


def _posture(rows: Array) -> Array:
    made = np.zeros(len(rows), dtype=POSTURE)
    if len(rows) == 0:
        return made
    for name in _TAKEN_OVER:
        made[name] = rows[name]
    flags = rows["snoozed"] * _SNOOZED
    for name, flag in _FLAGS:
        flags |= rows[name].astype(np.bool_) * flag
    made["flags"] = flags
    return made


def _angles(passed: Columns, ups: Columns, calibration: Calibration | None) -> Array:
    real = passed["number"] >= 0
    made = np.zeros(int(real.sum()), dtype=ANGLES)
    for name in ("t_session_ns", "acc_mps2", "gyr_radps"):
        made[name] = passed[name][real]
    made["settled"] = ups["settled"][real]
    up = ups["up"][real]
    if calibration is None:
        made["up"], made["sagittal_deg"], made["lateral_deg"] = up, np.nan, np.nan
        return made
    x, y, z = up.T
    made["up"] = up @ calibration.rotation
    made["sagittal_deg"] = np.degrees(np.arctan2(-x, z))
    made["lateral_deg"] = np.degrees(np.arctan2(y, z))
    return made
