"""Instants and durations as text: ISO 8601 in UTC and in the session's zone, clock readings, durations.

Pure: every instant comes in as nanoseconds. Must never know: the present time.
"""

from companion.tables.calendar import local


def utc_text(utc_ns: int) -> str:
    """ISO 8601 in UTC with milliseconds and "Z"; "" for an instant outside the years 1 to 9999."""
    moment = local(utc_ns, "UTC")
    return "" if moment is None else moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def local_text(utc_ns: int, zone: str) -> str:
    """ISO 8601 with milliseconds and the offset of `zone` (an IANA name; an unknown one counts as UTC)."""
    shown = local(utc_ns, zone)
    return "" if shown is None else shown.isoformat(timespec="milliseconds")


def clock_text(utc_ns: int, zone: str) -> str:
    """What a wall clock in `zone` shows, as HH:MM."""
    shown = local(utc_ns, zone)
    return "" if shown is None else shown.strftime("%H:%M")


def elapsed_text(seconds: float) -> str:
    """Time since the start, as H:MM:SS with whole seconds begun, for example "0:01:30"."""
    whole = max(0, int(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def duration_words(seconds: float) -> str:
    """A duration for people: "12 s", "3 min 05 s", "2 h 10 min"; to the nearest second."""
    whole = max(0, int(seconds + 0.5))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60:02d} s" if whole % 60 else "")
    return f"{whole // 3600} h" + (f" {whole // 60 % 60:02d} min" if whole // 60 % 60 else "")
