"""A session without what names its wearer or tells when it was: what `export --anonymous` writes.

Session time stays, and with it every figure. The name of the sensor, the zone, every date and time of day go; a
session's id becomes another unless it is a random one; a day is 24 h from the start, as the place of midnight would
tell the time of day. Pure. Knows: judged sessions. Must never know: text cells, files.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from companion.tables.judged import Judged
from firmware_protocol.frames import Opened

HIDDEN = frozenset({"device", "tz", "date", "day_h", "started_utc", "started_local"})
"""Columns that are left empty, in whatever table."""

_RANDOM_ID = re.compile(r"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}", re.ASCII)  # RFC 9562, version 4
_NEUTRAL = {
    # What this program writes itself; anything else may be somebody's word.
    "profile": re.compile("desk|standing|sofa"),
    "mode": re.compile("coach|track"),
    "view": re.compile("lived|settled"),
    "calibration_id": re.compile(r"[0-9a-f]{12}", re.ASCII),
    "software_version": re.compile(r"\d{1,3}(\.\d{1,3}){1,2}((a|b|rc|\.post|\.dev)\d{1,3})?", re.ASCII),
}


def anonymous(session: Judged) -> Judged:
    """The same session, of nobody and at no time: it begins with the year 1970 in UTC."""
    header = session.header
    name = pseudonym(header)
    hidden = replace(
        header, session_id=name, device="", utc_ns=0, zone="UTC", settings_json="{}", calibration_json=None
    )
    return replace(session, header=hidden, summary=_without_words(session.summary) | {"session_id": name})


def pseudonym(header: Opened) -> str:
    """A random id as it is; of any other 32 hexadecimal digits, which nobody can turn back and which stay the same.

    The salt is what only the recording tells: both clocks to the nanosecond, and the calibration.
    """
    if _RANDOM_ID.fullmatch(header.session_id):
        return header.session_id
    salted = (header.session_id, header.t_host_ns, header.utc_ns, header.calibration_json)
    return hashlib.sha256(repr(salted).encode("utf-8", "replace")).hexdigest()[:32]


def _without_words(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The summary with numbers, and of texts only those that cannot be a person's own."""
    return {name: value for name, value in summary.items() if not isinstance(value, str) or _is_neutral(name, value)}


def _is_neutral(name: str, value: str) -> bool:
    return name in _NEUTRAL and _NEUTRAL[name].fullmatch(value) is not None
