"""Files of phone and sensor loggers: how each is known, and what its columns are. Every fact names its source.

A file is of a kind where every pattern of its columns fits one name of the header (and its own name fits, where the
header alone says too little). What is not here needs names that explain themselves, or `--columns`. Pure. Must never
know: files, numbers.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_LONGEST = 200  # no column has a longer name
TURNING = ("gx", "gy", "gz")
ACCELERATION = ("ax", "ay", "az")

_SENSOR_LOGGER = "github.com/tszheichoi/awesome-sensor-logger: UNITS.md, COORDINATES.md, CROSSPLATFORM.md, README.md"
_PHYPHOX = "github.com/phyphox/phyphox-experiments: the export sets of accelerometer, linear_accelerometer, gyroscope"
_POLAR = "header lines of the app's _ACC.txt and _GYRO.txt in public analysis code"
_MOVESENSE = "the sample apps' CsvLogger.appendHeader in public copies of the Movesense mobile library"
_METABASE = "header lines of MetaBase's CSV in public code that writes and reads them"
_OPENMOVEMENT = "github.com/openmovementproject/omsynth: README.md (Time as YYYY-MM-DD hh:mm:ss.fff, g, d/s)"
_DOT_MANUAL = (
    "Xsens DOT user manual, 4.2.2 and 4.2.5 (SampleTimeFine in µs, wraps at 2^32); header lines in public code"
)
_WITMOTION = "header lines of the maker's PC software in public code that reads them"
_SENSORLOG = "column names in public code; Apple's Core Motion: face up on a table z is -1 g"
_SHIMMER = "column names of Consensys exports in public code; units from the file's own row of units"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of file of one logger. Patterns are of whole names, capitals and small letters alike."""

    logger: str
    source: str
    columns: Mapping[str, str]  # quantity: pattern; "t" is the time, "wall" a time of day for the start
    units: Mapping[str, str] = field(default_factory=dict)  # where the names tell none
    role: str = ""  # "acc", "gyr", "free", "gravity"; "": what the columns say
    file: str = ""  # pattern of the file's name
    wrap_ns: int = 0  # the time begins anew after so much
    down: bool = False  # gravity counts downwards
    label: str = ""  # pattern of a column that names the sensor of a row
    rank: int = 0  # of two files of one role the lower is taken
    clock: str = ""  # files with the same clock can be joined; "": those of one logger
    note: str = ""


def _xyz(pattern: str, quantity: str) -> dict[str, str]:
    return {quantity + axis: pattern.replace("@", axis) for axis in "xyz"}


def _acc(pattern: str) -> dict[str, str]:
    return _xyz(pattern, "a")


def _gyr(pattern: str) -> dict[str, str]:
    return _xyz(pattern, "g")


_SI = {"t": "s", "acc": "mps2", "gyr": "radps"}
_G = {"acc": "g", "gyr": "dps"}


def _sensor_logger(name: str, role: str, rank: int = 0, **more: str) -> Kind:
    axes = _gyr("@") if role == "gyr" else _acc("@")
    units = {"t": "ns", **({"gyr": "radps"} if role == "gyr" else {"acc": "mps2"})}
    return Kind(
        logger="Sensor Logger",
        source=_SENSOR_LOGGER,
        columns={"t": "time", "seconds": "seconds_elapsed", **axes},
        units=units,
        role=role,
        file=name,
        rank=rank,
        **more,  # type: ignore[arg-type]
    )


def _phyphox(role: str, pattern: str) -> Kind:
    axes = _gyr(pattern) if role == "gyr" else _acc(pattern)
    return Kind(logger="phyphox", source=_PHYPHOX, columns={"t": r"Time \(s\)", **axes}, units=_SI, role=role)


def _metabase(role: str, unit: str) -> Kind:
    axes = _xyz(rf"@-axis \({unit}\)", "g" if role == "gyr" else "a")
    times = {"wall": r"epoch? \(ms\)", "zone": r"time(?:stamp)? \([+-]?\d\d:?\d\d\)", "t": r"epoch? \(ms\)"}
    return Kind(logger="MetaBase", source=_METABASE, columns={**times, **axes}, units={"t": "ms", **_G}, role=role)


_POLAR_TIMES = {"wall": "Phone timestamp", "t": r"sensor timestamp \[ns\]"}
_POLAR_UNITS = {"t": "ns", "acc": "mg", "gyr": "dps"}
_MOVESENSE_MS = {"t": r"Timestamp \(ms\)"}
_MOVESENSE_UNITS = {"t": "ms", "acc": "mps2", "gyr": "dps"}

_PARTED_FILES = ("wristmotion.csv", "headphone.csv")

