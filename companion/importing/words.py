"""What was understood, for people: lines of at most 80 columns, each with what it is about at its beginning.

Pure. Must never know: where they are printed.
"""

import textwrap
from collections.abc import Iterator

from companion.importing import experiment, motion
from companion.importing.chosen import File
from companion.importing.counting import Numbered
from companion.importing.reader import Imported
from companion.text import printable

_WIDTH = 80
_INDENT = 14


def lines(found: Imported, rate_hz: float, asked_rate: bool, duration: str) -> list[str]:
    """The report; `duration` is how long the motion lasts, for people."""
    return [line for title, text in _told(found, rate_hz, asked_rate, duration) for line in line_of(title, text)]


def line_of(title: str, text: str) -> list[str]:
    """One matter, on as many lines as it takes."""
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=f"{title:<{_INDENT}}",
        subsequent_indent=" " * _INDENT,
        break_on_hyphens=False,
    )


def _told(found: Imported, rate_hz: float, asked_rate: bool, duration: str) -> Iterator[tuple[str, str]]:
    main, plan = found.chosen.main, found.chosen.main.plan
    for file in found.chosen.files:
        yield "file", f"{printable(file.source.name, 60)}: {file.plan.why}; {file.shape.words()}"
    yield "time", _time(found, asked_rate)
    yield "started", found.start.words() if found.start else "not told: the time of this import stands for it"
    yield "acceleration", _acceleration(found, main)
    yield "angular rate", _rates(found, plan.words("gyr"))
    yield "samples", f"{len(found.acc_mps2)} samples at {rate_hz:.4g} Hz, {duration}; {_gaps(found, rate_hz)}"
    left_out = [f"{count} {'row' if count == 1 else 'rows'} {why}" for why, count in found.left_out.items() if count]
    if left_out:
        yield "left out", ", ".join(left_out)
    yield from _odd(found)
    if found.chosen.unused:
        names = ", ".join(printable(name) for name in found.chosen.unused[:8])
        more = len(found.chosen.unused) - 8
        yield "not read", f"{names}{f' and {more} more' if more > 0 else ''}"


def _time(found: Imported, asked_rate: bool) -> str:
    words = found.chosen.main.plan.words("t")
    if not words:
        return "none is told: rows are taken as evenly spaced, at the rate of --rate"
    packets = ""
    if found.packet:
        packets = f"; {found.packet:.3g} rows share one on average: spread evenly up to the next"
    if found.paused:
        lengths = ", ".join(f"{pause.length_ns / 1e9:.4g} s" for pause in found.paused[:5])
        packets += f"; paused {len(found.paused)} times, by {experiment.NAME}: {lengths}".replace(" 1 times", " once")
    if found.moved:
        packets += f"; {found.moved} rows came no later than the one before: put between their neighbours"
    return words + packets + ("; the rate is that of --rate" if asked_rate else "")


def _acceleration(found: Imported, main: File) -> str:
    added = ", and gravity added to it" if found.chosen.gravity is not None else ""
    remarks = "".join(f" ({remark})" for remark in found.chosen.remarks)
    kind = main.plan.kind
    note = f" ({kind.note})" if kind and kind.note else ""
    return main.plan.words("acc") + note + added + remarks


def _rates(found: Imported, own: str) -> str:
    if found.gyr_radps is None:
        return "none: acceleration only"
    missing = int((found.gyr_radps != found.gyr_radps).any(axis=1).sum())
    without = f"; {missing} samples have none" if missing else ""
    if found.chosen.gyr is not None:
        words = found.chosen.gyr.plan.words("gyr")
        return f"{words}, put on the acceleration's times by straight lines{without}"
    return own + without


def _gaps(found: Imported, rate_hz: float) -> str:
    return gap_words(found.numbered(rate_hz))


def gap_words(numbered: Numbered) -> str:
    """Gaps and losses for people, as they are recorded: "2 gaps, the longest of 1.22 s, 61 samples lost"."""
    gaps = "1 gap" if numbered.gaps == 1 else f"{numbered.gaps} gaps, the longest"
    told = f"{gaps} of {numbered.longest_ns / 1e9:.4g} s" if numbered.gaps else "no gap"
    if numbered.index is None:
        return f"{told}; times are uneven, so samples stand by their times alone, and what is lost is not counted"
    return f"{told}, {numbered.lost} samples lost" if numbered.gaps else told


def _odd(found: Imported) -> Iterator[tuple[str, str]]:
    odd = motion.oddities(found.acc_mps2, found.gyr_radps)
    if odd["beyond"]:
        yield "implausible", f"{odd['beyond']} samples beyond 15.9 g or 2200 °/s: kept, and not judged"
    if odd["clipped"]:
        yield "clipped", f"{odd['clipped']} samples at the end of the accelerometer's range: kept"
