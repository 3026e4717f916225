"""A file, a folder or a .zip of text as motion: what is in it, which of it is meant, and the numbers.

`understood` looks at the beginnings and decides; `Understood.read` takes all rows. Knows: all modules of this room.
Must never know: recordings, baselines.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from companion import host
from companion.errors import UsageError
from companion.importing import counting, experiment, joining, motion, numbers, stamps, started
from companion.importing.chosen import Chosen, File, chosen
from companion.importing.columns import Asked, Plan, asked_for, plan_of
from companion.importing.loggers import ACCELERATION, TURNING
from companion.importing.shape import LONGEST_LINE, Shape, encoding_of, shape_of
from companion.importing.sources import Advance, Source, sources, text_of, too_long
from companion.importing.started import Start
from companion.text import printable
from firmware_protocol.samples import make_samples

MOST_ROWS = 12_000_000  # 66 h at 50 Hz
_META_BYTES = 65_536
_BESIDE = ("metadata.csv", "meta/time.csv", "meta/device.csv")


@dataclass(frozen=True, slots=True)
class Imported:
    """Motion (N,) in SI units: times in ns (None: none are told), acceleration, rates or None; and what to tell."""

    t_ns: npt.NDArray[np.int64] | None
    acc_mps2: npt.NDArray[np.float64]
    gyr_radps: npt.NDArray[np.float64] | None
    start: Start | None
    chosen: Chosen
    left_out: dict[str, int]
    packet: float  # rows that shared a time; 0: none did
    moved: int = 0  # rows that came late and were put between their neighbours
    paused: Sequence[experiment.Pause] = ()
    _numbered: dict[float, counting.Numbered] = field(default_factory=dict, repr=False, compare=False)

    @property
    def rate_hz(self) -> float | None:
        """The rate by the file's own times; None where it tells none."""
        return None if self.t_ns is None else counting.rate_hz(self.t_ns)

    def numbered(self, rate_hz: float) -> counting.Numbered:
        """The samples' numbers at a rate, and the gaps between them."""
        if rate_hz not in self._numbered:
            self._numbered[rate_hz] = counting.numbered(self._times_ns(rate_hz), rate_hz)
        return self._numbered[rate_hz]

    def samples(self, rate_hz: float) -> npt.NDArray[Any]:
        """The motion as SAMPLES; the device clock begins at 0, and gaps show in the numbers."""
        t_ns, found = self._times_ns(rate_hz), self.numbered(rate_hz)
        return make_samples(self.acc_mps2, self.gyr_radps, t_device_ns=t_ns - t_ns[:1], index=found.index)

    def _times_ns(self, rate_hz: float) -> npt.NDArray[np.int64]:
        if self.t_ns is not None:
            return self.t_ns
        return np.asarray(np.rint(np.arange(len(self.acc_mps2)) * (1e9 / rate_hz)), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Understood:
    """What will be read, and how long it is in bytes."""

    chosen: Chosen
    beside: dict[str, str]  # the text of what lies beside the tables, by its name in small letters
    size: int

    def read(self, advance: Advance = lambda _: None) -> Imported:
        """Take all rows; `advance` is told of bytes. Raises UsageError where they cannot be motion."""
        main, acc = self._acceleration(advance)
        gyr, packet = acc.gyr, acc.packet
        if self.chosen.gyr is not None:
            turning = self._rows(self.chosen.gyr, advance)
            gyr = joining.joined(_stream(acc, acc.acc), _stream(turning, turning.gyr))
        assert acc.acc is not None
        motion.check_acceleration(acc.acc, main.plan.units["acc"])
        motion.check_rates(gyr)
        return Imported(
            acc.t_ns,
            acc.acc,
            gyr,
            self._start(main, acc),
            self.chosen,
            acc.left_out,
            packet,
            acc.moved,
            [pause for pause in self._pauses(main) if acc.t_ns is not None and acc.t_ns[0] < pause.at_ns],
        )

    def _rows(self, file: File, advance: Advance) -> motion.Rows:
        rows = _rows(file, advance)
        paused = self._pauses(file)
        if rows.t_ns is not None and paused:
            rows.t_ns = experiment.passed(rows.t_ns, paused)
        return rows

    def _pauses(self, file: File) -> Sequence[experiment.Pause]:
        return experiment.pauses(self._times_of_experiment(file))

    def _times_of_experiment(self, file: File) -> str:
        """What lies beside a file of phyphox; "" for other files."""
        kind = file.plan.kind
        return self.beside.get(experiment.NAME, "") if kind is not None and kind.logger == "phyphox" else ""

    def _acceleration(self, advance: Advance) -> tuple[File, motion.Rows]:
        if self.chosen.acc is not None:
            return self.chosen.acc, self._rows(self.chosen.acc, advance)
        assert self.chosen.free is not None
        assert self.chosen.gravity is not None
        free, gravity = (self._rows(file, advance) for file in (self.chosen.free, self.chosen.gravity))
        total = joining.added(_stream(free, free.acc), _stream(gravity, gravity.acc))
        if not len(total.t_ns):
            raise UsageError("acceleration and gravity were not taken at one time.", "Is it one recording?")
        free.t_ns, free.acc = total.t_ns, total.values
        return self.chosen.free, free

    def _start(self, file: File, rows: motion.Rows) -> Start | None:
        if rows.t_ns is None:
            return started.of_preamble(file.shape.preamble)
        first_ns = int(rows.t_ns[0])
        found = _own_start(file, rows, first_ns) or started.of_preamble(file.shape.preamble)
        found = experiment.start(self._times_of_experiment(file), first_ns) or found
        zone = started.zone_of(self.beside.get("metadata.csv", ""))
        return Start(found.utc_ns, zone, found.told_by) if found and zone else found


def understood(path: Path, columns: str = "", units: str = "") -> Understood:
    """Look at a path by the texts of `--columns` and `--units`; raises UsageError where something is not settled."""
    wanted = asked_for(columns, units)
    if not path.exists():
        raise UsageError(f"there is no file {path}.")
    found = sources(path)
    beside = {name: text_of(source, _META_BYTES) for source in found if (name := _beside(source))}
    tables = [source for source in found if not _beside(source)]
    files, others = _files(tables, wanted)
    if len(tables) == 1 and not files:
        files = [_file(tables[0], wanted)]  # which says why it cannot be read
    picked = chosen(str(path), files, others, started.metadata(beside.get("metadata.csv", "")), wanted)
    return Understood(picked, beside, sum(file.source.size for file in picked.files))


def read(path: Path, columns: str = "", units: str = "", advance: Advance = lambda _: None) -> Imported:
    """Both steps at once."""
    return understood(path, columns, units).read(advance)


def _beside(source: Source) -> str:
    """The name of what describes the tables beside it, in small letters; "" for a table."""
    tail = "/".join(source.inside.parts[-2:]).lower()
    return next((name for name in _BESIDE if tail == name or tail.endswith("/" + name)), "")


def _files(found: Sequence[Source], wanted: Asked) -> tuple[list[File], dict[str, str]]:
    """The tables that can be understood, and why the others cannot."""
    files, others = [], {}
    for source in found:
        try:
            files.append(_file(source, wanted))
        except UsageError as error:
            if len(found) == 1:
                raise
            others[source.name] = str(error)
    return files, others


def _file(source: Source, wanted: Asked) -> File:
    head = source.head()
    encoding = encoding_of(head)
    if encoding is None:
        raise UsageError(f"{source.name} cannot be read: it is no text.", "Save it as CSV in UTF-8.")
    text = head.decode(encoding, errors="replace")
    if not text.strip():
        raise UsageError(f"{source.name} is empty.", "Name the file that holds the motion.")
    if max(map(len, text.splitlines()), default=0) > LONGEST_LINE:
        raise too_long(source.name)
    shape = shape_of(text, encoding)
    return File(source, shape, plan_of(source.name, source.inside.name, shape, wanted))


def _rows(file: File, advance: Advance) -> motion.Rows:
    """All rows of a file that can be used."""
    plan, shape = file.plan, file.shape
    axes = [axis for axis in (*ACCELERATION, *TURNING) if axis in plan.columns]
    wanted = numbers.Wanted(
        delimiter=shape.delimiter,
        comma=shape.comma,
        places=tuple(plan.columns[axis] for axis in axes),
        t_place=plan.columns.get("t"),
        t_form=plan.t_form,
        t_unit=plan.units["t"].name,
        label_place=plan.label,
        width=len(shape.names),
    )
    parts, labels, count = [], set[str](), 0
    for block in _below_header(file.source.blocks(shape.encoding, advance), shape):
        parts.append(numbers.take(block, wanted))
        labels |= parts[-1].labels
        count += len(parts[-1].values)
        if count > MOST_ROWS:
            raise UsageError(f"{file.source.name} has more than {MOST_ROWS} rows.", "Cut it into parts.")
        if len(labels) > 1:
            raise _several(file.source.name, sorted(labels))
    return motion.cleaned(parts or [numbers.take("", wanted)], plan, host.zone_name())


def _below_header(blocks: Iterable[str], shape: Shape) -> Iterator[str]:
    """The text from the first row of the table on."""
    above = shape.first_line
    for block in blocks:
        lines_in = block.count("\n")
        if above >= lines_in:
            above -= lines_in
            continue
        yield block.split("\n", above)[above] if above else block
        above = 0


def _several(name: str, labels: Sequence[str]) -> UsageError:
    shown = ", ".join(printable(label) for label in labels[:5])
    return UsageError(f"{name} holds rows of several sensors: {shown}.", "Keep those of one sensor in a file.")


def _stream(rows: motion.Rows, values: npt.NDArray[np.float64] | None) -> joining.Stream:
    if rows.t_ns is None or values is None:
        raise UsageError("acceleration and angular rate stand in two files, and one tells no time.")
    return joining.Stream(rows.t_ns, values)


def _own_start(file: File, rows: motion.Rows, first_ns: int) -> Start | None:
    """The start by the table's own columns."""
    plan, told_by = file.plan, ""
    if "wall" in plan.columns and plan.columns["wall"] != plan.columns.get("t"):
        told_by = f"from {printable(plan.names[plan.columns['wall']])!r}"
        return _by_wall(file, first_ns, told_by)
    if "t" not in plan.columns:
        return None
    told_by = f"from {printable(plan.names[plan.columns['t']])!r}"
    if plan.epoch:
        zone = plan.columns.get("zone")
        offset = None if zone is None else started.header_offset(plan.names[zone])
        return started.of_utc(first_ns, told_by, offset)
    if plan.naive:
        return started.of_local(first_ns, told_by, rows.clock_changes)
    cell = _first_cell(file, plan)
    return started.of_cell(cell, "ns", 0, told_by) if plan.t_form == "instant" and cell else None


def _first_cell(file: File, plan: Plan) -> str:
    place = plan.columns["t"]
    return next((row[place] for row in file.shape.first_rows if place < len(row) and row[place]), "")


def _by_wall(file: File, first_ns: int, told_by: str) -> Start | None:
    """The start by the first row that tells both the time of day and the time that counts."""
    plan = file.plan
    wall, t = plan.columns["wall"], plan.columns["t"]
    for row in file.shape.first_rows:
        if max(wall, t) >= len(row):
            continue
        at_ns = int(stamps.texts_ns([row[t]], plan.t_form, plan.units["t"].name)[0])
        unit = stamps.epoch_unit(numbers.number(row[wall], file.shape.comma)) or "ns"
        found = started.of_cell(row[wall], unit, first_ns - at_ns, told_by)
        if found is not None and at_ns != stamps.NONE_NS:
            return found
    return None
