"""The law of stages: any cut of the input gives the same output, bit for bit."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.posture.alerts import Alerts
from companion.posture.calibration import Calibration
from companion.posture.context import ContextStage
from companion.posture.episodes import Episodes
from companion.posture.gate import Gate
from companion.posture.mounting import Mounting
from companion.posture.pipeline import Parameters, Pipeline
from companion.posture.slip import SlipStage
from companion.posture.slouch import SlouchStage
from companion.posture.stage import ARRIVALS, MOTION, UPS, Columns, Stage
from companion.posture.tilt import Tilt
from companion.posture.timeline import Timeline
from companion.posture.windows import Windows

_spec = importlib.util.spec_from_file_location("posture_strategies", Path(__file__).with_name("strategies.py"))
assert _spec is not None
assert _spec.loader is not None
strategies = importlib.util.module_from_spec(_spec)
sys.modules["posture_strategies"] = strategies
_spec.loader.exec_module(strategies)

CALIBRATION = Calibration.from_axes([0.1, 0.2, 1.0], [1.0, 0.1, 0.0])
PIPELINE = Pipeline.of(
    Parameters(calibration=CALIBRATION, delay_ns=5_000_000_000, repeat_ns=10_000_000_000, per_hour=2)
)
ARRIVALS_OF_ANY = st.one_of(strategies.arrivals(), strategies.few_arrivals())
FROM_ARRIVALS = (Timeline, Gate, Mounting, Tilt, Windows)
FROM_ROWS = (ContextStage, SlipStage, SlouchStage, Episodes, Alerts)


def input_of(stage: Stage, arrivals: Columns) -> Columns | np.ndarray:
    """What this stage is given when the pipeline is given `arrivals`."""
    block = arrivals
    for before in PIPELINE.stages:
        if before is stage:
            return block
        block = before.step(before.start(), block)[1]
    raise AssertionError(stage)


def strategy_of(stage: Stage) -> st.SearchStrategy:
    """Every stage has one: a stage that is in neither list makes the collection fail."""
    if isinstance(stage, FROM_ARRIVALS):
        return ARRIVALS_OF_ANY.map(lambda block: input_of(stage, block))
    if stage is PIPELINE.alerts:  # its input must have passed the episodes
        return strategies.rows().map(lambda rows: PIPELINE.episodes.step(PIPELINE.episodes.start(), rows)[1])
    if isinstance(stage, SlipStage):  # it needs minutes of walking
        return strategies.worn_rows()
    assert isinstance(stage, FROM_ROWS), f"{type(stage).__name__} has no strategy"
    return strategies.rows()


def bits(block: Columns | np.ndarray) -> list[bytes]:
    """The values of columns or of a structured array, without the padding between them."""
    names = sorted(block.names if isinstance(block, Columns) else block.dtype.names)
    return [np.ascontiguousarray(block[name]).tobytes() for name in names]


def joined(parts: list) -> Columns | np.ndarray:
    return Columns.joined(parts) if isinstance(parts[0], Columns) else np.concatenate(parts)


def in_pieces(stage: Stage, block: Columns | np.ndarray, places: list[int]) -> Columns | np.ndarray:
    state, made = stage.start(), []
    for first, end in zip([0, *places], [*places, len(block)], strict=True):
        state, part = stage.step(state, block[first:end])
        made.append(part)
    return joined(made)


@pytest.mark.parametrize(
    ("stage", "strategy"),
    [pytest.param(stage, strategy_of(stage), id=type(stage).__name__) for stage in PIPELINE.stages],
)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_cut_gives_the_same_bits(stage, strategy, data):
    block = data.draw(strategy)
    given_bits = bits(block)
    whole = stage.step(stage.start(), block)[1]
    cut = in_pieces(stage, block, data.draw(strategies.cuts(len(block))))
    assert bits(cut) == bits(whole)
    assert bits(block) == given_bits, "a stage must not change its input"


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_cut_of_the_whole_pipeline_gives_the_same_rows(data):
    arrivals = data.draw(st.one_of(strategies.arrivals(packets=80), strategies.few_arrivals(packets=80)))
    whole = PIPELINE.step(PIPELINE.start(), arrivals)[3]
    state, made = PIPELINE.start(), []
    places = data.draw(strategies.cuts(len(arrivals)))
    for first, end in zip([0, *places], [*places, len(arrivals)], strict=True):
        state, _, _, rows = PIPELINE.step(state, arrivals[first:end])
        made.append(rows)
    assert bits(np.concatenate(made)) == bits(whole)


@given(ARRIVALS_OF_ANY)
@settings(max_examples=30, deadline=None)
def test_columns_are_of_their_kind_and_contiguous(arrivals):
    block = arrivals
    for stage, kind in zip(PIPELINE.stages[:4], (MOTION, MOTION, MOTION, UPS), strict=True):
        block = stage.step(stage.start(), block)[1]
        assert {name: (column.dtype, column.shape[1:]) for name in block.names for column in [block[name]]} == {
            name: (kind[name].base, kind[name].shape) for name in kind.names
        }, type(stage).__name__
        assert all(block[name].flags.c_contiguous and len(block[name]) == len(block) for name in block.names)


def test_what_a_stage_does_not_change_is_handed_on_without_a_copy():
    block = Columns.zeros(50, ARRIVALS)
    block["index"][:] = block["number"][:] = np.arange(50)
    block["t_host_ns"][:], block["period_ns"][:] = np.arange(50) * 20_000_000, 20_000_000
    block["acc_mps2"][:, 2] = 9.81
    for stage in (PIPELINE.timeline, PIPELINE.gate, Mounting(None)):
        made = stage.step(stage.start(), block)[1]
        kept = ("period_ns", "number", "beat", "acc_mps2", "gyr_radps")
        assert all(np.shares_memory(made[name], block[name]) for name in kept), type(stage).__name__
        block = made
    assert np.shares_memory(PIPELINE.tilt.step(PIPELINE.tilt.start(), block)[1]["t_session_ns"], block["t_session_ns"])


@given(ARRIVALS_OF_ANY)
@settings(max_examples=60, deadline=None)
def test_nothing_implausible_reaches_the_filter_and_time_only_grows(arrivals):
    passed = input_of(PIPELINE.mounting, arrivals)
    samples = passed[passed["beat"] == 0]
    assert np.isfinite(samples["acc_mps2"]).all()
    assert (np.linalg.norm(samples["acc_mps2"], axis=1) <= 16 * 9.80665 + 1e-9).all()
    assert (np.diff(samples["t_session_ns"]) > 0).all()
    rows = PIPELINE.step(PIPELINE.start(), arrivals)[3]
    assert (np.diff(rows["t_session_ns"]) == 200_000_000).all()
    assert len(rows) == 0 or rows["t_session_ns"][0] == 200_000_000
