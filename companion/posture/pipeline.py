"""The stages in their order, as one: the only place where the pipeline is composed.

Knows: the stages. Must never know: bytes, devices, clocks, files, screens.
"""

from dataclasses import dataclass, replace
from typing import Any

from companion.posture.alerts import Alerts, AlertsState
from companion.posture.calibration import Calibration
from companion.posture.context import ContextStage, ContextState, forget_baseline
from companion.posture.episodes import Episodes, EpisodesState
from companion.posture.few import Patience
from companion.posture.gate import Gate
from companion.posture.mounting import Mounting
from companion.posture.slip import LIMIT_DEG as SLIP_LIMIT_DEG
from companion.posture.slip import SlipStage, SlipState
from companion.posture.slouch import SITTING_RANGE_DEG, SlouchStage
from companion.posture.stage import Array, Columns, Stage
from companion.posture.tilt import Tilt, TiltState
from companion.posture.timeline import Timeline
from companion.posture.windows import Windows, WindowsState, forget_directions

_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Parameters:
    """Everything the pipeline depends on besides its input."""

    calibration: Calibration | None = None
    longest_interval_s: float = 1.0  # normal silence of the device between two packets
    still_sd_g: float = 0.05
    limit_deg: float = 12.0
    range_deg: float = SITTING_RANGE_DEG
    delay_ns: int = 30 * _S
    repeat_ns: int = 120 * _S
    per_hour: int = 6
    coach: bool = True
    slip_limit_deg: float = SLIP_LIMIT_DEG

    @property
    def no_data_ns(self) -> int:
        """Silence from which there is no data."""
        return max(5 * _S, round(3 * self.longest_interval_s * _S))

    @property
    def fault_ns(self) -> int:
        """Silence from which that is a fault."""
        return max(30 * _S, round(10 * self.longest_interval_s * _S))

    @property
    def hold_ns(self) -> int:
        """Silence through which rows of few samples go on saying what the newest says: what is normal, and a bit."""
        return round(1.25 * max(self.longest_interval_s, 1.0) * _S)

    @property
    def grace_ns(self) -> int:
        """So long may a packet be on its way."""
        return max(_S, round(2 * self.longest_interval_s * _S))


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The stages with their parameters: up to `tilt` they work on samples, from `context` on rows."""

    timeline: Timeline
    gate: Gate
    mounting: Mounting
    tilt: Tilt
    windows: Windows
    context: ContextStage
    slip: SlipStage
    slouch: SlouchStage
    episodes: Episodes
    alerts: Alerts

    @classmethod
    def of(cls, parameters: Parameters) -> "Pipeline":
        """The pipeline that these parameters make."""
        p = parameters
        return cls(
            timeline=Timeline(grace_ns=p.grace_ns, no_data_ns=p.no_data_ns),
            gate=Gate(),
            mounting=Mounting(p.calibration),
            tilt=Tilt(),
            windows=Windows(Patience(p.hold_ns, p.no_data_ns)),
            context=ContextStage(p.still_sd_g, p.no_data_ns, calibrated=p.calibration is not None),
            slip=SlipStage(p.calibration, p.slip_limit_deg),
            slouch=SlouchStage(p.calibration, range_deg=p.range_deg),
            episodes=Episodes(limit_deg=p.limit_deg),
            alerts=Alerts(p.delay_ns, p.repeat_ns, p.per_hour, p.coach),
        )

    @property
    def stages(self) -> tuple[Stage[Any], ...]:
        """In order."""
        return (
            self.timeline,
            self.gate,
            self.mounting,
            self.tilt,
            self.windows,
            self.context,
            self.slip,
            self.slouch,
            self.episodes,
            self.alerts,
        )

    def start(self) -> "PipelineState":
        """Every stage's first state."""
        return PipelineState(tuple(stage.start() for stage in self.stages))

    def step(self, state: "PipelineState", arrivals: Columns) -> tuple["PipelineState", Columns, Columns, Array]:
        """The new state, the samples that passed the gate, where up is at each, and the rows completed."""
        block: Any = arrivals
        states, passed, ups = [], arrivals, arrivals
        for stage, before in zip(self.stages, state.stages, strict=True):
            after, block = stage.step(before, block)
            states.append(after)
            if stage is self.gate:
                passed = block
            elif stage is self.tilt:
                ups = block
            elif stage is self.windows and len(block) == 0:  # most packets complete no row
                states += state.stages[len(states) :]
                break
        return PipelineState(tuple(states)), passed, ups, block


@dataclass(frozen=True, slots=True)
class PipelineState:
    """The states of the stages, in order."""

    stages: tuple[Any, ...]

    @property
    def episodes(self) -> EpisodesState:
        """Of the slouch under way."""
        found: EpisodesState = self._of(EpisodesState)
        return found

    @property
    def slip(self) -> SlipState:
        """Of how the sensor sits."""
        found: SlipState = self._of(SlipState)
        return found

    @property
    def alerts(self) -> AlertsState:
        """Of what was said."""
        found: AlertsState = self._of(AlertsState)
        return found

    def turned(self) -> "PipelineState":
        """The same for a new calibration: what is in the old frame is forgotten, the filter starts anew."""
        kept = self._with(TiltState())._with(SlipState())._with(forget_baseline(self._of(ContextState)))
        return kept.with_windows(forget_directions(self._of(WindowsState)))

    def with_windows(self, windows: WindowsState) -> "PipelineState":
        """The same with other sums."""
        return self._with(windows)

    def with_alerts(self, alerts: AlertsState) -> "PipelineState":
        """The same with other memory of what was said."""
        return self._with(alerts)

    def _of(self, kind: type[Any]) -> Any:
        return next(state for state in self.stages if isinstance(state, kind))

    def _with(self, new: Any) -> "PipelineState":
        return replace(self, stages=tuple(new if type(state) is type(new) else state for state in self.stages))
