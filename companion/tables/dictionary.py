"""The data dictionary: every column of every exported table, with its unit and what it means.

The one place where columns are listed: the tables are written from it, `export --describe` prints it, and a
test compares the two. Pure. Must never know: values.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its unit ("" for text and plain counts) and its meaning in a sentence."""

    name: str
    unit: str
    meaning: str


_SESSION_ID = Column("session_id", "", "Identifies the session; unique, carries no name.")
_UTC = "in UTC, ISO 8601 with milliseconds."
_LOCAL = "in the session's own time zone, ISO 8601 with milliseconds and the offset from UTC."

_STATES_OF_STILL = (
    Column("in_range_s", "s", "Still time within the limit around the baseline."),
    Column("forward_s", "s", "Still time forward of the baseline by more than the limit, as part of a slouch."),
    Column("reclined_s", "s", "Still time more than 15 degrees behind the baseline; never counted as in range."),
    Column(
        "unjudged_s",
        "s",
        "Still time that was not judged: no calibration, too uncertain, or a sensor that is upside down or may have "
        "slipped by more than 20 degrees.",
    ),
)
DURATIONS = (
    Column("still_s", "s", "Time the wearer was still; in_range_s + forward_s + reclined_s + unjudged_s."),
    *_STATES_OF_STILL,
    Column("moving_s", "s", "Time the wearer moved without walking; not judged."),
    Column("walking_s", "s", "Time the wearer walked; not judged."),
    Column("lying_s", "s", "Time the wearer lay; not judged."),
    Column("settling_s", "s", "Time the angles were settling after a start or a gap; not judged."),
    Column("no_data_s", "s", "Time without data from the sensor; nothing is assumed about it."),
    Column("not_worn_s", "s", "Time the sensor was not worn."),
)
"""The contexts add up to the duration, the states to still_s; all are counted in rows of 0.2 s."""


def _percentiles(prefix: str, reference: str) -> tuple[Column, ...]:
    return tuple(
        Column(
            f"{prefix}_p{percent}_deg",
            "deg",
            f"Sagittal angle from {reference}; {percent} % of the still, moving and walking time was below it.",
        )
        for percent in (10, 50, 90, 95, 99)
    )


_RELATIVE = _percentiles("rel", "the baseline")
_SUSPECT = Column(
    "suspect_s",
    "s",
    "Time in which the sensor may have slipped, whatever the context; up to 20 degrees it is judged as ever.",
)

SESSION_COLUMNS = (
    _SESSION_ID,
    Column(
        "view",
        "",
        "lived: as it was seen at the time; settled: with what the sensor's buffer delivered later.",
    ),
    Column("started_utc", "", f"Start of the session {_UTC}"),
    Column("started_local", "", f"Start of the session {_LOCAL}"),
    Column("tz", "", "IANA name of the session's time zone."),
    Column("device", "", "The wearer's name for the sensor, or what stood in for one."),
    Column("profile", "", "The profile in force, for example desk."),
    Column("mode", "", "coach: with cues; track: without."),
    Column("duration_s", "s", "Length of the session: the number of rows times 0.2 s."),
    *DURATIONS,
    Column("coverage_pct", "%", "Share of the duration that is neither no data nor not worn."),
    Column("episodes", "", "Slouches that started."),
    Column(
        "alerts", "", "Alerts that were raised, at most alert.per_hour in any hour; what was held back is not counted."
    ),
    Column("longest_forward_s", "s", "Duration of the longest episode."),
    Column("median_recovery_s", "s", "Median time from an episode's first alert to the end of the episode."),
    *_RELATIVE,
    *_percentiles("abs", "vertical"),
    Column("rate_hz", "Hz", "Sampling rate as measured."),
    Column("samples", "", "Samples that the recording holds."),
    Column(
        "lost_samples",
        "",
        "Samples that are known to have been taken by the sensor and never came.",
    ),
    Column("duplicates", "", "Samples that came more than once; counted apart, used once."),
    Column("malformed", "", "Packets that the protocol does not allow; counted apart, not used."),
    Column("loss_pct", "%", "100 x lost / (samples + lost); empty where neither a counter nor a clock tells."),
    Column(
        "drift_ppm",
        "ppm",
        "How much faster the sensor's clock ran than this computer's, in parts per million.",
    ),
    Column("outages", "", "Times the link was lost, not counting gaps that the sensor's buffer filled."),
    Column("calibration_id", "", "The calibration in force at the end."),
    Column("software_version", "", "Version of the program that made the recording."),
    Column("drift_sigma_ppm", "ppm", "One standard error of drift_ppm."),
    _SUSPECT,
)

