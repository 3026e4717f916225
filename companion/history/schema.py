"""What the history is made of: identity, version, tables. The columns are those of the data dictionary.

Knows: names and types that stand in the database. Must never know: files, values.
"""

import zlib
from collections.abc import Mapping
from typing import Final

from companion.tables.dictionary import DAY_COLUMNS, EPISODE_COLUMNS, MINUTE_COLUMNS, SESSION_COLUMNS, Column

APPLICATION_ID: Final = 0x50535448
"""The letters PSTH, at byte 68 of the file."""

FIGURES: Final = 1
"""Raised whenever a figure is computed otherwise within one version of the program."""

_COUNTS: Final = frozenset(
    {"episode", "episodes", "alerts", "samples", "lost_samples", "duplicates", "malformed", "outages"}
)

FILE_COLUMNS: Final[Mapping[str, str]] = {
    "file": "TEXT",  # its name in the directory of sessions
    "size": "INTEGER",  # bytes, of the file and of what SQLite left beside it
    "mtime_ns": "INTEGER",  # nanoseconds since 1970, the latest of these files
    "closed": "INTEGER",  # 1: it has an end
    "computed_by": "TEXT",  # the version of the program that computed the figures
    "damage_s": "REAL",  # seconds that could not be read
    "error": "TEXT",  # why it cannot be read at all; then there are no figures
}
"""What the history knows of each recording beside its figures."""

_UNKNOWN: Final = frozenset({"coverage_pct", "median_recovery_s"})
NEEDED: Final[Mapping[str, frozenset[str]]] = {
    "sessions": frozenset({"file", "size", "mtime_ns", "closed", "computed_by"}),
    "days": frozenset(
        {"file", *(column.name for column in DAY_COLUMNS if column.unit != "deg" and column.name not in _UNKNOWN)}
    ),
    "minutes": frozenset({"file", "t_s", "duration_s"}),
    "episodes": frozenset({"file", "episode", "t_s"}),
}
"""The columns of each table that always have a value."""


def _typed(columns: tuple[Column, ...]) -> dict[str, str]:
    return {
        column.name: "INTEGER" if column.name in _COUNTS else "REAL" if column.unit else "TEXT" for column in columns
    }


COLUMNS: Final[Mapping[str, Mapping[str, str]]] = {
    "sessions": {**FILE_COLUMNS, **_typed(SESSION_COLUMNS)},
    "days": {"file": "TEXT", **_typed(DAY_COLUMNS)},
    "minutes": {"file": "TEXT", **_typed(MINUTE_COLUMNS)},
    "episodes": {"file": "TEXT", **_typed(EPISODE_COLUMNS)},
}
"""The type of every column of every table: text without a unit, counts as whole numbers, all else at full precision."""

_KEYS: Final = {"sessions": "file", "days": "file, date", "minutes": "file, t_s", "episodes": "file, episode"}

PYTHON_TYPES: Final[Mapping[str, type]] = {"TEXT": str, "INTEGER": int, "REAL": float}


def _create(table: str) -> str:
    columns = (f"{name} {kind}{' NOT NULL' * (name in NEEDED[table])}" for name, kind in COLUMNS[table].items())
    return f"CREATE TABLE {table} ({', '.join(columns)}, PRIMARY KEY ({_KEYS[table]})) WITHOUT ROWID"


TABLES: Final = {table: _create(table) for table in COLUMNS}

VERSION: Final = FIGURES << 16 | zlib.crc32("\n".join(TABLES.values()).encode()) & 0xFFFF
"""`user_version`: the number of the figures, then a checksum of the tables. Any other one is of another version of the
program, older or newer; such a history is made anew and never migrated."""
