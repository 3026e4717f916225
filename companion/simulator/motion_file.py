"""Motion recorded elsewhere (`.npz`) as a body that wears the simulated sensor, and as samples for an import.

Arrays: `acc` (N, 3) m/s², `gyr` (N, 3) rad/s or absent, `sampling_rate` Hz, optional `t_s` (N,), `up` (3,)
and `forward` (3,). Pure but for `read` and `read_usable`, which open the file they are given. Must never know: the
wire, recordings.
"""

import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from companion.errors import UsageError
from companion.simulator.body import Body, block_times_s
from companion.simulator.trunk import Floats
from firmware_protocol.samples import make_samples

BASELINE_S = 2.0
"""Without `up`, the mean acceleration of so many seconds at the beginning is taken for it."""

_BY_ROW = ("acc", "gyr", "t_s")
_NO_MEASUREMENT = 1e12  # in m/s², rad/s, or s since 1970
_LEAST_ROWS = 2
_ARRAYS = ("acc", "gyr", "sampling_rate", "t_s", "up", "forward")
_DAMAGE: tuple[type[Exception], ...] = (
    ValueError,
    TypeError,
    KeyError,
    EOFError,
    ArithmeticError,
    MemoryError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
)
"""What reading a damaged archive can raise, besides OSError."""
_LEAST_BETWEEN_DEG = 5.0
_PARALLEL_DEG = 30.0  # sensor +z is no use as `forward` where it lies so close to `up`
_MOST_SAMPLES = 50_000_000  # a week at 80 Hz
_LOWEST_HZ, _HIGHEST_HZ = 1.0, 10_000.0
_PASS_SHARE = 0.4  # of the asked rate passes the filter; half of it is the most that samples can carry


