"""What the kinds of time, the columns and the events of a report are called, and what its words mean.

Pure. Knows: codes and names of columns. Must never know: values, the page. Neutral words only; units always.
"""

from collections.abc import Mapping

from companion.output.words import plain_word
from companion.tables.dictionary import TABLES

_KINDS: Mapping[str, str] = {
    "forward": "forward of baseline",
    "unjudged": "not judged",
    "not_worn": "not worn",
}

KIND_MEANINGS: Mapping[str, str] = {
    "in_range": "Still, and within the limit around your baseline.",
    "forward": "Still, and over the limit forward of your baseline, as part of a slouch.",
    "reclined": "Still, and more than 15° behind your baseline. Counted apart, never as in range.",
    "unjudged": "Still, but without a calibration, too uncertain, or with a sensor that is upside down or may have "
    "slipped by more than 20°.",
    "moving": "In movement without walking. Not judged.",
    "walking": "Walking. Not judged.",
    "lying": "Lying. Not judged.",
    "settling": "After a start or a gap, until the angles have settled. Not judged.",
    "no_data": "Nothing came from the sensor. Nothing is assumed about this time.",
    "not_worn": "The sensor lay somewhere without a wearer.",
}

MEANINGS: tuple[tuple[str, str], ...] = (
    ("Baseline", "Your own: where your upper back was when you calibrated. Every angle is counted from there."),
    ("Forward, degrees", "How far the upper back leans forward of the baseline; backward is negative."),
    ("Limit", "The angle from which a slouch begins. Dashed in the plots. It ends below two thirds of the limit."),
    ("Still time", "Only still time is judged; all else is counted under its own name."),
    (
        "Share of the still time that was judged",
        "Time forward, of the time in range, forward and reclined together; `posture history` has the same. Shares in "
        "the table of kinds are of all recorded time.",
    ),
    (
        "The sensor may have slipped",
        "Found by walking, from the slip limit on (10°, unless set otherwise). Up to 20° such time is judged and "
        "counted, and alerts go on and say so; beyond, nothing is judged. Percentiles and exposure leave all of it "
        "out.",
    ),
    (
        "Forward of vertical",
        "How far the sensor's flat side leans, which depends on how it sits on you. Where the baseline lies in these "
        "angles stands under Calibration.",
    ),
    ("Episode", "One slouch, from the first moment over the limit until it ends, movements of up to 5 s included."),
    (
        "Alert",
        "A cue that was given during an episode. At most six are given in any hour, unless that was set otherwise; "
        "what is held back is not counted here. The mode track gives none.",
    ),
    (
        "Recovery",
        "From an episode's first alert to the episode's end. The median is half-way through the sorted list. Alerts "
        "and recovery describe only the part that was cued.",
    ),
    ("Worn", "All time but no data and not worn. Rates per hour are per worn hour."),
    ("Coverage", "Worn time as a share of the whole."),
    (
        "Break",
        "Walking for 60 s or more. Time away, without data or not worn for 5 min, is no break and is told apart.",
    ),
    ("± after an angle", "One standard deviation of filter and calibration. Soft tissue and slips are not in it."),
    ("Percentile", "So much of the time was spent at or below the angle; p50 is the median."),
)

CANNOT_SEE: tuple[tuple[str, str], ...] = (
    ("The head", "A chin pushed forward or a head bent over a telephone changes nothing if the upper back stays."),
    (
        "The hips",
        "Leaning from the hips with a long back and rounding the upper back give the same angle. A slouch that rolls "
        "the pelvis back may even tilt the sensor backward; it is counted as reclined.",
    ),
    ("Turning", "Turns about the vertical leave no trace in these angles."),
    ("The skin", "Skin and clothing move against the spine by some degrees when the shoulders move."),
    ("A sensor that slips", "It has another baseline from then on. What was noticed of that is said above."),
    (
        "Other people",
        "In one and the same pose, upper backs differ by 20° and more between people. Compare with yourself only.",
    ),
)

QUANTITIES: Mapping[str, str] = {
    "rel_sagittal": "Forward of baseline",
    "rel_lateral": "Sideways of baseline, to the right positive",
    "abs_sagittal": "Sensor's flat side, forward of vertical",
    "velocity": "Velocity",
}


def kind_words(kind: str) -> str:
    """What a kind of time is called."""
    return _KINDS.get(kind, plain_word(kind))


def column_meaning(table: str, column: str) -> str:
    """The sentence of the data dictionary; "" for a column that the table does not have."""
    return next((known.meaning for known in TABLES[table] if known.name == column), "")
