"""Is the sensor on a body? Told by what no living trunk can do: point far from the baseline and not move at all.

Breathing, heartbeat and sway keep the direction of a worn sensor moving by more than a tenth of a degree; on a table
only its own noise is left. A sensor that lies still near its baseline is not told apart: a wearer who reads is quiet
too, and to fall silent on a wearer is worse than to judge a table. Knows: directions in the calibrated frame, spreads.
Must never know: limits of posture, alerts.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from companion.posture.few import SLOW_NS
from companion.posture.rows import ROW_NS, ROWS_PER_S
from companion.posture.stage import Array

FAR_DEG = 45.0
"""From the baseline: nobody works so, and a sensor put down seldom comes to lie nearer."""

MOTIONLESS_S = 120
"""So long: the quietest two minutes of five wearers at a computer still moved by 0.12° (RMS)."""

_MOTIONLESS_DEG = (0.05, 0.10)
"""RMS about the mean direction that counts as none: by the sensor's own noise between these two. Of a slow sensor the
first: its rows rest on samples of several seconds, in whose mean breaths cancel out."""
_NOISE_MARGIN = 1.2

MOVED_SD_G = 0.03
MOVED_DEG = 3.0
"""From here on it is in somebody's hands."""

_FAR = float(np.cos(np.radians(FAR_DEG)))
_CHUNK_ROWS = 10 * ROWS_PER_S
_CHUNKS = MOTIONLESS_S * ROWS_PER_S // _CHUNK_ROWS
_LEAST_ROWS = 0.98 * _CHUNKS * _CHUNK_ROWS


@dataclass(frozen=True, slots=True)
class WearState:
    """Sums of the chunks of 10 s that make two minutes, and where the sensor rests, if it does."""

    chunks: Array = field(default_factory=lambda: np.zeros((5, _CHUNKS)))  # count, up, squared noise; last: filling
    rest: tuple[float, float, float] | None = None


def not_worn(state: WearState, rows: Array) -> tuple[WearState, Array]:
    """For each of ROWS (N,): is the sensor off the body; and the state after them."""
    away = np.zeros(len(rows), dtype=np.bool_)
    with np.errstate(invalid="ignore"):
        quiet = (rows["up"][:, 2] < _FAR) & (rows["acc_sd_g"] < MOVED_SD_G)
    if state.rest is None and not np.count_nonzero(quiet) and not np.count_nonzero(state.chunks):
        return state, away  # nearly always
    up = _unit(rows["up"])
    chunks, found, directions = _motionless(state.chunks, rows, up, quiet)
    place, rest = 0, state.rest
    while place < len(rows):  # over the moments at which it is put down or taken up
        if rest is None:
            later = int(np.searchsorted(found, place))
            if later == len(found):
                break
            place, rest = int(found[later]), (*directions[later].tolist(),)
        moved = np.flatnonzero(_moved(rows[place:], up[place:], rest))
        end = place + int(moved[0]) if len(moved) else len(rows)
        away[place:end] = True
        place, rest = end + 1, None if len(moved) else rest
    return replace(state, chunks=chunks, rest=rest), away


def _motionless(chunks: Array, rows: Array, up: Array, quiet: Array) -> tuple[Array, Array, Array]:
    """The chunks after these rows; the rows at which two motionless minutes far from the baseline end, and where."""
    numbers = rows["t_session_ns"] // ROW_NS - 1
    where = numbers // _CHUNK_ROWS - numbers[0] // _CHUNK_ROWS
    complete = int((numbers[-1] + 1) // _CHUNK_ROWS - numbers[0] // _CHUNK_ROWS)
    values = np.concatenate([np.ones((len(rows), 1)), up, rows["acc_sd_g"][:, None] ** 2], axis=1)
    values[~quiet] = 0.0  # the rest does not count
    fresh = np.stack(
        [_added(first, where, value, complete) for first, value in zip(chunks[:, -1], values.T, strict=True)]
    )
    joined = np.concatenate([chunks[:, :-1], fresh], axis=1)
    total = joined[:, :complete].copy()
    for later in range(1, _CHUNKS):
        total += joined[:, later : later + complete]
    places = np.flatnonzero((numbers + 1) % _CHUNK_ROWS == 0)
    is_motionless, directions = _judged(total, rows["rate_hz"][places])
    return joined[:, -_CHUNKS:].copy(), places[is_motionless], directions[is_motionless]


def _added(first: float, where: Array, values: Array, complete: int) -> Array:
    """Sums by chunk, added in order: bincount begins with what the filling chunk holds."""
    places, weights = np.concatenate([[0], where]), np.concatenate([[first], values])
    return np.bincount(places, weights=weights, minlength=complete + 1)


def _judged(total: Array, rate_hz: Array) -> tuple[Array, Array]:
    count = np.maximum(total[0], 1)
    mean = total[1:4] / count
    length = np.sqrt(mean[0] * mean[0] + mean[1] * mean[1] + mean[2] * mean[2])
    spread_deg = np.degrees(np.sqrt(np.maximum(1 - length * length, 0)))
    # White noise of |a| stands for that across it, over two axes, in a mean of a second.
    noise_deg = np.degrees(np.sqrt(2 * total[4] / count / rate_hz))
    least_deg, most_deg = _MOTIONLESS_DEG
    limit_deg = np.clip(_NOISE_MARGIN * noise_deg, least_deg, np.where(rate_hz * SLOW_NS > 1e9, most_deg, least_deg))
    is_motionless = (total[0] >= _LEAST_ROWS) & (spread_deg <= limit_deg)
    return is_motionless, (mean / np.maximum(length, 1e-9)).T


def _moved(rows: Array, up: Array, rest: tuple[float, float, float]) -> Array:
    with np.errstate(invalid="ignore"):
        x, y, z = rest
        off = up[:, 0] * x + up[:, 1] * y + up[:, 2] * z < np.cos(np.radians(MOVED_DEG))
        return np.asarray((rows["acc_sd_g"] >= MOVED_SD_G) | off)


def _unit(vectors: Array) -> Array:
    x, y, z = vectors.T
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(vectors / np.sqrt(x * x + y * y + z * z)[:, None])
