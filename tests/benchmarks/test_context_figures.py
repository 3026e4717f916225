"""The figures of the contexts that must be reached on the labelled recordings, for every person."""

from collections.abc import Callable
from types import ModuleType

import pytest

Script = Callable[[str], ModuleType]


@pytest.mark.parametrize("gain", [1.0, 1.3])
def test_computer_work_is_judged_and_walking_is_not(script: Script, gain: float) -> None:
    context = script("context")
    found = context.worst_and_mean(context.chest(gain))
    assert found["least computer judged %"] >= 90
    assert found["most walking judged %"] <= 5
    assert found["gate, worst"] >= 0.90
    assert found["gate, mean"] >= 0.95


def test_the_gate_is_better_than_the_spread_alone_for_nearly_everybody(script: Script) -> None:
    context = script("context")
    people = context.chest()
    for recording in people:
        figures = context.figures(recording, people)
        assert figures["gate"] > figures["SD 0.05 g"] - 0.01
        assert figures["gate"] > figures["SD best of others"] - 0.02


def test_no_threshold_is_at_an_edge(script: Script) -> None:
    rows = script("context").sensitivity_table().rows
    assert len(rows) == 13
    for figures in rows.values():
        assert figures["least computer judged %"] >= 85
        assert figures["most walking judged %"] <= 5
        assert figures["gate, worst"] >= 0.88


def test_short_walks_are_found(script: Script) -> None:
    for figures in script("context").walks_table().rows.values():
        assert figures["walking found %"] >= 60
        assert figures["gate"] >= 0.58


def test_lying_is_found_between_irregular_samples(script: Script) -> None:
    rows = script("context").lying_table().rows
    many = next(figures for name, figures in rows.items() if name.startswith("at least 1000"))
    assert many["lying found %"] >= 85
    assert many["worst %"] >= 45


def test_no_wearer_ever_seems_not_worn_however_the_sensor_points(script: Script) -> None:
    context = script("context")
    stage = context.ContextStage()
    for recording in (*context.chest(), *context.lower_back()):
        for axes in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):  # each axis of the sensor once taken for the baseline
            rows = recording.rows.copy()
            rows["up"] = recording.rows["up"][:, axes]
            told = stage.step(stage.start(), rows)[1]["context"]
            assert (told != context.Context.NOT_WORN).all()