DAY_COLUMNS = (
    _SESSION_ID,
    Column("date", "", "The local day, in the session's own time zone."),
    Column("tz", "", "IANA name of the session's time zone."),
    Column("day_h", "h", "Length of that day from midnight to midnight: 23 to 25 h where clocks are changed."),
    Column("started_utc", "", f"Start of the session's part on this day {_UTC}"),
    Column("started_local", "", f"Start of the session's part on this day {_LOCAL}"),
    Column("t_s", "s", "The same since the session's start."),
    Column("duration_s", "s", "Length of the session's part on this day."),
    *DURATIONS,
    Column("worn_s", "s", "Time that is neither no data nor not worn."),
    Column("coverage_pct", "%", "Share of the duration that is worn."),
    Column("episodes", "", "Slouches that started on this day."),
    Column("alerts", "", "Alerts that were raised on this day."),
    Column("longest_forward_s", "s", "Duration of the longest episode that started on this day."),
    Column("median_recovery_s", "s", "Median time from first alert to end, of episodes that started on this day."),
    *_RELATIVE,
    _SUSPECT,
)

MINUTE_COLUMNS = (
    _SESSION_ID,
    Column("started_utc", "", f"Start of the minute {_UTC}"),
    Column("started_local", "", f"Start of the minute {_LOCAL}"),
    Column("t_s", "s", "Start of the minute since the session's start."),
    Column("duration_s", "s", "Length: 60 s, less in the last minute."),
    *DURATIONS,
    Column(
        "sagittal_mean_deg",
        "deg",
        "Mean sagittal angle from the baseline where it is known; forward positive.",
    ),
    Column("lateral_mean_deg", "deg", "Mean lateral angle from the baseline where it is known; right positive."),
    Column("alerts", "", "Alerts that were raised in the minute."),
    _SUSPECT,
)

EPISODE_COLUMNS = (
    _SESSION_ID,
    Column("episode", "", "Number of the slouch in the session, from 1."),
    Column("started_utc", "", f"Start of the slouch {_UTC}"),
    Column("started_local", "", f"Start of the slouch {_LOCAL}"),
    Column("t_s", "s", "Start of the slouch since the session's start."),
    Column("duration_s", "s", "From its start to its last moment beyond the release."),
    Column("peak_deg", "deg", "Largest angle forward of the baseline."),
    Column("mean_deg", "deg", "Mean angle forward of the baseline."),
    Column("alerts", "", "Alerts that were raised during it."),
    Column("ended_by", "", "recovered, moved, walked, lay_down, no_data or session_end."),
    Column(
        "recovery_s", "s", "From its first alert to its end; empty where it had no alert, or the session ended first."
    ),
)

EXPOSURE_COLUMNS = (
    _SESSION_ID,
    Column(
        "quantity",
        "",
        "rel_sagittal, rel_lateral: angle from the baseline, forward and right positive; abs_sagittal: sagittal angle "
        "from vertical; velocity: how fast the up direction turns. Over the still, moving and walking time with known "
        "angles and a sensor that is not suspected of having slipped.",
    ),
    Column(
        "measure",
        "",
        "percentile; band: time within a band of angles; stay: the same by the length of uninterrupted stay, dips of "
        "under 1 s merged (exposure variation analysis).",
    ),
    Column("percentile_pct", "%", "Share of the time below the value, for a percentile."),
    Column("angle_deg", "deg", "The percentile of an angle, of means over 1 s."),
    Column("velocity_dps", "deg/s", "The percentile of the velocity, low-passed at 5 Hz; empty without gyroscope."),
    Column("from_deg", "deg", "Lower edge of the band, which is within it; empty: none."),
    Column("to_deg", "deg", "Upper edge of the band, which is not within it; empty: none."),
    Column("stay_from_s", "s", "Shortest stay of the class."),
    Column("stay_to_s", "s", "Stays of the class are shorter than this; empty: of any length."),
    Column("stays", "", "Number of stays of the class in the band."),
    Column("time_s", "s", "Time in the band, or of these stays."),
    Column("share_pct", "%", "The same in per cent of all the time of the quantity."),
)

SAMPLE_COLUMNS = (
    Column("t_s", "s", "Time of the sample since the session's start."),
    *(
        Column(
            f"acc_{axis}_mps2",
            "m/s2",
            f"Acceleration on the sensor's {axis} axis; +9.81 on the axis that is up.",
        )
        for axis in "xyz"
    ),
    *(
        Column(
            f"gyr_{axis}_radps",
            "rad/s",
            f"Angular rate about the sensor's {axis} axis; empty without gyroscope.",
        )
        for axis in "xyz"
    ),
    Column("sagittal_deg", "deg", "Angle from the baseline at the sample; forward positive."),
    Column("lateral_deg", "deg", "Angle from the baseline at the sample; right positive."),
)

TABLES: dict[str, tuple[Column, ...]] = {
    "sessions": SESSION_COLUMNS,
    "days": DAY_COLUMNS,
    "minutes": MINUTE_COLUMNS,
    "episodes": EPISODE_COLUMNS,
    "exposure": EXPOSURE_COLUMNS,
    "samples": SAMPLE_COLUMNS,
}
DEFAULT_TABLES = ("sessions", "days", "minutes", "episodes", "exposure")
"""What `export` writes unless told otherwise; `samples` is large and asked for by name."""


def names(table: str) -> tuple[str, ...]:
    """The columns of a table, in order. Raises KeyError for a table that does not exist."""
    return tuple(column.name for column in TABLES[table])
