"""The short form of `benchmarks/durability.py`: every part of it, on real files and the real commands.

What takes longest (whole monitors that are killed, a disk that fills up) is marked slow.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
RUNS = 60
HOSTILE = (
    "session_id, a path",
    "device, escapes",
    "an endless view in place of the frames",
    "a -wal far away",
    "a -journal of a stranger",
)

Script = Callable[[str], ModuleType]


@pytest.fixture(scope="module")
def script() -> Iterator[Script]:
    """Imports a script by its name, as running it would: its own folder comes first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        before = set(sys.modules)
        yield importlib.import_module
        for name in set(sys.modules) - before:
            if (BENCHMARKS / f"{name}.py").exists():
                del sys.modules[name]


def samples(damage: ModuleType, directory: Path) -> list[object]:
    """Files that need no command to make: the samples, and one with many sources."""
    made = sorted((damage.ROOT / "recordings").glob("*.posture"))
    return [damage.Original.of(path) for path in [*made, damage.many_sources(directory / "sources.posture", 30)]]


def test_flipped_bytes_are_never_silent(script: Script, tmp_path: Path) -> None:
    damage = script("durability_damage")
    done = damage.flips(tmp_path, samples(damage, tmp_path), RUNS, command_every=RUNS + 1)
    assert len(done) == RUNS
    assert [loss for loss in done if loss.silent or loss.changed or loss.troubles] == []
    assert [loss for loss in done if loss.refused and not loss.header] == []
    assert max(max(loss.lost_s, loss.told_s) for loss in done) <= 10.0
    assert sum(loss.lost for loss in done) > RUNS // 2  # they were hit


@pytest.mark.slow
def test_cut_files_give_what_stood_before_the_cut(script: Script, tmp_path: Path) -> None:
    damage = script("durability_damage")
    done = damage.cuts(tmp_path, samples(damage, tmp_path), RUNS, command_every=RUNS + 1)
    assert [loss for loss in done if loss.silent or loss.changed or loss.troubles] == []
    assert [loss for loss in done if loss.refused and loss.stood] == []
    assert min(loss.share for loss in done) >= 0.95
    assert sum(loss.stood for loss in done) > 100 * RUNS


def test_a_loss_that_is_not_named_would_be_counted(script: Script, tmp_path: Path) -> None:
    """The harness itself: without the damage, and with frames exchanged, it complains."""
    damage = script("durability_damage")
    (original, *_) = samples(damage, tmp_path)
    loss = damage.Loss("a", "here")
    there = damage._places([*original.frames[:50], *original.frames[60:]], original.frames, loss)
    damage._name(loss, original.frames, there, [])
    assert (loss.lost, loss.unnamed, loss.wrong, loss.silent) == (10, 10, 0, True)
    loss = damage.Loss("a", "here")
    damage._places([original.frames[3], original.frames[2]], original.frames, loss)
    assert (loss.wrong, loss.silent) == (1, True)


def test_damaged_files_through_the_commands(script: Script, tmp_path: Path) -> None:
    damage = script("durability_damage")
    (original, *_) = samples(damage, tmp_path)
    assert damage.cut_one(tmp_path, original, seed=4, through_commands=True).troubles == []


@pytest.mark.slow
def test_kills_of_the_monitor_itself(script: Script, tmp_path: Path) -> None:
    kills = script("durability_kills")
    done = kills.kills(tmp_path, 8, seed=500)
    assert [kill for kill in done if kill.troubles or kill.wrong or kill.committed_lost or not kill.closed] == []
    assert max(kill.lost_s - kill.fsync_s for kill in done) <= 1.0
    assert sum(kill.began for kill in done) >= 6
    assert sum(kill.seen for kill in done) > 10


@pytest.mark.slow
@pytest.mark.parametrize("comes_back", [True, False])
def test_a_full_disk_under_a_monitor(script: Script, tmp_path: Path, comes_back: bool) -> None:
    disks = script("durability_disks")
    with disks.small_disk(tmp_path / "disk") as disk:
        if disk is None:
            pytest.skip("only root can mount a small file system")
        found = disks.full_disk(tmp_path, disk, 3.0, comes_back)
    assert found["fill to alert, s"] < 60.0  # it was said; how soon is measured by the benchmark
    assert (found["wrong lines"], found["damage"], found["frames dropped"], found["closed"]) == (0, 0, 0, 1)
    if comes_back:
        assert (found["exit code"], found["error"]) == (0, "")
        assert found["lines said"] == found["of them in the recording"]
    else:
        assert found["exit code"] == 1
        assert "could not be written to" in found["error"]
        assert found["error"].count("\n") == 2


@pytest.mark.slow
def test_a_slow_disk_under_a_monitor(script: Script, tmp_path: Path) -> None:
    found = script("durability_disks").lines_apart_s(tmp_path, 0.5, 5.0)
    assert (found["whole"], found["lost samples"]) == (1, 0)
    assert found["lines"] > 20


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_through_the_commands(script: Script, tmp_path: Path, name: str) -> None:
    hostile = script("durability_hostile")
    assert hostile.meet(tmp_path / "met", name).troubles == []