@dataclass(frozen=True, slots=True)
class MotionFile:
    """What a motion file holds, checked. `gyr_radps` is NaN where there was no gyroscope; directions are unit."""

    acc_mps2: Floats
    gyr_radps: Floats
    rate_hz: float
    t_s: Floats | None
    up_sensor: Floats
    forward_sensor: Floats

    @classmethod
    def of(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Check the arrays of a file; raises UsageError with what is missing or cannot be."""
        acc = _numbers(arrays, "acc", (None, 3))
        gyr = _numbers(arrays, "gyr", acc.shape) if "gyr" in arrays else np.full(acc.shape, np.nan)
        t_s = _numbers(arrays, "t_s", acc.shape[:1]) if "t_s" in arrays else None
        if t_s is not None and (np.diff(t_s) <= 0).any():
            raise UsageError("t_s in the motion file must grow from sample to sample.")
        rate_hz = _rate_hz(arrays)
        early = (t_s - t_s[0] < BASELINE_S) if t_s is not None else np.arange(len(acc)) < BASELINE_S * rate_hz
        up = _numbers(arrays, "up", (3,)) if "up" in arrays else acc[early].mean(axis=0)
        up = _unit(up, "up")
        forward = _numbers(arrays, "forward", (3,)) if "forward" in arrays else _usual_forward(up)
        return cls(acc, gyr, rate_hz, t_s, up, _across(forward, up))

    @property
    def has_gyroscope(self) -> bool:
        """Whether the file holds rates."""
        return not bool(np.isnan(self.gyr_radps).all())

    def samples(self) -> npt.NDArray[Any]:
        """The file's samples at their own rate and times, as SAMPLES.

        The clock starts at 0. Without `t_s` the samples are numbered; with it, gaps show in the numbers,
        or, where times are too irregular to be numbered at the sampling rate, in the clock alone (index
        -1).
        """
        gyr = self.gyr_radps if self.has_gyroscope else None
        number = np.arange(len(self.acc_mps2))
        if self.t_s is None:
            t_ns = np.rint(number * (1e9 / self.rate_hz)).astype(np.int64)
            return make_samples(self.acc_mps2, gyr, t_device_ns=t_ns, index=number)
        elapsed_s = self.t_s - self.t_s[0]
        # Numbered step by step: a clock a little off the nominal rate skips no number however long it runs.
        steps = np.rint(np.diff(elapsed_s) * self.rate_hz).astype(np.int64)
        index = np.concatenate([[0], np.cumsum(steps)])
        numbered = bool((steps > 0).all())
        t_ns = np.rint(elapsed_s * 1e9).astype(np.int64)
        return make_samples(self.acc_mps2, gyr, t_device_ns=t_ns, index=index if numbered else None)

    def even(self) -> Floats:
        """Acceleration and rate (M, 6) at even steps of the sampling rate; straight lines across gaps of `t_s`."""
        motion = np.concatenate([self.acc_mps2, self.gyr_radps], axis=1)
        if self.t_s is None:
            return motion
        count = (self.t_s[-1] - self.t_s[0]) * self.rate_hz + 1
        if count > _MOST_SAMPLES:
            raise UsageError(f"the motion file spans {self.t_s[-1] - self.t_s[0]:.0f} s, which is too long.")
        steps = np.arange(int(count + 1e-6)) / self.rate_hz  # a last step that rounding put short is kept
        columns = [np.interp(steps, self.t_s - self.t_s[0], column) for column in motion.T]
        return np.stack(columns, axis=1)


class RecordedBody(Body):
    """A body that moves as a file has it, over and over. There is a jump where the file begins anew."""

    def __init__(self, name: str, motion: MotionFile) -> None:
        self._even = motion.even()
        self._rate_hz = motion.rate_hz
        self._filtered: dict[float, Floats] = {}
        super().__init__(
            name=name,
            duration_s=len(self._even) / motion.rate_hz,
            calibration_given=True,
            up_sensor=motion.up_sensor,
            forward_sensor=motion.forward_sensor,
            has_gyroscope=motion.has_gyroscope,
        )

    def truth(self, t_s: Floats | float) -> tuple[Floats, Floats]:
        """NaN: nobody measured it."""
        unknown = np.full(np.atleast_1d(t_s).shape, np.nan)
        return unknown, unknown.copy()

    def _motion(self, rate_hz: float, start_s: float, number: int) -> tuple[Floats, Floats]:
        """A cubic through the four samples around each time, of the motion that the asked rate can carry."""
        motion = self._carried(rate_hz)
        place = np.mod(block_times_s(rate_hz, start_s, number), self.duration_s) * self._rate_hz
        before = np.floor(place)
        around = before.astype(np.int64)[:, None] + np.arange(-1, 3)
        weights = _cubic_weights(place - before)
        # Beyond the ends the first or the last sample stands.
        found = np.einsum("nk,nkc->nc", weights, motion[np.clip(around, 0, len(motion) - 1)])
        return found[:, :3].copy(), found[:, 3:].copy()

    def _carried(self, rate_hz: float) -> Floats:
        if rate_hz >= self._rate_hz:
            return self._even
        if rate_hz not in self._filtered:
            self._filtered = {rate_hz: _low_pass(self._even, self._rate_hz, _PASS_SHARE * rate_hz)}
        return self._filtered[rate_hz]


def read(path: Path | str) -> MotionFile:
    """Read a motion file; raises UsageError."""
    return MotionFile.of(_arrays(path))


def read_usable(path: Path | str) -> tuple[MotionFile, int]:
    """The same without the rows that hold what is no measurement, and how many those are; raises UsageError."""
    arrays = _arrays(path)
    usable = _usable_rows(arrays)
    if usable is None or usable.all() or usable.sum() < _LEAST_ROWS:
        return MotionFile.of(arrays), 0
    if "t_s" not in arrays:  # so that what is left out shows as a gap
        arrays["t_s"] = np.arange(len(usable)) / _rate_hz(arrays)
    kept = {name: values[usable] if name in _BY_ROW else values for name, values in arrays.items()}
    return MotionFile.of(kept), int((~usable).sum())


def _usable_rows(arrays: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.bool_] | None:
    """Which rows (N,) hold numbers that can be measurements; None where the arrays have no rows in common."""
    found = {name: arrays[name] for name in _BY_ROW if name in arrays}
    count = len(found["acc"]) if "acc" in found and found["acc"].ndim == 2 else -1
    usable = np.ones(max(count, 0), dtype=np.bool_)
    for values in found.values():
        if values.dtype.kind not in "fiu" or values.ndim not in (1, 2) or len(values) != count:
            return None
        usable &= (np.isfinite(values) & (np.abs(values) < _NO_MEASUREMENT)).reshape(count, -1).all(axis=1)
    return usable


def _arrays(path: Path | str) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a file (this is the one function here that opens files); raises UsageError."""
    try:
        with Path(path).open("rb") as file:  # np.load itself would leave a damaged file open
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("a single array")
            return {name: archive[name] for name in _ARRAYS if name in archive.files}
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}.") from error
    except _DAMAGE as error:
        raise UsageError(f"{path} is no motion file.", "It must be an .npz file of plain arrays.") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error


