"""What the history and the report must mean alike: a day of little wear, and the share of time forward.

Pure, and light: the history loads no numerical package. Knows: columns. Must never know: who asks.
"""

from collections.abc import Mapping
from math import fsum
from typing import Any, Final

SHORT_WEAR_S: Final = 7200.0
"""A day with less wear than 2 h says little of how a day was, and is not compared with others."""

_JUDGED: Final = ("in_range_s", "forward_s", "reclined_s")


def judged_share_pct(figures: Mapping[str, Any]) -> float | None:
    """Time forward in per cent of the still time that was judged; None where none was."""
    judged_s = fsum(figures[name] for name in _JUDGED)
    return 100 * float(figures["forward_s"]) / judged_s if judged_s > 0 else None
