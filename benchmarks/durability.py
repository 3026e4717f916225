"""What recordings survive: kill -9, flipped bytes, cut files, a full disk, a slow one, hostile files.

    python benchmarks/durability.py [--only kills,flips,cuts,full,fsync,hostile] [--runs 200] [--seed 0] [--quick]

Everything is done to the real commands and to real files: the samples of `recordings/`, simulated ones of several
makers, an imported one where POSTURE_TEST_DATA (or `../shared/data`) has motion, one with many sources, and one that
was recorded live, killed, and closed by the next start. Ends with 1 where a figure is not reached.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import durability_damage as damage
import durability_disks as disks
import durability_hostile as hostile
import durability_kills as kills
from tables import Table, chosen, show

FULL_S = 20.0
"""How long the disk stays full."""

LIVE_S = 60.0
"""How long the live session lasts that is killed and closed, to be damaged then."""

COMMAND_EVERY = 10
"""Each so manieth damaged file also goes through `replay`, `export` and `verify`."""


class Bench:
    """Which part, how often, and what was not reached."""

    def __init__(self, directory: Path, runs: int, seed: int, quick: bool) -> None:
        self.directory, self.runs, self.seed, self.quick = directory, runs, seed, quick
        self.failures: list[str] = []
        self._originals: list[damage.Original] = []

    def parts(self) -> dict[str, Callable[[], Iterator[Table]]]:
        """The parts by name."""
        return {
            "kills": self.kills,
            "flips": lambda: self.damaged("Flipped bytes", damage.flips),
            "cuts": lambda: self.damaged("Cut files", damage.cuts),
            "full": self.full,
            "fsync": self.fsync,
            "hostile": self.hostile,
        }

    def require(self, what: str, reached: bool) -> None:
        """Note a figure that was not reached."""
        if not reached:
            self.failures.append(what)
            print(f"not reached: {what}", file=sys.stderr)

    def kills(self) -> Iterator[Table]:
        """kill -9 of the real monitor."""
        done = kills.kills(self.scratch("kills"), self.runs, self.seed)
        columns = kills.figures(done)
        table = Table("kill -9 of `posture monitor`", kills.__doc__.split(".")[0] + ".", tuple(columns))
        for moment in kills.MOMENTS:
            table.add(moment, kills.figures([kill for kill in done if kill.moment == moment]))
        table.add("all", columns, "at most 1.0 s and one fsync lost, 0 lost of those seen, 0 wrong, all closed")
        for kill in done:
            self.require(
                str(kill),
                kill.closed
                and not (kill.committed_lost or kill.wrong or kill.troubles)
                and kill.lost_s <= 1.0 + kill.fsync_s,
            )
        yield table

    def originals(self) -> list[damage.Original]:
        """The undamaged files, made once."""
        if not self._originals:
            directory = self.scratch("originals")
            self._originals = damage.originals(directory, damage.shared_data(), quick=self.quick)
            self._originals.append(self.recovered(directory / "recovered.posture"))
        return self._originals

    def recovered(self, path: Path) -> damage.Original:
        """A session that was recorded live, killed, and closed by the next start."""
        where = self.scratch("live") / "one"
        kills.kill_one(where, "running", seed=1, after_s=5.0 if self.quick else LIVE_S)
        (made,) = (where / "data" / "sessions").glob("*.posture")
        shutil.move(made, path)
        return damage.Original.of(path)

    def damaged(self, title: str, run: Callable[..., list[damage.Loss]]) -> Iterator[Table]:
        """Flips or cuts, by file."""
        originals = self.originals()
        done = run(self.scratch(title), originals, self.runs, command_every=COMMAND_EVERY)
        columns = damage.figures(done)
        note = f"{damage.__doc__.splitlines()[0]} Each {COMMAND_EVERY}th also through the commands."
        table = Table(title, note, tuple(columns))
        for original in originals:
            of_it = [loss for loss in done if loss.file == original.path.name]
            if of_it:
                table.add(f"{original.path.name}, {original.path.stat().st_size // 1024} KiB", damage.figures(of_it))
        wanted = "0 silent, 0 exceptions, 0 changed; a flip at most 10 s lost; 0.95 of what stood before a cut"
        table.add("all", columns, wanted)
        is_flip = title.startswith("Flip")
        for loss in done:
            fine = not (loss.silent or loss.troubles or loss.changed) and loss.share >= 0.95
            fine = fine and (not loss.refused or (loss.header if is_flip else loss.stood == 0))
            self.require(str(loss), fine and (not is_flip or max(loss.lost_s, loss.told_s) <= 10.0))
        yield table

    def full(self) -> Iterator[Table]:
        """A disk of two megabytes that fills up under a monitor."""
        seconds = 3.0 if self.quick else FULL_S
        rows = {}
        for name, comes_back in (("room comes back", True), ("room never comes back", False)):
            where = self.scratch(name)
            with disks.small_disk(where / "disk") as disk:
                if disk is None:
                    print("full: left out, as only root can mount a small disk", file=sys.stderr)
                    return
                rows[name] = disks.full_disk(where, disk, seconds, comes_back)
        columns = tuple(name for name in rows["room comes back"] if name != "error")
        table = Table("A full disk", f"2 MB, full for {seconds:g} s, under a live monitor.", columns)
        for name, row in rows.items():
            wanted = "alert within 2.5 s of the fill, no wrong lines" + (
                ", all said is kept" if "comes" in name else ""
            )
            table.add(name, {column: row[column] for column in columns}, wanted)
            self.require(f"{name}: {row}", row["fill to alert, s"] <= 2.5 and not row["wrong lines"] and row["closed"])
        back = rows["room comes back"]
        self.require(f"nothing lost: {back}", back["lines said"] == back["of them in the recording"])
        self.require(f"nothing dropped: {back}", back["frames dropped"] == 0 and back["exit code"] == 0)
        self.require("a sentence and exit code 1", rows["room never comes back"]["exit code"] == 1)
        yield table

    def fsync(self) -> Iterator[Table]:
        """A disk that takes half a second for each commit."""
        where = self.scratch("fsync")
        rows = {
            f"{slow_s:g} s slower": disks.lines_apart_s(where, slow_s, 6.0 if self.quick else 30.0)
            | disks.put_s(where / f"put-{slow_s}.posture", slow_s)
            for slow_s in (0.0, disks.SLOW_S)
        }
        table = Table("A slow disk", "Every commit waits; lines of a live monitor.", tuple(rows["0 s slower"]))
        for name, row in rows.items():
            table.add(name, row, "as without")
            self.require(f"{name}: {row}", row["whole"] == 1 and row["lost samples"] == 0)
        quick, slow = rows.values()
        apart = "longest between lines, s"
        self.require(f"lines as often: {rows}", slow[apart] < quick[apart] + disks.SLOW_S / 2)
        yield table

    def hostile(self) -> Iterator[Table]:
        """Files that someone made to do harm."""
        names = list(hostile.CASES)[:: 10 if self.quick else 1]
        directory = self.scratch("hostile")
        done = [hostile.meet(directory / str(number), name) for number, name in enumerate(names)]
        columns = hostile.figures(done)
        table = Table("Hostile files", hostile.__doc__.splitlines()[0], tuple(columns))
        table.add("all", columns, "0 over a second, 0 troubles")
        for met in done:
            self.require(str(met), not met.troubles and met.longest_s <= hostile.LONGEST_S)
        yield table

    def scratch(self, name: str) -> Path:
        """A new directory."""
        return Path(tempfile.mkdtemp(prefix=f"{name.replace(' ', '-')}-", dir=self.directory))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="few and short ones")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory), min(given.runs, 16) if given.quick else given.runs, given.seed, given.quick)
        parts = bench.parts()
        show("What recordings survive", (table for part in chosen(parts, given.only) for table in parts[part]()))
    raise SystemExit(1 if bench.failures else 0)


if __name__ == "__main__":
    main()
