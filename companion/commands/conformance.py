"""`posture conformance`: a sensor's firmware against the protocol, over the air, one line a check as it is decided.

Knows: which sensor, the scenes, how a verdict is printed. Must never know: what is checked, how a link is kept.
"""

import sys
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

from companion import host
from companion.commands.air import OURS, Act, act_of, carried_out, on_air
from companion.commands.alone import alone
from companion.commands.monitor import as_paired, driver_of, sensor_of
from companion.commands.options import ConformanceOptions
from companion.commands.pinned import pinned
from companion.commands.places import open_data, places
from companion.commands.store import Sensor, Store
from companion.errors import LinkError, UsageError
from companion.text import printable
from firmware_protocol.posture_v1.conformance import SCENES, WHOLE, Verdict
from firmware_protocol.scripts import ScriptRefused

if TYPE_CHECKING:
    from companion.link.examiner import Examiner

_NAME_LETTERS = 18
_SENTENCE_LETTERS = 400
_LEAST_LETTERS = 20  # of a sentence on a line, however narrow the terminal
_UNDER_S = 60


def run(options: ConformanceOptions) -> bool:
    """Print a verdict for every rule that can be checked here; returns whether all of them hold."""
    where = open_data(places(options.shared.data_dir))
    store = Store(where)
    act = act_of(as_paired(options.simulation, options.alias, store))
    sensor = sensor_of(options.alias, act, store)
    if sensor.driver != OURS:
        raise UsageError(
            f"{sensor.alias!r} is a {sensor.driver} sensor, and only {OURS} has a specification here.",
            "firmware_protocol/README.md is what a firmware is checked against.",
        )
    with alone(where, sensor.alias, needed=act is None):
        try:
            return carried_out(_examined(act, sensor))
        except ScriptRefused as error:
            raise UsageError(str(error), "`posture pair` takes it as another one.") from error


async def _examined(act: Act | None, sensor: Sensor) -> bool:
    from companion.link.examiner import Examiner

    async with on_air(act) as air:
        examiner = Examiner(
            air.radio, driver_of(sensor), host.boot_ns, address=sensor.address or None, verify=pinned(sensor)
        )
        try:
            return await _played(examiner, sensor)
        finally:
            await examiner.close()


async def _played(examiner: "Examiner", sensor: Sensor) -> bool:
    """Scene by scene; what was seen of the whole is told too where the sensor gets lost on the way."""
    await examiner.meet()
    print(f"{sensor.alias} ({sensor.driver}): under a minute; let the sensor lie still.", file=sys.stderr)
    said: list[Verdict] = []
    try:
        for scene in SCENES:
            await examiner.play(scene)
            said += _printed(examiner.evidence.verdicts(scene.name))
    except LinkError:
        await _whole(examiner)
        raise
    said += await _whole(examiner)
    _summary(examiner, said)
    return all(verdict.holds for verdict in said)


async def _whole(examiner: "Examiner") -> list[Verdict]:
    await examiner.play(WHOLE)
    return _printed(examiner.evidence.verdicts(WHOLE.name))


def _printed(verdicts: Iterable[Verdict]) -> list[Verdict]:
    said = list(verdicts)
    for verdict in said:
        print("\n".join(_lines(verdict, _width())), flush=True)
    return said


def _lines(verdict: Verdict, width: int | None) -> list[str]:
    """One line; with a `width`, as many as the sentence needs, under one another."""
    head = f"{'ok' if verdict.holds else 'FAIL':<4}  {verdict.rule.name:<{_NAME_LETTERS}}  "
    sentence = printable(verdict.sentence, _SENTENCE_LETTERS)
    if width is None:
        return [head + sentence]
    room = max(width, len(head) + _LEAST_LETTERS)
    space = " " * len(head)
    return textwrap.wrap(sentence, room, initial_indent=head, subsequent_indent=space, break_on_hyphens=False)


def _width() -> int | None:
    """The terminal's columns; None where a program reads: there a check is one line."""
    if not sys.stdout.isatty():
        return None
    from companion.output.history_table import PLAIN_WIDTH, width_here

    return width_here() or PLAIN_WIDTH  # a terminal that does not know its size tells 0


def _summary(examiner: "Examiner", said: list[Verdict]) -> None:
    """What was not checked, and how many were."""
    unseen = [rule.name for rule in examiner.evidence.unseen()]
    if unseen:
        reason = f" ({examiner.evidence.over})" if examiner.evidence.over else ""
        print(f"not checked, for there was no occasion{reason}: {', '.join(unseen)}", file=sys.stderr)
    broken = sum(not verdict.holds for verdict in said)
    losses = f"; links lost: {examiner.losses}" if examiner.losses else ""
    print(f"{len(said)} checks, {broken} FAIL{losses}", file=sys.stderr)