def load_body(path: Path | str) -> RecordedBody:
    """The body that moves as a file has it; raises UsageError."""
    return RecordedBody(Path(path).stem, read(path))


def _numbers(arrays: Mapping[str, npt.NDArray[Any]], name: str, shape: tuple[int | None, ...]) -> Floats:
    """An array as floats; raises UsageError where it is missing, of another shape, or not finite."""
    if name not in arrays:
        raise UsageError(f"the motion file has no array {name!r}.", "It needs acc and sampling_rate.")
    array = arrays[name]
    if array.dtype.kind not in "fiu":
        raise UsageError(f"{name} in the motion file holds no numbers but {array.dtype}.")
    fits = array.ndim == len(shape) and all(w in (None, n) for w, n in zip(shape, array.shape, strict=True))
    if not fits:
        wanted = ", ".join("N" if length is None else str(length) for length in shape)
        raise UsageError(f"{name} in the motion file has the shape {array.shape}, not ({wanted}).")
    numbers = array.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise UsageError(f"{name} in the motion file holds values that are not finite.")
    if len(shape) and len(numbers) < 2:
        raise UsageError(f"{name} in the motion file has fewer than two samples.")
    return numbers


def _rate_hz(arrays: Mapping[str, npt.NDArray[Any]]) -> float:
    given = arrays.get("sampling_rate")
    if given is not None and given.shape == (1,):
        arrays = {**arrays, "sampling_rate": given.reshape(())}
    rate_hz = float(_numbers(arrays, "sampling_rate", ()))
    if not _LOWEST_HZ <= rate_hz <= _HIGHEST_HZ:
        raise UsageError(f"sampling_rate in the motion file is {rate_hz:g} Hz, not 1 to 10000.")
    return rate_hz


def _unit(direction: Floats, name: str) -> Floats:
    length = float(np.linalg.norm(direction))
    if length < 1e-6:
        raise UsageError(f"{name} in the motion file has no direction.")
    return direction / length


def _usual_forward(up: Floats) -> Floats:
    """Sensor +z, or +x where +z is nearly along `up`."""
    along = abs(float(up[2])) > np.cos(np.radians(_PARALLEL_DEG))
    return np.array([1.0, 0.0, 0.0]) if along else np.array([0.0, 0.0, 1.0])


def _across(forward: Floats, up: Floats) -> Floats:
    """`forward` without its part along `up`, of unit length."""
    direction = _unit(forward, "forward")
    across = direction - float(direction @ up) * up
    if float(np.linalg.norm(across)) < np.sin(np.radians(_LEAST_BETWEEN_DEG)):
        raise UsageError("up and forward in the motion file must differ by more than 5°.")
    return across / np.linalg.norm(across)


def _cubic_weights(fraction: Floats) -> Floats:
    """Weights (N, 4) of the samples at -1, 0, 1, 2 for a place `fraction` behind 0 (Catmull and Rom's cubic)."""
    f, f2, f3 = fraction, fraction**2, fraction**3
    return 0.5 * np.stack(
        [-f + 2 * f2 - f3, 2 - 5 * f2 + 3 * f3, f + 4 * f2 - 3 * f3, f3 - f2],
        axis=1,
    )


def _low_pass(motion: Floats, rate_hz: float, pass_hz: float) -> Floats:
    """`motion` (N, 6) without what lies above `pass_hz`, not shifted in time."""
    from scipy.signal import firwin, oaconvolve  # takes a second to load, and most stories are built in

    half = int(np.ceil(2 * rate_hz / pass_hz)) * 4
    taps = firwin(2 * half + 1, 1.125 * pass_hz, fs=rate_hz)
    padded = np.pad(motion, ((half, half), (0, 0)), mode="edge")
    return np.asarray(oaconvolve(padded, taps[:, None], mode="valid", axes=0))
