"""`posture import`: motion that was recorded elsewhere becomes a recording.

Knows: motion files, text files of other programs, the driver for imported motion, the recorder. Must never know:
posture. Nothing is guessed silently: what was understood is told on stderr.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from companion.commands.opening import declared, opening
from companion.commands.options import ImportOptions
from companion.commands.places import absent, places
from companion.commands.settings_file import in_force
from companion.errors import UsageError
from firmware_protocol.frames import Closed, Frame, Notification

if TYPE_CHECKING:
    from datetime import datetime

    import numpy.typing as npt

    from companion.importing.counting import Numbered
    from companion.importing.reader import Imported
    from companion.settings import Settings

_BLOCK_S = 0.5  # so much motion stands in one frame: a replay goes in steps of it
_RATE_TOLERANCE = 0.05
_LEAST_KEPT = 0.6  # of the samples, where a rate is the mean over losses
_LOWEST_HZ, _HIGHEST_HZ = 0.01, 10_000.0  # sensors that only advertise give a sample in some seconds


@dataclass(frozen=True, slots=True)
class Motion:
    """What is imported: SAMPLES whose device clock begins at 0, the rate, the baseline (3,), when, and what to tell."""

    samples: "npt.NDArray[Any]"
    rate_hz: float
    up: "npt.ArrayLike"
    forward: "npt.ArrayLike"
    started: "datetime | None"
    told: Sequence[str]


def run(options: ImportOptions) -> None:
    """Write the recording, print its path, and say on stderr what was understood."""
    from companion.commands.new_recording import record
    from companion.output.progress import progress

    path = absent(options.out)
    settings = in_force(places(options.shared.data_dir).settings, os.environ, options.shared.settings).settings
    if not options.file.exists():
        raise UsageError(f"there is no file {options.file}.")
    found = _from_npz(options) if options.file.suffix.lower() == ".npz" else _from_text(options)
    motion = replace(found, up=options.up or found.up, forward=options.forward or found.forward)
    calibration_json = _baseline(motion, settings)
    with progress("writing", len(motion.samples)) as advance:
        record(path, frames(motion, settings, calibration_json, advance))
    for line in (*motion.told, *_baseline_words(calibration_json, options)):
        print(line, file=sys.stderr)
    print(path.absolute())


def _from_npz(options: ImportOptions) -> Motion:
    from companion.importing import counting, motion
    from companion.importing.units import Unit
    from companion.simulator import motion_file

    if options.columns or options.units:
        raise UsageError("--columns and --units are for CSV files.", "A motion file has names and units of its own.")
    found, left_out = motion_file.read_usable(options.file)
    motion.check_acceleration(found.acc_mps2, Unit("mps2"), "a motion file holds m/s², convert it from {}.")
    motion.check_rates(found.gyr_radps if found.has_gyroscope else None, "A motion file holds rad/s.")
    samples = found.samples()
    t_ns = samples["t_device_ns"]
    if (t_ns[1:] <= t_ns[:-1]).any():
        raise UsageError("t_s in the motion file must grow by a nanosecond or more from sample to sample.")
    measured_hz = None if found.t_s is None else counting.rate_hz(t_ns)
    if measured_hz is not None and counting.numbered(t_ns, measured_hz).index is None:
        measured_hz = None  # times that are too uneven have none
    if measured_hz is not None:
        _confirm(found.rate_hz, measured_hz)
    rate_hz = _agreed(options.rate_hz, found.rate_hz)
    numbered = counting.numbered(t_ns, rate_hz)
    samples["index"] = -1 if numbered.index is None else numbered.index
    told = _what(samples, rate_hz, numbered, left_out, measured_hz)
    return Motion(samples, rate_hz, found.up_sensor, found.forward_sensor, options.started, [told])


def _confirm(named_hz: float, measured_hz: float) -> None:
    """Raise UsageError where a motion file names another rate than its times tell.

    A somewhat lower one may be the mean over losses; the times then say where those are.
    """
    if not _LEAST_KEPT < named_hz / measured_hz < 1 + _RATE_TOLERANCE:
        raise UsageError(
            f"the motion file says {named_hz:.4g} samples a second, but {measured_hz:.4g} by its times.",
            "Mend sampling_rate or t_s in it.",
        )


def _from_text(options: ImportOptions) -> Motion:
    from companion.importing.reader import understood
    from companion.importing.started import named
    from companion.importing.words import lines
    from companion.output.progress import progress
    from companion.tables.instants import duration_words

    meant = understood(options.file, options.columns, options.units)
    with progress("reading", meant.size) as advance:
        found = meant.read(advance)
    if options.started is not None:
        found = replace(found, start=named(options.started, found.start))
    rate_hz = _agreed(options.rate_hz, found.rate_hz)
    _check_rate(rate_hz)
    samples = found.samples(rate_hz)
    up, forward = _assumed_baseline(found, rate_hz)
    lasted = duration_words(_end_ns(samples, rate_hz) / 1e9)
    told = lines(found, rate_hz, options.rate_hz is not None, lasted)
    return Motion(samples, rate_hz, up, forward, found.start.instant if found.start else None, told)


def _assumed_baseline(found: "Imported", rate_hz: float) -> tuple["npt.ArrayLike", "npt.ArrayLike"]:
    """A text file says nothing about the baseline; it is taken as for a motion file that says nothing."""
    import numpy as np

    from companion.simulator.motion_file import BASELINE_S, MotionFile

    few = int(BASELINE_S * rate_hz) + 2
    # Which samples are early follows from the times; a motion file has at least one a second, a slow sensor fewer.
    arrays = {"acc": found.acc_mps2[:few], "sampling_rate": np.array(max(rate_hz, 1.0))}
    if found.t_ns is not None:
        arrays["t_s"] = (found.t_ns[:few] - found.t_ns[:1]) / 1e9
    assumed = MotionFile.of(arrays)
    return assumed.up_sensor, assumed.forward_sensor


def _baseline(motion: Motion, settings: "Settings") -> str:
    try:
        return declared(motion.up, motion.forward, settings)
    except ValueError as error:
        raise UsageError(f"this cannot be a baseline: {error}.", "Name both with --up and --forward.") from error


def _baseline_words(calibration_json: str, options: ImportOptions) -> Sequence[str]:
    from companion.importing.words import line_of
    from companion.simulator.motion_file import BASELINE_S

    kept = json.loads(calibration_json)
    up, forward = (" ".join(f"{round(part, 2) + 0.0:+.2f}" for part in kept[name]) for name in ("up", "forward"))
    npz = options.file.suffix.lower() == ".npz"
    assumed = "" if options.up or npz else f", assumed: the mean of the first {BASELINE_S:g} s"
    usual = "" if options.forward or npz else ", assumed"
    hint = "" if options.up and options.forward else " (--up and --forward declare another)"
    text = f"up {up}{assumed}; facing {forward}{usual}, in the sensor's frame{hint}"
    return [f"baseline: {text}"] if npz else line_of("baseline", text)


def _agreed(asked_hz: float | None, told_hz: float | None) -> float:
    """The rate: what the file tells, or what was asked for where it tells nothing or about the same."""
    if asked_hz is None and told_hz is None:
        raise UsageError("the file tells no time.", "Name its rate: --rate 50, or its column of time: --columns t=...")
    if asked_hz and told_hz and abs(asked_hz / told_hz - 1) > _RATE_TOLERANCE:
        raise UsageError(f"the file has {told_hz:.4g} samples a second, not {asked_hz:g}.", "Leave --rate out.")
    return asked_hz or told_hz or 0.0


def _check_rate(rate_hz: float) -> None:
    if not _LOWEST_HZ <= rate_hz <= _HIGHEST_HZ:
        raise UsageError(
            f"the file has {rate_hz:.4g} samples a second, which no import takes.",
            "Is its unit of time another? Name it: --units t=ms",
        )


def _what(
    samples: "npt.NDArray[Any]", rate_hz: float, numbered: "Numbered", left_out: int, measured_hz: float | None
) -> str:
    """One line on a motion file, which explains itself but for gaps, and rows that hold no measurement."""
    from companion.importing.words import gap_words
    from companion.tables.instants import duration_words

    kind = "acceleration only" if _without_gyro(samples) else "acceleration and angular rate"
    lasts = duration_words(_end_ns(samples, rate_hz) / 1e9)
    measured = "" if measured_hz is None else f" ({measured_hz:.4g} Hz by its times)"
    rows = f"; {left_out} {'row' if left_out == 1 else 'rows'} without a measurement left out" if left_out else ""
    told = f"read {len(samples)} samples at {rate_hz:.4g} Hz{measured}, {lasts}, {kind}"
    return f"{told}; {gap_words(numbered)}{rows}"


def _without_gyro(samples: "npt.NDArray[Any]") -> bool:
    return bool((samples["gyr_radps"] != samples["gyr_radps"]).all())


def _end_ns(samples: "npt.NDArray[Any]", rate_hz: float) -> int:
    """The last sample stands for its whole period."""
    return int(samples["t_device_ns"][-1]) + round(1e9 / rate_hz)


def frames(
    motion: Motion, settings: "Settings", calibration_json: str, advance: Callable[[float], None]
) -> Iterator[Frame]:
    """The frames of an imported session, whose time begins with the first sample; `advance` is told of samples."""
    yield opening(
        t_host_ns=0,
        driver="imported",
        device="imported",
        settings=settings,
        origin="imported",
        rate_hz=motion.rate_hz,
        calibration_json=calibration_json,
        started=motion.started,
    )
    yield from _blocks(motion, advance)
    end_ns = _end_ns(motion.samples, motion.rate_hz)
    yield Closed(t_host_ns=end_ns, reason="imported", count=0)


def _blocks(motion: Motion, advance: Callable[[float], None]) -> Iterator[Frame]:
    """Half a second of motion a frame, which arrives with its last sample; no frame reaches across a gap."""
    import numpy as np

    from firmware_protocol.devices.imported import CHARACTERISTIC, encode

    t_ns = motion.samples["t_device_ns"]
    half_seconds = t_ns // round(_BLOCK_S * 1e9)
    borders = np.flatnonzero(np.diff(half_seconds)) + 1
    for part in np.split(motion.samples, borders):
        for data in encode(part, motion.rate_hz):
            yield Notification(t_host_ns=int(part["t_device_ns"][-1]), characteristic=CHARACTERISTIC, data=data)
        advance(len(part))