KINDS: Sequence[Kind] = (
    # Android: TotalAcceleration has gravity, Accelerometer has none. iOS: only Accelerometer and, if ticked, Gravity.
    _sensor_logger(r"TotalAcceleration\.csv", "acc"),
    _sensor_logger(r"AccelerometerUncalibrated\.csv", "acc", rank=1, note="uncalibrated"),
    _sensor_logger(r"Accelerometer\.csv", "free"),
    _sensor_logger(r"Gravity\.csv", "gravity"),
    _sensor_logger(r"Gyroscope\.csv", "gyr"),
    _sensor_logger(r"GyroscopeUncalibrated\.csv", "gyr", rank=1, note="uncalibrated"),
    _phyphox("free", r"Linear Acceleration @ \(m/s\^?2\)"),
    _phyphox("acc", r"Acceleration @ \(m/s\^?2\)"),
    _phyphox("gyr", r"Gyroscope @ \(rad/s\)"),
    Kind(
        logger="Polar Sensor Logger", source=_POLAR, columns={**_POLAR_TIMES, **_acc(r"@ \[mg\]")}, units=_POLAR_UNITS
    ),
    Kind(
        logger="Polar Sensor Logger", source=_POLAR, columns={**_POLAR_TIMES, **_gyr(r"@ \[dps\]")}, units=_POLAR_UNITS
    ),
    Kind(
        logger="Movesense",
        source=_MOVESENSE,
        columns={"t": "Timestamp", **_acc("Acc@"), **_gyr("Gyro@"), "m": "MagnX"},
        units=_MOVESENSE_UNITS,
    ),
    Kind(
        logger="Movesense",
        source=_MOVESENSE,
        columns={**_MOVESENSE_MS, **_acc(r"@: \(m/s\^2\)")},
        units=_MOVESENSE_UNITS,
    ),
    Kind(
        logger="Movesense",
        source=_MOVESENSE,
        columns={**_MOVESENSE_MS, **_gyr(r"@: \(degree per second\)")},
        units=_MOVESENSE_UNITS,
    ),
    _metabase("acc", "g"),
    _metabase("gyr", "deg/s"),
    Kind(
        logger="Axivity",
        source=_OPENMOVEMENT,
        columns={"t": "Time", **_acc(r"Accel-@ \(g\)"), **_gyr(r"Gyro-@ \(d/s\)")},
        units=_G,
    ),
    Kind(logger="Axivity", source=_OPENMOVEMENT, columns={"t": "Time", **_acc(r"Accel-@ \(g\)")}, units=_G),
    Kind(
        logger="Xsens DOT",
        source=_DOT_MANUAL,
        columns={"packet": "PacketCounter", "t": "SampleTimeFine", **_acc("Acc_@"), **_gyr("Gyr_@")},
        units={"t": "us", "acc": "mps2", "gyr": "dps"},
        wrap_ns=(1 << 32) * 1000,
    ),
    Kind(
        logger="Xsens DOT",
        source=_DOT_MANUAL,
        columns={"packet": "PacketCounter", "t": "SampleTimeFine", **_acc("FreeAcc_@")},
        units={"t": "us"},
        role="free",
    ),
    Kind(
        logger="WitMotion",
        source=_WITMOTION,
        columns={"t": "time", **_acc(r"(?:Acc|Acceleration )@\(g\)"), **_gyr(r"(?:As|Angular velocity )@\(°/s\)")},
        units=_G,
        label="Device ?name",
    ),
    *(
        Kind(
            logger="SensorLog",
            source=_SENSORLOG,
            columns={
                "wall": r"loggingTime\(txt\)",
                "t": r"accelerometerTimestamp_sinceReboot\(s\)",
                **_acc(r"accelerometerAcceleration@\(G\)"),
                **gyroscope,
            },
            units={"t": "s", "acc": "g", "gyr": "radps"},
            down=True,
        )
        for gyroscope in (_gyr(r"gyroRotation@\(rad/s\)"), {})
    ),
    *(
        Kind(
            logger="Shimmer",
            source=_SHIMMER,
            columns={
                "t": r"(?:.*_)?Timestamp(?:Sync)?_(?:Unix|FormattedUnix)_CAL",
                **_acc(rf"(?:.*_)?Accel_{accelerometer}_@_CAL"),
                **gyroscope,
            },
        )
        for gyroscope in (_gyr(r"(?:.*_)?Gyro_@_CAL"), {})
        for accelerometer in ("LN", "WR")
    ),
)
"""In the order in which they are tried: of two that fit, the first has more columns or says more."""


def recognised(file_name: str, header: Sequence[str]) -> tuple[Kind, dict[str, int]] | None:
    """The kind of a file and the place of each of its columns; None where no logger writes such a header."""
    for kind in KINDS:
        if kind.file and not re.fullmatch(kind.file, file_name, re.IGNORECASE):
            continue
        places = {name: _place(pattern, header) for name, pattern in kind.columns.items()}
        if None not in places.values():
            return kind, {name: place for name, place in places.items() if place is not None}
    return None


def is_parted(file_name: str, header: Sequence[str]) -> bool:
    """Whether a file is one of Sensor Logger's of a watch or headphones: gravity and what is without it in columns.

    UNITS.md has both in g or in m/s² for a watch, by a setting, and for headphones only one of the two.
    """
    names = {name.strip()[:_LONGEST].lower() for name in header}
    parts = {kind + axis for kind in ("acceleration", "gravity") for axis in "xyz"}
    return file_name.lower() in _PARTED_FILES and parts <= names


def label_place(kind: Kind, header: Sequence[str]) -> int | None:
    """Where the sensor of a row is named, if it is."""
    return _place(kind.label, header) if kind.label else None


def _place(pattern: str, header: Sequence[str]) -> int | None:
    """The place of the first name that fits."""
    found = re.compile(pattern, re.IGNORECASE)
    return next((place for place, name in enumerate(header) if found.fullmatch(name.strip()[:_LONGEST])), None)
